"""Arrays that TensorFlow takes over without a copy."""

import numpy as np
import pytest

from graphnets.weights.memory import aligned


@pytest.mark.parametrize("offset", [0, 4, 60])
def test_aligned_copies_only_what_lies_badly(offset):
    buffer = aligned(np.zeros(100, np.float32)).view(np.uint8)
    value = buffer[offset : offset + 80].view(np.float32).reshape(4, 5)
    value[...] = np.arange(20).reshape(4, 5)
    found = aligned(value)
    assert found.ctypes.data % 64 == 0
    assert (found is value) == (offset == 0)
    np.testing.assert_array_equal(found, value)
    np.testing.assert_array_equal(aligned(value.T), value.T)
