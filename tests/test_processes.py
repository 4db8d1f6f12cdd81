"""A program is run to its end, or ended with what began it."""

import signal
import subprocess
import sys
import time

import pytest

from graphnets import processes


def test_what_it_says_and_its_status(tmp_path):
    program = "import os, sys; print(os.getcwd()); sys.stderr.write('no'); sys.exit(3)"
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    ran = processes.run([sys.executable, "-c", program], cwd=tmp_path, **streams)
    assert (ran.stdout, ran.stderr, ran.returncode) == (f"{tmp_path}\n", "no", 3)


def test_what_cannot_be_begun_is_an_oserror(tmp_path):
    with pytest.raises(FileNotFoundError):
        processes.run([str(tmp_path / "no such program")])


@pytest.mark.parametrize("when", ["begins", "runs"])
def test_a_signal_leaves_no_program_behind(when, monkeypatch):
    begun = []
    popen = subprocess.Popen

    def begin(*arguments, **options):
        begun.append(popen(*arguments, **options))
        if when == "begins":
            signal.raise_signal(signal.SIGALRM)
            time.sleep(0.2)  # in which the main thread has it
        return begun[0]

    def stop(*_):
        raise InterruptedError

    monkeypatch.setattr(subprocess, "Popen", begin)
    before = signal.signal(signal.SIGALRM, stop)
    try:
        if when == "runs":
            signal.setitimer(signal.ITIMER_REAL, 0.5)
        with pytest.raises(InterruptedError):
            processes.run([sys.executable, "-c", "import time; time.sleep(60)"])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert begun[0].returncode == -signal.SIGKILL
