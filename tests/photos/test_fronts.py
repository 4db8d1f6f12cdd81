"""Of a large file that is no picture, little is read, wherever it comes from."""

import io
import os
import struct
import time
import tracemalloc

import numpy as np
import pytest
from PIL import Image
from tifffiles import BITS, HEIGHT, PHOTOMETRIC, STRIPS, WIDTH, tiff

from graphnets import storage
from graphnets.errors import PhotoError
from graphnets.photos import images, kinds, tiffs
from graphnets.photos.listing import scan

UNKNOWN = f"not a {kinds.PICTURE}"
CUT = "damaged or cut off"
HUGE = 1 << 30
GREY = {WIDTH: 4, HEIGHT: 4, BITS: 8, PHOTOMETRIC: 1}
IHDR = b"\x89PNG\r\n\x1a\n" + struct.pack(
    ">I4sIIBBBBBI", 13, b"IHDR", 4, 4, 8, 2, 0, 0, 0, 0x26930929
)


def riff(size, frame):
    return b"RIFF" + struct.pack("<I", size) + b"WEBP" + frame


def boxes(*names, brand=b"avif"):
    found = struct.pack(">I", 16) + b"ftyp" + brand + bytes(4)
    return found + b"".join(struct.pack(">I", 8) + name for name in names)


FRONTS = {
    "zeros": (b"", UNKNOWN),
    "a film": (struct.pack(">I", 24) + b"ftypisom" + bytes(12), UNKNOWN),
    "JPEG": (b"\xff\xd8\xff", CUT),
    "PNG": (IHDR[:8], UNKNOWN),
    "PNG with a text that does not end": (IHDR + b"\x3f\xff\xff\x00tEXt", CUT),
    "BMP with a header that does not end": (b"BM" + bytes(12) + b"\xff\xff\xff\x3e", CUT),
    "GIF": (b"GIF89a", CUT),
    "PPM": (b"P6 ", f"cannot be read (b'Token too long in file header: {repr(bytes(11))[2:]})"),
    "WebP of no frame": (riff(99, b""), CUT),
    "WebP that says it is longer": (riff(HUGE + 9, b"VP8L\0\0\0\0\x2f"), CUT),
    "WebP whose frame is longer than it": (riff(HUGE - 9, b"VP8L\xff\xff\xff\x3f\x2f"), CUT),
    "AVIF of one box": (boxes(), CUT),
    "HEIC of free room": (boxes(b"free", b"skip", brand=b"heic"), CUT),
    "TIFF": (b"II*\0\x08\0\0\0", CUT),
    "TIFF whose width is a gigabyte": (
        tiff(GREY, [bytes(16)]).replace(
            struct.pack("<HHI", WIDTH, 4, 1), struct.pack("<HHI", WIDTH, 1, HUGE - 999)
        ),
        "more numbers in tags than are taken from a stranger's file",
    ),
}  # fmt: skip


def sparse(path, front, size=HUGE):
    with open(path, "wb") as file:
        file.write(front)
        file.truncate(size)


@pytest.mark.parametrize(("front", "reason"), FRONTS.values(), ids=FRONTS)
def test_a_large_file_is_refused_by_its_front(tmp_path, no_hang, front, reason):
    sparse(tmp_path / "a.jpg", front)
    start = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(PhotoError) as told, images.opened(tmp_path / "a.jpg"):
            pytest.fail("it was read")
        assert tracemalloc.get_traced_memory()[1] < 4 * images.LARGE
    finally:
        tracemalloc.stop()
    assert str(told.value) == reason
    assert time.process_time() - start < 1


def test_a_scan_names_it_without_its_bytes(tmp_path, monkeypatch):
    for label in "ab":
        (tmp_path / label).mkdir()
        for number in range(3):
            Image.new("RGB", (4, 4), (number, 9, 9)).save(tmp_path / label / f"{number}.png")
    sparse(tmp_path / "a" / "sparse.jpg", b"\xff\xd8\xff")
    hashed = []
    monkeypatch.setattr(
        "graphnets.photos.listing.sha256", lambda path, size: hashed.append(size) or "0"
    )
    photos = scan(tmp_path)
    assert list(photos.problem) == ["", "", "", CUT, "", "", ""]
    assert list(photos.key)[3] == "" and max(hashed) < 1000


def encoded(kind, **more):
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    Image.fromarray(noise).save(buffer, kind, **more)
    return buffer.getvalue()


def segments(count):
    data = encoded("JPEG")
    return data[:2] + (b"\xff\xe2\xff\xff" + bytes(65533)) * count + data[2:]


GOOD = {kind: encoded(kind) for kind in ("JPEG", "PNG", "BMP", "GIF", "PPM", "WEBP", "AVIF")}
GOOD |= {
    "segments": segments(100), "TIFF": encoded("TIFF", compression="tiff_lzw"),
    "lossless": encoded("WEBP", lossless=True),
    "WEBP, EXIF": encoded("WEBP", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"),
}  # fmt: skip


@pytest.mark.parametrize("kind", GOOD)
def test_a_large_picture_is_read_as_a_small_one(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(images, "LARGE", 100)
    (tmp_path / "a").write_bytes(GOOD[kind])
    with images.opened(tmp_path / "a") as data:
        assert data == GOOD[kind]
    images.check_mark(GOOD[kind][: kinds.HEAD], 101)
    sparse(tmp_path / "b", GOOD[kind], len(GOOD[kind]) + 999)
    with images.opened(tmp_path / "b") as data:
        assert data == GOOD[kind] + bytes(999)


def test_a_gif_of_nothing_but_zeros_is_not_searched_byte_by_byte(no_hang):
    start = time.process_time()
    with pytest.raises(PhotoError, match=f"^{CUT}$"):
        images.pixels(b"GIF89a" + bytes(16 << 20))
    assert time.process_time() - start < 1
    assert images.pixels(GOOD["GIF"]).shape == (32, 32, 3)


def test_a_heic_is_known_with_no_plugin(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "LARGE", 10)
    sparse(tmp_path / "a", boxes(b"free", b"meta", brand=b"heic"), 999)
    with images.opened(tmp_path / "a") as data:
        assert len(data) == 999


def test_at_an_address_the_mark_decides_before_the_rest_is_fetched(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "LARGE", 2 << 20)
    (tmp_path / "bad.jpg").write_bytes(b"a film" + bytes(3 << 20))
    (tmp_path / "good.jpg").write_bytes(segments(50) + bytes(3 << 20))
    fetched = []
    part = storage._part
    monkeypatch.setattr(storage, "_part", lambda a, n: fetched.append(n) or part(a, n))
    addresses = [f"file://{tmp_path}/{name}.jpg" for name in ("bad", "good")]
    with pytest.raises(PhotoError, match=f"^{UNKNOWN}$"), images.opened(addresses[0]):
        pytest.fail("it was read")
    with pytest.raises(PhotoError, match=f"^{UNKNOWN}$"):
        storage.read(addresses[0], images.MAX_BYTES, images.check_mark)
    assert max(fetched) == storage.PIECE + 1
    with images.opened(addresses[1]) as data:
        assert len(data) == os.path.getsize(tmp_path / "good.jpg")


def test_strips_that_say_they_are_the_same_gigabyte_are_not_read(tmp_path):
    count = 1000
    tags = GREY | {
        HEIGHT: count,
        259: 7,
        278: 1,
        STRIPS: (4, [8] * count),
        279: (4, [HUGE >> 1] * count),
    }
    sparse(tmp_path / "a.tif", tiff(tags, [b"\xff\xd8"]))
    start = time.process_time()
    with open(tmp_path / "a.tif", "rb") as file, pytest.raises(PhotoError, match=f"^{CUT}$"):
        tiffs.first_page(file)
    assert time.process_time() - start < 0.5
