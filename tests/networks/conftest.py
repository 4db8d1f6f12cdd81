"""What several modules build networks of."""

import graphs
import numpy as np
import pytest
from alexnets import SHAPES


@pytest.fixture(scope="session")
def weights():
    """AlexNet's, of every layer: they keep the scale of the activations; biases are not zero."""
    random = np.random.default_rng(0)

    def drawn(shape, deviation):
        return random.standard_normal(shape, np.float32) * np.float32(deviation)

    return {
        name: (drawn(W, np.sqrt(2 / np.prod(W[:-1]))), drawn(b, 0.1))
        for name, (W, b) in SHAPES.items()
    }


@pytest.fixture(scope="module")
def old():
    """A graph as the Inception file of 2015 has it."""
    return graphs.inception_like()
