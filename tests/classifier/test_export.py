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
from tiny import (
    SIZE,
    a_head,
    by_hand,
    features_by_hand,
    pixels,
    resized_by_hand,
    softmax_by_hand,
    tiny_network,
    write_png,
)

from graphnets.classifier import export
from graphnets.classifier.options import InputOptions
from graphnets.classifier.predict import Classifier
from graphnets.errors import GraphnetsError
from graphnets.exports.saved_model import write_saved_model


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


def as_label_image(graph_def, path, input_layer, output_layer, input_mean=0, input_std=255):
    """The scores that label_image.py prints, by its steps; the defaults are its own."""
    with tf.Graph().as_default() as graph, tf.Session() as session:
        tf.import_graph_def(graph_def)  # under "import/", where it looks for the layers
        decode = tf.image.decode_png if path.suffix == ".png" else tf.image.decode_jpeg
        picture = tf.expand_dims(
            tf.cast(decode(tf.read_file(str(path)), channels=3), tf.float32), 0
        )
        resized = tf.image.resize_bilinear(picture, SIZE)
        normalised = session.run(tf.divide(tf.subtract(resized, [input_mean]), [input_std]))
        into, out = (
            graph.get_operation_by_name(f"import/{layer}").outputs[0]
            for layer in (input_layer, output_layer)
        )
        return np.squeeze(session.run(out, {into: normalised}))


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_label_image_gives_equal_scores_with_the_readmes_flags(own, classifier, tmp_path, ending):
    graph_def = tf.GraphDef.FromString((own / "graph.pb").read_bytes())
    path = tmp_path / f"photo.{ending}"
    Image.fromarray(pixels(3, 40, 23).astype(np.uint8)).save(path)
    scores = as_label_image(graph_def, path, "ResizedJPG", "final_result", input_std=1)
    np.testing.assert_array_equal(scores, classifier.scores(path))


@pytest.mark.parametrize("input_layer", ["DecodeJPGInput", "ResizedJPG"])
def test_a_transparent_png_scores_the_same_as_a_file_and_by_its_bytes(
    graph_def, tmp_path, input_layer
):
    rgba = np.concatenate([pixels(1, 20, 30), pixels(2, 20, 30)[..., :1]], -1)
    photo = write_png(tmp_path / "photo.png", rgba)
    export.write_graph(tmp_path / "graph.pb", graph_def)
    export.write_labels(tmp_path / "labels.txt", ["ant", "bee", "cat"])
    options = InputOptions(input_layer=input_layer, input_mean=0, input_std=1)
    classifier = Classifier(tmp_path / "graph.pb", tmp_path / "labels.txt", options)
    by_bytes = run(graph_def, "final_result:0", {"DecodeJPGInput:0": photo.read_bytes()})
    np.testing.assert_array_equal(classifier.scores(photo), by_bytes[0])
    alpha = rgba[..., 3:] / 255
    over_white = rgba[..., :3] * alpha + 255 * (1 - alpha)
    expected = by_hand(resized_by_hand(over_white, SIZE))
    np.testing.assert_allclose(by_bytes[0], expected, rtol=1e-2)


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
    write_saved_model(folder / "saved", graph_def)
    other = export.classifier_graph_def(tiny_network(), ["conv2"], a_head(), "own/name")
    write_saved_model(folder / "saved_other", other, "own/name")
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
