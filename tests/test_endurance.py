"""Predictions leave nothing behind; the long run is `python -m tests.endurance`."""

import gc
import weakref
from contextlib import contextmanager

import numpy as np
import pytest
from served import BROKEN, classifier_in, png, write_classifier

import graphnets
from graphnets.errors import PhotoError
from graphnets.photos.images import Held
from graphnets.photos.reading import ahead
from graphnets.serving.batches import Batches
from tests.endurance.__main__ import row
from tests.endurance.memory import MOST, Grown, watched


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A classifier, three photos, one that is broken and one that is none."""
    folder = tmp_path_factory.mktemp("endured")
    write_classifier(folder)
    for number in range(3):
        (folder / f"{number}.png").write_bytes(png(number))
    (folder / "cut.png").write_bytes(png(0)[:200])
    (folder / "text.png").write_bytes(BROKEN)
    return folder


@pytest.fixture(scope="module")
def classifier(folder):
    return classifier_in(folder)


@contextmanager
def uncollected():
    """What is there is no garbage, and nothing becomes it: the collector is quick, where called."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
        gc.unfreeze()


def waits_for_the_collector(call):
    """The kinds of objects that only the garbage collector finds after a call."""
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    call()
    gc.collect()
    return [type(each).__name__ for each in gc.garbage]


def test_no_picture_waits_for_the_garbage_collector_because_another_is_broken(folder, classifier):
    paths = [*sorted(folder.glob("*.png")), folder / "gone.png"]
    explainer = graphnets.Explainer(folder / "output_graph.pb", folder / "output_labels.txt")
    calls = (
        lambda: list(classifier.predict(paths)),
        lambda: list(classifier.predict(paths[-1:])),
        lambda: next(classifier.predict(paths)),
        lambda: list(explainer.explain(paths)),
    )
    for call in calls:
        call()
    with uncollected():
        assert [waits_for_the_collector(call) for call in calls] == [[]] * len(calls)


def test_an_error_of_a_thread_does_not_lead_back_to_itself():
    def failing(_):
        raise PhotoError("broken")

    def first_error():
        for _, result in ahead([0], failing):
            try:
                result()
            except PhotoError as error:
                return weakref.ref(error)

    with uncollected():
        assert first_error()() is None


def test_a_server_lets_go_of_a_photo_that_is_broken(classifier):
    batches = Batches(classifier)
    photos = [Held("a", png(1)), Held("b", png(0)[:200]), Held("c", BROKEN)]
    gone = [weakref.ref(photo) for photo in photos]
    with uncollected():
        rows = [batches.submit(photo) for photo in photos]
        assert [type(each.exception(20)) for each in rows] == [type(None), PhotoError, PhotoError]
        batches.close()
        del photos, rows
        assert [each() for each in gone] == [None] * 3


def test_some_hundred_predictions_leave_memory_as_it_is(folder, classifier):
    paths = [*sorted(folder.glob("*.png")), folder / "gone.png"]

    def call(number):
        list(classifier.predict(paths if number % 10 == 0 else paths[number % 6]))

    grown = watched(call, 400)
    assert grown.faults() == [], row("predict", grown)


def test_a_planted_leak_is_found():
    held, files = [], []

    def leaks(number):
        held.append(np.ones(1 << 15))
        if number >= 95:
            files.append(open("/dev/null"))

    grown = watched(leaks, 100)
    for file in files:
        file.close()
    told = grown.faults()
    assert 15 < grown.rise < 25
    assert told == [f"{grown.rise:.1f} MiB more, wanted {MOST:g} at most", "5 more open files"]
    assert Grown(9, 5.0, MOST, 0, -1, 1.0).faults() == []
