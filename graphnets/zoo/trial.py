"""Which precision a network is faster in on this machine, by trying."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.networks.network import Network, endpoint_names
from graphnets.networks.precision import BFLOAT16, FLOAT32, no_bfloat16, session_config
from graphnets.networks.run_only import run_only
from graphnets.sessions import Session

GAIN = 1.15  # what "auto" gives up 16 bits for: more than runs differ by on a busy machine
TRIAL = 16  # photos a run
RUNS = 3


def faster(network: Network) -> str:
    """ "bfloat16" if it is worth it on this machine, measured on the network, else "float32"."""
    if no_bfloat16():
        return FLOAT32
    # In turns, so that what else the machine does falls on both.
    runs = {precision: _trial(network, precision) for precision in (FLOAT32, BFLOAT16)}
    seconds = {precision: float("inf") for precision in runs}
    for _ in range(RUNS):
        for precision, run in runs.items():
            seconds[precision] = min(seconds[precision], run())
    return BFLOAT16 if seconds[FLOAT32] > GAIN * seconds[BFLOAT16] else FLOAT32


def _trial(network: Network, precision: str) -> Callable[[], float]:
    """A function that runs the network to its default endpoint once and returns the seconds."""
    pictures = np.zeros((TRIAL, *network.size, 3), np.float32)
    names = endpoint_names(network, None)
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, pictures.shape)
        with run_only(precision):
            endpoints = network.build(x, names)
        tensors = [endpoints[name] for name in names]
        session = Session(graph=graph, config=session_config(precision))
        session.run(tf.global_variables_initializer())

    def run() -> float:
        start = time.perf_counter()
        network.run(session, tensors, x, pictures)
        return time.perf_counter() - start

    run()  # the first run also optimizes the graph
    return run
