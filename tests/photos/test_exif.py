"""The orientation that Python finds in a JPEG is the one that the graph finds, damage or not."""

import io
import struct

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image

from graphnets.photos import exif, images, jpeg
from graphnets.photos.look import decoded
from graphnets.photos.thumbnails import thumbnail

JFIF = 20  # where the segment behind Pillow's JFIF begins
SHORT, LONG = 3, 4


def entry(order, value, tag=0x0112, kind=SHORT, count=1):
    field = struct.pack(f"{order}HH", value, 0) if kind != LONG else struct.pack(f"{order}I", value)
    return struct.pack(f"{order}HHI", tag, kind, count) + field


def photo(header, mode="RGB", at=JFIF):
    """A JPEG of 16 x 24, black but for a white corner at the top left, with this EXIF."""
    picture = np.zeros((16, 24, 3), np.uint8)
    picture[:8, :8] = 255
    buffer = io.BytesIO()
    Image.fromarray(picture).convert(mode).save(buffer, "JPEG", quality=95, subsampling=0)
    data, segment = buffer.getvalue(), exif.MARK + header
    at = 2 if mode == "CMYK" else at  # which has no JFIF
    return data[:at] + exif.SEGMENT + struct.pack(">H", len(segment) + 2) + segment + data[at:]


def tiff(order, *entries):
    mark = {"<": b"II*\0", ">": b"MM\0*"}[order]
    return mark + struct.pack(f"{order}IH", 8, len(entries)) + b"".join(entries) + bytes(4)


@pytest.fixture(scope="module")
def in_graph():
    with tf.Graph().as_default(), tf.Session() as session:
        contents = tf.placeholder(tf.string, [])
        run = session.make_callable(jpeg.exif_orientation(contents), [contents])
        yield lambda data: int(run(np.array(data, object)))


@pytest.fixture(scope="module")
def picture():
    with tf.Graph().as_default(), tf.Session() as session:
        contents = tf.placeholder(tf.string, [])
        run = session.make_callable(jpeg.decode(contents), [contents])
        yield lambda data: run(np.array(data, object))


CASES = {
    "whole": (tiff(">", entry(">", 6)), 6),
    "long, little": (tiff("<", entry("<", 6, kind=LONG)), 6),
    "long, big": (tiff(">", entry(">", 6, kind=LONG)), 6),
    "behind damage": (tiff(">", entry(">", 5, 0x010E, 2, 0xFFFFFF), entry(">", 6)), 6),
    "behind the segment's end": (tiff(">", entry(">", 6))[:-5], 1),
    "the tables' bytes in place of a value": (tiff(">", entry(">", 6))[:14], 1),
    "a text": (tiff(">", entry(">", 6, kind=2)), 1),
    "no type": (tiff("<", entry("<", 6, kind=0xBC)), 1),
    "many numbers": (tiff(">", entry(">", 6, count=0xA1000001)), 1),
    "no numbers": (tiff("<", entry("<", 6, count=0)), 1),
    "65536 numbers": (tiff("<", entry("<", 6, count=1 << 16)), 1),
    "a long that is too long": (tiff("<", entry("<", 0x10006, kind=LONG)), 1),
}  # fmt: skip


@pytest.mark.parametrize(("header", "expected"), CASES.values(), ids=CASES)
def test_an_entry_counts_that_is_whole(in_graph, header, expected):
    assert exif.orientation(photo(header)) == in_graph(photo(header)) == expected


def test_what_a_comment_spells_is_no_exif(in_graph):
    text = b"x" * 9 + exif.MARK + tiff(">", entry(">", 6))
    comment = b"\xff\xfe" + struct.pack(">H", len(text) + 2) + text
    for header, expected in ((b"", 1), (tiff(">", entry(">", 3)), 3)):
        data = photo(header)
        data = data[:JFIF] + comment + data[JFIF:]
        assert exif.orientation(data) == in_graph(data) == expected


def test_python_finds_what_the_graph_finds(in_graph):
    """400 headers, most of them damaged; seeds are the case numbers."""
    found = []
    for case in range(400):
        random = np.random.default_rng(case)
        order = str(random.choice(["<", ">"]))
        kinds = random.choice([SHORT, SHORT, SHORT, LONG, 1, 7], 3)
        tags = (0x010E, 0x0112, int(random.choice([0x0112, 0x0132])))
        numbers = zip(random.integers(1, 10, 3), tags, kinds, strict=True)
        header = bytearray(tiff(order, *(entry(order, int(v), t, int(k)) for v, t, k in numbers)))
        for _ in range(random.integers(0, 3)):
            header[int(random.integers(len(header)))] = int(random.integers(256))
        data = photo(bytes(header if case % 3 else header[: random.integers(8, 60)]))
        data = data[: random.integers(30, 99)] if case % 5 == 0 else data
        assert exif.orientation(data) == in_graph(data), case
        found.append(in_graph(data))
    assert set(found) == set(range(1, 9)) and found.count(1) < 300
    assert exif.orientation(b"") == in_graph(b"") == 1


@pytest.mark.parametrize("mode", ["RGB", "CMYK"])
@pytest.mark.parametrize("header", ["whole", "behind damage", "a text"])
def test_small_copies_are_turned_as_the_graph_does(tmp_path, picture, header, mode):
    data = photo(CASES[header][0], mode)
    (tmp_path / "a.jpg").write_bytes(data)
    expected = picture(data)
    small = thumbnail(tmp_path / "a.jpg", 24)
    assert small.size == expected.shape[1::-1]
    assert np.abs(np.asarray(small).astype(int) - expected).max() < 30
    whole = Image.fromarray(expected).resize((96, 96), Image.Resampling.BOX)
    assert np.abs(np.asarray(decoded(data, 96)).astype(int) - np.asarray(whole)).max() < 30


def test_a_cmyk_jpeg_without_adobes_mark_is_no_negative(picture):
    data = photo(CASES["whole"][0], "CMYK")
    start = data.index(b"\xff\xee\x00\x0eAdobe")
    plain = data[:start] + data[start + 16 :]
    expected = [picture(d).astype(int) for d in (data, plain)]
    assert np.abs(expected[0] - expected[1]).max() > 200  # Pillow's data are a negative
    for one, right in zip((data, plain), expected, strict=True):
        with Image.open(io.BytesIO(one)) as image:
            found = np.asarray(images.jpeg_rgb(one, image)).astype(int)
        assert np.abs(found - right).max() <= 3
