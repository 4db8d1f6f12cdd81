"""The numbers that a network computes in: float32, or bfloat16 where the processor has it.

bfloat16 is float32 with 8 bits of precision in place of 24. TensorFlow's own rewriter puts it into
convolutions and products; variables, what is fed and what is fetched stay float32. It is for the
processor: what TensorFlow places on a GPU is computed in float32 all the same.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from graphnets.errors import GraphnetsError

if TYPE_CHECKING:
    import tensorflow.compat.v1 as tf

    from graphnets.networks.stack import Network

FLOAT32, BFLOAT16, AUTO = "float32", "bfloat16", "auto"
PRECISIONS = (FLOAT32, BFLOAT16, AUTO)
INSTRUCTIONS = {"avx512_bf16", "amx_bf16"}  # of x86 processors; either will do
GAIN = 1.15  # what "auto" gives up 16 bits for: more than runs differ by on a busy machine
TRIAL = 16  # photos a run
RUNS = 3


def check(precision: str) -> None:
    """Raise GraphnetsError for an unknown precision, and for one that the processor lacks."""
    if precision not in PRECISIONS:
        wanted = ", ".join(PRECISIONS)
        raise GraphnetsError(f"no precision {precision!r}; wanted one of {wanted}")
    if precision == BFLOAT16 and (reason := no_bfloat16()):
        raise GraphnetsError(f"{reason}; use --precision float32")


def no_bfloat16() -> str:
    """Why nothing is computed in bfloat16 here, or is only emulated, slowly; "" where it is."""
    if os.environ.get("TF_ENABLE_ONEDNN_OPTS", "").lower() in ("0", "false"):
        return "bfloat16 needs oneDNN, which TF_ENABLE_ONEDNN_OPTS turns off"
    if INSTRUCTIONS & set(_processor()["flags"]):
        return ""
    return (
        f"the processor, {_processor()['brand_raw']}, does not have bfloat16 (the instructions "
        f"{' or '.join(sorted(INSTRUCTIONS))})"
    )


@functools.cache
def _processor() -> dict:
    import cpuinfo  # takes a second to ask

    return {"brand_raw": "of an unknown kind", "flags": [], **cpuinfo.get_cpu_info()}


def session_config(precision: str = FLOAT32) -> tf.ConfigProto:
    """The configuration of a session that computes in "float32" or "bfloat16".

    For a graph of your own: `tf.Session(config=graphnets.session_config("bfloat16"))`.
    Raises GraphnetsError as `check` does.
    """
    import tensorflow.compat.v1 as tf
    from tensorflow.core.protobuf import rewriter_config_pb2

    check(precision)
    config = tf.ConfigProto()
    if precision == BFLOAT16:
        rewrite = config.graph_options.rewrite_options
        rewrite.auto_mixed_precision_onednn_bfloat16 = rewriter_config_pb2.RewriterConfig.ON
    return config


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
    import numpy as np
    import tensorflow.compat.v1 as tf

    from graphnets.features.bottlenecks import endpoint_names

    pictures = np.zeros((TRIAL, *network.size, 3), np.float32)
    names = endpoint_names(network, None)
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, pictures.shape)
        endpoints = network.build(x, names)
        targets = [endpoints[name].op for name in names]
        session = tf.Session(graph=graph, config=session_config(precision))
        session.run(tf.global_variables_initializer())

    def run() -> float:
        start = time.perf_counter()
        session.run(targets, {x: pictures})
        return time.perf_counter() - start

    run()  # the first run also optimizes the graph
    return run
