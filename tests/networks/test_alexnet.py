"""AlexNet, in both readings, against a forward pass written out in NumPy from the paper."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from alexnets import NAMES, photos, run

from graphnets.networks.alexnet import AlexNet, alexnet_endpoints


def windows(x, size, stride):
    """(n, h', w', size, size, c): what each output position sees."""
    view = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))
    return view[:, ::stride, ::stride].transpose(0, 1, 2, 4, 5, 3)


def padded(x, size, stride):
    """TensorFlow's SAME: ceil(n / stride) outputs, the odd row of zeros below and to the right."""
    spare = [max((-(-n // stride) - 1) * stride + size - n, 0) for n in x.shape[1:3]]
    return np.pad(x, [(0, 0), *((s // 2, s - s // 2) for s in spare), (0, 0)])


def convolved(x, W, b, stride=1, groups=1, same=True):
    size = W.shape[0]
    seen = windows(padded(x, size, stride) if same else x, size, stride)
    inputs, outputs = x.shape[3] // groups, W.shape[3] // groups
    parts = []
    for g in range(groups):
        part = seen[..., g * inputs : (g + 1) * inputs].reshape(*seen.shape[:3], -1)
        parts.append(part @ W[..., g * outputs : (g + 1) * outputs].reshape(-1, outputs))
    return np.maximum(np.concatenate(parts, axis=3) + b, 0)


def normalised(x):
    """x / (1 + 2e-5 * sum of the squares of 5 neighbouring channels) ^ 0.75."""
    squares = np.pad(x**2, [(0, 0)] * 3 + [(2, 2)])
    total = sum(squares[..., i : i + x.shape[3]] for i in range(5))
    return x / (1 + 2e-5 * total) ** 0.75


def pooled(x):
    return windows(x, 3, 2).max(axis=(3, 4))


def preprocessed(images, reading):
    if reading == "course":
        return images - images.mean(axis=(1, 2, 3), keepdims=True)
    return images[..., ::-1] - np.float32([104, 117, 124])


def forward(images, weights, reading):
    """Every endpoint, in NumPy."""
    x = preprocessed(images, reading)
    found = {}
    for name in NAMES:
        if name == "conv1":
            x = convolved(x, *weights[name], stride=4, same=reading == "course")
        elif name.startswith("conv"):
            x = convolved(x, *weights[name], groups=1 if name == "conv3" else 2)
        elif name.startswith("norm"):
            x = normalised(x)
        elif name.startswith("pool"):
            x = pooled(x)
        elif name.startswith("fc"):
            W, b = weights[name]
            x = x.reshape(len(x), -1) @ W + b
            x = x if name == "fc8" else np.maximum(x, 0)
        else:
            x = np.exp(x - x.max(axis=1, keepdims=True))
            x = x / x.sum(axis=1, keepdims=True)
        found[name] = x
    return found


@pytest.mark.parametrize("reading", ["course", "caffe"])
def test_every_endpoint_equals_numpy_at_the_real_size(weights, reading):
    with tf.Graph().as_default():
        images = tf.placeholder(tf.float32, [None, None, None, 3])
        endpoints = alexnet_endpoints(images, weights, reading=reading, preprocess=True)
        found = run(dict(endpoints), {images: photos()})
    wanted = forward(photos(), weights, reading)
    assert list(found) == NAMES
    for name, value in wanted.items():
        assert found[name].shape == value.shape, name
        assert np.abs(found[name] - value).max() < 1e-4 * np.abs(value).max(), name


def test_the_readings_differ_though_every_shape_from_pool2_on_is_the_same(weights):
    course, caffe = (forward(photos(), weights, reading) for reading in ("course", "caffe"))
    assert course["conv1"].shape == (1, 57, 57, 96) and caffe["conv1"].shape == (1, 55, 55, 96)
    for name in NAMES[5:]:
        assert course[name].shape == caffe[name].shape
    assert np.abs(course["fc7"] - caffe["fc7"]).max() > 0.1 * np.abs(caffe["fc7"]).max()


def test_the_courses_call_gives_probabilities_or_fc7(weights):
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, (None, 32, 32, 3))
        resized = tf.image.resize_images(x, (227, 227))
        with tf.variable_scope("net", reuse=tf.AUTO_REUSE):
            probs = AlexNet(resized, weights=weights)
            fc7 = AlexNet(resized, feature_extract=True, weights=weights)
        assert len(tf.global_variables()) == 16
        fc8W = tf.Variable(tf.truncated_normal([fc7.get_shape().as_list()[-1], 43], stddev=0.01))
        logits = tf.nn.xw_plus_b(fc7, fc8W, tf.Variable(tf.zeros(43)))
        assert logits.shape.as_list() == [None, 43]
        p, f = run([probs, fc7], {x: photos(2, 32)})
    assert p.shape == (2, 1000) and f.shape == (2, 4096)
    W, b = weights["fc8"]
    exp = np.exp(f @ W + b - (f @ W + b).max(axis=1, keepdims=True))
    np.testing.assert_allclose(p, exp / exp.sum(axis=1, keepdims=True), atol=1e-3)


def test_photos_that_have_lost_their_mean_already_see_the_same_network(weights):
    images = photos()
    with tf.Graph().as_default():
        with tf.variable_scope("net", reuse=tf.AUTO_REUSE):
            inside, outside, as_it_is = (
                alexnet_endpoints(tf.constant(x), weights, until="conv1", preprocess=p)["conv1"]
                for x, p in [(images, True), (images - images.mean(), True),
                             (images - images.mean(), False)]
            )  # fmt: skip
        one, two, three = run([inside, outside, as_it_is])
    np.testing.assert_allclose(one, two, atol=1e-3)
    np.testing.assert_allclose(one, three, atol=1e-3)


@pytest.mark.parametrize("reading", ["course", "caffe"])
@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_any_floats_are_taken(weights, reading, dtype):
    images = np.round(photos(1, 63))
    with tf.Graph().as_default():
        tensors = [
            alexnet_endpoints(x, weights, until="conv2", reading=reading)["conv2"]
            for x in (images, tf.placeholder_with_default(images.astype(dtype), [None] * 4))
        ]
        one, other = run(tensors)
    np.testing.assert_allclose(one, other, atol=1e-3)


def in_another_process(code, **environment):
    """What a script prints; settings that hold for a whole process are tried so."""
    import os

    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True,
        text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_after_disable_v2_behavior():
    out = in_another_process("""
import numpy as np, tensorflow.compat.v1 as tf
tf.disable_v2_behavior()
from graphnets import AlexNet, alexnet_endpoints
x = tf.placeholder(tf.float32, (None, 32, 32, 3))
fc7 = AlexNet(tf.image.resize_images(x, (227, 227)), feature_extract=True, weights="random")
ends = alexnet_endpoints(tf.placeholder(tf.float32), "random", "conv2:", until="conv3")
print(fc7.get_shape().as_list(), [v.op.name for v in tf.trainable_variables()])
with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    print(session.run(fc7, {x: np.ones((2, 32, 32, 3))}).shape)
    print(session.run("AlexNet/conv1/b:0")[:2])
""")  # fmt: skip
    names = [f"AlexNet_1/{layer}/{role}" for layer in ("conv2", "conv3") for role in "Wb"]
    assert out == f"[None, 4096] {names}\n(2, 4096)\n[0. 0.]\n"


GRADIENTS = """
import numpy as np, tensorflow.compat.v1 as tf
from graphnets.networks.layers import conv
random = np.random.default_rng(0)
images = random.standard_normal((2, 7, 7, 4))
values = {"W": random.standard_normal((3, 3, 2, 6)), "b": random.standard_normal(6)}
weighting = random.standard_normal((2, 7, 7, 6))
with tf.Graph().as_default(), tf.Session() as session:
    x = tf.placeholder(tf.float64, [2, 7, 7, 4])
    p = {role: tf.placeholder(tf.float64, value.shape) for role, value in values.items()}
    grouped = tf.reduce_sum(conv(6, 3, groups=2).build(x, lambda role, shape: p[role]) * weighting)
    parts = [tf.nn.conv2d(x[..., i * 2 : i * 2 + 2], p["W"][..., i * 3 : i * 3 + 3], 1, "SAME")
             for i in range(2)]
    apart = tf.reduce_sum(tf.nn.relu(tf.concat(parts, 3) + p["b"]) * weighting)
    inputs = [x, p["W"], p["b"]]
    feed = dict(zip(inputs, [images, values["W"], values["b"]]))
    (y, *mine), (z, *theirs) = session.run(
        [[f, *tf.gradients(f, inputs)] for f in (grouped, apart)], feed)
    assert abs(y - z) < 1e-9
    for one, other in zip(mine, theirs):
        np.testing.assert_allclose(one, other, atol=1e-9)
    for tensor, slope in zip(inputs, mine):
        for at in [tuple(random.integers(0, n) for n in slope.shape) for _ in range(5)]:
            up, down = feed[tensor].copy(), feed[tensor].copy()
            up[at] += 1e-6
            down[at] -= 1e-6
            rise = session.run(grouped, {**feed, tensor: up}) - session.run(
                grouped, {**feed, tensor: down})
            assert abs(rise / 2e-6 - slope[at]) < 1e-4 * max(1, abs(slope[at])), (tensor.name, at)
"""  # fmt: skip
FORWARD = """
import numpy as np, tensorflow.compat.v1 as tf
from graphnets import alexnet_endpoints
with tf.Graph().as_default(), tf.Session() as session:
    images = np.random.default_rng(0).uniform(0, 255, (1, 63, 63, 3))
    y = alexnet_endpoints(images, "random", until="pool5")["pool5"]
    session.run(tf.global_variables_initializer())
    print(*session.run(y).ravel()[::16])
"""


def test_with_and_without_onednn():
    """Grouped convolutions must not need what is off on many processors."""
    found = []
    for switch in "01":
        out = in_another_process(GRADIENTS + FORWARD, TF_ENABLE_ONEDNN_OPTS=switch)
        found.append(np.array(out.split(), float))
    assert found[0].std() > 1
    np.testing.assert_allclose(found[0], found[1], atol=1e-4 * np.abs(found[0]).max())
