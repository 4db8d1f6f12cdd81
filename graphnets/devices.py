"""Where graphs are computed: on a GPU that TensorFlow sees, or on the processor."""

from __future__ import annotations

import os

from graphnets.errors import GraphnetsError

AUTO, CPU, GPU = "auto", "cpu", "gpu"  # auto: a GPU where there is one
DEVICES = (AUTO, CPU, GPU)
VARIABLE = "GRAPHNETS_DEVICE"  # of the environment, so that workers get it, too


def wanted() -> str:
    """Which of DEVICES the user wants. Raises GraphnetsError for anything else."""
    found = os.environ.get(VARIABLE) or AUTO
    if found not in DEVICES:
        raise GraphnetsError(f"{VARIABLE} is {found!r}; wanted one of {', '.join(DEVICES)}")
    return found


def used() -> str:
    """ "cpu", or the names of the GPUs that graphs are computed on.

    Raises GraphnetsError if a GPU is wanted and TensorFlow sees none.
    """
    import tensorflow.compat.v1 as tf

    device = wanted()
    found = [] if device == CPU else tf.config.experimental.list_physical_devices(GPU.upper())
    if device == GPU and not found:
        raise GraphnetsError(
            "TensorFlow sees no GPU, and --device gpu wants one; if `nvidia-smi` shows one, "
            "pip install 'tensorflow[and-cuda]', else take --device cpu"
        )
    details = tf.config.experimental.get_device_details
    return ", ".join(details(one).get("device_name", GPU) for one in found) or CPU
