"""Checkpoints of a training run, and stopping it so that it can go on."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.errors import GraphnetsError, reason
from graphnets.training.summaries import Point

SPLITS = ("train", "validation")  # of a point
# What TensorFlow raises for a damaged checkpoint; one that tells of too much memory is one, too.
DAMAGED = (tf.errors.OpError, ValueError, LookupError, RuntimeError, OSError, MemoryError)


class Stopped(Exception):
    """A run was asked to end (SIGTERM) and has saved what it needs to go on."""


class Checkpoints:
    """Where a run's checkpoints lie, and how often they are written.

    every: steps between two (0: none, but for the one on SIGTERM). keep: how many of them stay.
    identity: text that is equal for equal runs; they lie in a folder of their own, so that no run
    takes another's for its own. folder None: there are none, and SIGTERM ends the process as ever.
    With resume, a run begins where the newest whole checkpoint of an equal run left it; `say` is
    told of damaged ones that are passed over. Raises GraphnetsError if there are none but those of
    other runs and resume is wished.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str] | None = None,
        every: int = 0,
        keep: int = 5,
        identity: str = "",
        resume: bool = False,
        say: Callable[[str], object] = lambda line: None,
    ) -> None:
        self.every, self.keep = every, keep
        self._none, self._resume, self._say = folder is None, resume and folder is not None, say
        runs = Path(folder or "")
        self.folder = runs / f"run-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
        self._found: dict[str, str | None] = {}
        others = any(runs.glob("run-*")) or (runs / "run.json").exists()  # the latter, of 0.1.0
        if self._resume and others and not self.folder.exists():
            raise GraphnetsError(
                f"the checkpoints in {runs} are of a run with other options, weights or "
                "photos; give the same, or leave --resume away to begin anew"
            )

    def latest(self, phase: str) -> str | None:
        """The newest whole checkpoint of a phase of the run that is resumed, if there is one.

        Raises GraphnetsError where there are some and none is whole.
        """
        if not self._resume:
            return None
        if phase not in self._found:
            self._found[phase] = self._newest_whole(phase)
        return self._found[phase]

    def _steps(self, phase: str) -> list[int]:
        """Those that a phase has checkpoints of."""
        names = [path.stem for path in self.folder.glob(f"{phase}-*.*")]
        numbers = {name.rpartition("-")[2] for name in names}
        return sorted(int(number) for number in numbers if number.isdecimal())

    def _newest_whole(self, phase: str) -> str | None:
        steps = self._steps(phase)
        for step in reversed(steps):
            if _is_whole(path := str(self.folder / f"{phase}-{step}")):
                return path
            self._say(f"warning: the checkpoint {path} is damaged and passed over")
        if steps:
            raise GraphnetsError(
                f"no checkpoint of {phase} in {self.folder} is whole; leave --resume away to begin "
                "anew"
            )
        return None

    @contextmanager
    def phase(
        self, name: str, session: tf.Session, variables: Sequence[tf.Variable], points: list[Point]
    ) -> Iterator[Phase]:
        """Restore the variables of a phase, if it is to go on; SIGTERM is heeded inside.

        points: the curves so far, which are saved and restored, too.
        """
        found = self.latest(name)
        curves = _Curves(points)
        saver = tf.train.Saver([*variables, curves.variable], max_to_keep=self.keep)
        self._tidy(name, saver)
        if found:
            try:
                _check_shapes(found, [*variables, curves.variable])
                saver.restore(session, found)
                curves.restore(session)
            except (*DAMAGED, TypeError):
                raise GraphnetsError(
                    f"the checkpoint {found} does not hold what this version of graphnets trains; "
                    "leave --resume away to begin anew"
                ) from None
        with nullcontext(threading.Event()) if self._none else _sigterm() as asked:
            yield Phase(self, name, session, saver, asked, curves)

    def _tidy(self, phase: str, saver: tf.train.Saver) -> None:
        """Remove what a kill has left of a checkpoint; the saver removes those beyond `keep`."""
        if self._none:
            return
        with suppress(OSError):
            for path in self.folder.glob("*.*"):
                unfinished = ".tempstate" in path.name or ".latest.tmp" in path.name
                if unfinished or not path.with_suffix(".index").exists() and ".data-" in path.name:
                    path.unlink()
        there = [str(self.folder / f"{phase}-{step}") for step in self._steps(phase)]
        saver.recover_last_checkpoints(there)


class _Curves:
    """The points of a run's curves as a variable, so that a checkpoint has them."""

    def __init__(self, points: list[Point]) -> None:
        self._points = points
        self._fed = tf.placeholder(tf.float64, [None, len(Point._fields)])
        self.variable = tf.Variable(
            self._fed, trainable=False, validate_shape=False, name="curves", collections=[]
        )

    def store(self, session: tf.Session) -> None:
        rows = [(SPLITS.index(point.split), *point[1:]) for point in self._points]
        fed = np.array(rows, np.float64).reshape(-1, len(Point._fields))
        session.run(self.variable.initializer, {self._fed: fed})

    def restore(self, session: tf.Session) -> None:
        self._points[:] = [
            Point(SPLITS[int(split)], int(step), loss, accuracy)
            for split, step, loss, accuracy in session.run(self.variable).tolist()
        ]


class Phase:
    """One phase of a run, in its session."""

    def __init__(
        self,
        checkpoints: Checkpoints,
        name: str,
        session: tf.Session,
        saver: tf.train.Saver,
        asked: threading.Event,
        curves: _Curves,
    ) -> None:
        self._checkpoints, self._name, self._curves = checkpoints, name, curves
        self._session, self._saver, self._asked = session, saver, asked

    def after(self, step: int) -> None:
        """Save if it is time to; raises Stopped if the process was asked to end."""
        every = self._checkpoints.every
        if self._asked.is_set() or (every and step % every == 0):
            self._save(step)
        if self._asked.is_set():
            raise Stopped(
                f"stopped at step {step} of {self._name}; the same command with --resume goes on "
                f"from the checkpoint in {self._checkpoints.folder}"
            )

    def _save(self, step: int) -> None:
        path = self._checkpoints.folder / f"{self._name}-{step}"
        try:
            self._checkpoints.folder.mkdir(parents=True, exist_ok=True)
            self._curves.store(self._session)
            self._saver.save(
                self._session,
                str(self._checkpoints.folder / self._name),
                global_step=step,
                latest_filename=f"{self._name}.latest",
                write_meta_graph=False,
            )
        except (OSError, tf.errors.OpError) as error:
            left = [f"{self._name}.latest.tmp*"]
            left += [] if _is_whole(str(path)) else [f"{path.name}[._]*"]
            _remove(path.parent, left)
            why = getattr(error, "strerror", None) or reason(error)
            raise GraphnetsError(
                f"no checkpoint can be written to {self._checkpoints.folder}: {why}; name another "
                "folder with --checkpoint_dir"
            ) from None


def _remove(folder: Path, names: Sequence[str]) -> None:
    """Remove what TensorFlow was about to write, files and folders of these names."""
    for path in [path for name in names for path in folder.glob(name)]:
        with contextlib.suppress(OSError):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _check_shapes(path: str, variables: Sequence[tf.Variable]) -> None:
    """ValueError unless a checkpoint has the variables: restoring gives them any shape it finds."""
    shapes = tf.train.load_checkpoint(path).get_variable_to_shape_map()
    for variable in variables:
        variable.shape.assert_is_compatible_with(shapes[variable.op.name])


def _is_whole(path: str) -> bool:
    """Whether all values of a checkpoint can be read; each has a checksum."""
    try:
        reader = tf.train.load_checkpoint(path)
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    except DAMAGED:
        return False
    return True


@contextmanager
def _sigterm() -> Iterator[threading.Event]:
    """An event that SIGTERM sets, in place of ending the process."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # signals are not for others
        yield asked
        return
    before = signal.signal(signal.SIGTERM, lambda *_: asked.set())
    try:
        yield asked
    finally:
        signal.signal(signal.SIGTERM, before)
    if asked.is_set():  # after the last step, where nothing heeded it
        signal.raise_signal(signal.SIGTERM)
