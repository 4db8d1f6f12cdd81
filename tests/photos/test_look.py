"""What one photo tells when it is decoded to its end."""

import io
import re

import numpy as np
import pytest
from PIL import Image
from scenes import scene

from graphnets.errors import PhotoError
from graphnets.photos import kinds
from graphnets.photos.look import look, looks, right_ending
from tests.badphotos.rare import RARE

SIXTEEN = Image.fromarray((np.arange(64 * 64).reshape(64, 64) * 16).astype(np.uint16))


@pytest.mark.parametrize(
    ("name", "picture", "kind", "mode"),
    [
        ("a.jpg", scene(1), "JPEG", "colour"),
        ("a.jpg", scene(1).convert("L"), "JPEG", "grey"),
        ("a.jpg", scene(1).convert("CMYK"), "JPEG", "CMYK"),
        ("a.png", scene(1), "PNG", "colour"),
        ("a.png", scene(1).convert("1"), "PNG", "grey"),
        ("a.png", scene(1).convert("RGBA"), "PNG", "alpha"),
        ("a.png", scene(1).convert("LA"), "PNG", "alpha"),
        ("a.png", scene(1).quantize(16), "PNG", "palette"),
        ("a.png", SIXTEEN, "PNG", "16 bits"),
        ("a.pgm", SIXTEEN, "PPM", "16 bits"),
        ("a.gif", scene(1), "GIF", "palette"),
        ("a.bmp", scene(1), "BMP", "colour"),
        ("a.webp", scene(1), "WEBP", "colour"),
        ("a.tif", scene(1), "TIFF", "colour"),
        ("a.tif", scene(1).convert("CMYK"), "TIFF", "CMYK"),
        ("a.tif", SIXTEEN, "TIFF", "16 bits"),
        ("a.avif", scene(1), "AVIF", "colour"),
    ],
)
def test_kind_mode_and_size(tmp_path, name, picture, kind, mode):
    picture.save(tmp_path / name)
    found = look(str(tmp_path / name))
    assert found[:5] == ("", kind, mode, *picture.size)
    assert (found.grey.shape, found.colours.shape) == ((32, 32), (16, 16, 3))
    assert found.grey.dtype == found.colours.dtype == np.uint8


def data_of(picture, kind="JPEG", **more):
    file = io.BytesIO()
    picture.save(file, kind, **more)
    return file.getvalue()


def among_pixels(more):
    """A JPEG with bytes in the middle of its pixels."""
    data = data_of(scene(1))
    return data[:-300] + more + data[-300 + len(more) :]


def with_thumbnail():
    """A JPEG whose EXIF has a whole JPEG in it, with an end of its own."""
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0" + data_of(scene(2, 16, 16))
    return data_of(scene(1), exif=exif)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (data_of(scene(1))[:1500], "damaged or cut off"),
        (data_of(scene(1))[:-2], "damaged or cut off"),
        (data_of(scene(1))[:1500] + bytes(3000), "damaged or cut off"),
        (with_thumbnail()[:-2], "damaged or cut off"),
        (among_pixels(b"\xff\xfe\xf0\0"), "damaged or cut off"),  # to behind the end
        (among_pixels(b"\xff\xd8\xf0\0"), "damaged or cut off"),
        (RARE["jpeg_lossless"], kinds.OTHER_JPEG),
        (RARE["jpeg_12bit"], kinds.OTHER_JPEG),
        (data_of(scene(1), progressive=True)[:-100], "damaged or cut off"),
        (data_of(scene(1), "PNG")[:-3000], "cannot be read"),
        (b"", "an empty file"),
        (b"<html>", "not a JPEG, PNG, BMP, GIF, PPM, WebP, TIFF, AVIF or HEIC picture"),
    ],
)
def test_what_cannot_be_read_to_its_end(tmp_path, read, data, problem):
    """The networks' reader refuses it for the same reason, but for the words of Pillow."""
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(PhotoError, match=f"^{re.escape(problem)}"):
        read(str(tmp_path / "a"))
    found = look(str(tmp_path / "a"))
    assert found.problem.startswith(problem) and found[1:] == ("", "", 0, 0, None, None)


def test_what_lies_behind_the_end_does_not_matter(tmp_path):
    for data in (with_thumbnail(), data_of(scene(1)) + b"\xff\xda a film"):  # nor what is between
        data = data[:20] + b"\0 junk \xff\0" + data[20:]
        (tmp_path / "a").write_bytes(data)
        assert look(str(tmp_path / "a")).problem == ""


def test_a_marker_that_the_next_restart_passes_over_does_not_matter(tmp_path, read):
    data = bytearray(data_of(scene(1), restart_marker_blocks=2))
    place = data.index(b"\xff\xd3", data.index(b"\xff\xda")) - 6
    data[place : place + 2] = b"\xff\x41"
    (tmp_path / "a").write_bytes(data)
    assert read(str(tmp_path / "a")).shape == (1, 4, 4, 3)
    assert look(str(tmp_path / "a")).problem == ""


def test_small_copies_are_upright(tmp_path):
    scene(1).save(tmp_path / "plain.png")
    turned = scene(1).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    for name in ("turned.jpg", "turned.png"):
        turned.save(tmp_path / name, exif=exif)
        plain, other = (look(str(tmp_path / n)) for n in ("plain.png", name))
        assert abs(plain.grey.astype(int) - other.grey).mean() < 3
        assert abs(plain.colours.astype(int) - other.colours).mean() < 5


def test_looks_are_in_order(tmp_path):
    paths = [str(tmp_path / f"{i}.png") for i in range(9)]
    for i, path in enumerate(paths):
        Image.new("RGB", (i + 1, 2)).save(path)
    assert list(looks(paths, lambda found: found.width)) == list(range(1, 10))


@pytest.mark.parametrize(
    ("path", "kind", "ending"),
    [
        ("a.jpg", "PNG", ".png"),
        ("a.PNG", "JPEG", ".jpg"),
        ("a.heic", "JPEG", ".jpg"),
        ("a.jpg", "HEIF", ".heic"),
        ("a.jp2", "TIFF", ".tif"),
        ("a.hif", "HEIF", ""),
        ("a.avif", "AVIF", ""),
        ("a.JPEG", "JPEG", ""),
        ("a.pgm", "PPM", ""),
        ("a", "PNG", ""),
        ("a.8f3", "PNG", ""),
    ],
)
def test_endings(path, kind, ending):
    assert right_ending(path, kind) == ending
