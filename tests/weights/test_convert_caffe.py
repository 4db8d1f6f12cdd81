"""Weights out of Caffe's models: as OpenCV reads them, and refused where they lie."""

import re

import cv2
import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from foreign import CONV, ONE, caffe_blobs, caffemodel, net_parameter

from graphnets.errors import GraphnetsError
from graphnets.networks.layers import conv, fc, max_pool
from graphnets.networks.stack import stack
from graphnets.weights import convert

# A chain as AlexNet's, in Caffe's words; its weights are drawn by RandomWeights.
PROTOTXT = """
input: "data" input_shape { dim: 2 dim: 3 dim: 14 dim: 14 }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        convolution_param { num_output: 4 kernel_size: 3 stride: 1 } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
        pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "conv2" type: "Convolution" bottom: "pool1" top: "conv2"
        convolution_param { num_output: 6 kernel_size: 3 pad: 1 group: 2 } }
layer { name: "relu2" type: "ReLU" bottom: "conv2" top: "conv2" }
layer { name: "fc6" type: "InnerProduct" bottom: "conv2" top: "fc6"
        inner_product_param { num_output: 10 } }
layer { name: "relu6" type: "ReLU" bottom: "fc6" top: "fc6" }
layer { name: "fc7" type: "InnerProduct" bottom: "fc6" top: "fc7"
        inner_product_param { num_output: 5 } }
"""
ROWS = (
    ("conv1", conv(4, 3, padding="VALID")),  # 12 x 12 x 4
    ("pool1", max_pool(2, 2)),  # 6 x 6 x 4
    ("conv2", conv(6, 3, groups=2)),  # 6 x 6 x 6
    ("fc6", fc(10)),
    ("fc7", fc(5, relu=False)),
)


def refused_caffe(path, content):
    path.write_bytes(content)
    with pytest.raises(GraphnetsError) as caught:
        convert.caffemodel_weights(path)
    start = f"{path} is no Caffe model that can be read ("
    assert str(caught.value).startswith(start) and str(caught.value).endswith(")")
    return str(caught.value)[len(start) : -1]


def test_caffemodel_gives_what_opencv_computes_from_it(tmp_path):
    (tmp_path / "net.prototxt").write_text(PROTOTXT)
    (tmp_path / "net.caffemodel").write_bytes(caffemodel(caffe_blobs()))
    images = np.random.default_rng(4).standard_normal((2, 14, 14, 3), np.float32)

    net = cv2.dnn.readNetFromCaffe(str(tmp_path / "net.prototxt"), str(tmp_path / "net.caffemodel"))
    net.setInput(images.transpose(0, 3, 1, 2))
    wanted = net.forward()

    weights = convert.caffemodel_weights(tmp_path / "net.caffemodel")
    with tf.Graph().as_default(), tf.Session() as session:
        output = stack(ROWS, tf.constant(images), weights)["fc7"]
        session.run(tf.global_variables_initializer())
        got = session.run(output)
    assert wanted.shape == got.shape == (2, 5)
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted).max())


@pytest.mark.parametrize("age", ["V0", "V1", "layer"])
def test_caffemodel_of_any_age(tmp_path, age):
    blobs = caffe_blobs()
    (tmp_path / "w.caffemodel").write_bytes(caffemodel(blobs, age))
    found = convert.caffemodel_weights(tmp_path / "w.caffemodel")
    assert {name: W.shape for name, (W, _) in found.items()} == {
        "conv1": (3, 3, 3, 4), "conv2": (3, 3, 2, 6), "fc6": (216, 10), "fc7": (10, 5)
    }  # fmt: skip
    assert list(found) == list(blobs)  # nothing of the layer without weights
    for name, (W, b) in found.items():
        assert W.dtype == b.dtype == np.float32 and W.flags.c_contiguous
        np.testing.assert_array_equal(b, blobs[name][1])
    for layer, (out, channel, y, x) in {"conv1": (3, 0, 1, 2), "conv2": (5, 1, 0, 2)}.items():
        assert found[layer][0][y, x, channel, out] == blobs[layer][0][out, channel, y, x]
    np.testing.assert_array_equal(found["fc7"][0], blobs["fc7"][0].T)
    # Caffe's row of fc6 is (channel, y, x), ours (y, x, channel), of 6 maps of 6 x 6.
    for channel, y, x in [(0, 0, 0), (5, 0, 0), (2, 3, 4), (4, 5, 1)]:
        np.testing.assert_array_equal(
            found["fc6"][0][(y * 6 + x) * 6 + channel],
            blobs["fc6"][0][:, (channel * 6 + y) * 6 + x],
        )


def test_caffemodel_of_doubles_comes_as_float32(tmp_path):
    doubles = {name: (W.astype(float), b.astype(float)) for name, (W, b) in caffe_blobs().items()}
    (tmp_path / "w.caffemodel").write_bytes(caffemodel(doubles))
    (tmp_path / "f.caffemodel").write_bytes(caffemodel(caffe_blobs()))
    floats = convert.caffemodel_weights(tmp_path / "f.caffemodel")
    for name, pair in convert.caffemodel_weights(tmp_path / "w.caffemodel").items():
        for got, wanted in zip(pair, floats[name], strict=True):
            assert got.dtype == np.float32
            np.testing.assert_array_equal(got, wanted)


def test_caffemodel_data_may_come_in_parts(tmp_path):
    net = net_parameter()
    net.ParseFromString(caffemodel({"fc": (np.ones((2, 3), "f4"), np.ones(2, "f4"))}))
    blob = net.layer[1].blobs[0]
    data = blob.data[0]
    blob.data[:] = [data[:8], data[8:]]  # as protobuf lets a packed field be
    (tmp_path / "w").write_bytes(net.SerializeToString())
    assert convert.caffemodel_weights(tmp_path / "w")["fc"][0].shape == (3, 2)


@pytest.mark.parametrize(
    "layers, reason",
    [
        ({}, "no layer has weights"),
        ({"bn1": (*CONV, CONV[1])}, "the layer 'bn1' has 3 blobs, wanted one with W and b"),
        ({"c": CONV[:1]}, "the layer 'c' has 1 blobs, wanted one with W and b"),
        ({"s": (CONV[1], CONV[1])}, "the layer 's' has the shapes (4,) and (4,)"),
        ({"c": (CONV[0], ONE[1])}, "the layer 'c' has the shapes (4, 3, 3, 3) and (1,)"),
        ({"c": (np.ones((2, 3, 4), "f4"), np.ones(2, "f4"))},
         "the layer 'c' has the shapes (2, 3, 4) and (2,)"),
        ({"c": CONV, "f": (np.ones((2, 10), "f4"), np.ones(2, "f4"))},
         "the layer 'f' has 10 inputs, no 4 square maps"),
        ({"c": CONV, "f": (np.ones((2, 8), "f4"), np.ones(2, "f4"))},
         "the layer 'f' has 8 inputs, no 4 square maps"),
    ],
)  # fmt: skip
def test_caffe_layers_that_are_not_understood(tmp_path, layers, reason):
    assert refused_caffe(tmp_path / "w.caffemodel", caffemodel(layers)) == reason


def test_caffe_blobs_that_lie(tmp_path):
    def changed(**fields):
        net = net_parameter()
        net.ParseFromString(caffemodel({"fc6": ONE}))
        blob = net.layer[1].blobs[0]
        if "shape" in fields:
            blob.shape.dim[:] = fields["shape"]
        if "data" in fields:
            blob.data[:] = fields["data"]
        return refused_caffe(tmp_path / "w.caffemodel", net.SerializeToString())

    assert changed(shape=[2, 1]) == "the layer 'fc6' has 4 bytes for the shape (2, 1)"
    assert changed(shape=[-1, -1]) == "the layer 'fc6' has 4 bytes for the shape (-1, -1)"
    assert changed(shape=[1 << 40, 1 << 40]).endswith("(1099511627776, 1099511627776)")
    assert changed(shape=[]) == "the layer 'fc6' has 4 bytes for the shape ()"
    assert changed(data=[]) == "the layer 'fc6' has 0 bytes for the shape (1, 1)"
    assert changed(data=[bytes(5)]) == "the layer 'fc6' has 5 bytes for the shape (1, 1)"


def test_a_name_that_is_no_text(tmp_path):
    content = caffemodel({"fc6": ONE}).replace(b"fc6", b"\x96c6")
    assert re.fullmatch(  # protobuf 3 refuses it by itself
        r"the name of a layer, b'\\x96c6', is no UTF-8|'utf-8' codec .* in field: p\.Layer\.name",
        refused_caffe(tmp_path / "w", content),
    )


def test_a_layer_that_is_there_twice(tmp_path):
    content = caffemodel({"fc6": ONE})
    reason = refused_caffe(tmp_path / "w", content + content)  # protobuf's way to join two
    assert reason == "the layer 'fc6' is there twice, wanted one with W and b"


def test_cut_or_damaged_caffemodel_ends_in_the_one_exception(tmp_path):
    content = caffemodel(caffe_blobs())
    for length in range(0, len(content), 97):
        try:
            (tmp_path / "w").write_bytes(content[:length])
            assert len(convert.caffemodel_weights(tmp_path / "w")) < 4  # cut between layers
        except GraphnetsError as error:
            assert "is no Caffe model that can be read (" in str(error)
    for content in (b"", b"\xff" * 99, b"\x0a\x05alexnet"):
        refused_caffe(tmp_path / "w", content)
    with pytest.raises(GraphnetsError, match="No such file"):
        convert.caffemodel_weights(tmp_path / "none")
