"""EfficientNet-Lite: the paper's table, its blocks as layers, and onnxruntime's figures."""

import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow.compat.v1 as tf
from onnx import helper, numpy_helper

from graphnets import EfficientNetLite0, efficientnet_lite0_endpoints
from graphnets.errors import GraphnetsError
from graphnets.networks import efficientnet
from graphnets.networks.network import Cut
from graphnets.weights.drawn import RandomWeights
from graphnets.weights.efficientnet import blocks

NETWORKS = {"efficientnet_lite0": efficientnet.LITE0, "efficientnet_lite2": efficientnet.LITE2}


def test_the_table_of_the_paper():
    layers = {layer.name: layer for layer in efficientnet.LITE0.layers()}
    found = {name: layer.shape[1:] for name, layer in layers.items()}
    assert found == {
        "stem": (112, 112, 32), "block1a": (112, 112, 16),
        **dict.fromkeys(("block2a", "block2b"), (56, 56, 24)),
        **dict.fromkeys(("block3a", "block3b"), (28, 28, 40)),
        **dict.fromkeys(("block4a", "block4b", "block4c"), (14, 14, 80)),
        **dict.fromkeys(("block5a", "block5b", "block5c"), (14, 14, 112)),
        **dict.fromkeys(("block6a", "block6b", "block6c", "block6d"), (7, 7, 192)),
        "block7a": (7, 7, 320), "head": (7, 7, 1280), "pool": (1280,), "fc": (1000,),
        "prob": (1000,),
    }  # fmt: skip
    # 4,694,073 numbers in PyTorch's file: batch norm has four a channel and a count there
    assert sum(layer.parameters for layer in layers.values()) == 4_631_000


def test_lite2_is_wider_and_deeper():
    found = [(block.name, block.channels) for block in blocks("efficientnet_lite2")]
    assert len(found) == 21
    assert found[-4:] == [
        ("block6c", 208), ("block6d", 208), ("block6e", 208), ("block7a", 352),
    ]  # fmt: skip
    assert found[:4] == [("block1a", 16), ("block2a", 24), ("block2b", 24), ("block2c", 24)]


def weights(declared):
    drawn = RandomWeights(declared.shapes(), seed=1)
    random = np.random.default_rng(2)
    return {name: (drawn[name][0], random.normal(0, 1, drawn[name][1].shape).astype(np.float32))
            for name in drawn}  # fmt: skip


class Onnx:
    """The network as ONNX, written from the paper: SAME_UPPER is TensorFlow's SAME."""

    def __init__(self, given):
        self.weights, self.nodes, self.values, self.outputs = given, [], [], []

    def add(self, op, inputs, output, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output

    def value(self, name, array):
        self.values.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def conv(self, x, layer, output, stride=1, clip=True):
        W, b = self.weights[layer]
        depthwise = layer.endswith("/depthwise")
        order = (2, 3, 0, 1) if depthwise else (3, 2, 0, 1)
        inputs = [x, self.value(f"{layer}/W", W.transpose(order)), self.value(f"{layer}/b", b)]
        made = self.add("Conv", inputs, f"{layer}/y" if clip else output, strides=[stride] * 2,
                        auto_pad="SAME_UPPER", group=len(b) if depthwise else 1)  # fmt: skip
        return self.add("Clip", [made, "zero", "six"], output) if clip else output

    def block(self, x, inputs, block):
        y, name = x, block.name
        if block.expansion > 1:
            y = self.conv(y, f"{name}/expand", f"{name}/e")
        y = self.conv(y, f"{name}/depthwise", f"{name}/d", block.stride)
        if block.stride == 1 and inputs == block.channels:
            y = self.conv(y, f"{name}/project", f"{name}/p", clip=False)
            return self.add("Add", [x, y], name)
        return self.conv(y, f"{name}/project", name, clip=False)

    def run(self, name, pictures):
        self.value("zero", np.float32(0))
        self.value("six", np.float32(6))
        y, channels, names = self.conv("x", "stem", "stem", 2), 32, ["stem"]
        for block in blocks(name):
            y, channels = self.block(y, channels, block), block.channels
            names.append(block.name)
        self.conv(y, "head", "head")
        self.add("ReduceMean", ["head"], "pool", axes=[2, 3], keepdims=0)
        W, b = self.weights["fc"]
        self.add("Gemm", ["pool", self.value("fc/W", W), self.value("fc/b", b)], "fc")
        self.add("Softmax", ["fc"], "prob", axis=1)
        names += ["head", "pool", "fc", "prob"]
        info = [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, None)
                for n in ["x", *names]]  # fmt: skip
        graph = helper.make_graph(self.nodes, "net", info[:1], info[1:], self.values)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        session = onnxruntime.InferenceSession(model.SerializeToString())
        found = session.run(names, {"x": pictures.transpose(0, 3, 1, 2)})
        return {n: v.transpose(0, 2, 3, 1) if v.ndim == 4 else v
                for n, v in zip(names, found, strict=True)}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_every_endpoint_is_onnxruntimes(name):
    declared = NETWORKS[name]
    given = weights(declared)
    pictures = np.random.default_rng(3).uniform(-1, 1, (1, *declared.size, 3)).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        endpoints = declared.endpoints(tf.constant(pictures), given, preprocess=False)
        session.run(tf.global_variables_initializer())
        found = session.run(dict(endpoints))
    wanted = Onnx(given).run(name, pictures)
    assert list(found) == list(wanted)
    for endpoint, value in found.items():
        worst = np.abs(value - wanted[endpoint]).max() / np.abs(wanted[endpoint]).max()
        assert worst < 1e-4, f"{endpoint}: {worst}"


def test_pixels_are_scaled_as_the_authors_do():
    with tf.Graph().as_default(), tf.Session() as session:
        images = tf.constant([[[[127.0, 255.0, 0.0]]]])
        np.testing.assert_allclose(
            session.run(efficientnet.LITE0.preprocess(images)), [[[[0, 1, -127 / 128]]]]
        )


def test_a_block_is_one_layer_to_freeze_and_train():
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 224, 224, 3])
        efficientnet_lite0_endpoints(x, "random", "block7a,block1a", until="block7a")
        trained = [v.op.name for v in tf.trainable_variables()]
    scope = "EfficientNetLite0"
    assert trained == [f"{scope}/{part}/{role}" for part in (
        "block1a/depthwise", "block1a/project",
        "block7a/expand", "block7a/depthwise", "block7a/project") for role in "Wb"]  # fmt: skip


def test_cuts_lie_between_blocks():
    network = efficientnet.LITE0.network(RandomWeights(efficientnet.LITE0.shapes()), "random 0")
    assert network.cut(["pool"], "block7a:") == Cut("block6d", ["block7a", "head"], ["pool"])
    assert network.cut(["pool"], "fc") == Cut("pool", [], [])
    assert network.parameters("block1a") == [
        "block1a/depthwise/W", "block1a/depthwise/b", "block1a/project/W", "block1a/project/b",
    ]  # fmt: skip
    value = network.parameter("block2a/depthwise/W")
    assert value.shape == (3, 3, 96, 1)
    tuned = network.tuned({"block2a/depthwise/W": value + 1})
    np.testing.assert_array_equal(tuned.parameter("block2a/depthwise/W"), value + 1)
    assert tuned.parameter("block2a/depthwise/b") is not None


def test_probabilities_or_features():
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 224, 224, 3])
        assert EfficientNetLite0(x, weights="random").shape.as_list() == [None, 1000]
        features = EfficientNetLite0(x, feature_extract=True, weights="random")
        assert features.shape.as_list() == [None, 1280]
        with pytest.raises(GraphnetsError, match="no layer 'block8a'; this network has stem, bl"):
            EfficientNetLite0(x, weights="random", trainable="block8a")
