"""Running a job as a process of its own: measured, or killed at a moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
TICK = 0.002  # seconds between two looks at the folders
LONGEST = 300  # seconds for a run; others may be at work
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
ENVIRONMENT = {
    **os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "NO_PROXY": "127.0.0.1",
}  # fmt: skip


class Measured(NamedTuple):
    """An undisturbed run, in seconds: `begin` is when it had written its first file.

    changes: how often names came, went or changed in its folder.
    """

    begin: float
    end: float
    changes: int


class Moment(NamedTuple):
    """When to kill: so many seconds after the start or after the first file, or at a change."""

    kind: str  # "start", "work" or "change"
    after: float


class Ended(NamedTuple):
    """How a run ended: its exit status, negative for a signal, what it said, how long it took."""

    status: int
    errors: str
    seconds: float
    alive: bool = True  # when the signal came


@contextmanager
def _started(command: Sequence[str], folder: Path) -> Iterator[subprocess.Popen]:
    """A process in the folder, whose stderr goes to a file beside it; SIGINT is as on a terminal.

    It is killed if it is still alive when the block ends.
    """
    with open(_log(folder), "wb") as errors:
        run = subprocess.Popen(
            command, cwd=folder, env=ENVIRONMENT, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True,
            preexec_fn=_with_interrupts,
        )  # fmt: skip
    try:
        yield run
    finally:
        if run.poll() is None:
            run.kill()
        run.wait()


def _with_interrupts() -> None:
    """Jobs of a shell without job control ignore SIGINT, and so would their children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _log(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.stderr")


def _ended(run: subprocess.Popen, folder: Path, start: float, alive: bool = True) -> Ended:
    """Wait for the end; it is cut off if it does not come."""
    try:
        status = run.wait(LONGEST)
    except subprocess.TimeoutExpired:
        run.kill()
        status = run.wait()
    errors = _log(folder).read_text(errors="backslashreplace")
    return Ended(status, errors, time.monotonic() - start, alive)


def finished(command: Sequence[str], folder: Path) -> Ended:
    """Run to the end."""
    start = time.monotonic()
    with _started(command, folder) as run:
        return _ended(run, folder, start)


def measured(command: Sequence[str], folder: Path) -> tuple[Measured, Ended]:
    """Run to the end and look at what it writes."""
    start = time.monotonic()
    changes, begin = 0, None
    with _started(command, folder) as run:
        names = _names(folder)
        while run.poll() is None and time.monotonic() - start < LONGEST:
            now = _names(folder)
            if now != names:
                changes, names = changes + 1, now
                begin = time.monotonic() - start if begin is None else begin
            time.sleep(TICK)
        ended = _ended(run, folder, start)
    begin = ended.seconds if begin is None else begin
    return Measured(begin, ended.seconds, changes), ended


def killed(command: Sequence[str], folder: Path, number: int, moment: Moment) -> Ended:
    """Run, and send a signal at the moment; `alive` tells whether it came in time."""
    start = time.monotonic()
    with _started(command, folder) as run:
        if moment.kind == "start":
            time.sleep(moment.after)
        else:
            _wait(run, folder, moment)
        alive = run.poll() is None
        if alive:
            run.send_signal(number)
        return _ended(run, folder, start, alive)


def _wait(run: subprocess.Popen, folder: Path, moment: Moment) -> None:
    """Until the moment has come, or the process has ended."""
    names, changes, begin = _names(folder), 0, None
    while run.poll() is None:
        now = _names(folder)
        if now != names:
            changes, names = changes + 1, now
            begin = begin or time.monotonic()
        if moment.kind == "change" and changes >= moment.after:
            return
        if moment.kind == "work" and begin and time.monotonic() - begin >= moment.after:
            return
        time.sleep(TICK)


def _names(folder: Path) -> set[tuple[str, int]]:
    """The files and their inodes: a file in the place of another is a change, a longer one none."""
    found = set()
    waiting = [str(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        found.add((entry.path, entry.inode()))
        except OSError:  # gone by now
            continue
    return found


def graphnets(*arguments: str) -> list[str]:
    """The command line of a graphnets command."""
    return [sys.executable, "-m", "graphnets", *arguments]
