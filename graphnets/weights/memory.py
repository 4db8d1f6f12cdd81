"""Arrays that TensorFlow takes over without a copy."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

ALIGNMENT = 64  # bytes, of TensorFlow's buffers


def aligned_empty(shape: Sequence[int]) -> np.ndarray:
    """An uninitialised float32 array that TensorFlow takes over without a copy."""
    size = 4 * math.prod(shape)
    buffer = np.empty(size + ALIGNMENT, np.uint8)
    start = -buffer.ctypes.data % ALIGNMENT
    return buffer[start : start + size].view(np.float32).reshape(shape)


def aligned(value: np.ndarray) -> np.ndarray:
    """The array where TensorFlow takes it over without a copy (but copies it before it writes)."""
    if value.ctypes.data % ALIGNMENT == 0 and value.flags.c_contiguous:
        return value
    copy = aligned_empty(value.shape)
    copy[...] = value
    return copy
