import re

import numpy as np
import pytest

from graphnets.errors import GraphnetsError
from graphnets.training.options import TrainingOptions, class_weights, with_usual_decay

LABELS = np.array([0, 0, 0, 1, 2, 2])


def test_balanced_weights_give_each_class_the_same_share():
    weights = class_weights("balanced", LABELS, ["ant", "bee", "cat"])
    assert weights.dtype == np.float32
    sums = [weights[LABELS == label].sum() for label in range(3)]
    np.testing.assert_allclose(sums, [2, 2, 2])


def test_a_head_alone_has_a_usual_weight_decay():
    assert with_usual_decay(TrainingOptions(), alone=True).weight_decay == 0.03
    assert with_usual_decay(TrainingOptions(), alone=False).weight_decay == 0
    for alone in (True, False):
        given = TrainingOptions(weight_decay=0.03)
        assert with_usual_decay(given, alone).weight_decay == 0.03


def test_weights_by_name_and_none():
    weights = class_weights("bee=3, a=b=0.5", LABELS, ["ant", "bee", "a=b"])
    np.testing.assert_allclose(weights, [1, 1, 1, 3, 0.5, 0.5])
    assert class_weights("", LABELS, ["ant", "bee", "cat"]) is None


def test_of_several_labels_a_weight_is_of_a_classs_own_photos():
    labels = np.array([[1, 0, 0], [1, 1, 0], [1, 0, 0], [0, 1, 0]])
    named = class_weights("bee=3", labels, ["ant", "bee", "cat"])
    np.testing.assert_array_equal(named, [[1, 1, 1], [1, 3, 1], [1, 1, 1], [1, 3, 1]])
    balanced = class_weights("balanced", labels, ["ant", "bee", "cat"])
    own = (balanced * labels).sum(axis=0)
    np.testing.assert_allclose(own[:2], (balanced * (1 - labels)).sum(axis=0)[:2])  # each as much


@pytest.mark.parametrize(
    "text, message",
    [
        ("dog=2", "got the class weight 'dog=2'; wanted 'balanced', or CLASS=WEIGHT with commas"),
        ("ant", "got the class weight 'ant'; wanted 'balanced'"),
        ("ant=x", "got the class weight 'ant=x'"),
        ("ant=-1", "got the class weights 'ant=-1'; wanted numbers from 0, not all 0"),
        ("ant=nan", "wanted numbers from 0"),
        ("ant=0,bee=0,cat=0", "not all 0"),
    ],
)
def test_other_weights_are_refused(text, message):
    with pytest.raises(GraphnetsError, match=re.escape(message)):
        class_weights(text, LABELS, ["ant", "bee", "cat"])


@pytest.mark.parametrize(
    "options, message",
    [
        ({"weight_decay": -1}, "weight_decay is -1, wanted 0 or more"),
        ({"weight_decay": "a"}, "weight_decay is 'a', wanted a number from 0"),
        (
            {"optimizer": "sgd"},
            "no optimizer 'sgd'; wanted one of gradient_descent, momentum, adam",
        ),
        ({"warmup_optimizer": ""}, "no warmup_optimizer ''; wanted one of gradient_descent"),
        ({"learning_rate_schedule": "linear"}, "wanted one of constant, cosine, step"),
        ({"early_stopping": -1}, "early_stopping is -1, wanted 0 or more"),
        ({"seed": -1}, "seed is -1, wanted a whole number from 0 to 2^63 - 1"),
        ({"seed": 1.5}, "seed is 1.5, wanted a whole number"),
        ({"seed": 1 << 63}, "seed is 9223372036854775808, wanted a whole number"),
        ({"warmup_steps": -1}, "warmup_steps is -1, wanted 0 or more"),
        ({"warmup_learning_rate": 0}, "warmup_learning_rate is 0, wanted above 0"),
        ({"learning_rate_decay_per_layer": 0}, "decay_per_layer is 0, wanted above 0"),
        ({"head": "fc"}, "got the head 'fc'; wanted 'linear'"),
    ],
)
def test_training_options_out_of_range(options, message):
    with pytest.raises(GraphnetsError, match=re.escape(message)):
        TrainingOptions(**options)
