"""Who does a job's work on photos: this process, or the workers of a cluster."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from graphnets import __version__
from graphnets.errors import GraphnetsError, shown

Result = TypeVar("Result")


class Workers(ABC):
    """Work through shards, each by itself, wherever there is room.

    shard: how many photos one has, where photos are cut into shards.
    """

    shard: int = 256

    @abstractmethod
    def each(
        self,
        opened: Callable[[Any], Any],
        work: Callable[[Any, Any], Result],
        shared: Any,
        shards: Iterable[Any],
    ) -> Iterator[tuple[int, Result]]:
        """(number of the shard, work(opened(shared), shard)) of each, in the order of being done.

        opened, work: functions of a module, as they go to other machines. A worker calls `opened`
        once and keeps what it gives; `shared` goes to it once, shards as they are due. Raises what
        `work` raises, once the shards in hand are done; those that other machines cannot take
        from each other are done again elsewhere, so `work` may run more than once on a shard.
        """


class _ThisProcess(Workers):
    def each(self, opened, work, shared, shards):
        thing = opened(shared)
        for number, shard in enumerate(shards):
            yield number, work(thing, shard)


def unseen(path: str, reason: str) -> GraphnetsError:
    """The error for a photo that is here and that a worker cannot open."""
    return GraphnetsError(
        f"a worker cannot open {shown(path)}, which is here ({shown(reason)}); put the photos "
        "where all machines see them under the same name"
    )


def check_version(wanted: str) -> None:
    """Called on a worker: GraphnetsError if it has another graphnets than the job's."""
    if wanted != __version__:
        raise GraphnetsError(
            f"a worker has graphnets {__version__}, wanted {wanted} as where the job was started"
        )


_CURRENT: ContextVar[Workers | None] = ContextVar("workers", default=None)


def cluster() -> Workers | None:
    """The workers of the `with` block that this runs in; None outside of one."""
    return _CURRENT.get()


def workers() -> Workers:
    """Those of `cluster`, or else this process."""
    return cluster() or _ThisProcess()


@contextmanager
def working(on: Workers) -> Iterator[None]:
    """Let the jobs in the block use these workers."""
    before = _CURRENT.set(on)
    try:
        yield
    finally:
        _CURRENT.reset(before)
