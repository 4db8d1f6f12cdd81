"""EfficientNet-Lite's weights out of PyTorch's file, batch norm folded in."""

import zipfile

import numpy as np
import pytest
from torchfiles import written

from graphnets.errors import GraphnetsError
from graphnets.weights import efficientnet

NAME = "efficientnet_lite0"


@pytest.fixture(scope="module")
def state():
    """Random numbers in the shapes and under the names of the file."""
    random = np.random.default_rng(0)
    found = {}
    shapes = efficientnet.shapes(NAME)
    for layer, (convolution, norm) in efficientnet._names(NAME).items():
        height, width, inputs, outputs = shapes[layer]
        depthwise = layer.endswith("/depthwise")
        channels = inputs if depthwise else outputs
        shape = (channels, 1 if depthwise else inputs, height, width)
        found[f"{convolution}.weight"] = random.standard_normal(shape).astype(np.float32)
        for part in ("weight", "bias", "running_mean", "running_var"):
            value = random.uniform(0.5, 2, channels).astype(np.float32)
            found[f"{norm}.{part}"] = value
        found[f"{norm}.num_batches_tracked"] = np.array(1)
    found["_fc.weight"] = random.standard_normal((1000, 1280)).astype(np.float32)
    found["_fc.bias"] = random.standard_normal(1000).astype(np.float32)
    return found


@pytest.fixture(scope="module")
def file(state, tmp_path_factory):
    path = tmp_path_factory.mktemp("torch") / "lite0.pth"
    path.write_bytes(written(state))
    return path


def test_every_layer_has_its_shape_and_batch_norm_is_folded(file, state):
    found = efficientnet.from_torch(NAME, file)
    assert {layer: W.shape for layer, (W, _) in found.items()} == efficientnet.shapes(NAME)
    assert {array.dtype for pair in found.values() for array in pair} == {np.dtype(np.float32)}

    def normed(y, norm):
        gamma, beta, mean, variance = (
            state[f"{norm}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
        )
        return (y - mean) / np.sqrt(variance + 1e-3) * gamma + beta

    random = np.random.default_rng(1)
    patch = random.standard_normal((3, 3, 3))  # a pixel of the stem sees this
    y = np.einsum("hwi,oihw->o", patch, state["_conv_stem.weight"])
    W, b = found["stem"]
    np.testing.assert_allclose(np.einsum("hwi,hwio->o", patch, W) + b, normed(y, "_bn0"), rtol=1e-4)

    patch = random.standard_normal((5, 5, 144))  # block3a is the file's _blocks.3
    y = np.einsum("hwc,chw->c", patch, state["_blocks.3._depthwise_conv.weight"][:, 0])
    W, b = found["block3a/depthwise"]
    wanted = normed(y, "_blocks.3._bn1")
    np.testing.assert_allclose(np.einsum("hwc,hwc->c", patch, W[..., 0]) + b, wanted, rtol=1e-3)


def test_the_wheel_serves_as_well(file, tmp_path):
    wheel = tmp_path / "model.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(file, efficientnet.MEMBERS[NAME])
    one, other = (efficientnet.from_torch(NAME, path) for path in (file, wheel))
    for layer in one:
        for a, b in zip(one[layer], other[layer], strict=True):
            np.testing.assert_array_equal(a, b)


def refusal(path, name=NAME):
    with pytest.raises(GraphnetsError) as caught:
        efficientnet.from_torch(name, path)
    return str(caught.value)


def test_another_networks_file_is_refused(file):
    assert refusal(file, "efficientnet_lite2") == (
        f"{file} is not efficientnet_lite2: it has no _blocks.16._expand_conv.weight"
    )


def test_a_newer_file_of_pytorchs_is_told_what_to_do(tmp_path):
    path = tmp_path / "new.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"")
    assert refusal(path) == (
        f"{path} is a zip file of PyTorch 1.6 or later; write it again there with "
        "`torch.save(state, FILE, _use_new_zipfile_serialization=False)`"
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("other", b"")
    assert refusal(path).startswith(f"{path} does not hold efficientnet_lite0 as expected (")
