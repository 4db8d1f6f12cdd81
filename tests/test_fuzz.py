"""Damaged files are read right or refused in one line; the long run is `python -m tests.fuzz`."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.fuzz import __main__ as command
from tests.fuzz import bombs, graphs, guided
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


@pytest.mark.long
@pytest.mark.parametrize("name", bombs.BOMBS)
def test_a_bomb_takes_five_seconds_and_twice_its_network_at_most(name):
    assert run(bombs, [*bombs.BOMBS].index(name), 1)["fault"] == 0


def test_bombs_are_run_once_however_many_files_are_wished(monkeypatch):
    monkeypatch.setattr(graphs, "in_child", lambda judge, data: None)
    assert sum(run(bombs, 0, 10_000).values()) == len(bombs.BOMBS)


def taking(path):
    """A quarter GB of memory for "much", an error for "wrong"."""
    if path.name == "much":
        np.ones(1 << 28, np.uint8)
    if path.name == "wrong":
        raise KeyError("a bug")


@pytest.mark.parametrize(
    "name, told", [("much", " MiB (sound)"), ("wrong", "KeyError: 'a bug'"), ("small", "sound")]
)
def test_a_bomb_that_goes_off_is_told(name, told, monkeypatch):
    monkeypatch.setitem(bombs.BOMBS, name, bombs.Bomb(name, lambda path: path.touch(), taking))
    assert bombs.judged(name.encode()).endswith(told)


def test_a_bomb_may_take_what_its_network_needs(monkeypatch):
    bomb = bombs.Bomb("much", lambda path: path.touch(), taking, needs=1 << 28)
    monkeypatch.setitem(bombs.BOMBS, "much", bomb)
    assert bombs.judged(b"much") == "sound"


def test_a_bomb_that_takes_long_is_told(monkeypatch):
    monkeypatch.setattr(bombs, "SECONDS", -1)
    bomb = bombs.Bomb("long", lambda path: path.touch(), lambda path: None)
    monkeypatch.setitem(bombs.BOMBS, "long", bomb)
    assert bombs.judged(b"long").startswith("long: 0.0 s, ")


SAID = """#20\tNEW    cov: 17 ft: 30 corp: 3/9b
fault: KeyError: 'a bug'
artifact_prefix='kept/'; Test unit written to kept/crash-12
stat::number_of_executed_units: 1234
"""


def test_what_atheris_says_is_told_in_numbers():
    assert guided.outcome(0, SAID.split("fault")[0] + SAID[-40:]) == (1234, 17, "")
    assert guided.outcome(77, SAID) == (1234, 17, "KeyError: 'a bug' kept/crash-12")
    assert guided.outcome(-9, "") == (0, 0, "it ends with -9")


def test_without_atheris_a_sentence_says_what_to_do(monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(command, "readers", lambda: {"one": Broken()})
    monkeypatch.setattr(sys, "argv", ["fuzz", "--guided", "1"])
    with pytest.raises(SystemExit):
        command.main()
    assert capsys.readouterr().err.endswith(
        "--guided wants atheris, which is not here: pip install atheris\n"
    )


def test_a_guided_run_begins_with_the_blind_files(monkeypatch, tmp_path):
    seen = []

    def begun(line, **_):
        seen.extend(path.read_bytes() for path in Path(line[-1]).iterdir())
        assert line[1:4] == ["-m", "tests.fuzz.guided", "one"] and "-max_total_time=7" in line
        return subprocess.CompletedProcess(line, 0, "cov: 3 ft", "number_of_executed_units: 5")

    monkeypatch.setattr(subprocess, "run", begun)
    assert guided.run("one", Broken(), 7, tmp_path / "kept") == (5, 3, "")
    assert seen == [b"data"] * guided.BEGUN_WITH and (tmp_path / "kept").is_dir()
