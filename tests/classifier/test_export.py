"""The exported classifier: plain TensorFlow, the same figures as written out by hand."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image

from graphnets.classifier import export
from graphnets.classifier.predict import Classifier
from graphnets.errors import GraphnetsError
from graphnets.networks.declared import Declared
from graphnets.networks.layers import conv, max_pool
from graphnets.training.heads import Head
from graphnets.weights.arrays import RandomWeights

SIZE = (16, 16)
ROWS = (("conv1", conv(4, 3)), ("pool1", max_pool(2, 2)), ("conv2", conv(6, 3)))
LABELS = ["ant", "bee", "cat"]


TINY = Declared("tiny", "Tiny", ROWS, SIZE, lambda images: images / 127.5 - 1, "conv2")


def tiny_weights():
    return RandomWeights(TINY.shapes())


def tiny_network():
    """Two convolutions and a pooling, on pixels from -1 to 1."""
    return TINY.network(tiny_weights(), "random 0")


def a_head(features=6):
    random = np.random.default_rng(3)
    return Head(
        random.standard_normal((features, len(LABELS)), np.float32),
        random.standard_normal(len(LABELS), np.float32),
        10,
    )


def conv_by_hand(x, W):
    """3 x 3, stride 1, SAME, ReLU; the biases of RandomWeights are 0."""
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    y = sum(
        padded[i : i + x.shape[0], j : j + x.shape[1]] @ W[i, j] for i in range(3) for j in range(3)
    )
    return np.maximum(y, 0)


def features_by_hand(pixels):
    """{layer: averages over the picture} of the tiny network; pixels is (16, 16, 3)."""
    weights = tiny_weights()
    conv1 = conv_by_hand(pixels / 127.5 - 1, weights["conv1"][0])
    pool1 = conv1.reshape(8, 2, 8, 2, 4).max((1, 3))
    conv2 = conv_by_hand(pool1, weights["conv2"][0])
    maps = {"conv1": conv1, "pool1": pool1, "conv2": conv2}
    return {name: x.mean((0, 1)) for name, x in maps.items()}


def softmax_by_hand(logits):
    exp = np.exp(logits - logits.max())
    return exp / exp.sum()


def by_hand(pixels, head=None):
    """The probabilities of a picture (16, 16, 3)."""
    head = head or a_head()
    return softmax_by_hand(features_by_hand(pixels)["conv2"] @ head.weights + head.biases)


def pixels(seed, height=16, width=16):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def resized_by_hand(x, size):
    """Bilinear from the upper left corner, as TensorFlow 1 did it: source = target * ratio."""
    for axis, length in enumerate(size):
        place = np.arange(length) * (x.shape[axis] / length)
        low = place.astype(int)
        high = np.minimum(low + 1, x.shape[axis] - 1)
        weight = np.expand_dims(place - low, tuple(range(1, 3 - axis)))
        x = np.take(x, low, axis) * (1 - weight) + np.take(x, high, axis) * weight
    return x


def write_png(path, array):
    Image.fromarray(array).save(path)
    return path


def run(graph_def, fetch, feed):
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(graph_def, name="")
        return session.run(fetch, feed)


@pytest.fixture(scope="module")
def graph_def():
    return export.classifier_graph_def(tiny_network(), ["conv2"], a_head())


def test_bytes_in_probabilities_out(graph_def, tmp_path):
    photo = write_png(tmp_path / "photo.png", pixels(1)).read_bytes()
    result = run(graph_def, "final_result:0", {"DecodeJPGInput:0": photo})
    assert result.dtype == np.float32 and result.shape == (1, 3)
    np.testing.assert_allclose(result[0], by_hand(pixels(1)), rtol=1e-5)


@pytest.mark.parametrize("height, width", [(40, 23), (7, 5), (16, 31)])
def test_photos_are_resized_in_the_graph(graph_def, tmp_path, height, width):
    picture = pixels(2, height, width)
    photo = write_png(tmp_path / "photo.png", picture).read_bytes()
    resized = run(graph_def, "ResizedJPG:0", {"DecodeJPGInput:0": photo})
    np.testing.assert_allclose(resized[0], resized_by_hand(picture, SIZE), atol=1e-3)
    result = run(graph_def, "final_result:0", {"DecodeJPGInput:0": photo})
    np.testing.assert_allclose(result[0], by_hand(resized_by_hand(picture, SIZE)), rtol=1e-4)


@pytest.mark.parametrize("count", [1, 5])
def test_a_batch_can_be_fed(graph_def, count):
    batch = np.stack([pixels(seed) for seed in range(count)]).astype(np.float32)
    result = run(graph_def, "final_result:0", {"ResizedJPG:0": batch})
    assert result.shape == (count, 3)
    np.testing.assert_allclose(result, [by_hand(picture) for picture in batch], rtol=1e-5)


def test_several_endpoints_stand_side_by_side_in_the_order_named(tmp_path):
    head = a_head(6 + 4)
    graph_def = export.classifier_graph_def(tiny_network(), ["conv2", "pool1"], head)
    features = features_by_hand(pixels(4))
    logits = np.concatenate([features["conv2"], features["pool1"]]) @ head.weights + head.biases
    result = run(graph_def, "final_result:0", {"ResizedJPG:0": pixels(4)[np.newaxis]})
    np.testing.assert_allclose(result[0], softmax_by_hand(logits), rtol=1e-5)


def test_the_graph_is_frozen_and_current(graph_def):
    ops = {node.op for node in graph_def.node}
    assert not {op for op in ops if re.search("Variable|VarHandle|Assign|PyFunc|Restore", op)}
    assert not ops & {"BatchNormWithGlobalNormalization", "Concat", "PartitionedCall", "If"}
    assert [node.name for node in graph_def.node if node.op == "Placeholder"] == ["DecodeJPGInput"]
    assert len(graph_def.library.function) == 0
    assert graph_def.versions.producer == tf.version.GRAPH_DEF_VERSION


def test_the_same_classifier_gives_the_same_file(graph_def, tmp_path):
    again = export.classifier_graph_def(tiny_network(), ["conv2"], a_head())
    export.write_graph(tmp_path / "1.pb", graph_def)
    export.write_graph(tmp_path / "2.pb", graph_def)
    export.write_graph(tmp_path / "3.pb", again)
    written = [(tmp_path / f"{number}.pb").read_bytes() for number in (1, 2, 3)]
    assert written[0] == written[1] == written[2]
    assert tf.GraphDef.FromString(written[0]) == graph_def


@pytest.mark.parametrize("name", ["probabilities", "my/own.name_2", "0"])
def test_the_output_is_named_as_wanted(name):
    graph_def = export.classifier_graph_def(tiny_network(), ["conv2"], a_head(), name)
    batch = pixels(1)[np.newaxis]
    result = run(graph_def, f"{name}:0", {"ResizedJPG:0": batch})
    np.testing.assert_allclose(result[0], by_hand(pixels(1)), rtol=1e-5)
    assert "final_result" not in {node.name for node in graph_def.node}


@pytest.mark.parametrize(
    "name",
    ["", "two words", "result:0", "result/", "/result", "-result", "résultat", "photo"]
    + ["DecodeJPGInput", "ResizedJPG", "bottleneck", "Bottleneck", "final_weights", "final_logits"]
    + ["Tiny", "Tiny/conv1", "Tiny/conv2/W", "Tiny/conv2/Relu"],
)
def test_a_name_that_cannot_be_the_outputs_is_refused(name):
    with pytest.raises(GraphnetsError) as caught:
        export.classifier_graph_def(tiny_network(), ["conv2"], a_head(), name)
    assert str(caught.value).startswith(f"{name!r} cannot name the output; wanted letters, digits")


def test_write_graph_replaces_the_old_file_at_once(graph_def, tmp_path, monkeypatch):
    path = tmp_path / "graph.pb"
    path.write_bytes(b"old")
    replace, seen = os.replace, []

    def watched(source, target):
        seen.append((path.read_bytes(), tf.GraphDef.FromString(Path(source).read_bytes())))
        replace(source, target)

    monkeypatch.setattr(os, "replace", watched)
    export.write_graph(path, graph_def)
    assert seen == [(b"old", graph_def)]
    assert os.listdir(tmp_path) == ["graph.pb"]
    assert tf.GraphDef.FromString(path.read_bytes()) == graph_def


def test_write_graph_that_fails_leaves_the_old_file_alone(graph_def, tmp_path, monkeypatch):
    def full(self, data):
        raise OSError(28, "No space left on device")

    path = tmp_path / "graph.pb"
    path.write_bytes(b"old")
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        export.write_graph(path, graph_def)
    assert os.listdir(tmp_path) == ["graph.pb"]
    assert path.read_bytes() == b"old"


def test_labels_are_written_one_a_line(tmp_path):
    export.write_labels(tmp_path / "labels.txt", ["stop sign", "dörfer", "cats \udcff"])
    written = (tmp_path / "labels.txt").read_bytes()
    assert written == "stop sign\ndörfer\n".encode() + b"cats \xff\n"


@pytest.mark.parametrize(
    "labels",
    [["a", "b", "c"], ["stop sign", " padded ", "tab\there"], ["żółw", "日本", "🐢"],
     ["latin \udce9", "#", "1"]],
)  # fmt: skip
def test_labels_come_back_through_the_classifier(graph_def, tmp_path, labels):
    export.write_graph(tmp_path / "graph.pb", graph_def)
    export.write_labels(tmp_path / "labels.txt", labels)
    assert Classifier(tmp_path / "graph.pb", tmp_path / "labels.txt").labels == labels


SOMEWHERE_ELSE = """
import json, sys
sys.modules["graphnets"] = None  # importing it fails
import numpy as np
import tensorflow as tf2
tf = tf2.compat.v1

photo = open("photo.png", "rb").read()
graph_def = tf.GraphDef.FromString(open("graph.pb", "rb").read())
with tf.Graph().as_default(), tf.Session() as session:
    tf.import_graph_def(graph_def, name="")
    frozen = session.run("final_result:0", {"DecodeJPGInput:0": photo})
served = tf2.saved_model.load("saved").signatures["serving_default"]
names = list(served.structured_input_signature[1])
scores = served(image=tf2.constant(photo))["scores"].numpy()
other = tf2.saved_model.load("saved_other").signatures["serving_default"]
other = other(image=tf2.constant(photo))["scores"].numpy()
print("RESULT", json.dumps([frozen.tolist(), names, scores.tolist(), other.tolist()]))
"""


@pytest.fixture(scope="module")
def elsewhere(graph_def, tmp_path_factory):
    """What another process, with TensorFlow alone, makes of what was written."""
    folder = tmp_path_factory.mktemp("elsewhere")
    write_png(folder / "photo.png", pixels(5, 33, 20))
    export.write_graph(folder / "graph.pb", graph_def)
    export.write_saved_model(folder / "saved", graph_def)
    other = export.classifier_graph_def(tiny_network(), ["conv2"], a_head(), "own/name")
    export.write_saved_model(folder / "saved_other", other, "own/name")
    done = subprocess.run(
        [sys.executable, "-I", "-c", SOMEWHERE_ELSE], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.rpartition("RESULT ")[2])


def test_the_graph_runs_without_this_library(elsewhere):
    expected = by_hand(resized_by_hand(pixels(5, 33, 20), SIZE))
    np.testing.assert_allclose(elsewhere[0], [expected], rtol=1e-4)


def test_the_saved_model_runs_without_this_library(elsewhere):
    frozen, names, scores, other = elsewhere
    assert names == ["image"]
    np.testing.assert_allclose(scores, frozen, rtol=1e-6)
    np.testing.assert_allclose(other, frozen, rtol=1e-6)


def test_saved_model_refuses_a_folder_that_is_there(graph_def, tmp_path):
    with pytest.raises(GraphnetsError, match="is there already; name a new folder for the SavedM"):
        export.write_saved_model(tmp_path, graph_def)
    assert os.listdir(tmp_path) == []
