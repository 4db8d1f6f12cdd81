"""Small pictures: upright, of their own proportions, and what cannot be read is told."""

import io

import numpy as np
import pytest
from PIL import Image

from graphnets.errors import PhotoError
from graphnets.photos.thumbnails import squares, thumbnail


def written(path, mode="RGB", kind="JPEG", orientation=1):
    """A picture of 400 x 200, its left half black, the right one white."""
    picture = np.zeros((200, 400, 3), np.uint8)
    picture[:, 200:] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(picture).convert(mode).save(path, kind, exif=exif)
    return path


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("RGB", "JPEG"), ("L", "JPEG"), ("CMYK", "JPEG"), ("RGB", "PNG"), ("L", "TIFF")],
)
def test_a_picture_keeps_its_proportions(tmp_path, mode, kind):
    found = thumbnail(written(tmp_path / "a", mode, kind), 50)
    assert found.size == (50, 25) and found.mode == "RGB"
    left, right = np.asarray(found)[:, :20], np.asarray(found)[:, 30:]
    assert left.mean() < 20 and right.mean() > 235


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_it_stands_upright(tmp_path, kind):
    found = np.asarray(thumbnail(written(tmp_path / "a", kind=kind, orientation=6), 50))
    assert found.shape == (50, 25, 3)
    assert found[:20].mean() < 20 and found[30:].mean() > 235  # turned by a quarter, clockwise


def test_a_small_picture_is_not_enlarged(tmp_path):
    Image.new("RGB", (7, 9)).save(tmp_path / "a.png")
    assert thumbnail(tmp_path / "a.png", 50).size == (7, 9)


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff\xe0 nor this"])
def test_what_is_no_picture_is_told(tmp_path, data):
    (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(PhotoError):
        thumbnail(tmp_path / "a.jpg", 50)


def test_one_that_is_cut_off_is_told(tmp_path):
    whole = io.BytesIO()
    Image.effect_noise((300, 300), 50).save(whole, "JPEG")
    (tmp_path / "a.jpg").write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    with pytest.raises(PhotoError, match="damaged or cut off"):
        thumbnail(tmp_path / "a.jpg", 50)


def test_squares_have_the_photo_in_the_middle_and_are_grey_without_one(tmp_path):
    whole, gone = squares([written(tmp_path / "a"), tmp_path / "gone.jpg"], 50)
    assert whole.size == gone.size == (50, 50)
    pixels = np.asarray(whole).mean(axis=2)
    assert pixels[:10].min() == pixels[-10:].min() == 255  # white above and below
    assert pixels[20:30, :20].max() < 20
    assert set(np.asarray(gone).ravel()) == {128}
