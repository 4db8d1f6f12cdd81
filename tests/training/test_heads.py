import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from graphnets.errors import GraphnetsError
from graphnets.training.heads import FEW, Head, TrainableHead, head_input, standardisation
from graphnets.training.options import HeadShape, head_shape


@pytest.mark.parametrize(
    "text, wanted",
    [
        ("linear", HeadShape()),
        ("fc:256", HeadShape(units=256)),
        ("fc:256,dropout=0.5", HeadShape(units=256, dropout=0.5)),
        ("flatten, fc:16, dropout=0", HeadShape(True, 16)),
        ("flatten", HeadShape(True)),
        ("flatten,linear", HeadShape(True)),
    ],
)
def test_heads_by_their_text(text, wanted):
    assert head_shape(text) == wanted


@pytest.mark.parametrize(
    "text", ["", "fc", "fc:", "fc:0", "fc:-3", "fc:2.5", "dropout=0.5", "fc:8,dropout=1",
             "fc:8,dropout=-0.1", "fc:8,dropout=nan", "conv", "linear,fc8"],
)  # fmt: skip
def test_other_texts_are_refused(text):
    with pytest.raises(GraphnetsError) as caught:
        head_shape(text)
    assert str(caught.value) == (
        f"got the head {text!r}; wanted 'linear', or '[flatten,]fc:UNITS[,dropout=SHARE]' with a "
        "share from 0 to below 1"
    )


def test_maps_are_averaged_or_flattened_and_vectors_stay():
    maps = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
    vectors = np.ones((2, 7), np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        endpoints = {"a": tf.constant(maps), "b": tf.constant(vectors)}
        pooled = session.run(head_input(endpoints, ["b", "a"], flatten=False))
        flat = session.run(head_input(endpoints, ["b", "a"], flatten=True))
    np.testing.assert_array_equal(pooled[0], vectors)
    np.testing.assert_allclose(pooled[1], maps.mean(axis=(1, 2)))
    np.testing.assert_array_equal(flat[1], maps.reshape(2, 60))


def features(count=6, width=5):
    return np.random.default_rng(0).normal(3, 2, (count, width)).astype(np.float32)


@pytest.mark.parametrize("classes", [3, FEW + 1])
@pytest.mark.parametrize("text", ["linear", "fc:4", "fc:4,dropout=0.5"])
def test_what_is_folded_gives_what_was_trained(text, classes):
    x = features()
    standard = standardisation(x)
    with tf.Graph().as_default(), tf.Session() as session:
        placeholder = tf.placeholder(tf.float32, [None, 5])
        step = tf.zeros([], tf.int64)
        head = TrainableHead(
            placeholder, classes, head_shape(text), standard, 1, (tf.constant(False), step)
        )
        session.run(tf.global_variables_initializer())
        logits, values = session.run(
            [head.logits, {v.op.name: v for v in head.variables}],
            {placeholder: (x - standard.mean) * standard.scale},
        )
        folded = head.folded(values, 9)
        exported = session.run(folded.logits(tf.constant(x)))
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.testing.assert_allclose(
        folded.probabilities(x), exp / exp.sum(axis=1, keepdims=True), atol=1e-5
    )
    np.testing.assert_allclose(exported, logits, atol=1e-4)
    assert folded.step == 9 and (folded.hidden is None) == (text == "linear")


def test_dropout_follows_the_step_and_is_off_unless_training():
    x = np.ones((4, 5), np.float32) + features(4)
    with tf.Graph().as_default(), tf.Session() as session:
        dropping = tf.placeholder(tf.bool, [])
        step = tf.placeholder(tf.int64, [])
        head = TrainableHead(
            tf.constant(x), 3, head_shape("fc:64,dropout=0.5"), standardisation(features()), 1,
            (dropping, step),
        )  # fmt: skip
        session.run(tf.global_variables_initializer())
        one, again, other = (session.run(head.logits, {dropping: True, step: n}) for n in (1, 1, 2))
        off, still_off = (session.run(head.logits, {dropping: False, step: n}) for n in (1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0
    np.testing.assert_array_equal(off, still_off)


def test_initial_values_are_taken_over():
    values = {"final_weights": np.ones((3, 5), np.float32), "final_biases": np.zeros(3, np.float32)}
    with tf.Graph().as_default(), tf.Session() as session:
        head = TrainableHead(
            tf.constant(features()), 3, HeadShape(), standardisation(features()), 1, initial=values
        )
        session.run(tf.global_variables_initializer())
        found = session.run(head.variables)
    np.testing.assert_array_equal(found[0], values["final_weights"])


def test_a_hidden_layer_by_hand():
    head = Head(
        np.array([[1.0, 0], [0, 1]], np.float32), np.zeros(2, np.float32), 1,
        (np.array([[1.0, -1]], np.float32), np.array([0, 0], np.float32)),
    )  # fmt: skip
    e = np.exp(-2.0)
    np.testing.assert_allclose(
        head.probabilities(np.array([[2.0], [-2.0]], np.float32)),
        [[1 / (1 + e), e / (1 + e)], [e / (1 + e), 1 / (1 + e)]], rtol=1e-6,
    )  # fmt: skip


def test_units_that_hardly_ever_fire_are_not_blown_up():
    x = (features(50) * [1, 100, 0.01, 60, 0]).astype(np.float32)
    mean, scale = standardisation(x, floor=0.5)
    deviation = x.std(axis=0, dtype=float)
    floor = np.sqrt(np.mean(deviation**2)) / 2
    np.testing.assert_allclose(mean, x.mean(axis=0, dtype=float), rtol=1e-5)
    np.testing.assert_allclose(1 / scale[[1, 3]], deviation[[1, 3]], rtol=1e-5)
    np.testing.assert_allclose(1 / scale[[0, 2]], floor, rtol=1e-5)
    assert scale[4] == 0  # constant


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_a_feature_that_is_no_finite_number_is_told_with_its_row(value):
    features = np.ones((5, 3), np.float32)
    features[3, 1] = value
    with pytest.raises(
        GraphnetsError, match="^the table of features .* infinite number in row 3, "
    ):
        standardisation(features)
