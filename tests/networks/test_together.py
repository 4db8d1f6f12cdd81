"""Several networks in one graph and in one process, and what a notebook's cell does twice."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from served import classifier_in, write_classifier
from tiny import LABELS, a_head, pixels, saved, tiny_network
from world import deep_network, options, small_network, write_photos

import graphnets
from graphnets.classifier import export


def shot(size, seed=1):
    return np.random.default_rng(seed).uniform(0, 255, (2, size, size, 3)).astype(np.float32)


def of_alexnet(images, **more):
    return graphnets.alexnet_endpoints(images, "random", until="conv2", **more)["conv2"]


def of_vgg16(images, **more):
    return graphnets.vgg16_endpoints(images, "random", until="conv2_1", **more)["conv2_1"]


def of_a_frozen_graph(images):
    graph_def = export.classifier_graph_def(tiny_network(), ["conv2"], a_head())
    entry = {f"{export.RESIZED}:0": images}
    return tf.import_graph_def(graph_def, entry, ["final_result:0"], name="frozen")[0]


def of_a_network(images):
    return deep_network().build(images, ["fc7"])["fc7"]


def of_another(images):
    return small_network().build(images, ["conv2"])["conv2"]


BUILDERS = {of_alexnet: 67, of_vgg16: 32, of_a_frozen_graph: 16, of_a_network: 16, of_another: 16}


def values(*builders):
    """What each gives for its pictures, all in one graph: in one run of it, and in one each."""
    with tf.Graph().as_default(), tf.Session() as session:
        sizes = [BUILDERS[build] for build in builders]
        pictures = [tf.placeholder(tf.float32, [None, size, size, 3]) for size in sizes]
        found = [build(x) for build, x in zip(builders, pictures, strict=True)]
        session.run(tf.global_variables_initializer())
        feeds = {x: shot(size) for x, size in zip(pictures, sizes, strict=True)}
        return session.run(found, feeds), [session.run(tensor, feeds) for tensor in found]


def test_networks_in_one_graph_give_the_bits_of_each_alone():
    together, in_turns = values(*BUILDERS)
    for build, one, other in zip(BUILDERS, together, in_turns, strict=True):
        wanted = values(build)[0][0]
        np.testing.assert_array_equal(one, wanted)
        np.testing.assert_array_equal(other, wanted)


def test_classifiers_of_two_networks_are_asked_in_turns(tmp_path):
    paths = [saved(tmp_path / f"{seed}.png", pixels(seed, 20, 24)) for seed in range(20)]
    alone, classifiers = [], []
    for network, endpoint, width in ((tiny_network(), "conv2", 6), (deep_network(), "fc7", 8)):
        folder = tmp_path / endpoint
        folder.mkdir()
        graph_def = export.classifier_graph_def(network, [endpoint], a_head(width))
        export.write_graph(folder / "output_graph.pb", graph_def)
        export.write_labels(folder / "output_labels.txt", LABELS)
        found = classifier_in(folder)
        alone.append((list(found.predict(paths)), found.scores(paths[0])))
        classifiers.append(classifier_in(folder))
    runs = (classifier.predict(paths) for classifier in classifiers)
    together = list(zip(*zip(*runs, strict=True), strict=True))
    for classifier, run, (predictions, scores) in zip(classifiers, together, alone, strict=True):
        assert list(run) == predictions
        np.testing.assert_array_equal(classifier.scores(paths[0]), scores)


@pytest.mark.parametrize("build", [of_alexnet, of_vgg16])
def test_a_cell_that_builds_a_network_may_run_twice_in_one_graph(build):
    images = shot(BUILDERS[build])
    with tf.Graph().as_default(), tf.Session() as session:
        first = build(images, trainable=True)
        names = [variable.op.name for variable in tf.global_variables()]
        second = build(images, trainable=True)
        again = [variable.op.name for variable in tf.global_variables()][len(names) :]
        assert len(set(again) - set(names)) == len(names) == len(tf.trainable_variables()) / 2
        session.run(tf.global_variables_initializer())
        np.testing.assert_array_equal(*session.run([first, second]))


def test_a_cell_that_opens_a_network_may_run_twice():
    first, second = (graphnets.open_network("efficientnet_lite0", "random") for _ in range(2))
    assert first.fingerprint == second.fingerprint


@pytest.mark.long
def test_a_cell_that_trains_and_classifies_may_run_twice(tmp_path):
    photos, told = write_photos(tmp_path / "photos", 8), []
    for _ in range(2):
        chosen = options(tmp_path, training={"how_many_training_steps": 20})
        result = graphnets.retrain(photos, small_network(), chosen)
        classifier = graphnets.Classifier(chosen.graph_path, chosen.labels_path)
        found = list(classifier.predict(sorted(photos.glob("*/*"))))
        told.append((result.metrics["test_accuracy"], found))
    assert told[0] == told[1]


def test_a_classifier_of_a_graph_that_was_written_anew_has_the_new_one(tmp_path):
    photo = saved(tmp_path / "photo.png", pixels(1))
    write_classifier(tmp_path)
    earlier = classifier_in(tmp_path)
    before = earlier.scores(photo)
    head = a_head()
    write_classifier(tmp_path, head._replace(weights=-head.weights))
    assert abs(classifier_in(tmp_path).scores(photo) - before).max() > 0.01
    np.testing.assert_array_equal(earlier.scores(photo), before)
