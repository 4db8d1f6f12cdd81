"""Contenders take turns, each in a process of its own, so that all see the same machine."""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.benchmarks.contender import Contender

PAUSE = 0.2  # seconds between turns, in which the threads of the one before stop spinning
TAIL = 6  # lines of a dead worker's stderr that are shown


class Failed(Exception):
    """A contender that is left out, with the reason."""


class Measured(NamedTuple):
    """A contender's facts, its answers round by round, and the probe's features if it gave them."""

    name: str
    facts: dict
    answers: list[dict]
    probe: np.ndarray | None


class Worker:
    """A running contender; raises Failed if it cannot start."""

    def __init__(self, contender: Contender, folder: Path):
        for package in contender.packages:
            if importlib.util.find_spec(package) is None:
                raise Failed("not installed")
        self._errors = tempfile.TemporaryFile("w+", dir=folder)
        self._probe = Path(tempfile.mkdtemp(dir=folder)) / "probe.npy"
        command = [sys.executable, "-m", "tests.benchmarks.worker", contender.start]
        self._process = subprocess.Popen(
            [*command, json.dumps(contender.options), str(self._probe)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment(contender.environment),
        )
        try:
            self.facts = self._answer()
        except BaseException:
            self.end()
            raise

    def turn(self):
        """One round."""
        try:
            self._process.stdin.write("go\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # the answer will say that it died
        return self._answer()

    def probe(self):
        """The features of the probe."""
        return np.load(self._probe) if self._probe.exists() else None

    def end(self):
        """Kill the process."""
        self._process.kill()
        self._process.wait()

    def _answer(self):
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            self._errors.seek(0)
            tail = self._errors.read().strip().splitlines()[-TAIL:]
            raise Failed("\n    ".join([f"died with status {code}", *tail]))
        answer = json.loads(line)
        if "left_out" in answer:
            raise Failed(answer["left_out"])
        return answer


def environment(changes):
    """This process's environment with changes; None takes a variable away."""
    found = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **changes}
    return {name: value for name, value in found.items() if value is not None}


def take_turns(contenders, rounds, folder, warm_up=True, say=print):
    """Run the contenders' rounds in turn: the Measured ones and {name: reason} of the others."""
    with ExitStack() as stack:
        workers, left_out = {}, {}
        answers = {contender.name: [] for contender in contenders}

        def leave_out(name, reason):
            left_out[name] = str(reason)
            workers.pop(name, None)
            say(f"  {name} left out: {reason}")

        for contender in contenders:
            try:
                workers[contender.name] = worker = Worker(contender, folder)
                stack.callback(worker.end)
            except Failed as reason:
                leave_out(contender.name, reason)
        for number in range(-1 if warm_up else 0, rounds):
            for name, worker in list(workers.items()):
                time.sleep(PAUSE)
                try:
                    answer = worker.turn()
                except Failed as reason:
                    leave_out(name, reason)
                else:
                    answers[name] += [answer] if number >= 0 else []
        found = [Measured(n, w.facts, answers[n], w.probe()) for n, w in workers.items()]
    return found, left_out


def once(contender, folder):
    """The answer to one round of one contender, without a warm-up. Raises Failed."""
    worker = Worker(contender, folder)
    try:
        return worker.turn()
    finally:
        worker.end()
