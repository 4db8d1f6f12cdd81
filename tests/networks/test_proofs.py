"""The networks at their real size, on random weights, against OpenCV's Caffe and onnxruntime."""

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow.compat.v1 as tf
from onnx import helper

from graphnets.networks import alexnet, vgg16
from graphnets.weights.drawn import RandomWeights

CLOSE = 1e-4  # of an endpoint's largest value
GROUPED = ("conv2", "conv4", "conv5")  # in AlexNet


def drawn(declared):
    """Random weights whose activations keep their scale, and biases that are not zero."""
    weights = RandomWeights(declared.shapes(), seed=1)
    random = np.random.default_rng(2)
    return {
        name: (weights[name][0], random.normal(0, 1, weights[name][1].shape).astype(np.float32))
        for name in weights
    }


def pixels(size):
    """One picture as the first layer takes it: (1, size, size, 3), about -128 to 128."""
    return np.random.default_rng(3).uniform(-128, 128, (1, size, size, 3)).astype(np.float32)


def ours(declared, weights):
    """Every endpoint as this library computes it."""
    with tf.Graph().as_default(), tf.Session() as session:
        images = tf.constant(pixels(declared.size[0]))
        endpoints = declared.endpoints(images, weights, preprocess=False)
        session.run(tf.global_variables_initializer())
        return session.run(dict(endpoints))


def channels_last(value):
    return value.transpose(0, 2, 3, 1) if value.ndim == 4 else value


def rows_by_channel(W, channels):
    """fc6's rows from (height, width, channel) to (channel, height, width)."""
    side = round((W.shape[0] / channels) ** 0.5)
    return W.reshape(side, side, channels, -1).transpose(2, 0, 1, 3).reshape(W.shape)


def assert_close(found, wanted, names):
    assert list(found) == names and set(wanted) == set(names)
    for name in names:
        assert found[name].shape == wanted[name].shape, name
        worst = np.abs(found[name] - wanted[name]).max() / np.abs(wanted[name]).max()
        assert worst < CLOSE, f"{name}: {worst}"


# Caffe, through OpenCV


def field(number, payload):
    """A length-delimited field of a protocol buffer, as bytes."""

    def varint(n):
        out = b""
        while n > 127:
            out, n = out + bytes([n & 127 | 128]), n >> 7
        return out + bytes([n])

    return varint(number << 3 | 2) + varint(len(payload)) + payload


def caffemodel(weights):
    """A Caffe file by caffe.proto's numbers: layer 100; name 1, blobs 7; shape 7, data 5."""

    def blob(array):
        dims = b"".join(bytes([n & 127 | 128, n >> 7 & 127 | 128, n >> 14]) for n in array.shape)
        return field(7, field(1, dims)) + field(5, array.astype("<f4").tobytes())

    layers = []
    for name, (W, b) in weights.items():
        W = rows_by_channel(W, 256) if name == "fc6" else W
        W = W.transpose(3, 2, 0, 1) if W.ndim == 4 else W.T
        kind = b"Convolution" if W.ndim == 4 else b"InnerProduct"
        content = field(1, name.encode()) + field(2, kind)
        layers.append(field(100, content + field(7, blob(W)) + field(7, blob(b))))
    return b"".join(layers)


def prototxt():
    """The layers of Caffe's bvlc_alexnet/deploy.prototxt; each ReLU has an output of its own."""
    layers, last = ["input: 'data' input_dim: 1 input_dim: 3 input_dim: 227 input_dim: 227"], "data"

    def layer(name, kind, text=""):
        nonlocal last
        layers.append(
            f"layer {{ name: '{name}' type: '{kind}' bottom: '{last}' top: '{name}' {text} }}"
        )
        last = name

    def conv(name, outputs, kernel, text):
        layer(name, "Convolution", f"convolution_param {{ num_output: {outputs} "
              f"kernel_size: {kernel} {text} }}")  # fmt: skip
        layer(f"{name}-relu", "ReLU")

    def norm_and_pool(number):
        norm = "lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 }"
        layer(f"norm{number}", "LRN", norm)
        pool(number)

    def pool(number):
        layer(f"pool{number}", "Pooling", "pooling_param { pool: MAX kernel_size: 3 stride: 2 }")

    conv("conv1", 96, 11, "stride: 4")
    norm_and_pool(1)
    conv("conv2", 256, 5, "pad: 2 group: 2")
    norm_and_pool(2)
    conv("conv3", 384, 3, "pad: 1")
    conv("conv4", 384, 3, "pad: 1 group: 2")
    conv("conv5", 256, 3, "pad: 1 group: 2")
    pool(5)
    for name, outputs in (("fc6", 4096), ("fc7", 4096), ("fc8", 1000)):
        layer(name, "InnerProduct", f"inner_product_param {{ num_output: {outputs} }}")
        if name != "fc8":
            layer(f"{name}-relu", "ReLU")
    layer("prob", "Softmax")
    return "\n".join(layers)


def test_alexnet_equals_opencv_on_a_caffe_model():
    weights = drawn(alexnet.CAFFE)
    files = prototxt().encode(), caffemodel(weights)
    net = cv2.dnn.readNetFromCaffe(*(np.frombuffer(data, np.uint8) for data in files))
    net.setInput(pixels(227).transpose(0, 3, 1, 2))
    found = ours(alexnet.CAFFE, weights)
    names = list(found)
    layers = [f"{n}-relu" if n[:4] == "conv" or n in ("fc6", "fc7") else n for n in names]
    wanted = dict(zip(names, map(channels_last, net.forward(layers)), strict=True))
    assert_close(found, wanted, names)


# ONNX


def onnx_session(declared, weights):
    """The network in ONNX; the weights are inputs, so that no file of 500 MB is made."""
    nodes, last, channels = [], "x", 3
    for name, layer in declared.rows:
        relu = name in weights and name != "fc8"
        out = f"{name}-linear" if relu else name
        if layer.kind == "conv":
            stride = 4 if name == "conv1" else 1
            first_valid = declared is alexnet.CAFFE and name == "conv1"
            nodes.append(helper.make_node(
                "Conv", [last, f"{name}/W", f"{name}/b"], [out], strides=[stride, stride],
                group=2 if name in GROUPED and declared is not vgg16.DECLARED else 1,
                auto_pad="VALID" if first_valid else "SAME_UPPER",
            ))  # fmt: skip
            channels = weights[name][1].size
        elif layer.kind == "lrn":
            nodes.append(helper.make_node(
                "LRN", [last], [out], alpha=1e-4, beta=0.75, bias=1.0, size=5))  # fmt: skip
        elif layer.kind == "max_pool":
            size = 2 if declared is vgg16.DECLARED else 3
            nodes.append(helper.make_node(
                "MaxPool", [last], [out], kernel_shape=[size] * 2, strides=[2, 2]))  # fmt: skip
        elif layer.kind == "fc":
            if name == "fc6":
                weights = {**weights, name: (rows_by_channel(weights[name][0], channels),
                                             weights[name][1])}  # fmt: skip
                nodes.append(helper.make_node("Flatten", [last], ["flat"]))
                last = "flat"
            nodes.append(helper.make_node("Gemm", [last, f"{name}/W", f"{name}/b"], [out]))
        else:
            nodes.append(helper.make_node("Softmax", [last], [out]))
        if relu:
            nodes.append(helper.make_node("Relu", [out], [name]))
        last = name
    feed = {"x": pixels(declared.size[0]).transpose(0, 3, 1, 2)}
    for name, (W, b) in weights.items():
        feed[f"{name}/W"] = np.ascontiguousarray(W.transpose(3, 2, 0, 1) if W.ndim == 4 else W)
        feed[f"{name}/b"] = b
    float32 = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        declared.name,
        [helper.make_tensor_value_info(name, float32, a.shape) for name, a in feed.items()],
        [helper.make_tensor_value_info(name, float32, None) for name, _ in declared.rows],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return onnxruntime.InferenceSession(model.SerializeToString()), feed


@pytest.mark.parametrize("declared", [alexnet.COURSE, alexnet.CAFFE, vgg16.DECLARED])
def test_the_network_equals_onnxruntime(declared):
    weights = drawn(declared)
    session, feed = onnx_session(declared, weights)
    names = [name for name, _ in declared.rows]
    wanted = dict(zip(names, map(channels_last, session.run(names, feed)), strict=True))
    del session, feed
    assert_close(ours(declared, weights), wanted, names)
