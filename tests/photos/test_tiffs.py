"""TIFF: the first page, of every kind that comes out right; all else is refused in one sentence."""

import io
import itertools
import struct
import subprocess
import sys
import time
import zlib

import cv2
import numpy as np
import pytest
import tifffiles as t
from PIL import Image, ImageOps
from tifffiles import tiff

from graphnets.errors import PhotoError
from graphnets.photos import images

HEIGHT, WIDTH = 37, 53
SIZE = {t.WIDTH: WIDTH, t.HEIGHT: HEIGHT}
NOISE = np.random.default_rng(1).integers(0, 65536, (HEIGHT, WIDTH, 4), np.uint16)
SMOOTH = (np.mgrid[:64, :64].sum(0) * 2).astype(np.uint8)
PHOTO = np.stack([SMOOTH, SMOOTH.T[::-1], SMOOTH[::-1]], -1)


def saved(picture, **options):
    buffer = io.BytesIO()
    picture = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    picture.save(buffer, "TIFF", **options)
    return buffer.getvalue()


def cut_up(samples, tiled):
    """Bytes of strips of 10 rows, or of tiles of 16 x 32, and their tags."""
    if not tiled:
        return {t.ROWS: 10}, [samples[top : top + 10].tobytes() for top in range(0, HEIGHT, 10)]
    whole = np.zeros((64, 64, samples.shape[2]), samples.dtype)
    whole[:HEIGHT, :WIDTH] = samples
    corners = itertools.product((0, 32), range(0, 64, 16))
    parts = [whole[top : top + 32, left : left + 16].tobytes() for top, left in corners]
    return {t.TILE_WIDTH: 16, t.TILE_HEIGHT: 32}, parts


def over_white(picture, alpha):
    return np.round(picture * (alpha / 255) + 255 * (1 - alpha / 255))


KINDS = {  # samples, photometric interpretation, what extra samples are, and the RGB of 8-bit ones
    "grey": (1, 1, None, lambda a: a.repeat(3, -1)),
    "grey, 0 is white": (1, 0, None, lambda a: 255 - a.repeat(3, -1)),
    "RGB": (3, 2, None, lambda a: a),
    "RGB and something": (4, 2, 0, lambda a: a[..., :3]),
    "RGBA": (4, 2, 2, lambda a: over_white(a[..., :3], a[..., 3:])),
    "CMYK": (4, 5, None, lambda a: (255 - a[..., :3]) * (255 - a[..., 3:]) / 255),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
@pytest.mark.parametrize("compressed", [False, True], ids=["raw", "deflate"])
@pytest.mark.parametrize("tiled", [False, True], ids=["strips", "tiles"])
def test_every_kind_becomes_rgb(kind, bits, order, compressed, tiled):
    count, photometric, extra, rgb = KINDS[kind]
    samples = (NOISE[..., :count] >> (16 - bits)).astype(f"{order}u{bits // 8}")
    tags, parts = cut_up(samples, tiled)
    tags |= {t.BITS: (3, [bits] * count), t.SAMPLES: count, t.PHOTOMETRIC: photometric}
    tags |= {t.COMPRESSION: 8 if compressed else 1, t.EXTRA: None if extra is None else (3, extra)}
    data = tiff(
        SIZE | tags, [zlib.compress(part) for part in parts] if compressed else parts, order
    )
    if (photometric, bits, order) == (0, 16, ">"):  # which Pillow does not know
        with pytest.raises(PhotoError, match="kind of it that is not read"):
            images.pixels(data)
        return
    expected = rgb((NOISE[..., :count] >> 8).astype(float))
    np.testing.assert_allclose(images.pixels(data), expected, atol=1, rtol=0)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "RGBA", "LA", "I;16"])
def test_what_pillow_writes_comes_back(mode, compression):
    picture = Image.fromarray(PHOTO).convert("L" if mode == "I;16" else mode)
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(picture).astype(np.uint16) << 8 | 99)
    expected = np.asarray(picture.convert("RGB"))
    if mode == "I;16":
        expected = np.stack([np.asarray(picture) >> 8] * 3, -1)
    data = saved(picture, compression=compression)
    np.testing.assert_array_equal(images.pixels(data), expected)


def test_jpeg_in_a_tiff_is_what_another_reader_sees():
    for options in ({}, {"tiffinfo": {t.ROWS: 16}}):
        data = saved(PHOTO, compression="jpeg", quality=95, **options)
        other = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        np.testing.assert_allclose(images.pixels(data), other, atol=2, rtol=0)
        np.testing.assert_allclose(images.pixels(data), PHOTO, atol=25, rtol=0)


def test_of_pages_the_first_is_taken_however_many_there_are():
    page = Image.new("L", (4, 3), 7)
    data = saved(PHOTO, save_all=True, append_images=[page] * 200, compression="raw")
    start = time.perf_counter()
    np.testing.assert_array_equal(images.pixels(data), PHOTO)
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_upright_once(tmp_path, orientation, compression):
    exif = Image.Exif()
    exif[t.ORIENTATION] = orientation
    drawn = Image.fromarray(PHOTO[:40])
    data = saved(drawn, exif=exif, compression=compression)
    drawn.getexif()[t.ORIENTATION] = orientation
    np.testing.assert_array_equal(images.pixels(data), np.asarray(ImageOps.exif_transpose(drawn)))


def test_an_exported_graph_takes_what_contents_makes_of_it(read, tmp_path):
    data = saved(PHOTO, compression="tiff_lzw")
    (tmp_path / "a.tif").write_bytes(data)
    (tmp_path / "a.png").write_bytes(images.contents(data))
    np.testing.assert_array_equal(read(str(tmp_path / "a.tif")), read(str(tmp_path / "a.png")))


RGB_TAGS = SIZE | {t.BITS: (3, [8] * 3), t.SAMPLES: 3, t.PHOTOMETRIC: 2, t.ROWS: HEIGHT}
GREY_TAGS = SIZE | {t.BITS: 8, t.PHOTOMETRIC: 1, t.ROWS: HEIGHT}
GREY = [bytes(HEIGHT * WIDTH)]
RGB = [bytes(3 * HEIGHT * WIDTH)]
CUT = r"^damaged or cut off$"
LESS = r"^(damaged or cut off|cannot be read \(.*(truncated|decoder error).*\))$"


def not_read(kind):
    return rf"^a TIFF {kind}, which is not read; save it as PNG$"


UNSIGNED = "whose samples are not unsigned numbers of 1, 2, 4, 8 or 16 bits"
ENDLESS = {t.WIDTH: 1 << 20, t.HEIGHT: 1 << 20, t.ROWS: 1 << 20}
REFUSED = {
    "floats": (saved(Image.new("F", (9, 9))), r"^a picture of floating-point numbers$"),
    "32 bits": (saved(Image.new("I", (9, 9))), not_read(UNSIGNED)),
    "signed": (tiff(GREY_TAGS | {t.FORMAT: (3, 2)}, GREY), not_read(UNSIGNED)),
    "12 bits": (tiff(GREY_TAGS | {t.BITS: 12}, GREY), not_read(UNSIGNED)),
    "bits of two kinds": (tiff(RGB_TAGS | {t.BITS: (3, [5, 6, 5])}, RGB), not_read(UNSIGNED)),
    "fax": (saved(Image.new("1", (9, 9)), compression="group4"), not_read("of compression 4")),
    "old JPEG": (tiff(RGB_TAGS | {t.COMPRESSION: 6}, RGB), not_read("of compression 6")),
    "Lab": (tiff(RGB_TAGS | {t.PHOTOMETRIC: 8}, RGB), not_read("of photometric interpretation 8")),
    "YCbCr, whose colours may be fewer": (
        tiff(RGB_TAGS | {t.PHOTOMETRIC: 6}, RGB), not_read("of photometric interpretation 6"),
    ),
    "a plane for each 16 bits": (
        tiff(RGB_TAGS | {t.BITS: (3, [16] * 3), t.PLANES: 2}, RGB * 3),
        not_read("with a plane for each sample"),
    ),
    "60000 samples": (
        tiff(RGB_TAGS | {t.SAMPLES: 60000}, RGB), not_read("with 60000 samples a pixel"),
    ),
    "raw file of a camera": (
        tiff(GREY_TAGS | {254: 1}, GREY),
        not_read("that begins with a small copy, as raw files of cameras do"),
    ),
    "grey of 16 bits and alpha": (
        tiff(GREY_TAGS | {t.BITS: (3, [16] * 2), t.SAMPLES: 2, t.EXTRA: 2}, GREY * 1),
        r"^a damaged TIFF, or a kind of it that is not read; save it as PNG$",
    ),
    "a million million pixels": (
        tiff(GREY_TAGS | ENDLESS, GREY), r"^1099511627776 pixels are too many$",
    ),
    "a small picture in an endless tile": (
        tiff(GREY_TAGS | {t.TILE_WIDTH: 1 << 20, t.TILE_HEIGHT: 1 << 20, t.ROWS: None}, GREY),
        r"^1099511627776 pixels are too many$",
    ),
    "2000 tags": (
        tiff(GREY_TAGS | {30000 + n: n for n in range(2000)}, GREY), r"^2007 tags are too many$",
    ),
    "a tag with a million numbers": (
        tiff(GREY_TAGS | {65000: (12, [0.5] * 300_000)}, GREY),
        r"^more numbers in tags than are taken from a stranger's file$",
    ),
    "a tag that says it has them": (
        tiff(GREY_TAGS, GREY).replace(struct.pack("<HHI", 258, 4, 1), b"\2\1\3\0\0\0\0\1"),
        r"^more numbers in tags than are taken from a stranger's file$",
    ),
    "no pixels": (tiff(GREY_TAGS | {t.WIDTH: 0}, GREY), CUT),
    "no size": (tiff(GREY_TAGS | {t.WIDTH: None}, GREY), CUT),
    "strips of no rows": (tiff(GREY_TAGS | {t.ROWS: 0}, GREY), CUT),
    "fewer strips than rows need": (tiff(GREY_TAGS | {t.ROWS: 10}, GREY * 2), CUT),
    "the same strip a thousand times": (tiff(GREY_TAGS | {t.ROWS: HEIGHT - 1}, GREY * 1000), CUT),
    "strips and tiles": (tiff(GREY_TAGS | {t.TILES: 8}, GREY), CUT),
    "a cut strip": (tiff(GREY_TAGS, [GREY[0][:-1700]]), LESS),
    "the mark alone": (b"II*\0", CUT),
    "no tags": (b"MM\0*\0\0\0\x08\0\0", CUT),
    "tags behind the end": (b"II*\0\xff\xff\xff\xff", CUT),
    "a BigTIFF's tags behind the end": (b"II+\0\x08\0\0\0" + b"\xff" * 8, CUT),
}  # fmt: skip


@pytest.mark.parametrize(("data", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_would_not_come_out_right_is_refused(tmp_path, data, reason):
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(PhotoError, match=reason), images.opened(tmp_path / "a.tif") as found:
        images.contents(found)


@pytest.mark.parametrize(
    "compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"]
)
@pytest.mark.parametrize("how", ["file", "counts", "zeros"])
def test_a_cut_strip_is_no_half_grey_picture(compression, how):
    """The strips' end is missing: in the file, as the tags have it, or zeros are in its place."""
    data = saved(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8),
                 compression=compression)  # fmt: skip
    with Image.open(io.BytesIO(data)) as image:
        tags = dict(image.tag_v2)
    [strip], [length] = tags[t.STRIPS], tags[t.STRIP_BYTES]
    part = data[strip : strip + length]
    half = part[: length // 2] + (bytes(length - length // 2) if how == "zeros" else b"")
    kept = (t.WIDTH, t.HEIGHT, t.COMPRESSION, t.PHOTOMETRIC, t.SAMPLES, t.ROWS)
    wanted = {tag: tags[tag] for tag in kept} | {t.BITS: (3, [8] * 3)}
    if 347 in tags:
        wanted[347] = (1, list(tags[347]))
        wanted[530] = (3, list(tags.get(530, (2, 2))))
    assert images.pixels(tiff(wanted, [part])).shape == (64, 64, 3)
    if how == "file":
        wanted[t.STRIP_BYTES] = len(part)
    if (compression, how) == ("raw", "zeros"):
        return  # as good as any pixels
    with pytest.raises(PhotoError, match=LESS):
        images.pixels(tiff(wanted, [half]))


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_damaged_exif_is_no_reason_to_refuse():
    for place in (5, 1 << 30):
        data = tiff(GREY_TAGS | {t.EXIF: place, 34853: place}, GREY)
        assert images.pixels(data).shape == (HEIGHT, WIDTH, 3)


def test_numbers_in_exif_count_too():
    """Pillow makes an object of each when it has decoded the pixels."""
    at = len(tiff(GREY_TAGS | {t.EXIF: 0}, GREY))
    data = tiff(GREY_TAGS | {t.EXIF: at}, GREY)
    data += struct.pack("<HHHII", 1, 65000, 12, 300_000, 8) + bytes(8 * 300_000)
    with pytest.raises(PhotoError, match="^more numbers in tags"):
        images.pixels(data)


def test_libtiff_prints_nothing(tmp_path):
    """It would print from C, past Python's stderr, about what PhotoError says anyway."""
    good = tiff(RGB_TAGS | {t.COMPRESSION: 8}, [zlib.compress(RGB[0])])
    bad = tiff(RGB_TAGS | {t.COMPRESSION: 8}, [zlib.compress(RGB[0])[:-9]])
    (tmp_path / "good.tif").write_bytes(good)
    (tmp_path / "bad.tif").write_bytes(bad)
    program = (
        "import sys; from graphnets.photos import look\n"
        "for found in look.looks(sys.argv[1:] * 20, lambda found: found): print(found.problem)"
    )
    paths = [str(tmp_path / name) for name in ("good.tif", "bad.tif")]
    ran = subprocess.run(
        [sys.executable, "-c", program, *paths], capture_output=True, text=True, check=True
    )
    assert ran.stderr == ""
    assert ran.stdout.splitlines() == ["", "cannot be read (decoder error -2)"] * 20
