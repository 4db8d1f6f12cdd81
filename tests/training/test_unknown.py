"""What tells photos of no class: SciPy's Mahalanobis, the graph against NumPy, the rate."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from scipy.spatial.distance import mahalanobis
from sklearn.metrics import roc_auc_score

from graphnets.training.unknown import learnt

CENTRES = np.random.default_rng(0).normal(3, 1, (3, 12))
NOWHERE = np.random.default_rng(1).normal(3, 1, 12)  # the centre of what is no class


def clouds(count, seed):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, count)
    noise = random.normal(0, np.linspace(0.1, 0.6, 12), (count, 12))
    return (CENTRES[labels] + noise).astype(np.float32), labels


def strangers(count, seed):
    random = np.random.default_rng(seed)
    return (NOWHERE + random.normal(0, 0.4, (count, 12))).astype(np.float32)


def shares(features):
    """Those of a classifier by the nearest centre."""
    scores = -((features[:, np.newaxis] - CENTRES) ** 2).sum(axis=2)
    exp = np.exp(scores - scores.max(axis=1, keepdims=True))
    return (exp / exp.sum(axis=1, keepdims=True)).astype(np.float32)


TRAINING, VALIDATION = clouds(300, 2), clouds(200, 3)[0]


def test_the_distance_is_mahalanobiss():
    found = learnt(TRAINING, (VALIDATION, shares(VALIDATION)), 0.05).distance
    x = TRAINING[0] / np.linalg.norm(TRAINING[0], axis=1, keepdims=True)
    means = np.stack([x[TRAINING[1] == number].mean(axis=0) for number in range(3)])
    within = x - means[TRAINING[1]]
    # The covariance that is meant: 6 directions as they are, all others alike.
    values, vectors = np.linalg.eigh(within.T.astype(float) @ within / len(x))
    values[:6] = values[:6].mean()
    inverse = vectors @ np.diag(1 / values) @ vectors.T
    tested = clouds(5, 4)[0]
    unit = tested / np.linalg.norm(tested, axis=1, keepdims=True)
    expected = [min(mahalanobis(row, mean, inverse) ** 2 for mean in means) for row in unit]
    np.testing.assert_allclose(found.of(tested), expected, rtol=1e-3)


@pytest.mark.parametrize("others", [False, True])
def test_the_graph_computes_the_same_score(others):
    some = strangers(40, 5), strangers(30, 6), shares(strangers(30, 6))
    found = learnt(TRAINING, (VALIDATION, shares(VALIDATION)), 0.05, some if others else None)
    assert (found.seen is not None) == others
    tested = np.concatenate([clouds(20, 7)[0], strangers(20, 8), np.zeros((1, 12), np.float32)])
    with tf.Graph().as_default(), tf.Session() as session:
        score = session.run(found.tensor(tf.constant(tested), tf.constant(shares(tested))))
    np.testing.assert_allclose(score, found.score(tested, shares(tested)), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.2])
def test_no_more_than_the_wanted_share_is_called_unknown(rate):
    shown = []
    for seed in range(20):
        validation, tested = clouds(200, 100 + seed)[0], clouds(500, 200 + seed)[0]
        found = learnt(TRAINING, (validation, shares(validation)), rate)
        shown.append((found.score(tested, shares(tested)) > found.threshold).mean())
    assert 0.4 * rate < np.mean(shown) < 1.25 * rate


def test_strangers_are_told_and_better_if_some_like_them_were_seen():
    tested, others = clouds(300, 9)[0], strangers(300, 10)
    truth = np.repeat([0, 1], 300)
    areas = []
    for some in (None, (strangers(40, 5), strangers(30, 6), shares(strangers(30, 6)))):
        found = learnt(TRAINING, (VALIDATION, shares(VALIDATION)), 0.05, some)
        scores = [found.score(x, shares(x)) for x in (tested, others)]
        areas.append(roc_auc_score(truth, np.concatenate(scores)))
    assert areas[1] >= areas[0] > 0.9


def test_too_few_photos_give_their_largest_score_as_the_limit():
    few = VALIDATION[:5]
    found = learnt(TRAINING, (few, shares(few)), 0.05)
    assert found.threshold == pytest.approx(found.score(few, shares(few)).max(), abs=1e-5)


def test_equal_photos_give_equal_bits():
    one, other = (learnt(TRAINING, (VALIDATION, shares(VALIDATION)), 0.05) for _ in range(2))
    assert one.threshold == other.threshold
    np.testing.assert_array_equal(one.distance.directions, other.distance.directions)
