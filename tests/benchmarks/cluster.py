"""What a cluster's driver costs, with workers that wait as long as a network takes.

`python -m tests.benchmarks.cluster`: photos/s by the number of workers, and the seconds of the
processor that this process takes for each photo. No photo is read and nothing is computed: on one
machine's cores, workers that compute would only wait for each other.
"""

from __future__ import annotations

import argparse
import os
import time

import numpy as np
import pandas as pd

from graphnets import __version__, on_ray
from graphnets.features.bottlenecks import places_of
from graphnets.features.running import Found
from graphnets.features.shards import Job, ShardSpec, _cut, _Done, _open, _work, run_on
from graphnets.workers import Workers
from tests.benchmarks import waiting


class Waiting(Workers):
    """The workers, with functions that wait in place of those that compute."""

    def __init__(self, workers: Workers) -> None:
        self._workers, self.shard = workers, workers.shard

    def each(self, open_, work, shared, shards):  # noqa: D102 (of Workers)
        assert (open_, work) == (_open, _work)
        for number, _ in self._workers.each(waiting.opened, waiting.waited, None, shards):
            yield number, _Done(Found(), "waiting")


def table(count: int) -> pd.DataFrame:
    """Photos that are not there."""
    random = np.random.default_rng(0).integers(0, 1 << 63, (count, 2), dtype=np.uint64)
    keys = [f"{a:016x}{b:016x}" for a, b in random.tolist()]
    paths = [f"/photos/class {n % 10}/{n:08d}.jpg" for n in range(count)]
    return pd.DataFrame({"path": paths, "key": keys, "problem": ""})


def measured(workers, count: int) -> tuple[float, float]:
    """Seconds for so many photos, and of them this process's own."""
    photos = table(count)
    start, own = time.perf_counter(), time.process_time()
    job, places = Job(ShardSpec("alexnet", "random"), __version__, {}), places_of(photos)
    run_on(Waiting(workers), photos, places, job, [], lambda all_, **_: all_, print)
    return time.perf_counter() - start, time.process_time() - own


def main() -> None:
    """Print a line for each number of workers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", default="1,2,4,8,16,32")
    parser.add_argument("--shards", type=int, default=8, help="for each worker")
    arguments = parser.parse_args()
    import ray

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    for count in map(int, arguments.workers.split(",")):
        ray.init("local", num_cpus=count, include_dashboard=False, log_to_driver=False)
        with on_ray() as workers:
            measured(workers, 2 * 256 * count)  # processes begin, once
            photos = 256 * count * arguments.shards
            seconds, own = measured(workers, photos)
        ray.shutdown()
        ideal = waiting.SECONDS * 256 * arguments.shards
        print(
            f"{count:3d} workers: {photos / seconds:7.1f} photos/s, efficiency "
            f"{ideal / seconds:.3f}, {own / photos * 1e6:.0f} us of this process a photo",
            flush=True,
        )
    photos = table(1_000_000)
    start = time.process_time()
    parts = sum(1 for _ in _cut(photos, places_of(photos), 256))
    seconds = time.process_time() - start
    print(f"cutting 1,000,000 photos into {parts} shards: {seconds:.2f} s")


if __name__ == "__main__":
    main()
