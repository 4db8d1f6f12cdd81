"""Labels that the other photos contradict, against scikit-learn with groups left out one by one."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.neighbors import NearestNeighbors

from graphnets.training import doubts
from graphnets.training.doubts import by_neighbours, by_regression, rivals, told_by_others


def drawn(n, width, classes=3, seed=0):
    random = np.random.default_rng(seed)
    numbers = np.arange(n) % classes
    features = random.normal(size=(n, width)) + 6 * np.eye(classes, width)[numbers]
    return features.astype(np.float32), np.eye(classes)[numbers], numbers


@pytest.mark.parametrize("width", [6, 90], ids=["narrow", "wider than photos"])
@pytest.mark.parametrize("alone", [True, False])
def test_scores_are_those_of_a_regression_on_all_others(width, alone):
    features, labels, _ = drawn(40, width)
    groups = np.arange(40) if alone else np.arange(40) % 13
    x = features.astype(float)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    x -= x.mean(axis=0)

    # Of the other photos alone scikit-learn would take another mean: the constant is a column.
    def regression():
        return Ridge(alpha=1.0, fit_intercept=False)

    scale = np.sqrt((x**2).sum(axis=1).mean())
    constant = np.full((40, 1), 1e4)
    expected = cross_val_predict(
        regression(),
        np.hstack([x / scale, constant]),
        labels,
        groups=groups,
        cv=LeaveOneGroupOut(),
    )
    np.testing.assert_allclose(by_regression(features, labels, groups), expected, atol=1e-5)


@pytest.mark.parametrize("alone", [True, False])
def test_neighbours_are_the_nearest_of_other_groups(alone, monkeypatch):
    monkeypatch.setattr(doubts, "ROWS", 7)
    features, labels, _ = drawn(40, 6)
    groups = np.arange(40) if alone else np.arange(40) % 13
    nearest = NearestNeighbors(n_neighbors=40, metric="cosine").fit(features)
    expected = np.empty((40, 3))
    for row, order in enumerate(nearest.kneighbors(return_distance=False, n_neighbors=39)):
        others = [place for place in order if groups[place] != groups[row]]
        expected[row] = labels[others[:10]].mean(axis=0)
    np.testing.assert_allclose(by_neighbours(features, labels, groups), expected)


def test_of_few_photos_all_others_are_neighbours():
    features, labels, _ = drawn(4, 5)
    found = by_neighbours(features, labels, np.array([0, 0, 1, 2]))
    np.testing.assert_allclose(found[0], labels[2:].mean(axis=0))
    alone = by_neighbours(features, labels, np.zeros(4, int))
    np.testing.assert_array_equal(alone, 0)


def test_swapped_labels_come_first():
    features, labels, _ = drawn(300, 20, seed=1)
    swapped = [3, 50, 111, 222]
    labels[swapped] = np.roll(labels[swapped], 1, axis=1)
    found = rivals(told_by_others(features, labels, np.arange(300)), labels)
    assert set(np.argsort(found.own - found.rival_score)[:4]) == set(swapped)


def test_a_feature_that_is_the_same_in_all_photos_says_nothing():
    features, labels, _ = drawn(30, 5)
    constant = np.column_stack([features, np.ones(30)])
    np.testing.assert_allclose(
        by_regression(constant, labels, np.arange(30)),
        by_regression(features, labels, np.arange(30)),
    )


def test_rivals_of_one_label_and_of_several():
    scores = np.array([[0.7, 0.2, 0.1], [0.3, 0.3, 0.4]])
    found = rivals(scores, np.array([0, 1]))
    np.testing.assert_array_equal(found.own, [0.7, 0.3])
    np.testing.assert_array_equal(found.rival, [1, 2])
    np.testing.assert_array_equal(found.rival_score, [0.2, 0.4])
    several = rivals(scores, np.array([[1, 1, 0], [0, 0, 0]]))
    np.testing.assert_array_equal(several.own, [0.2, np.nan])
    np.testing.assert_array_equal(several.rival, [2, 2])
    every = rivals(scores[:1], np.ones((1, 3)))
    assert every.rival[0] == -1 and np.isnan(every.rival_score[0])
