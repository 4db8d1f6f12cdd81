"""Sessions that a forked process is refused, where it would wait for ever.

TensorFlow's threads do not come along into a child process of `os.fork`, not even for a session
that is made there, once the parent has had one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import tensorflow.compat.v1 as tf

from graphnets.errors import GraphnetsError

_process = 0  # that had the first session; 0: none has had one


class Session(tf.Session):
    """A `tf.Session` whose use raises GraphnetsError in a fork of a process that has had one."""

    def __init__(self, graph: tf.Graph | None = None, config: tf.ConfigProto | None = None) -> None:
        global _process
        _check_process()
        _process = os.getpid()
        super().__init__(graph=graph, config=config)

    def run(self, *arguments: Any, **options: Any) -> Any:
        """As `tf.Session.run`."""
        _check_process()
        return super().run(*arguments, **options)

    def make_callable(self, *arguments: Any, **options: Any) -> Callable:
        """As `tf.Session.make_callable`."""
        call = super().make_callable(*arguments, **options)

        def checked(*values: Any) -> Any:
            _check_process()
            return call(*values)

        return checked


def _check_process() -> None:
    if _process not in (0, os.getpid()):
        raise GraphnetsError(
            "this process was forked from one that has used TensorFlow, whose threads it lacks; "
            'start processes with multiprocessing.get_context("spawn"), and open networks and '
            "classifiers in each of them"
        )
