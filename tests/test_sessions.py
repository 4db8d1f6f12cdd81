"""A forked process is told that it cannot use TensorFlow, in place of waiting for ever."""

import contextlib
import gc
import multiprocessing
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from spawned import scores_of
from tiny import LABELS, a_head, pixels, saved, tiny_network

import graphnets
from graphnets import forks
from graphnets.classifier import export
from graphnets.errors import GraphnetsError
from graphnets.photos.reading import RUNS
from graphnets.photos.threads import KEPT
from graphnets.sessions import Later, Session
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


@pytest.fixture
def unused(monkeypatch):
    """A process that has not used TensorFlow, in the eyes of its forks."""
    monkeypatch.setattr(forks, "used", False)
    monkeypatch.setattr(forks, "TASKS", Path("/nowhere"))


def test_a_fork_is_told_of_the_session_of_this_library_where_threads_have_no_names(folder, unused):
    assert in_a_fork(lambda: len(opened(folder).labels)) == "3"
    opened(folder)._session  # noqa: B018
    assert in_a_fork(lambda: opened(folder)) == TOLD


def test_a_fork_is_told_of_what_others_have_used_tensorflow_for(folder, monkeypatch):
    with tf.Session(graph=tf.Graph()):
        monkeypatch.setattr(forks, "used", False)  # by this library
        assert in_a_fork(lambda: opened(folder)) == TOLD
        assert in_a_fork(lambda: in_a_fork(lambda: opened(folder))) == repr(TOLD)


PREFORKED = """
import os, sys
from pathlib import Path

import graphnets
from test_sessions import in_a_fork

folder = Path(sys.argv[1])
paths = sorted(folder.glob("photos/*/*.png"))
classifier = graphnets.Classifier(folder / "graph.pb", folder / "labels.txt")
explainer = graphnets.Explainer(folder / "graph.pb", folder / "labels.txt")

def answers():
    heats = [explanation.heat.tobytes() for explanation in explainer.explain(paths[:3])]
    return list(classifier.predict(paths)) == list(classifier.predict(paths)), hash_of(
        [classifier.scores(path).tobytes() for path in paths] + heats
    )

def hash_of(parts):
    import hashlib
    return hashlib.sha256(b"".join(parts)).hexdigest()

children = [in_a_fork(answers) for _ in range(2)]
assert children == [repr(answers())] * 2, children
assert in_a_fork(answers).startswith("this process was forked"), in_a_fork(answers)
"""


@pytest.mark.long
def test_children_of_a_process_that_has_only_opened_a_classifier_answer_as_it_does(folder):
    here = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    ran = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PREFORKED, folder],
        env=os.environ | {"PYTHONPATH": here},
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]


@pytest.mark.long
def test_a_spawned_process_takes_a_classifier_and_answers_to_the_bit(folder):
    paths = sorted(folder.glob("photos/*/*.png"))
    classifier = opened(folder)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        elsewhere = pool.submit(scores_of, classifier, paths).result(100)
    np.testing.assert_array_equal(elsewhere, scores_of(classifier, paths))


def test_what_is_pickled_is_small_and_comes_back_as_what_it_was(folder, monkeypatch):
    monkeypatch.chdir(folder)
    [path] = folder.glob("photos/a/0.png")
    options = graphnets.InputOptions()
    for thing in (
        graphnets.Classifier("graph.pb", "labels.txt", options),
        graphnets.Explainer("graph.pb", "labels.txt", layer="conv1"),
        graphnets.Explainer("graph.pb", "labels.txt", occlusion=True),
    ):
        monkeypatch.chdir(folder)
        written = pickle.dumps(thing)
        monkeypatch.chdir("/")
        again = pickle.loads(written)
        assert len(written) < 1000 and type(again) is type(thing)
        np.testing.assert_array_equal(again.scores(path), thing.scores(path))
        if isinstance(thing, graphnets.Explainer):
            [[one], [other]] = ([*x.explain(path)] for x in (thing, again))
            np.testing.assert_array_equal(one.heat, other.heat)
            assert again.layer == thing.layer


@pytest.mark.parametrize("changed", ["graph", "labels"])
def test_a_classifier_that_was_pickled_is_not_opened_from_other_files(folder, changed):
    written = pickle.dumps(opened(folder))
    if changed == "graph":
        another = a_head()._replace(weights=np.zeros((6, 3), np.float32))
        graph_def = export.classifier_graph_def(tiny_network(), ["conv2"], another)
        export.write_graph(folder / "graph.pb", graph_def)
    else:
        export.write_labels(folder / "labels.txt", LABELS[::-1])
    with pytest.raises(GraphnetsError) as caught:
        pickle.loads(written)
    assert str(caught.value) == (
        f"{folder / 'graph.pb'} or {folder / 'labels.txt'} is another file than when the "
        "classifier was pickled; open a graphnets.Classifier of them again"
    )


def test_eight_threads_at_a_time_agree_with_one(folder):
    classifier, paths = opened(folder), sorted(folder.glob("photos/*/*.png"))
    alone, together = [classifier.scores(path) for path in paths], list(classifier.predict(paths))
    with ThreadPoolExecutor(8) as pool:
        scores = list(pool.map(classifier.scores, paths))
        runs = list(pool.map(lambda _: list(classifier.predict(paths)), range(8)))
    np.testing.assert_array_equal(scores, alone)
    assert runs == [together] * 8


def at_work():
    """How many threads there are but those that wait for the next prediction, of which few are."""
    kept = [thread for thread in threading.enumerate() if thread.name.startswith(KEPT)]
    assert len(kept) <= os.cpu_count() + 4 + RUNS + 1  # readers, runs, what feeds a training
    return threading.active_count() - len(kept)


def test_predictions_that_are_taken_in_turns_or_dropped_leave_nothing_behind(folder):
    classifier, paths = opened(folder), sorted(folder.glob("photos/*/*.png"))
    alone, operations = list(classifier.predict(paths)), len(classifier._graph.get_operations())
    seeds, threads = (random.getstate(), repr(np.random.get_state())), at_work()
    assert list(zip(*[classifier.predict(paths) for _ in range(3)], strict=True)) == [
        (prediction,) * 3 for prediction in alone
    ]
    for place in (0, 1, 17, 39):
        dropped, closed = classifier.predict(paths), classifier.predict(paths)
        assert [next(dropped) for _ in range(place)] == alone[:place]
        assert [next(closed) for _ in range(place)] == alone[:place]
        closed.close()
        del dropped
        gc.collect()
        assert at_work() == threads
    assert list(classifier.predict(paths)) == alone
    assert len(classifier._graph.get_operations()) == operations
    assert (random.getstate(), repr(np.random.get_state())) == seeds


def test_other_classifiers_come_and_go_beside_one_that_works(folder):
    classifier, paths = opened(folder), sorted(folder.glob("photos/*/*.png"))
    alone = list(classifier.predict(paths))
    with ThreadPoolExecutor(2) as pool:
        others = pool.submit(lambda: [opened(folder).scores(paths[0]) for _ in range(2)])
        while not others.done():
            assert list(classifier.predict(paths)) == alone
    np.testing.assert_array_equal(others.result(), [classifier.scores(paths[0])] * 2)


def in_a_function(classifier, path):
    """Its scores from within a tf.function."""
    take = tf.function(lambda: tf.numpy_function(lambda: classifier.scores(path), [], tf.float32))
    return take().numpy()


def test_eager_programs_get_the_same_and_keep_their_default_graph(folder):
    path = folder / "photos" / "a" / "0.png"
    wanted, mine = opened(folder).scores(path), tf.Graph()
    with contextlib.ExitStack() as around:
        around.enter_context(mine.as_default())
        around.enter_context(tf.device("/CPU:7"))  # there is none
        around.enter_context(tf.distribute.OneDeviceStrategy("/cpu:0").scope())
        around.enter_context(tf.variable_scope("x"))
        classifier = opened(folder)
        np.testing.assert_array_equal(classifier.scores(path), wanted)
    assert not mine.get_operations()
    np.testing.assert_array_equal(in_a_function(classifier, path), wanted)


def test_what_is_prepared_gives_what_run_gives():
    with tf.Graph().as_default() as graph:
        x, y = tf.placeholder(tf.float32, [None]), tf.placeholder_with_default(2.0, [])
        total, count = tf.Variable(0.0), tf.Variable(0)
        product = x * y
        counted = count.assign_add(1).op
        with Session(graph=graph) as session:
            session.run(tf.global_variables_initializer())
            call = session.prepared([product, total.read_value()], [x, y], [counted])
            for times in (1, 2):
                found = call([1.0, 2.0], 3)  # lists and whole numbers become what is wanted
                np.testing.assert_array_equal(found[0], np.array([3, 6], np.float32))
                assert found[1] == 0 and session.run(count) == times
            with pytest.raises(ValueError, match=r"^got \(1, 1\) for Placeholder:0, wanted \("):
                call([[1.0]], 3)


def test_what_is_prepared_is_refused_in_a_fork():
    with tf.Graph().as_default() as graph, Session(graph=graph) as session:
        call = session.prepared([tf.constant(1.0)], [])
        assert call() == [1.0]
        assert in_a_fork(call) == TOLD


def test_a_frozen_graph_is_rewritten_once_before_its_first_run():
    with tf.Graph().as_default() as graph:
        tf.constant(1)
    rewriting = Later(graph)()._config.graph_options.rewrite_options
    assert rewriting.meta_optimizer_iterations == rewriting.ONE
