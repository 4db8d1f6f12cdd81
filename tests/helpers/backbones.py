"""Small networks of other people's making: frozen graphs and SavedModels of many forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf

SIZE = 16


def frozen(build, *outputs: str) -> tf.GraphDef:
    """What `build()` adds to a graph, its variables initialised and frozen."""
    with tf.Graph().as_default() as graph, tf.Session() as session:
        build()
        session.run(tf.global_variables_initializer())
        return tf.graph_util.convert_variables_to_constants(
            session, graph.as_graph_def(), list(outputs)
        )


def drawn(name: str, *shape: int, deviation: float = 0.4, mean: float = 0.0) -> tf.Tensor:
    """A variable with values of its own, the same each time."""
    random = np.random.default_rng(sum(name.encode()) + sum(shape))
    value = mean + deviation * random.standard_normal(shape)
    return tf.get_variable(name, initializer=value.astype(np.float32), use_resource=False)


def statistics(channels: int) -> list[tf.Tensor]:
    """gamma, beta, mean and variance of a batch norm."""
    means = {"gamma": 1.0, "beta": 0.0, "mean": 0.0, "variance": 2.0}
    return [drawn(name, channels, mean=mean) for name, mean in means.items()]


def fused(y: tf.Tensor) -> tf.Tensor:
    """Batch norm as TF-Slim has it."""
    gamma, beta, mean, variance = statistics(int(y.shape[-1]))
    return tf.nn.fused_batch_norm(y, gamma, beta, mean, variance, 0.001, is_training=False)[0]


def of_ops(y: tf.Tensor) -> tf.Tensor:
    """Batch norm as Keras has it: Rsqrt, Mul, Sub, AddV2."""
    gamma, beta, mean, variance = statistics(int(y.shape[-1]))
    return tf.nn.batch_normalization(y, mean, variance, beta, gamma, 0.001)


def mobile(batch: int | None = None, keep: bool = False, norm=fused, size: int = SIZE) -> None:
    """Two blocks in the manner of MobileNet v1, `net/Conv2d_0` to `net/Predictions`, 7 classes."""
    y = tf.placeholder(tf.float32, [batch, size, size, 3], "input")
    with tf.variable_scope("net"):
        y = _conv(y, "Conv2d_0", 8, 3, 2, norm)
        for block, channels in ((1, 12), (2, 16)):
            y = _depthwise(y, f"Conv2d_{block}_depthwise", norm)
            y = _conv(y, f"Conv2d_{block}_pointwise", channels, 1, 1, norm)
        y = tf.nn.avg_pool2d(y, size // 2, 1, "VALID", name="pool")
        y = tf.reshape(y, [-1 if batch is None else batch, 16], name="features")
        if keep:
            y = tf.nn.dropout(y, keep_prob=tf.placeholder(tf.float32, [], "keep_prob"))
        y = tf.nn.bias_add(tf.matmul(y, drawn("W", 16, 7)), drawn("b", 7), name="logits")
        tf.nn.softmax(y, name="Predictions")


def _conv(y, name: str, channels: int, size: int, stride: int, norm) -> tf.Tensor:
    with tf.variable_scope(name):
        W = drawn("weights", size, size, int(y.shape[3]), channels)
        y = norm(tf.nn.conv2d(y, W, stride, "SAME", name="Conv2D"))
        return tf.nn.relu6(y, name="Relu6")


def _depthwise(y, name: str, norm) -> tf.Tensor:
    with tf.variable_scope(name):
        W = drawn("depthwise_weights", 3, 3, int(y.shape[3]), 1)
        y = norm(tf.nn.depthwise_conv2d(y, W, [1, 1, 1, 1], "SAME", name="depthwise"))
        return tf.nn.relu6(y, name="Relu6")


def keras_model(folder: Path):
    """A Keras model with a residual block, exported to the folder; the model itself."""
    import keras

    keras.utils.set_random_seed(3)
    layers = keras.layers
    x = inputs = keras.Input((SIZE, SIZE, 3))
    x = layers.Conv2D(8, 3, strides=2, use_bias=False, name="stem")(x)
    x = layers.BatchNormalization(name="stem_bn")(x)
    x = layers.Activation("swish", name="stem_swish")(x)
    y = layers.DepthwiseConv2D(3, padding="same", name="block_1_depthwise")(x)
    y = layers.BatchNormalization(name="block_1_bn")(y)
    x = layers.Add(name="block_1_add")([x, layers.ReLU(6, name="block_1_relu")(y)])
    x = layers.Dropout(0.2)(layers.GlobalAveragePooling2D(name="pool")(x))
    model = keras.Model(inputs, layers.Dense(5, activation="softmax", name="head")(x))
    random = np.random.default_rng(5)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            shape = layer.gamma.shape
            layer.set_weights([random.uniform(0.5, 1.5, shape) for _ in range(4)])
    model.export(folder, verbose=False)
    return model
