"""Sessions that a forked process is refused, where it would wait for ever.

TensorFlow's threads do not come along into a child process of `os.fork`, not even for a session
that is made there, once the parent has had one or has computed eagerly.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.core.protobuf.config_pb2 import CallableOptions
from tensorflow.core.protobuf.rewriter_config_pb2 import RewriterConfig

from graphnets import devices, forks
from graphnets.errors import GraphnetsError, reason

# ops that go round, or call what may
LOOPS = frozenset(
    """
    Case If NextIteration PartitionedCall StatefulPartitionedCall StatelessCase StatelessIf
    StatelessWhile While
""".split()
)
LONGEST = 600  # seconds of one run of a graph with loops: one from a stranger may have no end


class Session(tf.Session):
    """A `tf.Session` whose use raises GraphnetsError in a fork of a process that has had one.

    A run of a graph with loops that takes over LONGEST seconds raises GraphnetsError.
    """

    def __init__(self, graph: tf.Graph | None = None, config: tf.ConfigProto | None = None) -> None:
        claim()
        config = config or tf.ConfigProto()
        devices.used()  # raises where a GPU is wanted and there is none
        if devices.wanted() == devices.CPU:
            config.device_count["GPU"] = 0
        # without a thread to spare, none could watch the time
        if config.inter_op_parallelism_threads >= 0 and _goes_round(graph):
            config.operation_timeout_in_ms = config.operation_timeout_in_ms or 1000 * LONGEST
        super().__init__(graph=graph, config=config)

    def run(self, *arguments: Any, **options: Any) -> Any:
        """As `tf.Session.run`."""
        check_process()
        with _stopped_in_words():
            return super().run(*arguments, **options)

    def make_callable(self, *arguments: Any, **options: Any) -> Callable:
        """As `tf.Session.make_callable`."""
        call = super().make_callable(*arguments, **options)

        def checked(*values: Any) -> Any:
            check_process()
            with _stopped_in_words():
                return call(*values)

        return checked

    def prepared(
        self,
        fetches: Sequence[tf.Tensor],
        feeds: Sequence[tf.Tensor],
        targets: Sequence[tf.Operation] = (),
    ) -> Callable[..., list[np.ndarray]]:
        """A function from arrays, one for each of `feeds`, to the values of `fetches`.

        It runs `targets`, too. What `run` looks up at each call is looked up once: a step of a
        head by itself takes half the time.
        """
        options = CallableOptions(
            feed=[feed.name for feed in feeds],
            fetch=[fetch.name for fetch in fetches],
            target=[target.name for target in targets],
        )
        call = self._make_callable_from_options(options)  # `make_callable` with feeds only runs
        types = [feed.dtype.as_numpy_dtype for feed in feeds]

        def checked(*values: Any) -> list[np.ndarray]:
            check_process()
            arrays = [*map(np.asarray, values, types)]
            for feed, array in zip(feeds, arrays, strict=True):
                if not feed.shape.is_compatible_with(array.shape):  # `call` would take it
                    raise ValueError(f"got {array.shape} for {feed.name}, wanted {feed.shape}")
            with _stopped_in_words():
                return call(*arrays)

        return checked


def _goes_round(graph: tf.Graph | None) -> bool:
    """Whether a graph (None: the default one) may have loops, out of functions or in them."""
    operations = (graph or tf.get_default_graph()).get_operations()
    return any(operation.type in LOOPS for operation in operations)


@contextlib.contextmanager
def _stopped_in_words() -> Iterator[None]:
    """Say as a GraphnetsError that a run was ended because it took too long."""
    try:
        yield
    except tf.errors.DeadlineExceededError as error:
        raise GraphnetsError(
            f"the graph ran for over {LONGEST} s, as one whose loop has no end: {reason(error)}; "
            "give it fewer photos at a time, if its loop has one"
        ) from error


class Later:
    """The session of a graph, opened once, where it is first asked for; threads may share it.

    Until then the process may be forked: each child has a session of its own. Raises GraphnetsError
    where there can be none.
    """

    def __init__(self, graph: tf.Graph) -> None:
        check_process()
        self._graph = graph
        self._opening = threading.Lock()
        self._session: Session | None = None

    def __call__(self) -> Session:
        """The session, the same at each call."""
        if self._session is None:
            claim()  # a fork from here on might find the lock taken
            with self._opening:
                self._session = self._session or Session(self._graph, _opened_sooner())
        return self._session


def _opened_sooner() -> tf.ConfigProto:
    """For a frozen graph: TensorFlow rewrites it once, not twice, before its first run.

    The second time changes nothing of a network, which gives the same bits as fast, and takes 0.2
    to 0.5 s of the first run of Inception, VGG16 and EfficientNet-Lite0.
    """
    config = tf.ConfigProto()
    config.graph_options.rewrite_options.meta_optimizer_iterations = RewriterConfig.ONE
    return config


def claim() -> None:
    """Tell forks that come from now on that they cannot have TensorFlow.

    Raises GraphnetsError in a process that cannot have it itself.
    """
    check_process()
    forks.used = True


def check_process() -> None:
    """Raise GraphnetsError in a process where TensorFlow would wait for ever."""
    if forks.lost:
        raise GraphnetsError(
            "this process was forked from one that has used TensorFlow, whose threads it lacks; "
            'start processes with multiprocessing.get_context("spawn"), and open networks and '
            "classifiers in each of them"
        )
