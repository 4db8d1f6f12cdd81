"""Where the tests of weight files write them."""

import pytest


@pytest.fixture
def path(tmp_path):
    return tmp_path / "w.npy"
