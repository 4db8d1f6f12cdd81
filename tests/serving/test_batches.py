"""Photos that come together run together, and are what they are alone."""

import threading
from concurrent.futures import wait

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from othertools import of_bytes, other
from served import BROKEN, WHY, png
from tiny import LABELS

from graphnets import forks
from graphnets.errors import GraphnetsError, PhotoError
from graphnets.photos.images import Held
from graphnets.photos.reading import BATCH
from graphnets.serving.batches import Batches


@pytest.fixture
def gate(classifier, monkeypatch):
    """Lets the first run wait; .set() lets it go on."""
    gate, run = threading.Event(), type(classifier).run

    def waiting(self, values):
        assert gate.wait(20)
        return run(self, values)

    monkeypatch.setattr(type(classifier), "run", waiting)
    return gate


def held(seed):
    return Held(f"{seed}.png", png(seed, 10 + seed % 9, 12))


def test_photos_run_together_and_are_what_they_are_alone(classifier, gate):
    sizes = []
    batches = Batches(classifier, sizes.append)
    rows = [batches.submit(held(seed)) for seed in range(50)]
    gate.set()
    wait(rows)
    batches.close()
    assert sum(sizes) == 50 and 1 < max(sizes) <= BATCH
    for seed, row in enumerate(rows):
        np.testing.assert_allclose(row.result(), classifier.row(held(seed)), rtol=0, atol=1e-6)
    assert len({row.result()[0] for row in rows}) == 50
    assert (batches.waiting, batches.alive) == (0, False)


def test_a_broken_photo_costs_only_itself(classifier):
    batches = Batches(classifier)
    rows = [batches.submit(held(1) if i % 2 else Held("b", BROKEN)) for i in range(8)]
    for i, row in enumerate(rows):
        if i % 2:
            assert row.result(20).shape == (len(LABELS),)
        else:
            with pytest.raises(PhotoError, match=f"^{WHY}"):
                row.result(20)
    batches.close()


def test_a_batch_that_fails_runs_one_by_one(classifier, monkeypatch):
    run = type(classifier).run

    def one_only(self, values):
        if len(values) > 1:
            raise tf.errors.ResourceExhaustedError(None, None, "no memory for so many")
        return run(self, values)

    monkeypatch.setattr(type(classifier), "run", one_only)
    batches = Batches(classifier)
    rows = [batches.submit(held(seed)) for seed in range(20)]
    found = [row.result(20) for row in rows]
    batches.close()
    np.testing.assert_array_equal(found, [classifier.row(held(seed)) for seed in range(20)])


def test_what_is_cancelled_is_not_run(classifier, gate):
    sizes = []
    batches = Batches(classifier, sizes.append)
    rows = [batches.submit(held(seed)) for seed in range(40)]
    cancelled = [row for row in rows[1:] if row.cancel()]
    gate.set()
    batches.close()
    assert len(cancelled) >= 39 - BATCH
    assert sum(sizes) <= 40 - len(cancelled) + BATCH  # those that had begun
    assert all(row.done() for row in rows)


def test_an_unexpected_failure_is_told_and_the_next_photo_runs(classifier, monkeypatch):
    batches = Batches(classifier)
    with monkeypatch.context() as context:
        context.setattr(type(classifier), "run", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            batches.submit(held(1)).result(20)
    assert batches.alive and batches.submit(held(1)).result(20).shape == (len(LABELS),)
    batches.close()


def test_a_graph_that_takes_no_batches_runs_one_by_one(tmp_path):
    classifier = other(tmp_path, of_bytes(lambda: tf.placeholder(tf.string, [], "input")))
    assert not classifier.takes_batches
    sizes = []
    batches = Batches(classifier, sizes.append)
    rows = [batches.submit(held(seed)) for seed in range(5)]
    found = [row.result(20) for row in rows]
    batches.close()
    assert sizes == [] and batches.waiting == 0
    np.testing.assert_array_equal(found, [classifier.row(held(seed)) for seed in range(5)])


def test_no_thread_begins_before_the_first_photo_so_that_servers_may_fork(classifier, monkeypatch):
    before = threading.active_count()
    batches = Batches(classifier)
    assert batches.alive and threading.active_count() == before
    monkeypatch.setattr(forks, "lost", True)  # in a fork that came too late
    assert not batches.alive
    with pytest.raises(GraphnetsError, match="^this process was forked from one that has used Te"):
        batches.submit(held(1))
    monkeypatch.undo()
    assert batches.submit(held(1)).result(20).shape == (len(LABELS),)
    batches.close()
    assert threading.active_count() == before
