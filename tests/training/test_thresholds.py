"""Thresholds against scikit-learn's F1 at every threshold there is."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from graphnets.training.thresholds import best_thresholds


def f1(truth, probabilities, threshold):
    return f1_score(truth, probabilities >= threshold, zero_division=0)


@pytest.mark.parametrize("seed", range(5))
def test_no_other_threshold_has_a_larger_f1(seed):
    random = np.random.default_rng(seed)
    truth = random.random((60, 3)) < [0.1, 0.4, 0.8]
    probabilities = np.clip(0.3 * truth + random.random((60, 3)) * 0.7, 0, 1).round(2)
    for threshold, own, column in zip(
        best_thresholds(probabilities, truth), truth.T, probabilities.T, strict=True
    ):
        best = max(f1(own, column, other) for other in [*np.unique(column), 0.5])
        assert f1(own, column, threshold) == best


def test_half_stays_where_nothing_is_better():
    probabilities = np.array([[0.9, 0.2], [0.1, 0.3], [0.8, 0.4]])
    truth = np.array([[1, 0], [0, 0], [1, 0]])
    found = best_thresholds(probabilities, truth)
    np.testing.assert_array_equal(found, [0.5, 0.5])  # the second class has no photo
    assert found.dtype == np.float32
    np.testing.assert_array_equal(best_thresholds(np.zeros((0, 2)), np.zeros((0, 2))), [0.5, 0.5])


def test_a_threshold_lies_between_two_probabilities():
    probabilities = np.array([[0.1], [0.2], [0.3], [0.4]])
    found = best_thresholds(probabilities, np.array([[0], [0], [1], [1]]))
    np.testing.assert_allclose(found, [0.25])
