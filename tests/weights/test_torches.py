"""PyTorch's older files are read without torch, and nothing in them is run."""

import io
import os

import numpy as np
import pytest
from torchfiles import Tensor, written

from graphnets.errors import GraphnetsError
from graphnets.weights.torches import torch_state

A = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
WANTED = "; wanted a state dict of tensors, as PyTorch before 1.6 saved it"


def read(data):
    return torch_state(io.BytesIO(data), "net.pth")


def refusal(data):
    with pytest.raises(GraphnetsError) as caught:
        read(data)
    message = str(caught.value)
    assert message.startswith("net.pth is ") and message.endswith(WANTED)
    return message.removesuffix(WANTED)


def test_tensors_of_two_types_in_the_files_order():
    found = read(written({"W": A, "count": np.array(7)}))
    assert list(found) == ["W", "count"]
    np.testing.assert_array_equal(found["W"], A)
    assert found["count"].shape == () and found["count"] == 7
    assert not found["W"].flags.writeable


def test_a_tensor_may_lie_in_another_order_or_be_a_part_of_its_storage():
    turned = Tensor(A, "a", shape=(4, 2, 3), strides=(1, 12, 4))
    part = Tensor(A, "a", offset=12, shape=(3, 4), strides=(4, 1))
    found = read(written({"turned": turned, "part": part}))
    np.testing.assert_array_equal(found["turned"], A.transpose(2, 0, 1))
    np.testing.assert_array_equal(found["part"], A[1])


@pytest.mark.parametrize("tensor", [
    Tensor(A, "a", offset=1), Tensor(A, "a", shape=(25,), strides=(1,)),
    Tensor(A, "a", shape=(1 << 30, 24), strides=(0, 1)),  # one row, a thousand million times
    Tensor(A, "a", shape=(2, 2), strides=(23, 1)),
])  # fmt: skip
def test_a_tensor_has_no_more_numbers_than_its_storage(tensor):
    assert "has not as many numbers" in refusal(written({"W": tensor}))


@pytest.mark.parametrize("tensor", [
    Tensor(A, "a", offset=-1), Tensor(A, "a", shape=(-2, -3, -4)), Tensor(A, "a", strides=(12, 4)),
])  # fmt: skip
def test_sizes_below_nothing_are_refused(tensor):
    assert "a tensor is of another kind" in refusal(written({"W": tensor}))


def test_what_is_cut_off_or_no_such_file_is_refused():
    data = written({"W": A})
    assert "ends too early" in refusal(data[:-1])
    assert "does not begin as one" in refusal(written({"W": A}, magic=3))
    assert "big-endian" in refusal(written({"W": A}, system={"little_endian": False}))
    assert "'W' is no tensor" in refusal(written({"W": [1, 2]}))
    assert "holds no dict of tensors" in refusal(written({}))
    for end in range(0, len(data), 7):
        refusal(data[:end])


class Runs:
    def __reduce__(self):
        return os.mkdir, ("made",)


def test_nothing_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message = refusal(written({"W": A, "x": Runs()}))
    assert "is a pickle that would run" in message and "mkdir" in message
    assert not list(tmp_path.iterdir())
