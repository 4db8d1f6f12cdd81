"""VGG16's weights out of Keras's files: read right, and links in them never followed."""

import tracemalloc
import warnings

import h5py
import numpy as np
import pytest
from foreign import OURS, assert_same, keras_h5, keras_layers

from graphnets.errors import GraphnetsError
from graphnets.weights import convert


def refused(path):
    with pytest.raises(GraphnetsError) as caught:
        convert.vgg16_from_keras_h5(path)
    assert str(caught.value).startswith(f"{path} ")
    return str(caught.value)


@pytest.mark.parametrize(
    "layout, roles",
    [
        ("{0}/{0}_{1}_1:0", "Wb"),
        ("{0}/{0}/{1}:0", ("kernel", "bias")),
        ("{0}/vgg16/{0}/{1}:0", ("kernel", "bias")),
    ],
    ids=["Keras 1", "Keras 2", "Keras 2, inside a model"],
)
@pytest.mark.parametrize("top", [True, False])
def test_keras_h5(tmp_path, layout, roles, top):
    layers = keras_layers(top)
    keras_h5(tmp_path / "w.h5", layers, layout, roles)
    names = OURS + (["fc6", "fc7", "fc8"] if top else [])
    assert_same(convert.vgg16_from_keras_h5(tmp_path / "w.h5"), layers, names)


def test_keras_h5_of_float64_comes_as_float32(tmp_path):
    layers = keras_layers(top=False)
    keras_h5(
        tmp_path / "w.h5", {k: (W.astype(float), b.astype(float)) for k, (W, b) in layers.items()}
    )
    assert_same(convert.vgg16_from_keras_h5(tmp_path / "w.h5"), layers, OURS)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"\x89HDF\r\n\x1a\n"])
def test_what_is_no_h5_is_refused(tmp_path, content):
    (tmp_path / "w.h5").write_bytes(content)
    assert "is no Keras weight file of VGG16" in refused(tmp_path / "w.h5")


def test_missing_h5_is_refused(tmp_path):
    assert "No such file" in refused(tmp_path / "w.h5")


def test_cut_or_damaged_h5_ends_in_the_one_exception(tmp_path):
    keras_h5(tmp_path / "w.h5", keras_layers(top=False))
    whole = (tmp_path / "w.h5").read_bytes()
    for place in range(0, len(whole), len(whole) // 25):
        (tmp_path / "w.h5").write_bytes(whole[:place])
        assert "is no Keras weight file of VGG16" in refused(tmp_path / "w.h5")
    random = np.random.default_rng(0)
    refusals = 0
    for _ in range(150):
        damaged = bytearray(whole)
        for place in random.integers(len(whole), size=20):
            damaged[place] = random.integers(256)
        (tmp_path / "w.h5").write_bytes(damaged)
        try:
            convert.vgg16_from_keras_h5(tmp_path / "w.h5")  # the values alone may be hit
        except GraphnetsError:
            refusals += 1
    assert refusals > 50


def test_another_networks_h5_is_refused(tmp_path):
    layers = keras_layers(top=True)
    del layers["block3_conv3"]
    keras_h5(tmp_path / "w.h5", layers)
    assert "has no block1_conv1 to block5_conv3; wanted Keras's VGG16" in refused(tmp_path / "w.h5")


@pytest.mark.parametrize(
    "arrays, reason",
    [
        ([np.zeros((3, 3, 2, 4))], "not enough values"),
        ([np.zeros((3, 3, 2, 4)), np.zeros(4), np.zeros(4)], "too many values"),
        ([np.zeros((64, 3, 3, 3)), np.zeros(64)], r"block1_conv1 has the shapes \(64, 3, 3, 3\)"),
        ([np.zeros((3, 3, 2, 4)), np.zeros(5)], r"block1_conv1 has the shapes .* and \(5,\)"),
        ([np.zeros((3, 4)), np.zeros(4)], r"block1_conv1 has the shapes \(3, 4\)"),
        ([np.zeros(4), np.zeros(4)], r"block1_conv1 has the shapes \(4,\)"),
        ([np.full((3, 3, 2, 4), b"text"), np.zeros(4)], r"is \|S4, wanted real numbers"),
        ([np.full((3, 3, 2, 4), 1 + 2j), np.zeros(4)], "is complex128, wanted real numbers"),
        ([np.ones((3, 3, 2, 4), int), np.zeros(4)], "is int64, wanted real numbers"),
    ],
    ids=[
        "no bias",
        "three arrays",
        "Theano's order",
        "other bias",
        "2-D",
        "1-D",
        "text",
        "complex",
        "integers",
    ],
)
def test_arrays_that_are_no_convolution_are_refused(tmp_path, arrays, reason):
    layers = keras_layers(top=False)
    keras_h5(tmp_path / "w.h5", layers)
    with h5py.File(tmp_path / "w.h5", "a") as file:
        del file["block1_conv1"]
        for number, array in enumerate(arrays):
            file[f"block1_conv1/{number}"] = array
    with pytest.raises(GraphnetsError, match=reason):
        convert.vgg16_from_keras_h5(tmp_path / "w.h5")


def test_a_shape_without_values_behind_it_takes_no_memory(tmp_path):
    keras_h5(tmp_path / "w.h5", keras_layers(top=False))
    with h5py.File(tmp_path / "w.h5", "a") as file:
        del file["block1_conv1"]
        file["block1_conv1/b"] = np.zeros(4, "f4")
        file.create_dataset("block1_conv1/W", (1 << 13, 1 << 13, 2, 4), "f4", chunks=True)
    assert (tmp_path / "w.h5").stat().st_size < 100_000
    tracemalloc.start()
    assert "(block1_conv1 has the shape (8192, 8192, 2, 4), more than any network has)" in refused(
        tmp_path / "w.h5"
    )
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_numbers_too_large_for_float32_are_refused_without_a_warning(tmp_path):
    layers = keras_layers(top=False)
    layers["block1_conv1"] = np.full((3, 3, 2, 4), 1e300), np.zeros(4)
    keras_h5(tmp_path / "w.h5", layers)
    with warnings.catch_warnings(), pytest.raises(GraphnetsError) as caught:
        warnings.simplefilter("error")
        convert.convert(tmp_path / "w.h5", tmp_path / "o.npz")
    assert str(caught.value) == (
        f"{tmp_path / 'w.h5'}: conv1_1/W holds NaN or infinite numbers; wanted finite ones"
    )


def test_a_layer_that_is_no_group_is_refused(tmp_path):
    keras_h5(tmp_path / "w.h5", keras_layers(top=False))
    with h5py.File(tmp_path / "w.h5", "a") as file:
        del file["block2_conv1"]
        file["block2_conv1"] = np.zeros((3, 3, 2, 4))
    assert "block2_conv1 is no group" in refused(tmp_path / "w.h5")


def with_links(tmp_path, link):
    """A weight file whose block1_conv1 leads, through `link`, to what another file holds."""
    keras_h5(tmp_path / "secret.h5", keras_layers(top=False))
    keras_h5(tmp_path / "w.h5", keras_layers(top=False))
    with h5py.File(tmp_path / "w.h5", "a") as file:
        del file["block1_conv1"]
        link(file)
    return tmp_path / "w.h5"


@pytest.mark.parametrize(
    "target",
    [h5py.ExternalLink("secret.h5", "/block1_conv1"), h5py.SoftLink("/block1_conv2")],
    ids=["external", "soft"],
)
def test_links_in_a_layers_place_are_not_followed(tmp_path, target):
    def link(file):
        file["block1_conv1"] = target

    path = with_links(tmp_path, link)
    with h5py.File(path) as file:
        assert len(file["block1_conv1"]) == 2  # h5py itself would follow it
    assert "block1_conv1 is a link" in refused(path)


def test_links_inside_a_layer_are_not_followed(tmp_path):
    def link(file):
        for role in "Wb":
            name = f"block1_conv1/block1_conv1_{role}_1:0"
            file[name] = h5py.ExternalLink("secret.h5", name)

    assert "not enough values" in refused(with_links(tmp_path, link))


def test_data_kept_in_another_file_is_not_read(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(range(1, 255)) * 4)

    def link(file):
        file["block1_conv1/b"] = np.zeros(4, np.float32)
        file.create_dataset(
            "block1_conv1/W", (3, 3, 2, 4), np.float32, external=str(tmp_path / "secret")
        )

    path = with_links(tmp_path, link)
    with h5py.File(path) as file:
        assert file["block1_conv1/W"][()].any()  # h5py itself would read it
    assert "block1_conv1 refers to another file" in refused(path)


def test_a_virtual_dataset_is_not_read(tmp_path):
    def link(file):
        file["block1_conv1/b"] = np.zeros(4, np.float32)
        layout = h5py.VirtualLayout((3, 3, 2, 4), np.float32)
        layout[:] = h5py.VirtualSource(
            tmp_path / "secret.h5", "block1_conv1/block1_conv1_W_1:0", (3, 3, 2, 4)
        )
        file.create_virtual_dataset("block1_conv1/W", layout)

    path = with_links(tmp_path, link)
    with h5py.File(path) as file:
        assert file["block1_conv1/W"][()].any()  # h5py itself would read it
    assert "block1_conv1 refers to another file" in refused(path)


def test_a_layer_that_is_its_own_part_has_an_end(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        group = file.create_group("block1_conv1")
        for number in range(3):
            group[f"again{number}"] = group
    with pytest.raises(GraphnetsError, match=r"\(block1_conv1 has over 100 groups and arrays\)"):
        convert.vgg16_from_keras_h5(tmp_path / "w.h5")
