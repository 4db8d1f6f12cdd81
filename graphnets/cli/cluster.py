"""The flags that let a command run photos on a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from graphnets.cli.flags import options
from graphnets.cli.terminal import say
from graphnets.ray_workers import LOCAL, check_address, on_ray

WORKERS = ("cluster", "worker_cpus", "worker_gpus")
SHARD_SIZE = "shard_size"

worker_flags = options(
    click.option(
        "--cluster",
        metavar="ray[://ADDRESS]",
        help=f"Read photos and run the frozen layers on a Ray cluster: 'ray' is that of this "
        f"machine, {LOCAL} one on its cores.  [default: in this process]",
    ),
    click.option(
        "--worker_cpus", type=click.FloatRange(0), default=1.0, help="What a shard takes there."
    ),
    click.option("--worker_gpus", type=click.FloatRange(0), default=0.0),
)
cluster_flags = options(
    worker_flags,
    click.option("--shard_size", type=click.IntRange(1), default=256, help="Photos of a shard."),
)


def taken(flags: dict) -> dict:
    """The flags of a cluster, out of `flags`; GraphnetsError for an address that is none."""
    found = {name: flags.pop(name) for name in (*WORKERS, SHARD_SIZE) if name in flags}
    if found["cluster"] is not None:
        check_address(found["cluster"])
    return found


@contextmanager
def on_cluster(flags: dict) -> Iterator[None]:
    """Run the block on the cluster that `taken` gave, if one is named, and say what was retried."""
    address, cpus, gpus = (flags[name] for name in WORKERS)
    if address is None:
        yield
        return
    sizes = {name: flags[name] for name in (SHARD_SIZE,) if name in flags}
    with on_ray(address, cpus, gpus, **sizes) as workers:
        yield
        if workers.retried:
            say(f"{workers.retried} shards were run again, as their workers had ended", err=True)
