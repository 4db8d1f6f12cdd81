"""Killing jobs, some at a time, and what comes of it."""

from __future__ import annotations

import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tests.kills import judge
from tests.kills.jobs import Job
from tests.kills.process import SIGNALS, Measured, Moment, finished, killed, measured

TRIES = 8  # to land one kill
READY = 0.4  # seconds in which Python itself starts, and answers SIGINT by a traceback of its own

Say = Callable[[str], object]


class Known(NamedTuple):
    """A job with its undisturbed run: how long it took, what it left and said, what it replaces."""

    job: Job
    measured: Measured
    whole: Mapping[str, Any]
    before: Mapping[str, Any]
    said: Sequence[str]


class Tally(NamedTuple):
    """Of one job: kills that landed by signal, and by the kind of moment, and what failed."""

    landed: Counter[str]
    moments: Counter[str]
    failures: list[str]


def known(job: Job, work: Path) -> Known:
    """Run a job undisturbed."""
    folder = work / job.name / "whole"
    job.begin(folder, 0)
    length, ended = measured(job.command, folder)
    if ended.status:
        raise SystemExit(f"{job.name} fails undisturbed: {ended.errors[-2000:]}")
    old = work / job.name / "before"
    job.begin(old, 1)
    whole = judge.state(folder)
    faults = judge.left_over(folder, whole)
    if faults:
        raise SystemExit(f"{job.name} undisturbed: {faults}")
    return Known(job, length, whole, judge.state(old), ended.errors.splitlines())


def moments(length: Measured, count: int, random: np.random.Generator) -> list[Moment]:
    """Spread over the run: one in six in its start, the others by time and by changes."""
    kinds = [("start", "work", "change", "work", "change", "work")[n % 6] for n in range(count)]
    found = []
    for kind in kinds:
        places = [n for n, other in enumerate(kinds) if other == kind]
        share = (places.index(len(found)) + random.uniform()) / len(places)
        ends = {"start": length.begin - READY, "work": length.end - length.begin}
        if kind == "change":
            found.append(Moment(kind, 1 + int(share * length.changes)))
        else:
            found.append(Moment(kind, share * ends[kind] + (READY if kind == "start" else 0)))
    return found


def tried(known: Known, work: Path, number: int, moment: Moment, signal_number: int) -> list[str]:
    """Kill a job once and run it again; what is wrong. Raises Missed if no kill landed."""
    folder = work / known.job.name / f"{number:03d}"
    for _ in range(TRIES):
        shutil.rmtree(folder, ignore_errors=True)
        known.job.begin(folder, number)
        ended = killed(known.job.command, folder, signal_number, moment)
        if ended.alive and ended.status != 0:
            break
        moment = moment._replace(after=moment.after * 0.6)
    else:
        raise Missed
    faults = [f"killed: {fault}" for fault in judge.said(ended, signal_number, known.said)]
    before = known.before if number % 2 else {}
    faults += [f"killed: {fault}" for fault in judge.half_written(folder, known.whole, before)]
    faults += [f"again: {fault}" for fault in _again(known, folder)]
    if not faults:
        shutil.rmtree(folder)
    return faults


class Missed(Exception):
    """A job has ended before each of the signals."""


def _again(known: Known, folder: Path) -> list[str]:
    ended = finished(known.job.command, folder)
    settled = known.job.settled
    if ended.status and not (settled and settled in ended.errors):
        last = (ended.errors.strip().splitlines() or [""])[-1]
        return [f"exit status {ended.status}: {last[:300]}"]
    return judge.left_over(folder, known.whole)


def run(jobs: Sequence[Job], work: Path, count: int, seed: int, at_once: int, say: Say
        ) -> dict[str, Tally]:  # fmt: skip
    """Kill the jobs, together `count` times, and run each again."""
    with ThreadPoolExecutor(at_once) as pool:
        found = list(pool.map(lambda job: known(job, work), jobs))
        for one in found:
            length = one.measured
            say(f"{one.job.name}: first file after {length.begin:.1f} s, end after {length.end:.1f}"
                f" s, {length.changes} changes")  # fmt: skip
        tallies = {job.name: Tally(Counter(), Counter(), []) for job in jobs}
        done = pool.map(lambda plan: _landed(plan, work), _plans(found, count, seed))
        for name, kind, number, faults in done:
            tally = tallies[name]
            tally.landed[signal.Signals(number).name] += faults is not None
            tally.moments[kind] += faults is not None
            for fault in ["no kill landed"] if faults is None else faults:
                tally.failures.append(fault)
                say(f"{name}: {signal.Signals(number).name} at {kind}: {fault}")
    return tallies


def _plans(found: Sequence[Known], count: int, seed: int) -> Iterator[tuple]:
    """(job, number, moment, signal) of each kill, the jobs in turn."""
    random = np.random.default_rng(seed)
    shares = [len(range(place, count, len(found))) for place in range(len(found))]
    planned = [
        moments(one.measured, share, random) for one, share in zip(found, shares, strict=True)
    ]
    for place in range(count):
        which, number = place % len(found), place // len(found)
        yield found[which], number, planned[which][number], SIGNALS[(number + which) % 3]


def _landed(plan: tuple, work: Path) -> tuple[str, str, int, list[str] | None]:
    known, number, moment, signal_number = plan
    faults: list[str] | None = None
    with suppress(Missed):
        faults = tried(known, work, number, moment, signal_number)
    place = f"{moment.kind} {moment.after:.2f}, folder {number:03d}"
    return known.job.name, place, signal_number, faults
