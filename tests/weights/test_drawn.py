"""Weights drawn from a seed."""

import numpy as np
import pytest

from graphnets.errors import GraphnetsError
from graphnets.weights.drawn import RandomWeights

SHAPES = {"conv": ((3, 3, 20, 300), (300,)), "fc": ((200, 100), (100,))}


def test_random_weights_have_the_shapes_and_no_bias():
    drawn = RandomWeights(SHAPES)
    assert list(drawn) == ["conv", "fc"]
    assert len(drawn) == 2
    for name, shapes in SHAPES.items():
        assert tuple(array.shape for array in drawn[name]) == shapes
        assert all(array.dtype == np.float32 for array in drawn[name])
        assert not drawn[name][1].any()
    with pytest.raises(KeyError, match="fc8"):
        drawn["fc8"]


@pytest.mark.parametrize("layer, inputs", [("conv", 180), ("fc", 200)])
def test_random_weights_have_hes_scale(layer, inputs):
    W = RandomWeights(SHAPES)[layer][0]
    assert W.std() == pytest.approx(np.sqrt(2 / inputs), rel=0.02)
    assert W.mean() == pytest.approx(0, abs=0.002)


@pytest.mark.parametrize("seed", [-1, 0.5, "1", None, 1 << 63])
def test_a_seed_is_a_whole_number_from_0(seed):
    with pytest.raises(GraphnetsError) as caught:
        RandomWeights(SHAPES, seed)
    assert str(caught.value) == f"seed is {seed!r}, wanted a whole number from 0 to 2^63 - 1"


def test_random_weights_depend_on_seed_and_place_alone():
    once = RandomWeights(SHAPES, 7)
    W = once["conv"][0]
    backwards = RandomWeights(SHAPES, 7)
    assert backwards["fc"][0].tobytes() == once["fc"][0].tobytes()
    assert backwards["conv"][0].tobytes() == W.tobytes()
    assert RandomWeights(SHAPES, 8)["conv"][0].tobytes() != W.tobytes()
    two = RandomWeights({"a": SHAPES["fc"], "b": SHAPES["fc"]})
    assert two["a"][0].tobytes() != two["b"][0].tobytes()


def test_a_layer_is_drawn_when_it_is_asked_for_and_not_to_tell_that_it_is_there():
    too_large = RandomWeights({"fc6": ((10**9, 10**9), (10**9,))})
    assert "fc6" in too_large and "fc9" not in too_large and list(too_large) == ["fc6"]
    with pytest.raises((MemoryError, ValueError)):
        too_large["fc6"]
