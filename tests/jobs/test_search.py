"""Folds and search: which photos they train on and judge by, and what they tell."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from world import options, write_photos

from graphnets.cli.terminal import report
from graphnets.errors import GraphnetsError
from graphnets.jobs import search
from graphnets.jobs.retrain import retrain
from graphnets.jobs.search import cross_validated, pool, searched
from graphnets.training.heads import Head
from graphnets.training.options import Diverged
from graphnets.training.tune import Stored


class Watched:
    """Trains nothing: gives a head that knows each example, and keeps what it was given."""

    def __init__(self, knows=lambda options: True):
        self.given, self._knows = [], knows

    def head(self, training, validation, options):
        self.given.append(tuple(set(part.features[0][:, 0]) for part in (training, validation)))
        if options.learning_rate > 5:
            raise Diverged(7, options)
        W = np.zeros((4, 3), np.float32)
        W[1:] = np.eye(3) if self._knows(options) else np.roll(np.eye(3), 1, axis=1)
        return Head(W, np.zeros(3, np.float32), 1)


def split_of(name, numbers):
    """Photos whose features are their number and, as 0 and 1, their class."""
    labels = numbers % 3
    features = np.column_stack([numbers, np.eye(3)[labels]]).astype(np.float32)
    photos = pd.DataFrame(
        {
            "path": [f"{label}/{n}.jpg" for n, label in zip(numbers, labels, strict=True)],
            "label": labels.astype(str),
            "key": numbers.astype(str),
            "problem": "",
            "split": name,
        }
    )
    return photos, Stored([features], None, labels)


@pytest.fixture
def parts():
    numbers = np.arange(60)
    names = ("training", "validation", "testing")
    found = [split_of(*part) for part in zip(names, np.split(numbers, [40, 50]), strict=True)]
    return pd.concat([photos for photos, _ in found]), [stored for _, stored in found]


def test_each_fold_is_tested_by_a_head_that_has_not_seen_it(parts, tmp_path):
    trainer, said = Watched(), []
    found = cross_validated(pool(*parts), trainer, options(tmp_path, folds=5), said.append)
    assert len(trainer.given) == 5
    tested = [set(range(60)) - training - validation for training, validation in trainer.given]
    assert sorted(number for fold in tested for number in fold) == list(range(60))
    for training, validation in trainer.given:
        assert not training & validation and len(validation) >= 3
    assert found == {"figure": "accuracy", "mean": 1.0, "deviation": 0.0, "each": [1.0] * 5}
    assert said[0] == "fold 1 of 5: 100.0% of 12 photos"


def test_a_search_looks_at_no_test_photo_and_takes_the_least_loss(parts, tmp_path):
    photos, stored = parts
    # All but one take a class for the next one.
    trainer = Watched(lambda tried: (tried.weight_decay, tried.head) == (0.1, "linear"))
    best, trials = searched(tuple(stored[:2]), None, trainer, options(tmp_path), lambda line: None)
    assert best.weight_decay == 0.1 and best.head == "linear"
    assert len(trials) == len(trainer.given) == 12
    assert trainer.given == [(set(range(40)), set(range(40, 50)))] * 12
    assert trials[0] == {
        "learning_rate": 0.01, "weight_decay": 0.1, "head": "linear", "accuracy": 1.0,
        "cross_entropy": pytest.approx(-np.log(1 - 2 / 36), abs=1e-3),  # 1 of 12 in doubt
    }  # fmt: skip
    folded = Watched()
    chosen = options(tmp_path, folds=4)
    learnt = pool(photos, stored[:2], ("training", "validation"))
    searched(tuple(stored[:2]), learnt, folded, chosen, lambda line: None)
    assert len(folded.given) == 4 * 12
    assert all(one | other == set(range(50)) and not one & other for one, other in folded.given)


def test_a_trial_that_diverges_is_listed_last(parts, tmp_path):
    own = options(tmp_path, training={"learning_rate": 9.0})
    _, trials = searched(tuple(parts[1][:2]), None, Watched(), own, lambda line: None)
    assert len(trials) == 18
    assert [row.get("diverged_at") for row in trials] == [None] * 12 + [7] * 6
    wild = Watched()
    wild.head = lambda training, validation, tried: Watched().head(
        training, validation, replace(tried, learning_rate=9)
    )
    with pytest.raises(GraphnetsError, match="every trial diverged; choose a smaller learning"):
        searched(tuple(parts[1][:2]), None, wild, own, lambda line: None)


def test_retrain_with_both_tells_the_test_figure_of_the_chosen_head(
    photo_folder, network, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(search, "HEADS", ("linear", "fc:4"))
    monkeypatch.setattr(search, "DECAYS", (0.0,))
    chosen = options(tmp_path, search=True, folds=3, training={"how_many_training_steps": 20})
    result = retrain(photo_folder, network, chosen)
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics == result.metrics
    trials = metrics["search"]
    assert len(trials) == 8
    assert [row["cross_entropy"] for row in trials] == sorted(r["cross_entropy"] for r in trials)
    for name in ("learning_rate", "weight_decay", "head"):
        assert metrics["options"][name] == trials[0][name]
    best = {name: trials[0][name] for name in ("learning_rate", "weight_decay", "head")}
    alone = options(tmp_path / "b", training={"how_many_training_steps": 20} | best)
    again = retrain(photo_folder, network, alone)
    assert again.metrics["test_accuracy"] == metrics["test_accuracy"]
    assert again.metrics["search"] is again.metrics["folds"] is None
    report(result, False)
    assert f"3 folds: accuracy {metrics['folds']['mean']:.1%}, standard" in capsys.readouterr().out


def test_the_smallest_classes_can_be_folded(network, tmp_path):
    photos = write_photos(tmp_path / "photos", 3)
    chosen = options(tmp_path, folds=3, training={"how_many_training_steps": 5})
    assert len(retrain(photos, network, chosen).metrics["folds"]["each"]) == 3


def test_too_many_folds_are_told_before_anything_trains(photo_folder, network, tmp_path):
    said = []
    with pytest.raises(GraphnetsError, match="the largest class has 20 photos, and all are 60 gr"):
        retrain(photo_folder, network, options(tmp_path, folds=21, search=True), say=said.append)
    assert not any("on validation photos" in line for line in said)


def test_photos_csv_gives_the_same_folds(network, tmp_path):
    photos = write_photos(tmp_path / "photos")
    steps = {"how_many_training_steps": 20}
    chosen = options(tmp_path, folds=4, validation_percentage=20, split_seed=3, training=steps)
    first = retrain(photos, network, chosen).metrics["folds"]
    plain = options(tmp_path / "b", folds=4, training=steps)
    assert retrain(tmp_path / "out/photos.csv", network, plain).metrics["folds"] == first


def test_the_same_command_gives_the_same_folds(network, tmp_path):
    photos = write_photos(tmp_path / "photos")
    chosen = options(tmp_path, folds=4, training={"how_many_training_steps": 20})
    one, other = (retrain(photos, network, chosen).metrics["folds"] for _ in range(2))
    assert one == other
    assert len(one["each"]) == 4 and one["mean"] == pytest.approx(np.mean(one["each"]))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"folds": 1}, "folds is 1, wanted 2 or more, or 0 for none"),
        ({"folds": 3, "trainable": "conv2"}, "folds is for heads on frozen features, and 'conv2'"),
        ({"search": True, "trainable": "all"}, "search is for heads on frozen features, and 'all'"),
        ({"folds": 3, "augmented_copies": 2}, "folds are of the photos as they are, and the aug"),
        ({"search": "yes"}, "search is 'yes', wanted True or False"),
    ],
)
def test_what_cannot_go_together_is_told_at_once(tmp_path, changes, message):
    with pytest.raises(GraphnetsError, match=message):
        options(tmp_path, **changes)


def test_a_search_needs_photos_to_judge_by(photo_folder, network, tmp_path):
    with pytest.raises(GraphnetsError, match="a search has no photos for validation; wanted a val"):
        retrain(photo_folder, network, options(tmp_path, search=True, validation_percentage=0))
