"""What a contender is, on both sides: to the parent, and in its own process."""

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from graphnets.weights.memory import aligned_empty

IMAGES, FEATURES = "images", "features"  # the input and the output of the frozen graphs
PROBES = 4  # pictures whose features are compared
TRIALS = 3  # of each way that a library offers, before the faster one is kept
ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
DEFAULT: Mapping[str, str | None] = {ONEDNN: None}  # unset: what TensorFlow does by itself


class LeftOut(Exception):
    """The contender cannot run on this machine; the message says why."""


class Contender(NamedTuple):
    """A row of a table.

    start, "module:function", is what its process calls with `options` and returns a Started;
    packages must be importable; environment: variables to set, or to take away (None).
    """

    name: str
    start: str
    options: dict
    packages: tuple[str, ...] = ()
    environment: Mapping[str, str | None] = DEFAULT


class Started(NamedTuple):
    """A contender that has loaded: a function that does one round, features of the probe, facts."""

    turn: Callable[[], dict]
    probe: np.ndarray | None = None
    facts: Mapping = {}


def pictures(count, size):
    """float32 (count, *size, 3), 0 to 255; the first PROBES are the probe."""
    random = np.random.default_rng(0)
    return random.integers(0, 256, (count, *size, 3)).astype(np.float32)


def aligned(images):
    """The same where TensorFlow takes it over without a copy."""
    found = aligned_empty(images.shape)
    found[...] = images
    return found


def less_own_mean(images):
    """What the traffic-sign course does to pictures before they are fed."""
    return images - images.mean((1, 2, 3), keepdims=True)


def inceptions_range(images):
    """What the Inception graph of 2015 wants at Mul:0."""
    return (images - 128) / 128


PREPARATIONS = {"": lambda x: x, "own mean": less_own_mean, "inception": inceptions_range}


def on_batches(run, images, batches, facts=None):
    """A contender whose round is `batches` calls of run(images), which returns the features."""
    images = aligned(images)
    probe = run(images)[:PROBES]

    def turn():
        start = time.perf_counter()
        for _ in range(batches):
            run(images)
        return {"photos": batches * len(images), "seconds": time.perf_counter() - start}

    return Started(turn, probe, facts or {})


def fastest(ways, images):
    """The name of the fastest of {name: function}, which take turns; each has run before."""
    for run in ways.values():
        run(images)
    seconds = {name: [] for name in ways}
    for _ in range(TRIALS):
        for name, run in ways.items():
            start = time.perf_counter()
            run(images)
            seconds[name].append(time.perf_counter() - start)
    return min(ways, key=lambda name: min(seconds[name]))


def on_batches_faster(ways, images, batches, facts=None):
    """`on_batches` of the fastest of {name: function}; "kept" in its facts says which it was."""
    kept = fastest(ways, images)
    run = ways[kept]
    ways.clear()  # what is not used any more must not keep threads and memory
    return on_batches(run, images, batches, {"kept": kept, **(facts or {})})
