"""Small pictures of photos."""

import numpy as np
import pytest
from PIL import Image

from graphnets.photos.thumbnails import thumbnail, thumbnails

RED, BLUE, WHITE, GREY = (250, 0, 0), (0, 0, 250), (255, 255, 255), (128, 128, 128)


def two_halves(path, size, **options):
    """Red on the left, blue on the right."""
    picture = Image.new("RGB", size, BLUE)
    picture.paste(RED, (0, 0, size[0] // 2, size[1]))
    picture.save(path, **options)
    return path


def at(picture, x, y):
    return np.asarray(picture)[y, x].astype(int)


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
@pytest.mark.parametrize("size", [(12, 6), (800, 400)])
def test_all_of_a_photo_is_in_the_middle_whatever_its_size(tmp_path, name, size):
    found = thumbnail(two_halves(tmp_path / name, size), 40)
    assert (found.size, found.mode) == ((40, 40), "RGB")
    np.testing.assert_allclose(at(found, 5, 20), RED, atol=12)
    np.testing.assert_allclose(at(found, 35, 20), BLUE, atol=12)
    for y in (4, 35):
        np.testing.assert_array_equal(at(found, 20, y), WHITE)


def test_it_is_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    found = thumbnail(two_halves(tmp_path / "a.jpg", (800, 400), exif=exif), 40)
    np.testing.assert_allclose(at(found, 20, 5), RED, atol=12)
    np.testing.assert_allclose(at(found, 20, 35), BLUE, atol=12)
    np.testing.assert_array_equal(at(found, 4, 20), WHITE)


def test_what_cannot_be_read_is_grey_and_what_is_thin_is_a_line(tmp_path):
    (tmp_path / "none.jpg").write_bytes(b"\xff\xd8\xffnone")
    Image.new("RGB", (2000, 1), RED).save(tmp_path / "thin.png")
    gone, none, thin = thumbnails([tmp_path / n for n in ("gone", "none.jpg", "thin.png")], 40)
    assert gone.getcolors() == none.getcolors() == [(1600, GREY)]
    assert (40, RED) in thin.getcolors()
