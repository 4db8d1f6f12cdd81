"""A PNG's own bytes give, in the graph, the picture that a PNG file gives through the library."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image

from graphnets.photos import images, jpeg

RANDOM = np.random.default_rng(5)
COLOUR, ALPHA = (np.arange(256).repeat(256).reshape(256, 256), np.arange(256)[np.newaxis])
ALL = np.stack(np.broadcast_arrays(COLOUR, 255 - COLOUR, COLOUR // 2, ALPHA), -1).astype(np.uint8)
RGB = (RANDOM.integers(0, 4, (9, 7, 3)) * 60).astype(np.uint8)
PALETTE = Image.fromarray(RANDOM.integers(0, 256, (9, 7, 3)).astype(np.uint8)).quantize(16)
GREY = Image.fromarray(RGB[..., 0])
WORDS = RANDOM.integers(0, 65536, (9, 7, 4)) | 1


@pytest.fixture(scope="module")
def decoded():
    """A function from bytes to the picture that the graph makes of them."""
    with tf.Graph().as_default(), tf.Session() as session:
        contents = tf.placeholder(tf.string, [])
        run = session.make_callable(jpeg.decode(contents), [contents])
        yield lambda data: run(np.array(data, object))


def encoded(image, file_format="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def raw_png(bits, colour_type, numbers, transparent=()):
    """A PNG of 16 bits, or of 1, 2 or 4 in grey, which Pillow does not write; not packed."""
    height, width = numbers.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    numbers = numbers.reshape(height, -1)
    digits = ("".join(f"{number:0{bits}b}" for number in row) for row in numbers)
    padded = (row + "0" * (-len(row) % 8) for row in digits)
    rows = b"".join(b"\0" + int(row, 2).to_bytes(len(row) // 8, "big") for row in padded)
    clear = struct.pack(f">{len(transparent)}H", *map(int, transparent))
    parts = chunk(b"IHDR", header) + (chunk(b"tRNS", clear) if transparent else b"")
    return (
        b"\x89PNG\r\n\x1a\n" + parts + chunk(b"IDAT", zlib.compress(rows, 0)) + chunk(b"IEND", b"")
    )


PICTURES = {
    "RGBA, every colour with every alpha": encoded(Image.fromarray(ALL)),
    "grey with alpha": encoded(Image.fromarray(ALL).convert("LA")),
    "RGB, one colour transparent": encoded(Image.fromarray(RGB), transparency=(60, 120, 0)),
    "grey, one transparent": encoded(GREY, transparency=60),
    "palette": encoded(PALETTE),
    "palette, one colour transparent": encoded(PALETTE, transparency=3),
    "palette, an alpha a colour": encoded(PALETTE, transparency=bytes(range(0, 256, 16))),
    "black and white": encoded(GREY.convert("1")),
    "black and white, white transparent": encoded(GREY.convert("1"), transparency=1),
    "16 bits, RGBA": raw_png(16, 6, WORDS),
    "16 bits, grey with alpha": raw_png(16, 4, WORDS[..., :2]),
    "16 bits, RGB": raw_png(16, 2, WORDS[..., :3]),
    "16 bits, grey": raw_png(16, 0, WORDS[..., 0]),
    "16 bits, grey, one transparent": raw_png(16, 0, WORDS[..., 0], [WORDS[0, 0, 0]]),
    "16 bits, grey, one near it transparent": raw_png(16, 0, WORDS[..., 0], [WORDS[0, 0, 0] - 1]),
    **{f"{bits} bits, grey": raw_png(bits, 0, WORDS[..., 0] % 2**bits) for bits in (1, 2, 4)},
    **{
        f"{bits} bits, grey, one transparent": raw_png(bits, 0, WORDS[..., 0] % 2**bits, [1])
        for bits in (1, 2, 4)
    },
}


@pytest.mark.parametrize("data", PICTURES.values(), ids=PICTURES)
def test_a_png_is_seen_by_its_bytes_as_in_its_file(decoded, tmp_path, data):
    expected = images.pixels(data)
    np.testing.assert_array_equal(decoded(data), expected)


def test_transparency_lies_over_white(decoded):
    colour, alpha = ALL[..., :3].astype(float), ALL[..., 3:] / 255
    image = decoded(encoded(Image.fromarray(ALL)))
    np.testing.assert_allclose(image, colour * alpha + 255 * (1 - alpha), atol=0.51)


def test_a_transparent_grey_of_16_bits_is_white_and_its_neighbour_is_not(decoded):
    words = np.array([[0x1234, 0x1235]])
    image = decoded(raw_png(16, 0, words, [0x1234]))
    assert image[0].tolist() == [[255] * 3, [0x12] * 3]


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("picture", [RGB, ALL[:40, 90:160]], ids=["RGB", "RGBA"])
def test_a_png_is_turned_as_its_exif_says(decoded, tmp_path, orientation, picture):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(picture), exif=exif)
    expected = images.pixels(data)
    np.testing.assert_array_equal(decoded(data), expected)


@pytest.mark.parametrize(
    "words", [b"tRNS", b"eXIfMM\0\x2a\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0"]
)
def test_pixels_may_spell_anything(decoded, words):
    pixels = np.frombuffer(b"\x10\x20" + words + bytes(-(len(words) + 2) % 3), np.uint8)
    picture = pixels.reshape(1, -1, 3)
    data = raw_png(8, 2, picture)
    assert words in data
    np.testing.assert_array_equal(decoded(data), picture)


@pytest.mark.parametrize("file_format", ["GIF", "BMP", "WEBP", "PPM"])
def test_bytes_of_another_kind_are_an_error_not_another_picture(decoded, file_format):
    with pytest.raises(tf.errors.InvalidArgumentError):
        decoded(encoded(Image.fromarray(RGB), file_format))
