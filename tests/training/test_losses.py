"""The losses against NumPy and scikit-learn."""

import numpy as np
import tensorflow.compat.v1 as tf
from sklearn.metrics import log_loss

from graphnets.training.losses import of_one_label, of_several_labels

LOGITS = np.random.default_rng(0).normal(0, 3, (7, 4)).astype(np.float32)


def run(make, labels, weights=None):
    with tf.Graph().as_default(), tf.Session() as session:
        loss = make(tf.constant(LOGITS))
        feed = {loss.label: labels} | ({} if weights is None else {loss.weight: weights})
        return session.run([loss.each, loss.right, loss.weighted], feed)


def test_of_one_label_it_is_the_softmax_cross_entropy():
    labels = np.array([0, 1, 2, 3, 0, 0, 1])
    each, right, weighted = run(of_one_label, labels)
    exp = np.exp(LOGITS.astype(float))
    shares = exp / exp.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(each, -np.log(shares[np.arange(7), labels]), rtol=1e-5)
    np.testing.assert_array_equal(right, LOGITS.argmax(axis=1) == labels)
    np.testing.assert_allclose(weighted, log_loss(labels, shares, labels=range(4)), rtol=1e-5)
    weights = np.arange(7, dtype=np.float32)
    assert np.isclose(run(of_one_label, labels, weights)[2], (each * weights).mean())


def test_of_several_labels_it_is_the_sum_of_each_ones_own():
    labels = (np.random.default_rng(1).random((7, 4)) < 0.5).astype(np.float32)
    labels[0] = LOGITS[0] > 0
    each, right, weighted = run(of_several_labels, labels)
    shares = 1 / (1 + np.exp(-LOGITS.astype(float)))
    losses = -np.log(np.where(labels > 0, shares, 1 - shares))
    np.testing.assert_allclose(each, losses.sum(axis=1), rtol=1e-5)
    np.testing.assert_array_equal(right, ((LOGITS > 0) == (labels > 0)).all(axis=1))
    assert right[0] == 1
    np.testing.assert_allclose(weighted, losses.sum(axis=1).mean(), rtol=1e-5)
    weights = np.random.default_rng(2).random((7, 4)).astype(np.float32)
    expected = (losses * weights).sum(axis=1).mean()
    np.testing.assert_allclose(run(of_several_labels, labels, weights)[2], expected, rtol=1e-5)
