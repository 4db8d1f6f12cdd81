"""Options of whole jobs are checked at once."""

import re

import pytest

from graphnets.errors import GraphnetsError
from graphnets.jobs.options import RetrainOptions
from graphnets.photos.augmentation import PHOTO_AUGMENTATION, Augmentation


def test_how_many_variants_of_what():
    assert (RetrainOptions().copies, RetrainOptions().drawn.active) == (0, False)
    flips = RetrainOptions(augmentation=Augmentation(flip_left_right=True))
    assert (flips.copies, flips.drawn) == (8, Augmentation(flip_left_right=True))
    assert RetrainOptions(augmented_copies=3).drawn == PHOTO_AUGMENTATION
    with pytest.raises(GraphnetsError, match="^augmented_copies is 0, and an augmentation is on"):
        RetrainOptions(augmentation=PHOTO_AUGMENTATION, augmented_copies=0)
    with pytest.raises(GraphnetsError, match="^checkpoint_every is -1, wanted 0 or more"):
        RetrainOptions(checkpoint_every=-1)


@pytest.mark.parametrize("testing, validation", [(200, 10), (-1, 10), (50, 50), (10, float("nan"))])
def test_percentages_that_leave_nothing_to_train_on_are_no_options(testing, validation):
    wanted = f"testing {testing} % and validation {validation} % leave nothing to train on; wanted"
    with pytest.raises(GraphnetsError, match=f"^{re.escape(wanted)}"):
        RetrainOptions(testing_percentage=testing, validation_percentage=validation)
