"""Options of whole jobs are checked at once."""

import re

import pytest

from graphnets.errors import GraphnetsError
from graphnets.jobs.options import RetrainOptions, demo_options
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


OPTIONAL = ["summaries_dir", "output_graph", "output_labels", "saved_model_dir", "checkpoint_dir"]
NEEDED = ["output_dir", "bottleneck_dir", "intermediate_output_graphs_dir"]


@pytest.mark.parametrize("name", OPTIONAL)
def test_an_empty_name_is_none_where_none_will_do(name):
    assert getattr(RetrainOptions(**{name: ""}), name) is None


@pytest.mark.parametrize("name", NEEDED)
def test_an_empty_name_is_not_the_folder_one_is_in(name):
    with pytest.raises(GraphnetsError, match=f"^{name} is '', wanted a path$"):
        RetrainOptions(**{name: ""})
    with pytest.raises(GraphnetsError, match="^output_dir is '', wanted a path$"):
        demo_options("")
