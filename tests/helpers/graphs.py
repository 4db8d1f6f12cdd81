"""Small frozen GraphDefs in the style of the Inception file of 2015, for the tests."""

from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf

SIZE = 47


def inception_like(seed: int = 0, classes: int = 11) -> tf.GraphDef:
    """Random weights in a small network of the file's names, ops and producer version.

    DecodeJpeg/contents -> 47 x 47 -> conv, conv_1, conv_2, pool -> mixed/join (10, 10, 24)
    -> mixed_1/join (4, 4, 32) -> pool_3/_reshape [1, 32] -> softmax (classes).
    """
    net = Builder(seed)
    net.const("DecodeJpeg/contents", b"")
    net.add("DecodeJpeg", "DecodeJpeg", ["DecodeJpeg/contents"], channels=3)
    net.add("Cast", "Cast", ["DecodeJpeg"], SrcT=tf.uint8, DstT=tf.float32)
    net.const("ExpandDims/dim", np.int32(0))
    net.add("ExpandDims", "ExpandDims", ["Cast", "ExpandDims/dim"], T=tf.float32)
    net.const("ResizeBilinear/size", np.array([SIZE, SIZE], np.int32))
    net.add("ResizeBilinear", "ResizeBilinear", ["ExpandDims", "ResizeBilinear/size"], T=tf.float32)
    net.const("Sub/y", np.float32(128))
    net.add("Sub", "Sub", ["ResizeBilinear", "Sub/y"], T=tf.float32)
    net.const("Mul/y", np.float32(0.0078125))
    net.add("Mul", "Mul", ["Sub", "Mul/y"], T=tf.float32)

    net.conv("conv", "Mul", (3, 3, 3, 8), 2, "VALID")
    net.conv("conv_1", "conv", (3, 3, 8, 8), 1, "VALID")
    net.conv("conv_2", "conv_1", (3, 3, 8, 12))
    net.pool("MaxPool", "pool", "conv_2", 3, 2, "VALID")

    net.conv("mixed/conv", "pool", (1, 1, 12, 8))
    net.conv("mixed/tower/conv", "pool", (1, 1, 12, 4))
    net.conv("mixed/tower/conv_1", "mixed/tower/conv", (5, 5, 4, 6))
    net.pool("AvgPool", "mixed/tower_1/pool", "pool", 3, 1, "SAME")
    net.conv("mixed/tower_1/conv", "mixed/tower_1/pool", (1, 1, 12, 10))
    net.join("mixed/join", ["mixed/conv", "mixed/tower/conv_1", "mixed/tower_1/conv"])

    net.conv("mixed_1/tower/conv", "mixed/join", (1, 1, 24, 6))
    net.conv("mixed_1/tower/conv_1", "mixed_1/tower/conv", (1, 7, 6, 6))
    net.conv("mixed_1/tower/conv_2", "mixed_1/tower/conv_1", (3, 3, 6, 8), 2, "VALID")
    net.pool("MaxPool", "mixed_1/pool", "mixed/join", 3, 2, "VALID")
    net.join("mixed_1/join", ["mixed_1/tower/conv_2", "mixed_1/pool"])

    net.pool("AvgPool", "pool_3", "mixed_1/join", 4, 1, "VALID")
    net.const("pool_3/_reshape/shape", np.array([1, 32], np.int32))
    net.add("pool_3/_reshape", "Reshape", ["pool_3", "pool_3/_reshape/shape"], T=tf.float32)
    net.const("softmax/weights", net.normal((32, classes), 0.5))
    net.const("softmax/biases", net.normal((classes,), 0.1))
    net.add("softmax/logits/MatMul", "MatMul", ["pool_3/_reshape", "softmax/weights"], T=tf.float32)
    net.add("softmax/logits", "BiasAdd", ["softmax/logits/MatMul", "softmax/biases"], T=tf.float32)
    net.add("softmax", "Softmax", ["softmax/logits"], T=tf.float32)
    return net.graph_def


def retrained_like(classes: int = 5) -> tf.GraphDef:
    """What retrain.py wrote: that network to its bottleneck, and a head, `final_result`."""
    net = Builder(1)
    layers = [node for node in inception_like().node if not node.name.startswith("softmax")]
    net.graph_def.node.extend(layers)
    net.add(
        "input/BottleneckInputPlaceholder",
        "PlaceholderWithDefault",
        ["pool_3/_reshape"],
        dtype=tf.float32,
        shape=tf.TensorShape([None, 32]),
    )
    head = "final_training_ops"
    net.const(f"{head}/weights/final_weights", net.normal((32, classes), 0.5))
    net.const(f"{head}/biases/final_biases", net.normal((classes,), 0.1))
    product = f"{head}/Wx_plus_b/MatMul"
    weights, biases = f"{head}/weights/final_weights", f"{head}/biases/final_biases"
    net.add(product, "MatMul", ["input/BottleneckInputPlaceholder", weights], T=tf.float32)
    net.add(f"{head}/Wx_plus_b/add", "Add", [product, biases], T=tf.float32)
    net.add("final_result", "Softmax", [f"{head}/Wx_plus_b/add"], T=tf.float32)
    return net.graph_def


def write(path, graph_def: tf.GraphDef) -> Path:
    """Write the GraphDef as a .pb file."""
    path = Path(path)
    path.write_bytes(graph_def.SerializeToString(deterministic=True))
    return path


def read(path) -> tf.GraphDef:
    """The GraphDef in a .pb file, as it is."""
    return tf.GraphDef.FromString(Path(path).read_bytes())


def run(graph_def, feed, names):
    """What a GraphDef's tensors are, in a graph of their own."""
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(graph_def, name="")
        return session.run(names, feed)


def images(count=3):
    """Pictures of that graph's size."""
    shape = (count, SIZE, SIZE, 3)
    return np.random.default_rng(2).uniform(0, 255, shape).astype(np.float32)


def built(network, batch, names):
    with tf.Graph().as_default(), tf.Session() as session:
        placeholder = tf.placeholder(tf.float32, [None, *network.size, 3])
        endpoints = network.build(placeholder, names)
        assert list(endpoints) == names
        return session.run([endpoints[name] for name in names], {placeholder: batch})


def untouched(batch, name):
    """What the graph in the file gives, one image at a time."""
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(inception_like(), name="")
        rows = [session.run(name, {"ResizeBilinear:0": image[np.newaxis]}) for image in batch]
    return np.concatenate(rows)


class Builder:
    """Adds nodes to `graph_def` as the file has them: attributes by hand, producer 8."""

    def __init__(self, seed: int = 0, producer: int = 8) -> None:
        self.graph_def = tf.GraphDef()
        self.graph_def.versions.producer = producer
        self._random = np.random.default_rng(seed)

    def normal(self, shape, deviation):
        return (self._random.standard_normal(shape) * deviation).astype(np.float32)

    def add(self, name, op, inputs=(), **attributes):
        node = self.graph_def.node.add(name=name, op=op)
        node.input.extend(inputs)
        for key, value in attributes.items():
            attr = node.attr[key]
            if isinstance(value, tf.DType):
                attr.type = value.as_datatype_enum
            elif isinstance(value, tf.TensorShape):
                attr.shape.CopyFrom(value.as_proto())
            elif isinstance(value, bool):
                attr.b = value
            elif isinstance(value, int):
                attr.i = value
            elif isinstance(value, float):
                attr.f = value
            elif isinstance(value, str):
                attr.s = value.encode()
            else:
                attr.list.i.extend(value)
        return node

    def const(self, name, value):
        tensor = tf.make_tensor_proto(value)
        node = self.add(name, "Const")
        node.attr["dtype"].type = tensor.dtype
        node.attr["value"].tensor.CopyFrom(tensor)
        return name

    def conv2d(self, name, x, weights, stride=1, padding="SAME"):
        strides = [1, stride, stride, 1]
        self.add(name, "Conv2D", [x, weights], T=tf.float32, strides=strides, padding=padding)

    def batch_norm(self, name, x, channels, scale_after_normalization=True):
        mean, variance, beta, gamma = (
            self.const(f"{name}/{part}", value)
            for part, value in (
                ("moving_mean", self.normal((channels,), 0.3)),
                ("moving_variance", np.exp(self.normal((channels,), 0.7))),
                ("beta", self.normal((channels,), 0.3)),
                ("gamma", 1 + self.normal((channels,), 0.3)),
            )
        )
        self.add(
            name,
            "BatchNormWithGlobalNormalization",
            [x, mean, variance, beta, gamma],
            T=tf.float32,
            variance_epsilon=0.001,
            scale_after_normalization=scale_after_normalization,
        )

    def conv(self, name, x, shape, stride=1, padding="SAME"):
        """A convolution as in the file: weights, batch norm, check, ReLU."""
        deviation = np.sqrt(2 / np.prod(shape[:3]))
        self.const(f"{name}/conv2d_params", self.normal(shape, deviation))
        self.conv2d(f"{name}/Conv2D", x, f"{name}/conv2d_params", stride, padding)
        normed = f"{name}/batchnorm"
        self.batch_norm(normed, f"{name}/Conv2D", shape[3])
        check = f"{name}/CheckNumerics"
        self.add(check, "CheckNumerics", [normed], T=tf.float32, message="not finite")
        self.add(f"{name}/control_dependency", "Identity", [normed, f"^{check}"], T=tf.float32)
        self.add(name, "Relu", [f"{name}/control_dependency"], T=tf.float32)

    def pool(self, op, name, x, size, stride, padding):
        window, strides = [1, size, size, 1], [1, stride, stride, 1]
        self.add(name, op, [x], T=tf.float32, ksize=window, strides=strides, padding=padding)

    def join(self, name, parts):
        axis = self.const(f"{name}/concat_dim", np.int32(3))
        self.add(name, "Concat", [axis, *parts], T=tf.float32, N=len(parts))
