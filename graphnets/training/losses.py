"""What training minimises: cross-entropy, of one label an example or of several."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow.compat.v1 as tf


class Loss(NamedTuple):
    """label and weight are fed, as `Data` has them; weight may be left out.

    each: the cross-entropy of each example without its weight, float32 (n,); right: 1 for those
    that are classified rightly, else 0; weighted: what is minimised, a scalar.
    """

    label: tf.Tensor
    weight: tf.Tensor
    each: tf.Tensor
    right: tf.Tensor
    weighted: tf.Tensor


def of_one_label(logits: tf.Tensor) -> Loss:
    """Softmax cross-entropy."""
    label = tf.placeholder(tf.int64, [None], "GroundTruthInput")
    weight = tf.placeholder_with_default(tf.ones_like(label, tf.float32), [None])
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=label, logits=logits)
    right = tf.cast(tf.equal(tf.argmax(logits, 1), label), tf.float32)
    return Loss(label, weight, each, right, tf.reduce_mean(each * weight))


def of_several_labels(logits: tf.Tensor) -> Loss:
    """Sigmoid cross-entropy, summed over classes; right is all of an example's labels at 0.5."""
    label = tf.placeholder(tf.float32, logits.shape, "GroundTruthInput")
    weight = tf.placeholder_with_default(tf.ones_like(label), logits.shape)
    losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=label, logits=logits)
    same = tf.equal(tf.cast(logits > 0, tf.float32), label)
    right = tf.cast(tf.reduce_all(same, 1), tf.float32)
    weighted = tf.reduce_mean(tf.reduce_sum(losses * weight, 1))
    return Loss(label, weight, tf.reduce_sum(losses, 1), right, weighted)
