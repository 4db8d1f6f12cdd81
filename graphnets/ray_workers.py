"""Workers of a Ray cluster: shards go as Ray's tasks, which it places, and repeats where one dies.

Nothing of TensorFlow here: a worker is to set its threads before it is imported.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from graphnets.devices import VARIABLE
from graphnets.errors import GraphnetsError, check_kind, check_whole, refused, shown
from graphnets.workers import Result, Workers, working

LOCAL, RUNNING = "ray://local", "ray"
RETRIES = 10  # of a shard whose worker died, by Ray
IN_HAND = 4  # shards that wait at Ray for each of the tasks that have room at a time
# Ray's servers leave a client without the token unanswered.
TOKEN = "set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH if it wants a token, "
SETTINGS = (  # of the process that starts the job, which decide what its workers compute
    "TF_ENABLE_ONEDNN_OPTS", "TF_USE_LEGACY_KERAS", "TF_CPP_MIN_LOG_LEVEL", "ONEDNN_MAX_CPU_ISA",
    VARIABLE,
)  # fmt: skip


class _Job(NamedTuple):
    """What the tasks of one call of `each` share; functions by their names."""

    name: str
    opened: tuple[str, str]
    work: tuple[str, str]
    shared: Any
    settings: dict[str, str]


class _Failed(NamedTuple):
    """The sentence of a GraphnetsError on a worker."""

    sentence: str


_kept: tuple[str, Any] = "", None  # the job that this worker has last opened, and what came of it


def _task(job: _Job, shard: Any) -> tuple[Any, int]:
    """On a worker: what comes of a shard, and how often it was tried before."""
    global _kept
    from ray._private.worker import global_worker  # the public context does not tell

    tries = global_worker.core_worker.get_current_task_attempt_number()  # type: ignore[attr-defined]
    try:
        if _kept[0] != job.name:
            os.environ.update(job.settings)  # before TensorFlow is imported
            _kept = job.name, _function(job.opened)(job.shared)
        return _function(job.work)(_kept[1], shard), tries
    except GraphnetsError as error:
        return _Failed(str(error)), tries


def _name(function: Callable) -> tuple[str, str]:
    return function.__module__, function.__name__


def _function(name: tuple[str, str]) -> Callable:
    return getattr(importlib.import_module(name[0]), name[1])


class RayWorkers(Workers):
    """See `on_ray`. retried: how often a shard was begun anew, as its worker had died."""

    def __init__(self, num_cpus: float, num_gpus: float, shard: int, name: str) -> None:
        self.shard, self.name, self.retried = shard, name, 0
        self._needs = {"num_cpus": num_cpus, "num_gpus": num_gpus}
        threads = str(max(1, int(num_cpus)))
        self._settings = {"TF_NUM_INTRAOP_THREADS": threads, "TF_NUM_INTEROP_THREADS": threads}

    def each(
        self,
        opened: Callable[[Any], Any],
        work: Callable[[Any, Any], Result],
        shared: Any,
        shards: Iterable[Any],
    ) -> Iterator[tuple[int, Result]]:
        """See `Workers.each`. A shard is a task of Ray's."""
        import ray

        settings = self._settings | {n: os.environ[n] for n in SETTINGS if n in os.environ}
        job = ray.put(_Job(uuid.uuid4().hex, _name(opened), _name(work), shared, settings))
        task = ray.remote(_task).options(max_retries=RETRIES, name="graphnets", **self._needs)
        waiting: dict[Any, int] = {}
        trouble: list[GraphnetsError] = []
        try:
            for number, shard in enumerate(shards):
                waiting[task.remote(job, shard)] = number
                while len(waiting) >= self._room() and not trouble:
                    yield from self._done(waiting, trouble)
                if trouble:
                    break
            while waiting:
                yield from self._done(waiting, trouble)
        finally:
            for reference in waiting:  # none, unless the consumer has had enough
                with contextlib.suppress(Exception):
                    ray.cancel(reference)
        if trouble:
            raise trouble[0]

    def _room(self) -> int:
        """How many shards are in hand at a time; it grows with the cluster."""
        import ray

        there, needs = ray.cluster_resources(), self._needs
        at_a_time = [
            there.get(kind, 0) / needs[name]
            for kind, name in (("CPU", "num_cpus"), ("GPU", "num_gpus"))
            if needs[name]
        ]
        return max(IN_HAND, int(IN_HAND * min(at_a_time, default=1)))

    def _done(
        self, waiting: dict[Any, int], trouble: list[GraphnetsError]
    ) -> Iterator[tuple[int, Any]]:
        """The shards that are done next; what is wrong with others goes to `trouble`."""
        import ray

        ready, _ = ray.wait(list(waiting), num_returns=1)
        for reference in ready:
            number = waiting.pop(reference)
            try:
                result, tries = ray.get(reference)
            except ray.exceptions.RayTaskError:
                raise  # a fault of the code, with the worker's own traceback
            except ray.exceptions.RayError as error:
                reason = str(error).strip().split("\n")[0]
                trouble.append(
                    GraphnetsError(
                        f"shard {number} has ended its worker {RETRIES + 1} times ({reason}); "
                        "what is stored stays: look for a photo that the last batch of its rows "
                        "lacks, or give the workers more memory, and give the command again"
                    )
                )
                continue
            self.retried += tries
            if isinstance(result, _Failed):
                trouble.append(GraphnetsError(result.sentence))
            else:
                yield number, result


@contextmanager
def on_ray(
    address: str = RUNNING, num_cpus: float = 1, num_gpus: float = 0, shard_size: int = 256
) -> Iterator[RayWorkers]:
    """Let the jobs in the block read photos, and run the frozen layers, on a Ray cluster.

    address: "ray" (the cluster that this machine is part of, or that RAY_ADDRESS names),
    "ray://HOST:PORT" (as a client of one elsewhere; RAY_AUTH_MODE=token where it wants a token),
    or "ray://local" (one on this machine's cores, for as long as the block runs). num_cpus,
    num_gpus: what a task takes of a machine; TensorFlow has as many threads. shard_size: photos of
    a task. A Ray that runs in this process already is used as it is.
    All machines must see photos, weights and store under the same names, and have the same
    graphnets and TensorFlow. What is stored is equal to the bit to that of one process, on machines
    of one kind. Training itself stays in this process.
    Raises GraphnetsError if Ray is not installed, or no cluster answers.

    >>> from graphnets.ray_workers import on_ray
    >>> graphnets.on_ray is on_ray
    True
    """
    _check(address, num_cpus, num_gpus)
    check_whole("shard_size", shard_size, 1)
    ray = _imported()
    started = not ray.is_initialized()
    if started:
        _start(ray, address)
    try:
        workers = RayWorkers(num_cpus, num_gpus, shard_size, address)
        _check_room(ray, workers)
        with working(workers):
            yield workers
    finally:
        if started:
            ray.shutdown()


def check_address(address: str) -> None:
    """Raise GraphnetsError unless it is one that `on_ray` takes."""
    check_kind("cluster", address, str, "'ray', 'ray://local' or 'ray://HOST:PORT'")
    host, _, port = address.removeprefix("ray://").rpartition(":")
    named = address.startswith("ray://") and host and port.isdigit()
    if address not in (RUNNING, LOCAL) and not named:
        raise refused("cluster", address, "'ray', 'ray://local' or 'ray://HOST:PORT'")


def _check(address: str, num_cpus: float, num_gpus: float) -> None:
    check_address(address)
    for name, value in (("num_cpus", num_cpus), ("num_gpus", num_gpus)):
        check_kind(name, value, (int, float), "a number from 0")
        if not 0 <= value < float("inf"):
            raise refused(name, value, "a number from 0")
    if not num_cpus and not num_gpus:
        raise GraphnetsError("num_cpus and num_gpus are 0, wanted one of them above 0")


def _imported():
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing of a user's goes out
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError:
        raise GraphnetsError(
            "a cluster needs Ray, which is not installed; pip install 'graphnets[ray]'"
        ) from None
    return ray


def _start(ray, address: str) -> None:
    import logging
    import warnings

    where = {RUNNING: "auto", LOCAL: "local"}.get(address, address)
    local = {"include_dashboard": False} if address == LOCAL else {}
    main = signal.getsignal(signal.SIGTERM)
    try:
        logging.getLogger("ray").setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the error below says the same
            ray.init(where, log_to_driver=False, logging_level=logging.ERROR, **local)
    except Exception as error:  # plain ones, too, such as that a node has not begun in time
        reason = shown(str(error).strip().split("\n")[0])
        raise GraphnetsError(
            f"no Ray cluster answers at {address} ({reason}); start one with `ray start --head`, "
            f"{TOKEN if where == address else ''}or take --cluster ray://local"
        ) from None
    finally:
        with contextlib.suppress(ValueError):  # not the main thread
            signal.signal(signal.SIGTERM, main)  # Ray puts its own in place of it


def _check_room(ray, workers: RayWorkers) -> None:
    """Raise GraphnetsError if no machine that is there can take a task: it would wait for ever."""
    needs = {"CPU": workers._needs["num_cpus"], "GPU": workers._needs["num_gpus"]}
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if not any(all(node.get(kind, 0) >= n for kind, n in needs.items() if n) for node in nodes):
        most = ", ".join(f"{max((n.get(k, 0) for n in nodes), default=0):g} {k}" for k in needs)
        raise GraphnetsError(
            f"a task wants {needs['CPU']:g} CPU and {needs['GPU']:g} GPU, and no machine of the "
            f"cluster has that (the most: {most}); want less with --worker_cpus and --worker_gpus"
        )
