"""From files to pixels, sooner where there is no EXIF to look for."""

import io

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image

from graphnets.errors import PhotoError
from graphnets.photos import jpeg, reading


def picture(seed=0, size=(24, 16)):
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), np.uint8)
    return Image.fromarray(pixels)


def saved(image, path, orientation=None, **options):
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
        options["exif"] = exif
    image.save(path, quality=95, **options)
    return path


def upright(path):
    """What the graph that looks for EXIF makes of a file."""
    with tf.Graph().as_default(), tf.Session() as session:
        contents = tf.placeholder(tf.string, [])
        resized = jpeg.resize(jpeg.decode(contents), (10, 12))
        return session.run(resized, {contents: path.read_bytes()})


@pytest.fixture
def read():
    with tf.Graph().as_default(), tf.Session() as session:
        yield reading.photo_reader(session, (10, 12))


@pytest.mark.parametrize("orientation", [None, 1, 3, 6, 8])
def test_with_or_without_exif_a_photo_is_what_the_graph_makes_of_it(tmp_path, read, orientation):
    path = saved(picture(), tmp_path / "a.jpg", orientation)
    assert jpeg.may_be_turned(path.read_bytes()) is (orientation is not None)
    np.testing.assert_array_equal(read(path), upright(path))


def test_exif_behind_a_long_comment_is_found(tmp_path, read):
    plain = saved(picture(), tmp_path / "plain.jpg").read_bytes()
    turned = saved(picture(), tmp_path / "turned.jpg", 6).read_bytes()
    comment = b"\xff\xfe" + (60_000).to_bytes(2, "big") + b"x" * 59_998
    path = tmp_path / "late.jpg"
    path.write_bytes(turned[:2] + comment + turned[2:])
    np.testing.assert_array_equal(read(path), upright(path))
    (tmp_path / "same.jpg").write_bytes(plain[:2] + comment + plain[2:])
    assert not np.array_equal(read(path), read(tmp_path / "same.jpg"))


def test_zeros_at_the_end_of_a_file_reach_the_decoder(tmp_path, monkeypatch):
    path = saved(picture(), tmp_path / "a.jpg")
    path.write_bytes(path.read_bytes() + b"\x00" * 9)
    monkeypatch.setattr(jpeg, "decode", lambda contents, turn: tf.strings.length(contents))
    with tf.Graph().as_default(), tf.Session() as session:
        length = reading._decoder(session, lambda image: image)
        assert length(path) == path.stat().st_size


def test_a_damaged_photo_says_so(tmp_path, read):
    buffer = io.BytesIO()
    picture().save(buffer, "JPEG")
    (tmp_path / "cut.jpg").write_bytes(buffer.getvalue()[:-200])
    with pytest.raises(PhotoError, match="^damaged or cut off$"):
        read(tmp_path / "cut.jpg")
