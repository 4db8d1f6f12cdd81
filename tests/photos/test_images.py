"""Photos: which files are taken, why others are not, what they look like, where they go."""

import faulthandler
import hashlib
import io
import os
import struct
import zlib

import numpy as np
import pandas as pd
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image, ImageOps, PngImagePlugin

from graphnets.errors import GraphnetsError, PhotoError
from graphnets.photos import images, jpeg
from graphnets.photos.reading import photo_reader

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
        yield lambda path: decode(images.contents(path))


@pytest.fixture(scope="module")
def read():
    with tf.Graph().as_default(), tf.Session() as session:
        yield photo_reader(session, (4, 4))


@pytest.fixture
def no_hang():
    """Waiting for a pipe would otherwise stop the whole test run without a word."""
    faulthandler.dump_traceback_later(60, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


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
    assert images.contents(tmp_path / "photo.png") == data


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
        assert images.contents(tmp_path / "photo.jpg") == data


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
NO_PICTURE = r"^not a JPEG, PNG, BMP, GIF, PPM or WebP picture$"
TOO_LARGE = r"^more pixels than are taken from a stranger's file$"
BROKEN = {
    "empty": (b"", r"^an empty file$"),
    "text": (b"no photo", NO_PICTURE),
    "web page": (b"<!DOCTYPE html>\n<html><body>404</body></html>", NO_PICTURE),
    "only the start of a JPEG": (b"\xff\xd8\xff", NO_PICTURE),
    "JPEG's mark, then text": (b"\xff\xd8\xff\xe0 and then text", r"^cannot be read \(Trunc"),
    "TIFF": (encoded(RGB, "TIFF"), NO_PICTURE),
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
        images.contents(tmp_path / "a.png")


def test_what_is_no_file_is_refused_without_waiting(tmp_path, no_hang):
    os.mkfifo(tmp_path / "pipe.jpg")
    for path in (tmp_path, tmp_path / "pipe.jpg"):
        with pytest.raises(PhotoError, match=r"^not a regular file$"):
            images.contents(path)


def test_a_missing_files_reason_does_not_name_it(tmp_path):
    os.symlink("nowhere", tmp_path / "dangling.jpg")
    for name in ("missing.jpg", "dangling.jpg"):
        with pytest.raises(PhotoError, match=r"^cannot be read \(No such file or directory\)$"):
            images.contents(tmp_path / name)


def make_folder(folder, **classes):
    """Each class with so many different small photos, 0.png onwards."""
    for label, count in classes.items():
        (folder / label).mkdir(parents=True)
        for i in range(count):
            path = folder / label / f"{i}.png"
            Image.new("RGB", (2, 2), (i, len(label), ord(label[0]) % 256)).save(path)
    return folder


def test_scan_lists_the_photos_by_class_and_name(tmp_path):
    make_folder(tmp_path, roses=3, daisies=4)
    (tmp_path / "daisies" / "B.png").write_bytes(b"upper case")
    photos = images.scan(tmp_path)
    assert list(photos.columns) == ["path", "label", "key", "problem"]
    names = ["0.png", "1.png", "2.png", "3.png", "B.png"]
    expected = [tmp_path / "daisies" / name for name in names]
    expected += [tmp_path / "roses" / name for name in names[:3]]
    assert list(photos.path) == [str(path) for path in expected]
    assert list(photos.label) == ["daisies"] * 5 + ["roses"] * 3
    digests = [hashlib.sha256(path.read_bytes()).hexdigest()[:32] for path in expected]
    assert list(photos.key) == digests
    assert list(photos.problem) == [""] * 8


def test_the_key_of_a_large_file_is_of_all_its_bytes(tmp_path):
    make_folder(tmp_path, a=3, b=3)
    data = np.random.default_rng(6).bytes(3_000_001)
    (tmp_path / "a" / "9.jpg").write_bytes(data)
    key = images.scan(tmp_path).key[3]
    assert key == hashlib.sha256(data).hexdigest()[:32]


def test_the_key_depends_on_the_bytes_alone(tmp_path):
    here = make_folder(tmp_path / "here", a=3, b=3)
    there = tmp_path / "there"
    here_keys = images.scan(here).key
    here.rename(there)
    os.rename(there / "b" / "2.png", there / "b" / "another name.jpeg")
    os.utime(there / "b" / "1.png", (0, 0))
    (there / "a" / "copy.gif").write_bytes((there / "b" / "0.png").read_bytes())
    photos = images.scan(there)
    assert list(photos.key[photos.path.str.endswith("png")]) == list(here_keys[:5])
    assert set(photos.key) == set(here_keys)


def test_scan_tells_how_far_it_is(tmp_path):
    seen = []

    def progress(items, total, desc):
        for item in items:
            seen.append((total, desc))
            yield item

    images.scan(make_folder(tmp_path, a=3, b=4), progress)
    assert seen == [(7, "reading photos")] * 7


def test_hidden_files_and_what_file_managers_leave_are_passed_over(tmp_path):
    make_folder(tmp_path, a=3, b=3)
    make_folder(tmp_path, **{".hidden": 3})
    for name in (".DS_Store", "._0.png", "Thumbs.db", "desktop.ini", "Desktop.INI"):
        (tmp_path / "a" / name).write_bytes(b"x")
    (tmp_path / "README.txt").write_text("beside the classes")
    photos = images.scan(tmp_path)
    assert len(photos) == 6
    assert set(photos.label) == {"a", "b"}


def test_what_is_no_file_is_named_and_the_scan_goes_on(tmp_path, no_hang):
    make_folder(tmp_path, a=3, b=3)
    os.mkfifo(tmp_path / "a" / "pipe.jpg")
    os.symlink("nowhere.jpg", tmp_path / "a" / "dangling.jpg")
    os.symlink("loop.jpg", tmp_path / "a" / "loop.jpg")
    os.symlink("loop", tmp_path / "loop")
    (tmp_path / "a" / "more").mkdir()
    (tmp_path / "a" / "note.txt").write_text("has a key; what it is shows when it is decoded")
    photos = images.scan(tmp_path)
    bad = photos[photos.problem != ""]
    assert {os.path.basename(row.path): row.problem for row in bad.itertuples()} == {
        "pipe.jpg": "not a regular file",
        "dangling.jpg": "cannot be opened (No such file or directory)",
        "loop.jpg": "cannot be opened (Too many levels of symbolic links)",
        "more": "a folder inside a class folder",
    }
    assert set(bad.key) == {""}
    assert len(photos) == 11


def test_links_to_photos_and_to_class_folders_are_followed(tmp_path):
    make_folder(tmp_path / "store", real=4)
    make_folder(tmp_path / "photos", a=3)
    os.symlink(tmp_path / "store" / "real", tmp_path / "photos" / "linked")
    os.symlink(tmp_path / "store" / "real" / "3.png", tmp_path / "photos" / "a" / "3.png")
    photos = images.scan(tmp_path / "photos")
    assert list(photos.label) == ["a"] * 4 + ["linked"] * 4
    assert list(photos.problem) == [""] * 8
    assert photos.key[3] == photos.key[7]


def test_a_label_is_its_folders_name_unchanged(tmp_path):
    """retrain.py made one label of names that differ in case or punctuation."""
    labels = [
        "Red Rose",
        "red rose",
        "red_rose",
        "red-rose",
        " red rose",
        "r\u00f6schen",
        "赤いバラ",
    ]
    make_folder(tmp_path, **dict.fromkeys(labels, 3))
    photos = images.split(images.scan(tmp_path))
    assert photos.groupby("label").size().to_dict() == dict.fromkeys(labels, 3)
    assert all(
        os.path.basename(os.path.dirname(row.path)) == row.label for row in photos.itertuples()
    )


def test_names_that_are_no_text_are_taken(tmp_path, read):
    make_folder(tmp_path, a=3, caf=3)
    root = os.fsencode(tmp_path)
    os.rename(root + b"/caf", root + b"/caf\xe9")
    os.rename(root + b"/a/0.png", root + b"/a/\xff\n.png")
    photos = images.split(images.scan(tmp_path))
    assert set(photos.label) == {"a", "caf\udce9"}
    assert set(photos.split) == {"training", "validation", "testing"}
    for path in photos.path:
        assert read(path).shape == (1, 4, 4, 3)


@pytest.mark.parametrize("name", ["two\nlines", "ends\n", "\n", "returns\r", "separated\u2028"])
def test_a_folder_name_with_a_line_break_is_an_error(tmp_path, name):
    make_folder(tmp_path, a=3, **{name: 3})
    with pytest.raises(GraphnetsError, match=r"^the folder name .*\\.* has a line break; rename"):
        images.scan(tmp_path)


def test_a_folder_of_folders_is_an_error_that_names_the_one_to_use(tmp_path):
    make_folder(tmp_path / "flowers" / "train", a=3, b=3)
    with pytest.raises(GraphnetsError, match=r"flowers/train holds folders, not photos.*name\?$"):
        images.scan(tmp_path / "flowers")


def test_what_is_no_folder_is_an_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for name in ("file", "missing"):
        with pytest.raises(GraphnetsError, match=rf"{name} is no folder; wanted one with a sub-f"):
            images.scan(tmp_path / name)


def test_a_folder_that_cannot_be_read_is_an_error(tmp_path, monkeypatch):
    make_folder(tmp_path, a=3, b=3)
    real = os.scandir

    def scandir(path):
        if str(path).endswith("b"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(GraphnetsError, match=r"/b cannot be read: Permission denied$"):
        images.scan(tmp_path)


def test_a_class_needs_three_usable_photos(tmp_path):
    make_folder(tmp_path, a=3, b=2, c=1)
    (tmp_path / "b" / "folder").mkdir()
    wanted = (
        r"^each class needs 3 readable photos or more, but b has 2 \(of 3 files\); "
        r"c has 1 \(of 1 files\): add photos or take the folder away$"
    )
    with pytest.raises(GraphnetsError, match=wanted):
        images.scan(tmp_path)


@pytest.mark.parametrize("labels", [[], ["a"]])
def test_two_classes_are_needed(tmp_path, labels):
    make_folder(tmp_path, **dict.fromkeys(labels, 3))
    Image.new("RGB", (2, 2)).save(tmp_path / "beside.png")
    with pytest.raises(GraphnetsError, match=rf"^found {len(labels)} class folders with photos"):
        images.scan(tmp_path)


def test_photos_that_turn_out_unreadable_count_no_more(tmp_path):
    photos = images.scan(make_folder(tmp_path, a=3, b=4))
    photos.loc[6, "problem"] = "damaged"
    images.check_classes(photos)
    photos.loc[5, "problem"] = "damaged"
    with pytest.raises(GraphnetsError, match=r"but b has 2 \(of 4 files\): add"):
        images.check_classes(photos)


def table(**classes):
    """A table of photos as `scan` gives it, without the files."""
    rows = [
        {"path": f"/any/where/{label}/{name}", "label": label, "key": "", "problem": ""}
        for label, names in classes.items()
        for name in names
    ]
    return pd.DataFrame(rows, dtype=object)


def numbered(count):
    return [f"{i:05d}.jpg" for i in range(count)]


def percentage(label, name):
    """retrain.py's formula, of class/file instead of the full path."""
    hashed = f"{label}/{name}".split("_nohash_")[0]
    largest = 2**27 - 1
    return int(hashlib.sha1(hashed.encode()).hexdigest(), 16) % (largest + 1) * (100.0 / largest)


def expected_split(label, name, testing=10, validation=10):
    percent = percentage(label, name)
    if percent < validation:
        return "validation"
    return "testing" if percent < validation + testing else "training"


@pytest.mark.parametrize(("testing", "validation"), [(10, 10), (20, 5), (0.5, 60), (50, 49)])
def test_the_split_is_retrains_formula(testing, validation):
    photos = images.split(table(a=numbered(600), b=numbered(500)), testing, validation)
    expected = [
        expected_split(label, name, testing, validation)
        for label, count in (("a", 600), ("b", 500))
        for name in numbered(count)
    ]
    assert set(expected) == {"training", "validation", "testing"}
    assert list(photos.split) == expected


def test_the_split_does_not_depend_on_where_the_folder_lies(tmp_path, monkeypatch):
    make_folder(tmp_path / "here", a=30, b=30)
    here = images.split(images.scan(tmp_path / "here"))
    (tmp_path / "much" / "deeper").mkdir(parents=True)
    (tmp_path / "here").rename(tmp_path / "much" / "deeper" / "there")
    monkeypatch.chdir(tmp_path / "much" / "deeper")
    for spelling in (tmp_path / "much" / "deeper" / "there", "there", "there/", "./there//"):
        there = images.split(images.scan(spelling))
        assert list(there.split) == list(here.split)
        assert list(there.path.map(os.path.basename)) == list(here.path.map(os.path.basename))
    monkeypatch.chdir("there")
    assert list(images.split(images.scan(".")).split) == list(here.split)


def test_photos_stay_in_their_split_when_others_are_added():
    few = images.split(table(a=numbered(200), b=numbered(200)))
    many = images.split(table(a=numbered(1000), b=numbered(200), c=numbered(50)))
    assert set(few[few.label == "a"].split) == {"training", "validation", "testing"}
    later = many.set_index("path").split
    assert list(later[few.path]) == list(few.split)


@pytest.mark.parametrize(("testing", "validation"), [(10, 10), (1, 1), (0.001, 98), (98, 0.001)])
def test_no_class_however_small_has_an_empty_split(testing, validation):
    random = np.random.default_rng(8)
    classes = {
        f"class {i}": [f"{random.integers(10**9)}.jpg" for _ in range(random.integers(3, 13))]
        for i in range(150)
    }
    photos = images.split(table(**classes), testing, validation)
    counts = photos.groupby(["label", "split"]).size().unstack()
    assert counts.shape == (150, 3)
    assert counts.notna().all(axis=None)


def test_of_three_photos_those_with_the_lowest_percentages_are_held_out():
    for i in range(20):
        label = f"c{i}"
        photos = images.split(table(**{label: numbered(3)}))
        ordered = sorted(numbered(3), key=lambda name, label=label: percentage(label, name))
        by_name = dict(zip(numbered(3), photos.split, strict=True))
        assert [by_name[name] for name in ordered] == ["validation", "testing", "training"]


def test_photos_that_agree_up_to_nohash_stay_together():
    names = [f"flower{i}_nohash_{j}_x.jpg" for i in range(80) for j in range(4)]
    photos = images.split(table(a=names))
    groups = photos.split.groupby(photos.path.str.split("_nohash_").str[0])
    assert set(groups.nunique()) == {1}
    assert groups.ngroups == 80
    assert set(photos.split) == {"training", "validation", "testing"}
    assert list(photos.split) == [expected_split("a", name) for name in names]


def test_small_classes_of_groups_have_no_empty_split_either():
    random = np.random.default_rng(9)
    for case in range(60):
        names = [f"{case}.{i}_nohash_{j}" for i in range(3) for j in range(random.integers(1, 5))]
        photos = images.split(table(a=names))
        groups = photos.split.groupby(photos.path.str.split("_nohash_").str[0])
        assert set(groups.nunique()) == {1}
        assert set(photos.split) == {"training", "validation", "testing"}


@pytest.mark.parametrize("count", [3, 7, 400])
@pytest.mark.parametrize(
    ("testing", "validation", "splits"),
    [
        (0, 0, {"training"}),
        (0, 10, {"training", "validation"}),
        (10, 0, {"training", "testing"}),
        (99.9, 0, {"training", "testing"}),
    ],
)
def test_a_percentage_of_0_is_honoured(count, testing, validation, splits):
    assert set(images.split(table(a=numbered(count)), testing, validation).split) == splits


def test_what_is_left_out_is_in_no_split_and_changes_no_other():
    photos = table(a=numbered(300))
    every = images.split(photos)
    left_out = every.index % 5 == 0
    photos.loc[left_out, "problem"] = "damaged"
    rest = images.split(photos)
    assert set(rest.split[left_out]) == {""}
    assert list(rest.split[~left_out]) == list(every.split[~left_out])
    assert "split" not in photos


@pytest.mark.parametrize(("testing", "validation"), [(-1, 10), (10, -0.1), (50, 50), (0, 100)])
def test_percentages_that_leave_nothing_to_train_on_are_an_error(testing, validation):
    wanted = rf"^testing {testing} % and validation {validation} % leave nothing to train on; want"
    with pytest.raises(GraphnetsError, match=wanted):
        images.split(table(a=numbered(5)), testing, validation)


def test_a_percentage_that_is_no_number_is_an_error():
    with pytest.raises(GraphnetsError, match="^testing nan % and validation 10 % leave nothing"):
        images.split(table(a=numbered(5)), float("nan"), 10)


def test_a_class_folder_without_a_photo_is_an_error(tmp_path):
    (tmp_path / "roses").mkdir()
    (tmp_path / "roses" / ".hidden.jpg").write_bytes(b"")
    wanted = "^the class folder .*roses has no photos, each class needs 3 or more: add photos or"
    with pytest.raises(GraphnetsError, match=wanted):
        images.scan(tmp_path)


def test_a_class_of_fewer_than_three_groups_is_an_error():
    names = ["x_nohash_1.jpg", "x_nohash_2.jpg", "y_nohash_1.jpg"]
    with pytest.raises(GraphnetsError, match=r"^class a\\n has 2 group\(s\) of photos with one n"):
        images.split(table(**{"a\n": names}))


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("a plain näme, 赤 (1).jpg", "a plain näme, 赤 (1).jpg"),
        ("\x1b[2Jclears\x07", r"\x1b[2Jclears\x07"),
        ("two\nlines\r\t", r"two\nlines\r\t"),
        ("caf\udce9", r"caf\udce9"),
        ("right\u202eto left\u2028", r"right\u202eto left\u2028"),
        ("\x00\x7f\x9b", r"\x00\x7f\x9b"),
        (ValueError("bad\nthing"), r"bad\nthing"),
    ],
)
def test_shown_text_is_safe_to_print(text, safe):
    assert images.shown(text) == safe
    assert images.shown(text).encode().decode().isprintable()
