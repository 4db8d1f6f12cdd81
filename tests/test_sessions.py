"""A forked process is told that it cannot use TensorFlow, in place of waiting for ever."""

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tiny import LABELS, a_head, pixels, saved, tiny_network

import graphnets
from graphnets import sessions
from graphnets.classifier import export
from graphnets.errors import GraphnetsError
from graphnets.training.tune import Pictures

TOLD = (
    "this process was forked from one that has used TensorFlow, whose threads it lacks; start "
    'processes with multiprocessing.get_context("spawn"), and open networks and classifiers in '
    "each of them"
)


@pytest.fixture
def folder(tmp_path):
    """A classifier, opened and used, and photos in two classes."""
    graph_def = export.classifier_graph_def(tiny_network(), ["conv2"], a_head())
    export.write_graph(tmp_path / "graph.pb", graph_def)
    export.write_labels(tmp_path / "labels.txt", LABELS)
    for number in range(40):
        photo = tmp_path / "photos" / "ab"[number % 2] / f"{number}.png"
        photo.parent.mkdir(parents=True, exist_ok=True)
        saved(photo, pixels(number, 20, 24))
    return tmp_path


def opened(folder):
    return graphnets.Classifier(folder / "graph.pb", folder / "labels.txt")


def in_a_fork(call: Callable[[], object]) -> str:
    """What a child process says of the call: the error's sentence, or what it returned."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(20)  # ends it where it hangs
        try:
            said = repr(call())
        except GraphnetsError as error:
            said = str(error)
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with open(reading, encoding="utf-8") as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said or "it hung"


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_what_runs_tensorflow_in_a_fork_says_what_to_do(folder):
    classifier, photos = opened(folder), graphnets.scan(folder / "photos")
    network, path = tiny_network(), photos.path[0]
    store = graphnets.Bottlenecks(network, None, folder / "store")
    pictures = Pictures(list(photos.path), network.size)
    classifier.scores(path)
    training = graphnets.Examples(np.eye(4, dtype=np.float32), np.arange(4) % 2)
    for call in (
        lambda: classifier.scores(path),
        lambda: list(classifier.predict(photos.path)),
        lambda: opened(folder),
        lambda: store.add(photos),
        lambda: pictures[[0]],
        lambda: graphnets.variants(photos, graphnets.PHOTO_AUGMENTATION, (9, 9), 1),
        lambda: graphnets.train_head(training, training, 2, graphnets.TrainingOptions(3)),
    ):
        assert in_a_fork(call) == TOLD
    assert in_a_fork(lambda: list(graphnets.scan(folder / "photos").label.unique())) == "['a', 'b']"
    assert len(store.add(photos)) == 40  # the parent goes on


def test_a_process_that_had_no_session_before_the_fork_may_have_its_own(folder, monkeypatch):
    monkeypatch.setattr(sessions, "_process", 0)
    opened(folder)
    assert sessions._process == os.getpid()


def test_eight_threads_at_a_time_agree_with_one(folder):
    classifier, paths = opened(folder), sorted(folder.glob("photos/*/*.png"))
    alone, together = [classifier.scores(path) for path in paths], list(classifier.predict(paths))
    with ThreadPoolExecutor(8) as pool:
        scores = list(pool.map(classifier.scores, paths))
        runs = list(pool.map(lambda _: list(classifier.predict(paths)), range(8)))
    np.testing.assert_array_equal(scores, alone)
    assert runs == [together] * 8
