"""What users get wrong is told at the door, in one sentence: what was got, what was wanted."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import tensorflow.compat.v1 as tf
from doors import CALLS, X, Y, train
from tiny import LABELS, a_head, tiny_network
from world import options, small_network, write_photos

import graphnets as g
from graphnets.classifier import export


@pytest.fixture(scope="module")
def w(tmp_path_factory):
    """A world: photos, one of them damaged and one a folder, their store, a classifier."""
    root = tmp_path_factory.mktemp("doors")
    folder = write_photos(root / "photos", per_class=4)
    (folder / "grass" / "damaged.jpg").write_bytes(b"\xff\xd8\xffxx")
    (folder / "grass" / "folder.jpg").mkdir()
    network = small_network()
    store = g.Bottlenecks(network, None, root / "store", maps=["pool1"])
    photos = store.add(g.scan(folder))
    export.write_graph(
        root / "graph.pb", export.classifier_graph_def(tiny_network(), ["conv2"], a_head())
    )
    export.write_labels(root / "labels.txt", LABELS)
    classifier = g.Classifier(root / "graph.pb", root / "labels.txt")
    return SimpleNamespace(**locals(), graph=root / "graph.pb", labels=root / "labels.txt")


TAKES_NOTHING = {
    "GraphnetsError", "PHOTO_AUGMENTATION", "imagenet_names", "inception_names", "sign_names",
}  # fmt: skip


@pytest.mark.parametrize("number", range(len(CALLS)), ids=lambda n: f"{CALLS[n][0]}-{n}")
def test_a_wrong_argument_is_told_in_one_sentence(w, number):
    _, call, message = CALLS[number]
    with tf.Graph().as_default(), pytest.raises(g.GraphnetsError, match=message):
        call(w)


def test_every_public_name_that_takes_arguments_is_in_the_table():
    assert {name for name, _, _ in CALLS} == set(g.__all__) - TAKES_NOTHING


def test_one_path_is_one_photo_and_more_classes_than_there_are_is_all(w):
    path = w.folder / "grass" / "000.jpg"
    expected = list(w.classifier.predict([path], 2))
    assert [p.path for p in expected] == [str(path)] and len(expected[0].top) == 2
    for spelling in (path, str(path)):
        assert list(w.classifier.predict(spelling, 2)) == expected
    assert len(next(w.classifier.predict(path, 99)).top) == len(LABELS)


def test_labels_and_features_of_pandas_and_lists_are_those_of_arrays():
    expected = train()
    for features, labels in (
        (pd.DataFrame(X, range(100, 120)), pd.Series(Y, range(100, 120))),
        (X.tolist(), Y.tolist()),
    ):
        found = train(g.Examples(features, labels))
        np.testing.assert_array_equal(found.weights, expected.weights)


def test_depths_may_be_one_text_as_endpoints_may(w):
    settings = options(w.root, training={"how_many_training_steps": 5})
    found = g.compare(w.folder, w.network, "conv2", settings)
    assert [depth.name for depth in found] == ["conv2"]


def test_a_table_whose_index_repeats_is_split_as_its_photos_are(w):
    once = g.split(w.photos)
    twice = g.split(pd.concat([w.photos, w.photos]))
    assert list(twice.split) == 2 * list(once.split)


def test_options_in_numpys_numbers_are_written_as_any(w):
    training = g.TrainingOptions(np.int64(5), np.float32(0.5), seed=np.int64(3))
    assert training == g.TrainingOptions(5, 0.5, seed=3)
    settings = options(w.root / "numpy", training=vars(training), split_seed=np.int64(1))
    assert g.retrain(w.folder, w.network, settings).metrics["seeds"] == {"training": 3}


NORMAL_USE = """
import sys
from world import options, small_network, write_photos
import tensorflow.compat.v1 as tf
import graphnets as g
root = write_photos(__import__("pathlib").Path(sys.argv[1]), 6)
network = small_network()
settings = options(root.parent, training={"how_many_training_steps": 20}, trainable="conv2",
                   summaries_dir=root.parent / "logs", saved_model_dir=root.parent / "model")
result = g.retrain(root, network, settings)
g.compare(root, network, "conv2", settings)
c = g.Classifier(settings.graph_path, settings.labels_path)
print([p.problem for p in c.predict(result.photos.path)])
store = g.Bottlenecks(network, None, root.parent / "B", augmentation=g.PHOTO_AUGMENTATION)
print(store.read(store.add(g.with_copies(g.scan(root), 2))).shape)
g.contact_sheet(g.variants(g.scan(root)[:1], g.PHOTO_AUGMENTATION, (9, 9), 2)[0], 2)
with tf.Graph().as_default():
    g.AlexNet(tf.placeholder(tf.float32, [None, 227, 227, 3]), weights="random")
"""


def test_no_warning_stops_normal_use_where_warnings_are_errors(tmp_path):
    root = Path(__file__).parent.parent
    paths = [str(root), str(root / "tests" / "helpers")]
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", NORMAL_USE, tmp_path / "photos"],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stdout == f"{[''] * 18}\n(36, 6)\n"
