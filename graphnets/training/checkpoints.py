"""Checkpoints of a training run, and stopping it so that it can go on."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import tensorflow.compat.v1 as tf

from graphnets.errors import GraphnetsError
from graphnets.files import write_whole


class Stopped(Exception):
    """A run was asked to end (SIGTERM) and has saved what it needs to go on."""


class Checkpoints:
    """Where a run's checkpoints lie, and how often they are written.

    every: steps between two (0: none, but for the one on SIGTERM). keep: how many of them stay.
    identity: text that is equal for equal runs. folder None: there are none, and SIGTERM ends the
    process as ever. With resume, a run begins where the newest
    checkpoint of an equal run left it. Raises GraphnetsError if the folder's checkpoints are those
    of another run and resume is wished.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str] | None = None,
        every: int = 0,
        keep: int = 5,
        identity: str = "",
        resume: bool = False,
    ) -> None:
        self.folder, self.every, self.keep = Path(folder or ""), every, keep
        self._none = folder is None
        mine = self.folder / "run.json"
        self._resume = resume and not self._none and mine.exists()
        if self._resume and mine.read_text() != identity:
            raise GraphnetsError(
                f"the checkpoints in {self.folder} are of a run with other options, weights or "
                "photos; give the same, or leave --resume away to begin anew"
            )
        self._identity = identity
        self._saver: tf.train.Saver | None = None

    def latest(self, phase: str) -> str | None:
        """The newest checkpoint of a phase of the run that is being resumed, if there is one."""
        if not self._resume:
            return None
        return tf.train.latest_checkpoint(str(self.folder), f"{phase}.latest")

    @contextmanager
    def phase(
        self, name: str, session: tf.Session, variables: Sequence[tf.Variable]
    ) -> Iterator[Phase]:
        """Restore the variables of a phase, if it is to go on; SIGTERM is heeded inside."""
        found = self.latest(name)
        saver = tf.train.Saver(list(variables), max_to_keep=self.keep)
        if found:
            saver.restore(session, found)
        with nullcontext(threading.Event()) if self._none else _sigterm() as asked:
            yield Phase(self, name, session, saver, asked)

    def write_identity(self) -> None:
        """Say whose checkpoints they are."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self.folder / "run.json", self._identity.encode())


class Phase:
    """One phase of a run, in its session."""

    def __init__(
        self,
        checkpoints: Checkpoints,
        name: str,
        session: tf.Session,
        saver: tf.train.Saver,
        asked: threading.Event,
    ) -> None:
        self._checkpoints, self._name = checkpoints, name
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
        try:
            self._checkpoints.write_identity()
            self._saver.save(
                self._session,
                str(self._checkpoints.folder / self._name),
                global_step=step,
                latest_filename=f"{self._name}.latest",
                write_meta_graph=False,
            )
        except (OSError, tf.errors.OpError) as error:
            raise GraphnetsError(
                f"no checkpoint can be written to {self._checkpoints.folder}: {error}; name "
                "another folder with --checkpoint_dir"
            ) from None


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
