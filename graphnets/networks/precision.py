"""The numbers that a network computes in: float32, or 16 bits where the machine is made for them.

bfloat16, float32 with 8 bits of precision in place of 24, is for the processor: what TensorFlow
places on a GPU is computed in float32 all the same. float16, with 11 bits, is for a GPU.
TensorFlow's own rewriters put them into convolutions and products; variables, what is fed and what
is fetched stay float32.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from graphnets import devices
from graphnets.errors import GraphnetsError

if TYPE_CHECKING:
    import tensorflow.compat.v1 as tf

FLOAT32, BFLOAT16, FLOAT16 = "float32", "bfloat16", "float16"
PRECISIONS = (FLOAT32, BFLOAT16, FLOAT16)
AUTO = "auto"  # the faster one, which `graphnets.open_network` finds by trying
INSTRUCTIONS = {"avx512_bf16", "amx_bf16"}  # of x86 processors; either will do


def check(precision: str, known: Sequence[str] = PRECISIONS) -> None:
    """Raise GraphnetsError for an unknown precision, and for one that the machine lacks."""
    if precision not in known:
        wanted = ", ".join(known)
        raise GraphnetsError(f"no precision {precision!r}; wanted one of {wanted}")
    if precision == BFLOAT16 and (reason := no_bfloat16()):
        raise GraphnetsError(f"{reason}; use --precision float32")
    if precision == FLOAT16 and _no_gpu():
        raise GraphnetsError("float16 needs a GPU, and there is none; use --precision float32")


def _no_gpu() -> bool:
    """Whether there is none; before TensorFlow is loaded, only whether none is wanted."""
    if "tensorflow" not in sys.modules:
        return devices.wanted() == devices.CPU
    return devices.used() == devices.CPU


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


def onednn() -> bool:
    """Whether TensorFlow computes with oneDNN here; it has decided that when it was loaded."""
    from tensorflow.python.util import _pywrap_util_port  # no public name tells

    return bool(_pywrap_util_port.IsMklEnabled())


def processor_kind() -> str:
    """The widest of the instructions that decide how oneDNN sums up, which may move last digits."""
    known = ("amx_tile", "avx512_bf16", "avx512f", "avx2", "avx", "asimd")
    flags = set(_processor()["flags"])
    return next((name for name in known if name in flags), "unknown instructions")


@functools.cache
def _processor() -> dict:
    import cpuinfo  # takes a second to ask

    return {"brand_raw": "of an unknown kind", "flags": [], **cpuinfo.get_cpu_info()}


def session_config(precision: str = FLOAT32) -> tf.ConfigProto:
    """The configuration of a session that computes in "float32", "bfloat16" or "float16".

    For a graph of your own: `tf.Session(config=graphnets.session_config("bfloat16"))`.
    Raises GraphnetsError as `check` does.

    >>> with tf.Graph().as_default(), tf.Session(config=graphnets.session_config()) as session:
    ...     print(session.run(tf.constant(1.0) + 1))
    2.0
    """
    import tensorflow.compat.v1 as tf
    from tensorflow.core.protobuf import rewriter_config_pb2

    check(precision)
    config = tf.ConfigProto()
    rewrite = config.graph_options.rewrite_options
    if precision == FLOAT16:
        rewrite.auto_mixed_precision = rewriter_config_pb2.RewriterConfig.ON
    if precision == BFLOAT16:
        rewrite.auto_mixed_precision_onednn_bfloat16 = rewriter_config_pb2.RewriterConfig.ON
    return config
