"""The confusion matrix and the sheet of mistakes, looked at pixel by pixel."""

import numpy as np
import pytest
from PIL import Image

from graphnets.jobs.drawings import TILE, confusion_picture, mistakes_sheet

BLUE, RED = (33, 102, 172), (178, 24, 43)


def cells(picture, count):
    """The colour in the upper left corner of each cell, int (count, count, 3)."""
    side = min(56, max(2, 1100 // count))
    start = picture.width - 10 - side * count
    places = start + side * np.arange(count) + 1
    return np.asarray(picture).astype(int)[np.ix_(places, places)]


@pytest.mark.parametrize("count", [2, 5, 43, 100, 600])
def test_a_cell_is_the_darker_the_larger_its_share_of_the_row(count):
    matrix = np.diag(np.full(count, 8))
    matrix[0, 0], matrix[0, 1], matrix[1] = (
        6,
        2,
        0,
    )  # a quarter of the first class; none of the next
    found = cells(confusion_picture(matrix, [f"class {n}" for n in range(count)]), count)
    white = np.array((255, 255, 255))
    expected = np.broadcast_to(white, found.shape).copy()
    expected[np.arange(count), np.arange(count)] = BLUE
    expected[0, 0] = white + np.sqrt(0.75) * (BLUE - white)
    expected[0, 1] = white + np.sqrt(0.25) * (RED - white)
    expected[1] = white
    np.testing.assert_allclose(found, expected, atol=1)


def test_labels_and_numbers_stand_where_they_fit():
    def dark(count):
        """Pixels of letters left of the cells, and of digits in an empty-coloured cell."""
        matrix = np.zeros((count, count), int)
        matrix[0, 0], matrix[0, 1] = 10_000, 1
        picture = np.asarray(confusion_picture(matrix, ["label"] * count).convert("L"))
        side = max(2, min(56, 1100 // count))
        start = len(picture) - 10 - side * count
        cell = picture[start : start + side, start + side : start + 2 * side]
        return (picture[start : start + side, 20 : start - 2] < 100).sum(), (cell < 100).sum()

    assert min(dark(5)) > 0 and min(dark(43)) > 0
    letters, digits = dark(100)
    assert letters > 0 and digits == 0
    assert dark(300)[0] == 0


def test_strange_labels_are_drawn():
    names = ["$\\frac{", "a\nb\tc", "x" * 500, "\udcff", "犬"]
    picture = confusion_picture(np.eye(5, dtype=int), names)
    assert picture.width < 56 * 5 + 300


def test_a_sheet_has_the_photos_in_rows(tmp_path):
    paths = []
    for number in range(8):
        Image.new("RGB", (50, 50), (30 * number, 0, 0)).save(tmp_path / f"{number}.png")
        paths.append(str(tmp_path / f"{number}.png"))
    sheet = mistakes_sheet(paths, ["cat|dog", ""] * 4, ["", "bee\n"] * 4, [0.5] * 8)
    assert sheet.size == (10 + 6 * (TILE + 10), 10 + 2 * (TILE + 3 * 14 + 10))
    for number in range(8):
        x, y = 10 + number % 6 * (TILE + 10) + 5, 10 + number // 6 * (TILE + 52) + 5
        assert sheet.getpixel((x, y)) == (30 * number, 0, 0)
