"""The numbers that a network computes in: float32, or bfloat16 where the processor has it.

bfloat16 is float32 with 8 bits of precision in place of 24. TensorFlow's own rewriter puts it into
convolutions and products; variables, what is fed and what is fetched stay float32. It is for the
processor: what TensorFlow places on a GPU is computed in float32 all the same.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from graphnets.errors import GraphnetsError

if TYPE_CHECKING:
    import tensorflow.compat.v1 as tf

FLOAT32, BFLOAT16 = "float32", "bfloat16"
PRECISIONS = (FLOAT32, BFLOAT16)
AUTO = "auto"  # the faster one, which `graphnets.open_network` finds by trying
INSTRUCTIONS = {"avx512_bf16", "amx_bf16"}  # of x86 processors; either will do


def check(precision: str, known: Sequence[str] = PRECISIONS) -> None:
    """Raise GraphnetsError for an unknown precision, and for one that the processor lacks."""
    if precision not in known:
        wanted = ", ".join(known)
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
    """The configuration of a session that computes in "float32" or "bfloat16".

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
    if precision == BFLOAT16:
        rewrite = config.graph_options.rewrite_options
        rewrite.auto_mixed_precision_onednn_bfloat16 = rewriter_config_pb2.RewriterConfig.ON
    return config
