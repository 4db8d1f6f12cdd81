"""What starts the command."""

import builtins

import pytest

from graphnets.__main__ import main


def test_an_interrupt_while_modules_are_imported_ends_in_a_line(monkeypatch, capsys):
    imported = builtins.__import__

    def interrupted(name, *more):
        if name == "graphnets.cli.commands":
            raise KeyboardInterrupt
        return imported(name, *more)

    monkeypatch.setattr(builtins, "__import__", interrupted)
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 130
    assert capsys.readouterr().err == "stopped by SIGINT\n"
