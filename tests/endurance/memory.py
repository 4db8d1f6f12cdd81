"""Whether a process grows while it does the same again and again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from graphnets.photos.reading import RUNS

MIB = 1 << 20
SAMPLES = 40
WARM = 0.2  # of the calls: pools of memory and the threads' own fill up in the first ones
# MiB that a line through the samples may rise by. What malloc keeps moves by 1 or 2 of them; to
# lose one of the tiny network's pictures (3 KiB) at each of 10,000 calls makes 30.
MOST = 4.0
MOST_THREADS = (os.cpu_count() or 1) + 5 + RUNS  # begun late by pools that had been quick enough
MOST_FILES = 2  # connections that are just being closed


class Grown(NamedTuple):
    """What became of a process: its MiB at the warm-up's end, and by how many it rose from there.

    threads, files: more than then.
    """

    calls: int
    start: float
    rise: float
    threads: int
    files: int
    seconds: float

    def faults(self, most: float = MOST) -> list[str]:
        """What is over its bound."""
        found = [f"{self.rise:.1f} MiB more, wanted {most:g} at most"] if self.rise > most else []
        found += [f"{self.threads} more threads"] if self.threads > MOST_THREADS else []
        return found + ([f"{self.files} more open files"] if self.files > MOST_FILES else [])


def _resident(process: Path) -> float:
    return int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MIB


def _counts(process: Path) -> np.ndarray:
    return np.array([len(list((process / folder).iterdir())) for folder in ("task", "fd")])


def watched(call: Callable[[int], object], calls: int, pid: int | str = "self") -> Grown:
    """Call with 0, 1, 2 ... and look at the process, another one's by its number."""
    process, begun = Path("/proc", str(pid)), time.monotonic()
    warm = round(WARM * calls)
    for number in range(warm):
        call(number)
    before, samples = _counts(process), []
    every = max(1, (calls - warm) // SAMPLES)
    for number in range(warm, calls):
        if (number - warm) % every == 0:
            samples.append(_resident(process))
        call(number)
    rise = float(np.polyfit(np.arange(len(samples)), samples, 1)[0]) * (len(samples) - 1)
    threads, files = (_counts(process) - before).tolist()
    return Grown(calls, samples[0], rise, threads, files, time.monotonic() - begun)
