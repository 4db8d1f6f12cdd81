"""Heat over a photo: the photo stays as it is beside it, and the hottest place is the brightest."""

import numpy as np
import pytest
from tiny import pixels

from graphnets.photos.overlay import LONGEST, MARGIN, captioned, over


def halves(picture, heat):
    drawn = np.asarray(over(picture, heat))
    width = (drawn.shape[1] - MARGIN) // 2
    return drawn[:, :width], drawn[:, width + MARGIN :]


def test_the_photo_stays_as_it_is():
    picture = pixels(1, 60, 90)
    photo, hot = halves(picture, np.eye(3))
    np.testing.assert_array_equal(photo, picture)
    assert hot.shape == picture.shape


@pytest.mark.parametrize("heat", [np.zeros((3, 3)), np.full((3, 3), -2.0)])
def test_what_is_not_hot_is_a_darker_grey(heat):
    picture = np.full((60, 90, 3), (90, 90, 90), np.uint8)
    _, hot = halves(picture, heat)
    assert (hot == 54).all()


def test_the_hottest_place_is_the_brightest_where_it_lies_in_the_photo():
    heat = np.full((4, 5), -1.0)
    heat[0, 4], heat[3, 0] = 2, 1
    _, hot = halves(np.zeros((80, 200, 3), np.uint8), heat)
    light = hot.mean(2)
    row, column = np.unravel_index(light.argmax(), light.shape)
    assert row < 20 and column > 160
    assert light[10, 180] > 2 * light[70, 20] > 10
    assert light[40, 100] < 5


def test_a_large_photo_is_made_smaller_in_its_own_shape():
    photo, _ = halves(np.zeros((500, 2 * LONGEST, 3), np.uint8), np.eye(2))
    assert photo.shape == (250, LONGEST, 3)


@pytest.mark.parametrize("text", ["róża 0.9", "a long name " * 40, ""])
def test_a_caption_is_a_line_below_that_fits(text):
    picture = over(np.full((60, 90, 3), 9, np.uint8), np.eye(2))
    found = captioned(picture, text)
    assert found.width == picture.width and found.height == picture.height + 20
    np.testing.assert_array_equal(np.asarray(found)[:60], np.asarray(picture))
    line = np.asarray(found)[60:].min(2)
    assert (line.min() < 100) == bool(text)
    assert (line[:, :MARGIN] == 255).all() and (line[:, -MARGIN:] == 255).all()
