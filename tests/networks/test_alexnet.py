"""AlexNet, in both readings, against a forward pass written out in NumPy from the paper."""

import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from graphnets.errors import GraphnetsError
from graphnets.networks import alexnet
from graphnets.networks.alexnet import AlexNet, alexnet_endpoints

SHAPES = {
    "conv1": ((11, 11, 3, 96), (96,)),
    "conv2": ((5, 5, 48, 256), (256,)),
    "conv3": ((3, 3, 256, 384), (384,)),
    "conv4": ((3, 3, 192, 384), (384,)),
    "conv5": ((3, 3, 192, 256), (256,)),
    "fc6": ((9216, 4096), (4096,)),
    "fc7": ((4096, 4096), (4096,)),
    "fc8": ((4096, 1000), (1000,)),
}
NAMES = [
    "conv1", "norm1", "pool1", "conv2", "norm2", "pool2", "conv3", "conv4", "conv5", "pool5",
    "fc6", "fc7", "fc8", "prob",
]  # fmt: skip


@pytest.fixture(scope="module")
def weights():
    """Weights of every layer that keep the scale of the activations; biases are not zero."""
    random = np.random.default_rng(0)

    def drawn(shape, deviation):
        return random.standard_normal(shape, np.float32) * np.float32(deviation)

    return {
        name: (drawn(W, np.sqrt(2 / np.prod(W[:-1]))), drawn(b, 0.1))
        for name, (W, b) in SHAPES.items()
    }


def photos(count=1, size=227, seed=1):
    return np.random.default_rng(seed).uniform(0, 255, (count, size, size, 3)).astype(np.float32)


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


def run(tensors, feed=None):
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return session.run(tensors, feed)


@pytest.mark.parametrize("reading", ["course", "caffe"])
def test_every_endpoint_equals_numpy_at_the_real_size(weights, reading):
    with tf.Graph().as_default():
        images = tf.placeholder(tf.float32, [None, None, None, 3])
        endpoints = alexnet_endpoints(images, weights, reading=reading)
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


def shapes_of(images, **options):
    layers = {
        name: (np.broadcast_to(np.float32(0), W), np.zeros(b, "f"))
        for name, (W, b) in SHAPES.items()
    }
    endpoints = alexnet_endpoints(images, layers, **options)
    return {name: tensor.shape.as_list() for name, tensor in endpoints.items()}


@pytest.mark.parametrize(
    "size, reading, heights",
    [
        (227, "course", [57, 57, 28, 28, 28, 13, 13, 13, 13, 6]),
        (224, "course", [56, 56, 27, 27, 27, 13, 13, 13, 13, 6]),
        (227, "caffe", [55, 55, 27, 27, 27, 13, 13, 13, 13, 6]),
        (None, "course", [None] * 10),
        (None, "caffe", [None] * 10),
    ],
)
@pytest.mark.parametrize("batch", [None, 5])
def test_names_and_shapes(size, reading, heights, batch):
    channels = [96, 96, 96, 256, 256, 256, 384, 384, 256, 256]
    with tf.Graph().as_default():
        found = shapes_of(tf.placeholder(tf.float32, [batch, size, size, 3]), reading=reading)
    assert list(found) == NAMES
    maps = [[batch, h, h, c] for h, c in zip(heights, channels, strict=True)]
    assert list(found.values())[:10] == maps
    assert [found[name] for name in NAMES[10:]] == [
        [batch, 4096], [batch, 4096], [batch, 1000], [batch, 1000],
    ]  # fmt: skip


@pytest.mark.parametrize(
    "reading, until, size, wanted",
    [
        ("course", "", 32, "AlexNet up to prob got pictures of 32 x 32, wanted 217 to 248 pixels"),
        ("course", "", 249, "wanted 217 to 248 pixels"),
        ("caffe", "", 224, "wanted 227 to 258 pixels"),
        ("course", "conv5", 24, "AlexNet up to conv5 got pictures of 24 x 24, wanted 25 x 25 or"),
        ("caffe", "conv5", 34, "wanted 35 x 35 or more"),
        ("course", "pool5", 56, "wanted 57 x 57 or more"),
    ],
)
def test_a_size_that_does_not_do_names_those_that_do(reading, until, size, wanted):
    with tf.Graph().as_default():
        shape = [None, size, size, 3]
        with pytest.raises(GraphnetsError, match=re.escape(wanted)):
            shapes_of(tf.placeholder(tf.float32, shape), reading=reading, until=until)
        assert not tf.global_variables()
        for near in map(int, re.findall(r"\d+", wanted.partition("wanted")[2])):
            images = tf.placeholder(tf.float32, [None, near, near, 3])
            assert shapes_of(images, reading=reading, until=until)


def test_a_size_known_only_at_the_run_is_checked_there(weights):
    with tf.Graph().as_default(), tf.Session() as session:
        images = tf.placeholder(tf.float32, [None, None, None, 3])
        fc7 = AlexNet(images, feature_extract=True, weights=weights)
        session.run(tf.global_variables_initializer())
        # 4 x 9 x 1024 values would make one row of fc6, of four photos.
        with pytest.raises(tf.errors.InvalidArgumentError, match="expected shape"):
            session.run(fc7, {images: photos(4, 120)})


def test_sixty_million_parameters():
    for declared in alexnet.READINGS.values():
        assert declared.shapes() == SHAPES
        assert sum(layer.parameters for layer in declared.layers()) == 60_965_224


def test_two_calls_have_variables_of_their_own(weights):
    images = photos(1, 63)
    with tf.Graph().as_default():
        a, b = (
            alexnet_endpoints(images, "random", until="conv2", seed=seed)["conv2"]
            for seed in (1, 2)
        )
        names = [v.op.name for v in tf.global_variables()]
        one, other = run([a, b])
    assert names == [
        f"{scope}/{layer}/{role}"
        for scope in ("AlexNet", "AlexNet_1") for layer in ("conv1", "conv2") for role in "Wb"
    ]  # fmt: skip
    assert np.abs(one - other).max() > 1


def test_calls_in_one_reusing_scope_share_their_variables(weights):
    with tf.Graph().as_default():
        with tf.variable_scope("twins", reuse=tf.AUTO_REUSE):
            left = alexnet_endpoints(photos(1, 63), weights, "conv2", until="conv2")["conv2"]
        with tf.variable_scope("twins", reuse=tf.AUTO_REUSE):
            right = alexnet_endpoints(photos(1, 63), weights, "conv2", until="conv2")["conv2"]
        assert len(tf.global_variables()) == 4
        assert {v.op.name for v in tf.trainable_variables()} == {
            "twins/AlexNet/conv2/W", "twins/AlexNet/conv2/b",
        }  # fmt: skip
        one, other = run([left, right])
    np.testing.assert_array_equal(one, other)


def test_shared_variables_cannot_change_their_mind_about_training(weights):
    with tf.Graph().as_default():
        for trainable in ("conv1", ""):
            scope = tf.variable_scope("twins", reuse=tf.AUTO_REUSE)
            with scope:
                if trainable:
                    alexnet_endpoints(photos(1, 63), weights, trainable, until="conv1")
                    continue
                with pytest.raises(GraphnetsError) as caught:
                    alexnet_endpoints(photos(1, 63), weights, until="conv1")
    assert str(caught.value) == (
        "the shared variable twins/AlexNet/conv1/W was made with trainable=True; give every call "
        "that shares it the same `trainable`"
    )


@pytest.mark.parametrize(
    "trainable, until, wanted",
    [
        ("fc7", "", ["fc7"]),
        (["fc8", "conv1"], "", ["conv1", "fc8"]),
        ("fc7,fc8", "", ["fc7", "fc8"]),
        ("conv5:", "", ["conv5", "fc6", "fc7", "fc8"]),
        ("pool2:", "conv4", ["conv3", "conv4"]),
        (True, "conv3", ["conv1", "conv2", "conv3"]),
        ("all", "", list(SHAPES)),
        (False, "", []),
        ((), "", []),
    ],
)
def test_only_the_chosen_layers_are_trainable_variables(trainable, until, wanted):
    with tf.Graph().as_default():
        shapes_of(tf.placeholder(tf.float32, [None, 227, 227, 3]), trainable=trainable, until=until)
        found = [v.op.name for v in tf.trainable_variables()]
    assert found == [f"AlexNet/{name}/{role}" for name in wanted for role in "Wb"]


@pytest.mark.parametrize(
    "trainable, until, message",
    [
        ("fc9", "", f"no layer 'fc9'; this network has {', '.join(NAMES)}"),
        ("fc9:", "", f"no layer 'fc9'; this network has {', '.join(NAMES)}"),
        (
            ["conv1", "pool1"],
            "",
            "the layer 'pool1' cannot train: it has nothing to train; wanted among "
            + ", ".join(SHAPES),
        ),
        (
            "conv1,fc7",
            "conv2",
            "the layer 'fc7' cannot train: it is not built, conv2 is the last; wanted among "
            "conv1, conv2",
        ),
    ],
)
def test_what_cannot_train_is_an_error(trainable, until, message):
    with tf.Graph().as_default(), pytest.raises(GraphnetsError) as caught:
        shapes_of(tf.placeholder(tf.float32, [1, 227, 227, 3]), trainable=trainable, until=until)
    assert str(caught.value) == message


def test_the_users_own_step_moves_the_chosen_layers_and_no_other(weights):
    with tf.Graph().as_default(), tf.Session() as session:
        images = tf.constant(photos(2))
        endpoints = alexnet_endpoints(images, weights, trainable=["conv4", "fc8"])
        loss = tf.losses.sparse_softmax_cross_entropy([3, 5], endpoints["fc8"])
        step = tf.train.GradientDescentOptimizer(0.01).minimize(loss)
        session.run(tf.global_variables_initializer())
        before = session.run(loss)
        session.run(step)
        assert session.run(loss) < before
        after = session.run({v.op.name: v for v in tf.global_variables()})
    assert len(after) == 16
    for name, value in after.items():
        _, layer, role = name.split("/")
        source = weights[layer]["Wb".index(role)]
        assert (value.tobytes() == source.tobytes()) == (layer not in ("conv4", "fc8")), name


def test_another_number_of_classes_draws_a_new_head(weights):
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 227, 227, 3])
        ends = alexnet_endpoints(x, weights, classes=43, trainable="fc8", seed=4)
        assert ends["prob"].shape.as_list() == [None, 43]
        found = run({v.op.name: v for v in tf.global_variables()})
    np.testing.assert_array_equal(found["AlexNet/fc7/W"], weights["fc7"][0])
    W = found["AlexNet/fc8/W"]
    assert W.shape == (4096, 43)
    assert abs(W.std() / np.sqrt(2 / 4096) - 1) < 0.02 and abs(W.mean()) < 1e-3
    with tf.Graph().as_default():  # the same seed draws the same head; its own weights are kept
        x = tf.placeholder(tf.float32, [None, 227, 227, 3])
        alexnet_endpoints(x, weights, classes=43, seed=4)
        alexnet_endpoints(x, weights | {"fc8": (W + 1, np.ones(43, "f"))}, classes=43, seed=4)
        again = run({v.op.name: v for v in tf.global_variables()})
    np.testing.assert_array_equal(again["AlexNet/fc8/W"], W)
    np.testing.assert_array_equal(again["AlexNet_1/fc8/W"], W + 1)


def test_skipped_layers_are_drawn_and_need_not_be_in_the_weights(weights):
    some = {name: pair for name, pair in weights.items() if name != "conv2"}
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 63, 63, 3])
        alexnet_endpoints(x, some, until="conv3", skip=("conv2",), seed=1)
        found = run({v.op.name: v for v in tf.global_variables()})
    np.testing.assert_array_equal(found["AlexNet/conv1/W"], weights["conv1"][0])
    assert abs(found["AlexNet/conv2/W"].std() / np.sqrt(2 / (25 * 48)) - 1) < 0.02
    with tf.Graph().as_default(), pytest.raises(GraphnetsError) as caught:
        alexnet_endpoints(photos(), weights, skip=("fc9",))
    assert str(caught.value) == (f"no layer to skip 'fc9'; this network has {', '.join(SHAPES)}")


def test_all_that_is_wrong_with_weights_is_said_at_once(weights):
    W, b = weights["conv4"]
    bad = {name: pair for name, pair in weights.items() if name not in ("conv1", "fc6")}
    bad["conv2"] = (weights["conv2"][0].astype(np.float64), weights["conv2"][1])
    bad["conv3"] = (weights["conv3"][0], np.full(384, np.nan, np.float32))
    bad["conv4"] = (W.transpose(3, 2, 0, 1), b)
    bad["conv1_1"] = (W, b)
    with tf.Graph().as_default(), pytest.raises(GraphnetsError) as caught:
        alexnet_endpoints(tf.placeholder(tf.float32, [None, 227, 227, 3]), bad)
    assert str(caught.value) == (
        "the weights do not suit the network: conv1, fc6 missing; conv1_1 not in this network; "
        "conv2/W is float64 (5, 5, 48, 256), wanted float32 (5, 5, 48, 256); conv3/b has NaN or "
        "infinite numbers; conv4/W is float32 (384, 192, 3, 3), wanted float32 (3, 3, 192, 384); "
        "choose a layer before those as the last one, or other weights"
    )


def test_a_reading_that_nobody_knows():
    with pytest.raises(GraphnetsError, match="^no reading 'bgr' of AlexNet; wanted course or caf"):
        AlexNet(photos(), reading="bgr")


@pytest.mark.parametrize("images", [tf.constant(photos(1, 30)), photos(1, 30)])
def test_eager_calls_are_told_what_to_do(images):
    with pytest.raises(GraphnetsError, match="AlexNet builds a graph, and got eager tensors or "):
        AlexNet(images)


def test_an_eager_tensor_inside_a_graph_too():
    eager = tf.constant(photos(1, 30))
    with tf.Graph().as_default(), pytest.raises(GraphnetsError, match="call it under `with tf.Gr"):
        AlexNet(eager)


@pytest.mark.parametrize(
    "images, message",
    [
        (np.zeros((1, 227, 227, 3), np.uint8), "got uint8 images of the shape (1, 227, 227, 3)"),
        (np.zeros((227, 227, 3), np.float32), "got float32 images of the shape (227, 227, 3)"),
        (
            np.zeros((1, 227, 227, 1), np.float32),
            "got float32 images of the shape (1, 227, 227, 1)",
        ),
    ],
)
def test_images_of_another_kind(images, message):
    with tf.Graph().as_default(), pytest.raises(GraphnetsError, match=re.escape(message)):
        AlexNet(images)


def test_the_graph_stays_small(weights):
    with tf.Graph().as_default() as graph:
        AlexNet(tf.placeholder(tf.float32, [None, 227, 227, 3]), weights=weights)
        assert graph.as_graph_def().ByteSize() < 100_000


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
        in_another_process(GRADIENTS, TF_ENABLE_ONEDNN_OPTS=switch)
        out = in_another_process(FORWARD, TF_ENABLE_ONEDNN_OPTS=switch)
        found.append(np.array(out.split(), float))
    assert found[0].std() > 1
    np.testing.assert_allclose(found[0], found[1], atol=1e-4 * np.abs(found[0]).max())
