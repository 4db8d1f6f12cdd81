"""Decoding in the graph: colours, EXIF orientation, and the resizing of 2015."""

import io
import struct

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image, ImageOps

from graphnets.photos import jpeg

COLOURS = np.array(
    [[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[255, 255, 0], [128, 128, 128], [0, 0, 0]]], np.uint8
)
BLOCKS = COLOURS.repeat(8, 0).repeat(8, 1)  # (16, 24, 3): flat where JPEG works, so nearly exact
ORDERS = {"little": "<", "big": ">"}


@pytest.fixture(scope="module")
def graph():
    """contents -> (image, orientation) in one session."""
    with tf.Graph().as_default(), tf.Session() as session:
        contents = tf.placeholder(tf.string, [])
        fetches = jpeg.decode(contents), jpeg.exif_orientation(contents)
        yield session.make_callable(fetches, [contents])


@pytest.fixture(scope="module")
def orientation_of():
    with tf.Graph().as_default(), tf.Session() as session:
        contents = tf.placeholder(tf.string, [])
        yield session.make_callable(jpeg.exif_orientation(contents), [contents])


def encoded(image, file_format="JPEG", **options):
    if file_format == "JPEG":
        options = {"quality": 100, "subsampling": 0, **options}
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


PLAIN = encoded(Image.fromarray(BLOCKS))
JFIF = 20  # bytes of SOI and the APP0 segment that Pillow writes


def segment(marker, payload):
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def entry(order, value, tag=0x0112, kind=3, count=1):
    """An IFD entry whose value is one SHORT."""
    return struct.pack(f"{order}HHIHH", tag, kind, count, value, 0)


def tiff(order, entries, offset=8, declared=None):
    """EXIF's TIFF structure: header, the first IFD at `offset`, no next one."""
    header = {"<": b"II", ">": b"MM"}[order] + struct.pack(f"{order}HI", 42, offset)
    count = struct.pack(f"{order}H", len(entries) if declared is None else declared)
    return header + bytes(offset - 8) + count + b"".join(entries) + bytes(4)


def with_exif(exif, at=2):
    return PLAIN[:at] + segment(0xE1, b"Exif\0\0" + exif) + PLAIN[at:]


def assert_close(image, expected, tolerance):
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected.astype(int)).max() <= tolerance


def test_colour_and_grey_jpegs_decode_to_rgb(graph):
    image, orientation = graph(PLAIN)
    assert (image.dtype, orientation) == (np.uint8, 1)
    assert_close(image, BLOCKS, 3)
    grey = BLOCKS[..., 1]
    image, _ = graph(encoded(Image.fromarray(grey)))
    assert_close(image, np.stack([grey] * 3, -1), 3)


def test_a_progressive_jpeg_decodes(graph):
    data = encoded(Image.fromarray(BLOCKS), progressive=True)
    assert b"\xff\xc2" in data
    assert_close(graph(data)[0], BLOCKS, 3)


def test_decode_is_what_pillow_decodes_but_for_rounding(graph):
    y, x = np.mgrid[:40, :56]
    smooth = np.stack([x * 4, y * 6, 255 - x * 4], -1).astype(np.uint8)
    data = encoded(Image.fromarray(smooth), quality=85, subsampling=2)
    assert_close(graph(data)[0], np.asarray(Image.open(io.BytesIO(data))), 4)


def cmyk_image(channels):
    """Pillow writes it the Adobe way, inverted and marked so."""
    return Image.merge("CMYK", [Image.fromarray(channels[..., i]) for i in range(4)])


def adobe_segment(data):
    start = data.index(b"\xff\xee\x00\x0eAdobe")
    return start, start + 16


def test_a_cmyk_jpeg_of_adobe_decodes_to_rgb(graph):
    data = encoded(cmyk_image(np.insert(255 - BLOCKS, 3, 0, axis=-1)))
    assert Image.open(io.BytesIO(data)).mode == "CMYK"
    assert_close(graph(data)[0], BLOCKS, 4)


def test_black_ink_darkens(graph):
    ink = np.zeros((8, 8, 4), np.uint8)
    ink[..., 0], ink[..., 3] = 255, 155  # cyan, under ink that leaves 100 of 255
    assert_close(graph(encoded(cmyk_image(ink)))[0], np.full((8, 8, 3), (0, 100, 100)), 4)


def test_a_cmyk_jpeg_without_adobes_mark_is_not_inverted(graph):
    inverted = cmyk_image(255 - np.insert(255 - BLOCKS, 3, 0, axis=-1))
    data = encoded(inverted)
    start, end = adobe_segment(data)
    assert_close(graph(data[:start] + data[end:])[0], BLOCKS, 4)


def test_a_ycck_jpeg_decodes_to_rgb(graph):
    """Pillow cannot write one; its four channels are the same but for Adobe's transform byte."""
    ycc = np.asarray(Image.fromarray(255 - BLOCKS).convert("YCbCr"))
    data = bytearray(encoded(cmyk_image(np.insert(255 - ycc, 3, 0, axis=-1))))
    _, end = adobe_segment(data)
    assert data[end - 1] == 0
    data[end - 1] = 2
    assert_close(graph(bytes(data))[0], BLOCKS, 4)


def test_a_png_is_decoded_too_without_loss(graph):
    image, orientation = graph(encoded(Image.fromarray(BLOCKS), "PNG"))
    np.testing.assert_array_equal(image, BLOCKS)
    assert orientation == 1


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_upright_as_in_pillow(graph, orientation, order):
    data = with_exif(tiff(order, [entry(order, orientation)]))
    image, found = graph(data)
    assert found == orientation
    with Image.open(io.BytesIO(data)) as photo:
        expected = np.asarray(ImageOps.exif_transpose(photo))
    assert expected.shape == ((16, 24, 3) if orientation < 5 else (24, 16, 3))
    assert_close(image, expected, 4)


def test_the_orientation_that_pillow_writes_is_found(orientation_of):
    exif = Image.Exif()
    exif[0x010F], exif[0x0112], exif[0x0132] = "a maker", 8, "2020:01:01 00:00:00"
    assert orientation_of(encoded(Image.fromarray(BLOCKS), exif=exif)) == 8


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_exif_is_found_behind_other_segments(graph, order):
    exif = tiff(order, [entry(order, 6)])
    behind_jfif = with_exif(exif, at=JFIF)
    assert behind_jfif[6:10] == b"JFIF"
    comment = segment(0xFE, b"exif Exif\0 " * 1000)
    for data in (behind_jfif, behind_jfif[:JFIF] + comment + behind_jfif[JFIF:]):
        image, found = graph(data)
        assert (found, image.shape) == (6, (24, 16, 3))


def test_the_orientation_is_found_among_other_entries_and_far_from_the_header(orientation_of):
    others = [entry(">", 9, tag=tag) for tag in range(0x0100, 0x0110)]
    entries = [*others, entry(">", 5), entry(">", 7, tag=0x0113)]
    assert orientation_of(with_exif(tiff(">", entries, offset=50_000))) == 5


def test_the_thumbnails_own_orientation_does_not_count(orientation_of):
    first = tiff("<", [entry("<", 1)])
    second = struct.pack("<H", 1) + entry("<", 6) + bytes(4)
    exif = first[:-4] + struct.pack("<I", len(first)) + second
    assert orientation_of(with_exif(exif)) == 1


MALFORMED = {
    "nothing behind the marker": b"",
    "half a byte order": b"I",
    "no offset": b"MM\0*",
    "no TIFF": b"no TIFF structure at all, only a sentence",
    "unknown byte order": b"XX" + tiff(">", [entry(">", 6)])[2:],
    "mixed byte order": b"IM" + tiff("<", [entry("<", 6)])[2:],
    "wrong magic number": b"MM\0\x2b" + tiff(">", [entry(">", 6)])[4:],
    "no entries": tiff(">", []),
    "no entries, but many declared": tiff("<", [], declared=0xFFFF),
    "orientation 0": tiff(">", [entry(">", 0)]),
    "orientation 9": tiff("<", [entry("<", 9)]),
    "orientation 0x0600": tiff("<", [entry("<", 0x0600)]),
    "orientation 65535": tiff("<", [entry("<", 0xFFFF)]),
    "cut inside the entry": tiff(">", [entry(">", 6)])[:18],
}
OFFSETS = [0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFF8, 0x00010008, 0x80000008]


@pytest.mark.parametrize("exif", MALFORMED.values(), ids=MALFORMED)
def test_malformed_exif_is_orientation_1(graph, exif):
    image, orientation = graph(with_exif(exif))
    assert orientation == 1
    assert_close(image, BLOCKS, 3)


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize("offset", OFFSETS, ids=hex)
def test_an_offset_out_of_bounds_is_orientation_1(orientation_of, offset, order):
    """The entry that such an offset would find, were its upper half dropped, says 6."""
    exif = bytearray(tiff(order, [entry(order, 6)]))
    exif[4:8] = struct.pack(f"{order}I", offset)
    assert orientation_of(with_exif(bytes(exif))) == 1


def test_a_header_cut_anywhere_never_fails(orientation_of):
    data = with_exif(tiff("<", [entry("<", 6)]))
    for length in range(60):
        assert orientation_of(data[:length]) in (1, 6)
    assert orientation_of(b"") == 1
    assert orientation_of(data[:60]) == 6


def test_only_a_jpegs_exif_counts(graph):
    """A PNG's pixels that spell an EXIF header are pixels."""
    header = b"Exif\0\0" + tiff(">", [entry(">", 6)])
    pixels = np.zeros((4, 40, 3), np.uint8)
    pixels[1].reshape(-1)[: len(header)] = list(header)
    data = encoded(Image.fromarray(pixels), "PNG", compress_level=0)
    image, orientation = graph(data)
    assert orientation == 1
    np.testing.assert_array_equal(image, pixels)


def test_random_exif_never_fails_and_sound_exif_is_always_read(graph):
    """300 headers, half of them with damage; seeds are the case numbers."""
    turned = 0
    for case in range(300):
        random = np.random.default_rng(case)
        order = str(random.choice(["<", ">"]))
        value = int(random.integers(1, 9))
        tags = random.choice(np.setdiff1d(np.arange(0x100, 0x200), 0x112), 12, replace=False)
        entries = [entry(order, int(random.integers(65536)), int(tag)) for tag in tags]
        entries.insert(int(random.integers(13)), entry(order, value))
        exif = bytearray(tiff(order, entries, offset=8 + int(random.integers(200))))
        sound = case % 2 == 0
        if not sound:
            for _ in range(random.integers(1, 6)):
                start = int(random.integers(min(len(exif), 40)))
                size = int(random.integers(1, 5))
                exif[start : start + size] = (
                    random.choice([b"\0", b"\xff", b"\x80", b"\x7f"]) * size
                )
            del exif[int(random.integers(8, len(exif))) :]
        image, orientation = graph(with_exif(bytes(exif), at=int(random.choice([2, JFIF]))))
        assert orientation == value if sound else 1 <= orientation <= 8, case
        assert image.shape == ((24, 16, 3) if orientation >= 5 else (16, 24, 3)), case
        turned += orientation >= 5
    assert turned > 50


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("kept", [0.3, 0.9, 1 - 1e-9])
def test_a_cut_off_jpeg_is_an_error_not_a_grey_area(graph, kept, progressive):
    y, x = np.mgrid[:64, :64]
    data = encoded(Image.fromarray(((x * y) % 251).astype(np.uint8)), progressive=progressive)
    with pytest.raises(tf.errors.InvalidArgumentError, match="jpeg|JPEG"):
        graph(data[: int(len(data) * kept)])


def legacy_bilinear(image, height, width):
    """TensorFlow 1's default: align_corners=False, half_pixel_centers=False."""
    image = image.astype(np.float64)
    y, x = (np.arange(n) * (old / n) for n, old in ((height, len(image)), (width, len(image[0]))))
    top, left = y.astype(int), x.astype(int)
    bottom = np.minimum(top + 1, image.shape[0] - 1)
    right = np.minimum(left + 1, image.shape[1] - 1)
    down, across = (y - top)[:, None, None], (x - left)[None, :, None]
    upper = image[top][:, left] * (1 - across) + image[top][:, right] * across
    lower = image[bottom][:, left] * (1 - across) + image[bottom][:, right] * across
    return upper * (1 - down) + lower * down


@pytest.mark.parametrize(
    ("size", "target"),
    [
        ((40, 60), (13, 17)),
        ((7, 5), (29, 31)),
        ((1, 1), (3, 4)),
        ((50, 3), (10, 12)),
        ((8, 8),) * 2,
    ],
)
def test_resize_is_the_legacy_bilinear(size, target):
    image = np.random.default_rng(5).integers(0, 256, (*size, 3), np.uint8)
    with tf.Graph().as_default(), tf.Session() as session:
        resized = session.run(jpeg.resize(tf.constant(image), target))
    assert (resized.dtype, resized.shape) == (np.float32, (1, *target, 3))
    np.testing.assert_allclose(resized[0], legacy_bilinear(image, *target), atol=2e-3)


def test_the_ops_lie_in_a_scope_of_their_own_and_hold_no_functions():
    with tf.Graph().as_default() as graph:
        jpeg.resize(jpeg.decode(tf.placeholder(tf.string, [])), (8, 8))
        graph_def = graph.as_graph_def()
    assert {node.name.split("/")[0].split("_")[0] for node in graph_def.node[1:]} == {"photo"}
    assert not graph_def.library.function
