import glob
import re

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from sklearn.linear_model import LogisticRegression

from graphnets.errors import GraphnetsError
from graphnets.training.alone import train_head
from graphnets.training.examples import Examples, positions
from graphnets.training.fed import batches
from graphnets.training.heads import FEW, Head, standardisation
from graphnets.training.options import TrainingOptions


def clouds(count: int, seed: int, spread: float = 1.0) -> Examples:
    """Three overlapping clouds in 5 dimensions of very different scales; the last is constant."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, count)
    centres = np.array([[0, 0, 0, 0, 0], [2, 0, 2, 0, 0], [0, 2, 2, 2, 0]])
    features = centres[labels] + random.normal(0, spread, (count, 5))
    features = features * [100, 1, 0.01, 1, 0] + [1000, 0, 5, -3, 7]
    return Examples(features.astype(np.float32), labels)


TRAINING, VALIDATION, TESTING = clouds(300, 0), clouds(60, 1), clouds(2000, 2)


def accuracy(head: Head, examples: Examples) -> float:
    found = (examples.features.astype(np.float64) @ head.weights + head.biases).argmax(axis=1)
    return float((found == examples.labels).mean())


def test_the_head_is_as_good_as_logistic_regression():
    head = train_head(TRAINING, VALIDATION, 3, TrainingOptions(learning_rate=0.1))
    mean, deviation = TRAINING.features.mean(0), TRAINING.features.std(0) + 1e-9
    reference = LogisticRegression().fit((TRAINING.features - mean) / deviation, TRAINING.labels)
    expected = reference.score((TESTING.features - mean) / deviation, TESTING.labels)
    assert 0.8 < expected < 0.95  # the task is neither trivial nor hopeless
    assert abs(accuracy(head, TESTING) - expected) < 0.01


@pytest.mark.parametrize("classes, decay", [(3, 0), (3, 0.3), (FEW + 1, 0), (FEW + 1, 0.3)])
def test_the_loop_is_gradient_descent_on_standardised_features(classes, decay):
    """One batch of all examples and no validation: NumPy's own steps give the same weights."""
    count = len(TRAINING.labels)
    options = TrainingOptions(
        how_many_training_steps=3,
        learning_rate=0.5,
        train_batch_size=count,
        seed=4,
        weight_decay=decay,
    )
    nothing = Examples(TRAINING.features[:0], TRAINING.labels[:0])
    found = train_head(TRAINING, nothing, classes, options)
    with tf.Graph().as_default(), tf.Session() as session:
        W = session.run(tf.truncated_normal([5, classes], stddev=0.001, seed=4)).astype(float)
    b = np.zeros(classes)
    mean, scale = TRAINING.features.mean(0, dtype=float), TRAINING.features.std(0, dtype=float)
    scale = np.where(scale > 0, 1 / np.where(scale > 0, scale, 1), 0)
    x = (TRAINING.features - mean) * scale
    for _ in range(3):
        exp = np.exp(x @ W + b)
        error = (exp / exp.sum(1, keepdims=True) - np.eye(classes)[TRAINING.labels]) / count
        W, b = W - 0.5 * (x.T @ error + decay * W), b - 0.5 * error.sum(0)
    assert found.step == 3
    np.testing.assert_allclose(found.weights[:4] / scale[:4, None], W[:4], rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(found.biases, b - (mean * scale) @ W, rtol=1e-3, atol=1e-3)


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    options = TrainingOptions(how_many_training_steps=50)
    first, second = (train_head(TRAINING, VALIDATION, 3, options) for _ in range(2))
    np.testing.assert_array_equal(first.weights, second.weights)
    np.testing.assert_array_equal(first.biases, second.biases)
    other = train_head(TRAINING, VALIDATION, 3, TrainingOptions(50, seed=1))
    assert (first.weights[:4] != other.weights[:4]).all()


def test_the_step_of_the_least_validation_loss_is_kept():
    """With labels that are noise, every step past the first ones makes validation worse."""
    random = np.random.default_rng(0)
    noise = Examples(TRAINING.features[:40], random.integers(0, 3, 40))
    judge = Examples(VALIDATION.features, random.integers(0, 3, 60))
    options = TrainingOptions(how_many_training_steps=600, learning_rate=1.0)
    early = train_head(noise, judge, 3, options)
    assert early.step < 100

    def loss(head: Head) -> float:
        probabilities = head.probabilities(judge.features)
        return -np.log(probabilities[np.arange(60), judge.labels]).mean()

    last = train_head(noise, Examples(judge.features[:0], judge.labels[:0]), 3, options)
    assert last.step == 600
    assert loss(early) < loss(last)


def test_a_constant_column_counts_for_nothing():
    head = train_head(TRAINING, VALIDATION, 3, TrainingOptions(100))
    np.testing.assert_array_equal(head.weights[4], 0)
    mean, scale = standardisation(TRAINING.features)
    np.testing.assert_allclose(mean, TRAINING.features.mean(0, dtype=float), rtol=1e-6)
    np.testing.assert_allclose(1 / scale[:4], TRAINING.features.std(0, dtype=float)[:4], rtol=1e-5)
    assert scale[4] == 0


def test_probabilities_are_a_softmax_also_of_huge_logits():
    head = Head(np.array([[1000.0, 0.0, 999.0]], np.float32), np.zeros(3, np.float32), 1)
    found = head.probabilities(np.array([[1.0], [0.0]], np.float32))
    e = np.exp(-1.0)
    np.testing.assert_allclose(found, [[1 / (1 + e), 0, e / (1 + e)], [1 / 3] * 3], atol=1e-6)


def test_each_example_comes_once_before_any_comes_again():
    endless = batches(10, 4, np.random.default_rng(0))
    drawn = np.concatenate([next(endless) for _ in range(5)])
    assert sorted(drawn[:10]) == sorted(drawn[10:]) == list(range(10))
    assert len(next(batches(3, 100, np.random.default_rng(0)))) == 100  # larger than the set


def test_drawn_positions_keep_the_order_and_minus_one_is_all():
    random = np.random.default_rng(0)
    np.testing.assert_array_equal(positions(300, -1, random), np.arange(300))
    np.testing.assert_array_equal(positions(5, 7, random), np.arange(5))
    drawn = positions(300, 7, random)
    assert len(set(drawn)) == 7 and list(drawn) == sorted(drawn) and drawn.max() < 300


def test_a_loss_that_explodes_is_told_with_what_to_do():
    options = TrainingOptions(how_many_training_steps=200, learning_rate=1e38)
    with pytest.raises(GraphnetsError, match=r"finite numbers at step \d+ .*a smaller one"):
        train_head(TRAINING, VALIDATION, 3, options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"how_many_training_steps": 0}, "how_many_training_steps is 0, wanted 1 or more"),
        ({"train_batch_size": -1}, "train_batch_size is -1, wanted 1 or more"),
        ({"eval_step_interval": 0}, "eval_step_interval is 0, wanted 1 or more"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0, wanted above 0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan, wanted above 0"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(GraphnetsError, match=re.escape(message)):
        TrainingOptions(**options)


def test_summaries_go_to_a_new_folder_each_time(tmp_path):
    options = TrainingOptions(how_many_training_steps=25)
    for _ in range(2):
        train_head(TRAINING, VALIDATION, 3, options, summaries_dir=tmp_path / "logs")
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == ["run1", "run2"]
    for split in ("train", "validation"):
        [file] = glob.glob(f"{tmp_path}/logs/run1/{split}/events.*")
        events = [e for e in tf.train.summary_iterator(file) if e.summary.value]
        assert [event.step for event in events] == [10, 20, 25]
        values = {v.tag: v.simple_value for v in events[-1].summary.value}
        assert 0 < values["cross_entropy"] < 2 and 0.3 < values["accuracy"] <= 1
