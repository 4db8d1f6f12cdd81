"""A few kills of `python -m tests.kills`, and whether it finds planted faults."""

import signal
import sys

import numpy as np
import pytest

from tests.kills.__main__ import table
from tests.kills.jobs import Job
from tests.kills.process import Moment, graphnets
from tests.kills.run import Missed, known, moments, tried

WRITER = """
import os, sys, time
open("begun", "w").close()
{before}
with open({name}, {mode!r}) as file:
    file.write("half ")
    file.flush()
    time.sleep(0.25)
    file.write("whole")
os.replace({name}, "out")
"""
HIDDEN = '".out"'
EARLY = Moment("work", 0.1)


def job(name=HIDDEN, mode="w", before=""):
    script = WRITER.format(name=name, mode=mode, before=before)
    return Job("writer", [sys.executable, "-I", "-S", "-c", script], ["out"])


def faults_of(job, folder, number=0, signal_number=signal.SIGKILL, moment=EARLY):
    return tried(known(job, folder), folder, number, moment, signal_number)


@pytest.mark.parametrize("number", [0, 1])  # 1: there is a file before
def test_a_sound_writer_has_no_faults(tmp_path, number):
    assert faults_of(job(), tmp_path, number, signal.SIGTERM) == []


QUIT = "import signal; signal.signal(signal.SIGTERM, lambda *_: sys.exit('so what'))"
PLANTED = [
    (job('"out"'), 0, "killed: out is half-written"),
    (job(before="os.path.exists('out') and os.unlink('out')"), 1, "killed: out is gone"),
    (job("f'.out.{os.getpid()}'"), 0, "again: .out.PID is left over"),
    (job(mode="a"), 0, "again: out is not that of the undisturbed run"),
    (job(before=QUIT), 0, "killed: exit status 1"),
]


@pytest.mark.parametrize("planted, number, wanted", PLANTED, ids=lambda value: str(value)[:40])
def test_a_planted_fault_is_found(tmp_path, planted, number, wanted):
    ending = signal.SIGTERM if "exit status" in wanted else signal.SIGKILL
    found = faults_of(planted, tmp_path, number, ending)
    parts = wanted.split("PID")
    assert any(one.startswith(parts[0]) and one.endswith(parts[-1]) for one in found), found


def test_a_job_that_is_over_before_the_signal_is_no_kill(tmp_path):
    with pytest.raises(Missed):
        faults_of(Job("quick", [sys.executable, "-I", "-S", "-c", ""]), tmp_path,
                  moment=Moment("change", 99))  # fmt: skip


@pytest.mark.parametrize("number, ending", [(0, signal.SIGKILL), (1, signal.SIGINT)])
def test_convert_is_killed_at_its_first_file(tmp_path, number, ending):
    matrix = np.ones((1024, 2048), np.float32)
    np.savez(tmp_path / "w.npz", **{"fc/W": matrix, "fc/b": matrix[0]})
    command = graphnets("convert", str(tmp_path / "w.npz"), "w.npy")
    converting = Job("convert", command, ["w.npy"])
    assert faults_of(converting, tmp_path, number, ending, Moment("change", 1)) == []


def test_moments_are_spread_over_the_run():
    from tests.kills.process import Measured

    found = moments(Measured(2.0, 5.0, 10), 60, np.random.default_rng(0))
    work = [moment.after for moment in found if moment.kind == "work"]
    assert len(work) == 30 and work == sorted(work) and max(np.diff([0, *work, 3])) < 0.25
    changes = {moment.after for moment in found if moment.kind == "change"}
    assert changes == set(range(1, 11))
    assert all(0.4 <= moment.after <= 2 for moment in found if moment.kind == "start")


def test_the_table_sums_up():
    from collections import Counter

    from tests.kills.run import Tally

    lines = table({"a": Tally(Counter(SIGKILL=2, SIGINT=1), Counter(), ["x"])}).splitlines()
    assert [line.split() for line in lines] == [
        ["job", "SIGKILL", "SIGTERM", "SIGINT", "landed", "failures"],
        ["a", "2", "0", "1", "3", "1"],
        ["all", "2", "0", "1", "3", "1"],
    ]
