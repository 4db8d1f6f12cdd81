"""Options of predicting are checked at once."""

import pytest

from graphnets.classifier.options import InputOptions
from graphnets.errors import GraphnetsError


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
