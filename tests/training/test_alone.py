"""A head trained on features that do not fit in memory, and on those that do."""

import numpy as np
import pytest
from stores import IDENTITY, keys_of

from graphnets.features.rows import Rows
from graphnets.features.store import FeatureStore
from graphnets.networks.network import Cut
from graphnets.training.alone import train_head
from graphnets.training.beside import Beside
from graphnets.training.checkpoints import Checkpoints
from graphnets.training.examples import Examples
from graphnets.training.options import TrainingOptions
from graphnets.training.tune import Stored, train

COUNTS, WIDTH, CLASSES = (300, 60), 5, 3  # of training and of validation
VALIDATION = 4 * WIDTH * COUNTS[1]  # bytes


@pytest.fixture
def splits(tmp_path):
    """A function that opens the examples of two splits, whose rows lie mixed in two files."""
    random = np.random.default_rng(0)
    labels = random.integers(0, CLASSES, sum(COUNTS))
    features = random.normal(size=(len(labels), WIDTH)) + 2 * np.eye(CLASSES, WIDTH)[labels]
    written = random.permutation(len(labels))
    for part in (written[:200], written[200:]):
        store = FeatureStore(tmp_path, IDENTITY)
        store.append(keys_of(*part), features[part].astype(np.float32))
        store.close()

    def opened():
        store = FeatureStore(tmp_path, IDENTITY)
        keys = keys_of(*range(len(labels)))
        parts = slice(COUNTS[0]), slice(COUNTS[0], None)
        return [Examples(store.rows(keys[part]), labels[part]) for part in parts]

    return opened


def limit(monkeypatch, size):
    monkeypatch.setattr("graphnets.features.rows.IN_MEMORY", size)


@pytest.mark.parametrize("size", [2000, VALIDATION])
@pytest.mark.parametrize("validation_batch_size", [-1, 20])
def test_features_on_the_disk_give_the_same_head(
    splits, monkeypatch, recwarn, size, validation_batch_size
):
    options = TrainingOptions(50, validation_batch_size=validation_batch_size)
    expected = train_head(*splits(), CLASSES, options)
    limit(monkeypatch, size)
    training, validation = splits()
    assert training.features.on_disk and not validation.features.on_disk
    found = train_head(training, validation, CLASSES, options)
    assert found.step == expected.step
    np.testing.assert_array_equal(found.weights, expected.weights)
    np.testing.assert_array_equal(found.biases, expected.biases)
    assert not recwarn.list


def test_arrays_are_fed_as_they_are_where_both_splits_are_too_large(monkeypatch, recwarn, splits):
    examples = [Examples(split.features[:], split.labels) for split in splits()]
    expected = train_head(*examples, CLASSES, TrainingOptions(50))
    limit(monkeypatch, 0)
    found = train_head(*examples, CLASSES, TrainingOptions(50))
    np.testing.assert_array_equal(found.weights, expected.weights)
    assert not recwarn.list


def test_validation_reads_from_the_disk_once(splits, monkeypatch):
    """A training row is read three times to be checked and scaled, then step by step."""
    limit(monkeypatch, VALIDATION - 1)
    read = {}
    plain = Rows.__getitem__

    def counted(rows, indices):
        found = plain(rows, indices)
        read[len(rows)] = read.get(len(rows), 0) + len(found)
        return found

    monkeypatch.setattr(Rows, "__getitem__", counted)
    options = TrainingOptions(20, train_batch_size=7, eval_step_interval=2)
    with pytest.warns(UserWarning):
        train_head(*splits(), CLASSES, options)
    assert read == {300: 3 * 300 + 20 * 7, 60: 60 + 59}


def test_validation_beyond_memory_is_judged_on_the_sample_that_fits(splits, monkeypatch):
    limit(monkeypatch, 4 * WIDTH * 25)
    options = TrainingOptions(50)
    with pytest.warns(UserWarning, match="60 photos for validation .* 25 of them, drawn by the"):
        found = train_head(*splits(), CLASSES, options)
    sampled = train_head(*splits(), CLASSES, TrainingOptions(50, validation_batch_size=25))
    np.testing.assert_array_equal(found.weights, sampled.weights)
    limit(monkeypatch, 1 << 30)
    held = train_head(*splits(), CLASSES, TrainingOptions(50, validation_batch_size=25))
    np.testing.assert_array_equal(found.weights, held.weights)
    assert found.step == held.step


class Stop(Exception):
    pass


def stopped_after(count):
    def progress(items, **_):
        for number in items:
            yield number
            if number == count:
                raise Stop

    return progress


def test_a_resumed_run_from_the_disk_goes_on_with_the_batches_that_are_due(
    splits, monkeypatch, tmp_path
):
    options = TrainingOptions(40, train_batch_size=7, eval_step_interval=4)

    def trained(**beside):
        stored = tuple(Stored([split.features], None, split.labels) for split in splits())
        return train(None, Cut("", [], []), ["fc7"], stored, CLASSES, options, Beside(**beside))

    expected = trained()
    limit(monkeypatch, VALIDATION)

    def kept(resume=False):
        return Checkpoints(tmp_path / "checkpoints", every=5, identity="a", resume=resume)

    with pytest.raises(Stop):
        trained(checkpoints=kept(), progress=stopped_after(23))
    begun = []

    def progress(items, **_):
        begun.append(items[0])
        return items

    found = trained(checkpoints=kept(True), progress=progress)
    assert begun == [21]
    assert found.head.step == expected.head.step
    np.testing.assert_array_equal(found.head.weights, expected.head.weights)
