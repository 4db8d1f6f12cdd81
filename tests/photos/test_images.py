"""What a photo's file holds: every kind of picture becomes RGB, and why others are refused."""

import io
import os
import struct
import time
import zlib

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image, ImageOps, PngImagePlugin

from graphnets.errors import PhotoError
from graphnets.photos import images, jpeg

RGB = np.random.default_rng(1).integers(0, 256, (5, 7, 3), np.uint8)
ALPHA = np.random.default_rng(2).integers(0, 256, (5, 7), np.uint8)
GREY = RGB[..., 1]
DEEP = np.random.default_rng(3).integers(0, 65536, (5, 7, 3), np.uint16)
TWELVE = DEEP >> 4


@pytest.fixture(scope="module")
def decoded():
    """path -> uint8 (height, width, 3), as the graph sees the file."""
    with tf.Graph().as_default(), tf.Session() as session:
        contents = tf.placeholder(tf.string, [])
        decode = session.make_callable(jpeg.decode(contents), [contents])

        def decoded(path):
            with images.opened(path) as data:
                image = decode(images.contents(data))
                if data[:3] != b"\xff\xd8\xff":
                    np.testing.assert_array_equal(image, images.pixels(data))
            return image

        yield decoded


def contents(path):
    with images.opened(path) as data:
        return images.contents(data)


def encoded(image, file_format, **options):
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def three(grey):
    return np.stack([grey] * 3, -1)


def over_white(rgb, alpha):
    share = alpha[..., None] / 255
    return np.round(rgb * share + 255 * (1 - share)).astype(np.uint8)


def png(bits, colour_type, rows, *chunks):
    """A PNG of the kinds that Pillow reads but does not write; rows are bytes."""

    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", RGB.shape[1], len(rows), bits, colour_type, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    body = [(b"IHDR", header), *chunks, (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in body)


def ppm(magic, maximum, values, kind=None):
    header = f"{magic}\n# a comment\n{values.shape[1]} {values.shape[0]}\n{maximum}\n".encode()
    if kind is None:
        return header + " ".join(str(v) for v in values.ravel()).encode()
    return header + values.astype(kind).tobytes()


def palette_image(transparent=None):
    """Indices 0 to 4 by column, and the colours they stand for."""
    colours = np.array([[9, 8, 7], [250, 0, 0], [0, 250, 0], [0, 0, 250], [99, 99, 0]], np.uint8)
    indices = np.tile(np.arange(7, dtype=np.uint8) % 5, (5, 1))
    paletted = Image.new("P", (7, 5))
    paletted.putdata(list(indices.ravel()))
    paletted.putpalette(colours.ravel().tolist())
    expected = colours[indices]
    if transparent is not None:
        expected[indices == transparent] = 255
    return paletted, expected


PALETTE, PALETTE_RGB = palette_image()
PALETTE_RGB_HOLE = palette_image(transparent=2)[1]
BITS = GREY > 127
RGBA = np.dstack([RGB, ALPHA])
GREY_ALPHA = np.dstack([GREY, ALPHA])
FRAMES = [PALETTE, Image.new("P", PALETTE.size)]
BIG_ENDIAN = ">u2"
PICTURES = {
    "PNG": (encoded(RGB, "PNG"), RGB),
    "PNG interlaced colours with a profile": (encoded(RGB, "PNG", icc_profile=b"a profile"), RGB),
    "PNG grey": (encoded(GREY, "PNG"), three(GREY)),
    "PNG 1 bit": (encoded(Image.fromarray(BITS), "PNG"), three(BITS * np.uint8(255))),
    "PNG palette": (encoded(PALETTE, "PNG"), PALETTE_RGB),
    "PNG palette, one colour transparent": (
        encoded(PALETTE, "PNG", transparency=2),
        PALETTE_RGB_HOLE,
    ),
    "PNG palette, an alpha per colour": (
        encoded(PALETTE, "PNG", transparency=bytes([255, 255, 0, 255, 255])),
        PALETTE_RGB_HOLE,
    ),
    "PNG RGBA": (encoded(RGBA, "PNG"), over_white(RGB, ALPHA)),
    "PNG LA": (encoded(GREY_ALPHA, "PNG"), over_white(three(GREY), ALPHA)),
    "PNG RGB, one colour transparent": (
        encoded(RGB, "PNG", transparency=tuple(int(v) for v in RGB[0, 0])),
        over_white(RGB, 255 * ~(RGB == RGB[0, 0]).all(-1)),
    ),
    "PNG grey, one grey transparent": (
        encoded(GREY, "PNG", transparency=int(GREY[0, 0])),
        over_white(three(GREY), 255 * (GREY != GREY[0, 0])),
    ),
    "PNG 16-bit grey": (encoded(DEEP[..., 0], "PNG"), three(DEEP[..., 0] >> 8)),
    "PNG 16-bit RGB": (png(16, 2, [r.astype(BIG_ENDIAN).tobytes() for r in DEEP]), DEEP >> 8),
    "PNG 16-bit RGBA": (
        png(
            16,
            6,
            [r.astype(BIG_ENDIAN).tobytes() for r in np.dstack([DEEP, ALPHA * np.uint16(257)])],
        ),
        over_white(DEEP >> 8, ALPHA),
    ),
    "PNG animated": (encoded(RGB, "PNG", save_all=True, append_images=[FRAMES[1]]), RGB),
    "BMP": (encoded(RGB, "BMP"), RGB),
    "BMP grey": (encoded(GREY, "BMP"), three(GREY)),
    "BMP 1 bit": (encoded(Image.fromarray(BITS), "BMP"), three(BITS * np.uint8(255))),
    "BMP palette": (encoded(PALETTE, "BMP"), PALETTE_RGB),
    "GIF": (encoded(PALETTE, "GIF"), PALETTE_RGB),
    "GIF transparent": (encoded(PALETTE, "GIF", transparency=2), PALETTE_RGB_HOLE),
    "GIF, first frame": (
        encoded(PALETTE, "GIF", save_all=True, append_images=FRAMES[1:]),
        PALETTE_RGB,
    ),
    "PPM P1": (ppm("P1", "", 1 - BITS.astype(int)), three(BITS * np.uint8(255))),
    "PPM P2": (ppm("P2", 255, GREY), three(GREY)),
    "PPM P3": (ppm("P3", 255, RGB), RGB),
    "PPM P3 to 4095": (ppm("P3", 4095, TWELVE), TWELVE / 4095 * 255),
    "PPM P4": (
        ppm("P4", "", np.packbits(~BITS, axis=1), "u1").replace(b"\n1 5\n\n", b"\n7 5\n"),
        three(BITS * np.uint8(255)),
    ),
    "PPM P5": (ppm("P5", 255, GREY, "u1"), three(GREY)),
    "PPM P5 to 100": (ppm("P5", 100, GREY % 101, "u1"), three(GREY % 101) * 2.55),
    "PPM P5 to 4095": (ppm("P5", 4095, TWELVE[..., 0], BIG_ENDIAN), three(TWELVE[..., 0]) / 16.06),
    "PPM P5 16-bit": (ppm("P5", 65535, DEEP[..., 0], BIG_ENDIAN), three(DEEP[..., 0]) / 257),
    "PPM P6": (ppm("P6", 255, RGB, "u1"), RGB),
    "PPM P6 to 4095": (ppm("P6", 4095, TWELVE, BIG_ENDIAN), TWELVE / 4095 * 255),
    "PPM P6 16-bit": (ppm("P6", 65535, DEEP, BIG_ENDIAN), DEEP / 257),
    "WebP": (encoded(RGB, "WEBP", lossless=True), RGB),
    "WebP RGBA": (encoded(RGBA, "WEBP", lossless=True, exact=True), over_white(RGB, ALPHA)),
    "WebP animated": (
        encoded(
            RGB, "WEBP", lossless=True, save_all=True, append_images=[FRAMES[1].convert("RGB")]
        ),
        RGB,
    ),
}
ROUNDED = ("PPM", "RGBA", "LA")  # 1 level up or down


@pytest.mark.parametrize(("data", "expected"), PICTURES.values(), ids=PICTURES)
def test_every_kind_of_picture_becomes_rgb(request, tmp_path, decoded, data, expected):
    path = tmp_path / "photo.jpg"  # the name does not count
    path.write_bytes(data)
    image = decoded(path)
    assert image.dtype == np.uint8
    assert image.shape == RGB.shape
    slack = 1 if any(word in request.node.callspec.id for word in ROUNDED) else 0
    np.testing.assert_allclose(image, np.round(expected), atol=slack, rtol=0)


def test_a_jpeg_is_passed_on_as_it_lies_on_disk(tmp_path):
    data = encoded(RGB, "JPEG", comment="kept") + b"trailing bytes"
    (tmp_path / "photo.png").write_bytes(data)
    assert contents(tmp_path / "photo.png") == data


def test_of_a_jpeg_with_two_pictures_the_first_is_taken(tmp_path, decoded):
    """Phones write MPO files, named .jpg, with a depth map or a second view."""
    first = Image.new("RGB", (16, 8), (200, 0, 0))
    first.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[Image.new("RGB", (16, 8))])
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.n_frames == 2
    assert np.abs(decoded(tmp_path / "a.jpg").astype(int) - (200, 0, 0)).max() <= 3


def exif(order, orientation):
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    return header + struct.pack(f"{order}HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)


@pytest.mark.parametrize("file_format", ["PNG", "WEBP"])
@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_upright(tmp_path, decoded, orientation, order, file_format):
    path = tmp_path / "photo"
    options = {"lossless": True} if file_format == "WEBP" else {}
    header = b"Exif\0\0" + exif(order, orientation)
    path.write_bytes(encoded(RGB, file_format, exif=header, **options))
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    assert expected.shape[:2] == ((5, 7) if orientation < 5 else (7, 5))
    np.testing.assert_array_equal(decoded(path), expected)


@pytest.mark.parametrize(
    "header",
    [b"", b"M", b"garbage", b"MM\0*\xff\xff\xff\xff", b"II*\0\x08\0\0\0\xff\xff", exif(">", 9)],
    ids=repr,
)
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_malformed_exif_is_no_reason_to_refuse_a_png(tmp_path, decoded, header):
    path = tmp_path / "photo.png"
    rows = [row.tobytes() for row in RGB]
    path.write_bytes(png(8, 2, rows, (b"eXIf", header)))
    np.testing.assert_array_equal(decoded(path), RGB)


def test_malformed_exif_in_a_text_chunk_is_no_reason_either(tmp_path, decoded):
    """How ImageMagick used to store EXIF: as hex digits."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type exif", "\nexif\n    8\nno hex digits\n")
    (tmp_path / "photo.png").write_bytes(encoded(RGB, "PNG", pnginfo=info))
    np.testing.assert_array_equal(decoded(tmp_path / "photo.png"), RGB)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_malformed_exif_is_no_reason_to_refuse_a_jpeg(tmp_path):
    plain = encoded(RGB, "JPEG")
    for case in range(100):
        random = np.random.default_rng(case)
        payload = b"Exif\0\0" + exif("<", 6)[: random.integers(30)] + random.bytes(20)
        data = plain[:2] + struct.pack(">HH", 0xFFE1, len(payload) + 2) + payload + plain[2:]
        (tmp_path / "photo.jpg").write_bytes(data)
        assert contents(tmp_path / "photo.jpg") == data


def bomb(file_format):
    """A small file that claims 60000 x 60000 pixels."""
    data = bytearray(encoded(RGB, file_format))
    if file_format == "PNG":
        data[16:24] = struct.pack(">II", 60000, 60000)
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    elif file_format == "BMP":
        data[18:26] = struct.pack("<ii", 60000, 60000)
    else:
        start = data.index(b"\xff\xc0")
        data[start + 5 : start + 9] = struct.pack(">HH", 60000, 60000)
    return bytes(data)


NOISE = np.random.default_rng(4).integers(0, 256, (64, 64, 3), np.uint8)
NO_PICTURE = r"^not a JPEG, PNG, BMP, GIF, PPM, WebP, TIFF, AVIF or HEIC picture$"
TOO_LARGE = r"^more pixels than are taken from a stranger's file$"
BROKEN = {
    "empty": (b"", r"^an empty file$"),
    "text": (b"no photo", NO_PICTURE),
    "web page": (b"<!DOCTYPE html>\n<html><body>404</body></html>", NO_PICTURE),
    "only the start of a JPEG": (b"\xff\xd8\xff", NO_PICTURE),
    "JPEG's mark, then text": (b"\xff\xd8\xff\xe0 and then text", r"^cannot be read \(Trunc"),
    "ICO": (encoded(Image.fromarray(NOISE), "ICO"), NO_PICTURE),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", NO_PICTURE),
    "PFM": (b"Pf\n1 1\n-1.0\n" + bytes(4), r"^a picture of floating-point numbers$"),
    "cut JPEG": (encoded(NOISE, "JPEG")[:-2000], r"^damaged or cut off$"),
    "cut progressive JPEG": (
        encoded(NOISE, "JPEG", progressive=True)[:-2000],
        r"^damaged or cut off$",
    ),
    "cut PNG": (encoded(NOISE, "PNG")[:-2000], r"^cannot be read \(.*truncated"),
    "PNG, bad checksum": (encoded(NOISE, "PNG").replace(b"IHDR", b"IHDX"), r"^cannot be read|^not"),
    "cut BMP": (encoded(NOISE, "BMP")[:-2000], r"^cannot be read \(.*truncated"),
    "cut WebP": (encoded(NOISE, "WEBP")[:-2000], r"^cannot be read \(|^not a JPEG"),
    "cut PPM": (encoded(NOISE, "PPM")[:-2000], r"^cannot be read \("),
    "PPM without a size": (b"P6\n", r"^cannot be read \(|^not a JPEG"),
    "PNG of 3.6 thousand million pixels": (bomb("PNG"), TOO_LARGE),
    "BMP of 3.6 thousand million pixels": (bomb("BMP"), TOO_LARGE),
    "JPEG of 3.6 thousand million pixels": (bomb("JPEG"), TOO_LARGE),
}


@pytest.mark.parametrize(("data", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_refused_with_its_reason(tmp_path, read, data, reason):
    (tmp_path / "photo.jpg").write_bytes(data)
    (tmp_path / "good.jpg").write_bytes(encoded(RGB, "JPEG"))
    with pytest.raises(PhotoError, match=reason):
        read(str(tmp_path / "photo.jpg"))
    assert read(str(tmp_path / "good.jpg")).shape == (1, 4, 4, 3)


def test_a_lifted_limit_of_pillow_does_not_lift_ours(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    (tmp_path / "a.png").write_bytes(bomb("PNG"))
    with pytest.raises(PhotoError, match=r"^60000 x 60000 pixels are too many$"):
        contents(tmp_path / "a.png")


def test_what_is_no_file_is_refused_without_waiting(tmp_path, no_hang):
    os.mkfifo(tmp_path / "pipe.jpg")
    for path in (tmp_path, tmp_path / "pipe.jpg"):
        with pytest.raises(PhotoError, match=r"^not a regular file$"):
            contents(path)


def test_a_missing_files_reason_does_not_name_it(tmp_path):
    os.symlink("nowhere", tmp_path / "dangling.jpg")
    for name in ("missing.jpg", "dangling.jpg"):
        with pytest.raises(PhotoError, match=r"^cannot be read \(No such file or directory\)$"):
            contents(tmp_path / name)


@pytest.mark.parametrize("filling", [b"\0", b"\xff", b"\xff\xd8"])
def test_a_jpeg_of_nothing_but_filling_is_not_searched_byte_by_byte(tmp_path, no_hang, filling):
    """Pillow does, for minutes; a sparse file of a gigabyte has no room on a disk."""
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"\xff\xd8\xff\xe0\x00\x02" + filling * (40 << 20))
    start = time.process_time()
    with pytest.raises(PhotoError, match="^damaged or cut off$"), images.opened(path) as data:
        images.contents(data)
    assert time.process_time() - start < 2
