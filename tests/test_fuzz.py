"""Damaged files are read right or refused in one line; the long run is `python -m tests.fuzz`."""

import sys

import pytest

from tests.fuzz import __main__ as command
from tests.fuzz.__main__ import readers
from tests.fuzz.judge import run

READERS = readers()


@pytest.mark.parametrize("name", READERS)
def test_damaged_files_are_sound_or_refused(name):
    faults, count = [], getattr(READERS[name], "IN_SUITE", 60)
    counts = run(READERS[name], seed=0, count=count, say=lambda *fault: faults.append(fault))
    assert faults == []
    assert counts["sound"] + counts["refused"] == count


class Broken:
    def cases(self, seed, count):
        yield from [b"data"] * count

    def check(self, data):
        raise KeyError("a bug")


def test_another_exception_is_a_fault_and_told_with_its_seed():
    said = []
    counts = run(Broken(), 7, 2, lambda *fault: said.append(fault))
    assert counts == {"sound": 0, "refused": 0, "fault": 2}
    assert said == [(7, "KeyError: 'a bug'"), (8, "KeyError: 'a bug'")]


def test_the_command_runs_all_readers_unless_some_are_named(monkeypatch, capsys):
    monkeypatch.setattr(command, "readers", lambda: {"one": Broken(), "two": Broken()})
    for named, told in (([], ["one", "two"]), (["two"], ["two"])):
        monkeypatch.setattr(sys, "argv", ["fuzz", "--count", "1", *named])
        assert command.main() == 1
        lines = capsys.readouterr().out.splitlines()
        assert [line.partition(":")[0] for line in lines[1::2]] == told
        assert lines[0] == f"{told[0]} --seed 0 --count 1: KeyError: 'a bug'"
