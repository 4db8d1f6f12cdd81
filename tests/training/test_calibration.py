"""Temperature and reliability: against a search, by hand, and on drawn photos."""

import numpy as np
import pytest
from sklearn.metrics import log_loss

from graphnets.training.calibration import BINS, reliability, temperature


def drawn(count, warmth, seed=0):
    """Logits whose softmax, divided by `warmth`, tells how often each class is the truth."""
    random = np.random.default_rng(seed)
    sound = random.normal(0, 2, (count, 3))
    shares = np.exp(sound) / np.exp(sound).sum(axis=1, keepdims=True)
    truth = np.array([random.choice(3, p=row) for row in shares])
    return (warmth * sound).astype(np.float32), truth


@pytest.mark.parametrize("warmth", [0.3, 1, 4])
def test_the_temperature_that_was_put_in_is_found(warmth):
    logits, truth = drawn(4000, warmth)
    found = temperature(logits, truth)
    assert found == pytest.approx(warmth, rel=0.06)
    losses = [
        log_loss(truth, np.exp(x) / np.exp(x).sum(axis=1, keepdims=True))
        for x in (logits / (found * factor) for factor in (0.95, 1, 1.05))
    ]
    assert losses[1] == min(losses)


def test_no_other_temperature_fits_few_photos_better():
    logits, truth = drawn(47, 1.3, seed=1)
    found = temperature(logits, truth)
    shares = [np.exp(logits / t) / np.exp(logits / t).sum(axis=1, keepdims=True) for t in
              (found, found * 0.98, found * 1.02, 1)]  # fmt: skip
    losses = [log_loss(truth, share, labels=range(3)) for share in shares]
    assert losses[0] == min(losses)


def test_of_several_labels_too():
    random = np.random.default_rng(0)
    sound = random.normal(0, 2, (3000, 2))
    truth = (random.random(sound.shape) < 1 / (1 + np.exp(-sound))).astype(np.float32)
    assert temperature(2.5 * sound, truth) == pytest.approx(2.5, rel=0.06)


def test_photos_that_are_all_right_do_not_make_scores_sure():
    logits = np.eye(3)[[0, 1, 2] * 4] * 2.0
    found = temperature(logits, np.array([0, 1, 2] * 4))
    score = 1 / (1 + 2 * np.exp(-2 / found))
    assert score == pytest.approx(1 - 2 / 3 / 14, abs=1e-3)  # 1 in n + 2 is another class's
    assert temperature(np.zeros((0, 3)), np.zeros(0, int)) == 1


def test_scores_that_mean_what_they_say_have_little_error():
    logits, truth = drawn(20000, 1)
    assert reliability(logits, truth).error < 0.02
    assert reliability(4 * logits, truth).error > 0.1
    rows = reliability(logits, truth).bins
    assert sum(row["count"] for row in rows) == 20000
    assert all(row["from"] <= row["score"] <= row["to"] + 1e-6 for row in rows)
    assert all(row["to"] - row["from"] == pytest.approx(1 / BINS, abs=2e-4) for row in rows)


def test_an_error_by_hand():
    logits = np.log([[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [0.3, 0.7]])
    found = reliability(logits, np.array([0, 1, 1, 1]))
    assert found.error == pytest.approx((2 * abs(0.9 - 0.5) + 2 * abs(0.7 - 1)) / 4)
    assert [(row["count"], row["right"]) for row in found.bins] == [(2, 1.0), (2, 0.5)]
