import re

import numpy as np
import pytest

from graphnets.errors import GraphnetsError
from graphnets.jobs.options import InputOptions, RetrainOptions
from graphnets.photos.augmentation import PHOTO, Augmentation
from graphnets.training.options import TrainingOptions, class_weights

LABELS = np.array([0, 0, 0, 1, 2, 2])


def test_balanced_weights_give_each_class_the_same_share():
    weights = class_weights("balanced", LABELS, ["ant", "bee", "cat"])
    assert weights.dtype == np.float32
    sums = [weights[LABELS == label].sum() for label in range(3)]
    np.testing.assert_allclose(sums, [2, 2, 2])


def test_weights_by_name_and_none():
    weights = class_weights("bee=3, a=b=0.5", LABELS, ["ant", "bee", "a=b"])
    np.testing.assert_allclose(weights, [1, 1, 1, 3, 0.5, 0.5])
    assert class_weights("", LABELS, ["ant", "bee", "cat"]) is None


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
        (
            {"optimizer": "sgd"},
            "no optimizer 'sgd'; wanted one of gradient_descent, momentum, adam",
        ),
        ({"warmup_optimizer": ""}, "no warmup_optimizer ''; wanted one of gradient_descent"),
        ({"learning_rate_schedule": "linear"}, "wanted one of constant, cosine, step"),
        ({"early_stopping": -1}, "early_stopping is -1, wanted 0 or more"),
        ({"warmup_steps": -1}, "warmup_steps is -1, wanted 0 or more"),
        ({"warmup_learning_rate": 0}, "warmup_learning_rate is 0, wanted above 0"),
        ({"learning_rate_decay_per_layer": 0}, "decay_per_layer is 0, wanted above 0"),
        ({"head": "fc"}, "got the head 'fc'; wanted 'linear'"),
    ],
)
def test_training_options_out_of_range(options, message):
    with pytest.raises(GraphnetsError, match=re.escape(message)):
        TrainingOptions(**options)


def test_how_many_variants_of_what():
    assert (RetrainOptions().copies, RetrainOptions().drawn.active) == (0, False)
    flips = RetrainOptions(augmentation=Augmentation(flip_left_right=True))
    assert (flips.copies, flips.drawn) == (8, Augmentation(flip_left_right=True))
    assert RetrainOptions(augmented_copies=3).drawn == PHOTO
    with pytest.raises(GraphnetsError, match="^augmented_copies is 0, and an augmentation is on"):
        RetrainOptions(augmentation=PHOTO, augmented_copies=0)
    with pytest.raises(GraphnetsError, match="^checkpoint_every is -1, wanted 0 or more"):
        RetrainOptions(checkpoint_every=-1)


@pytest.mark.parametrize("testing, validation", [(200, 10), (-1, 10), (50, 50), (10, float("nan"))])
def test_percentages_that_leave_nothing_to_train_on_are_no_options(testing, validation):
    wanted = f"testing {testing} % and validation {validation} % leave nothing to train on; wanted"
    with pytest.raises(GraphnetsError, match=f"^{re.escape(wanted)}"):
        RetrainOptions(testing_percentage=testing, validation_percentage=validation)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"input_height": 0}, "input_height is 0, wanted 1 or more"),
        ({"input_width": -3}, "input_width is -3, wanted 1 or more"),
        ({"input_std": 0}, "input_std is 0"),
    ],
)
def test_input_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(GraphnetsError, match=message):
        InputOptions(**options)
