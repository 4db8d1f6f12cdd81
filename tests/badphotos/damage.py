"""Cases that are bytes: cut, flipped, changed, with absurd headers, and odd but good ones."""

import io
import re
import struct
import zlib

import numpy as np
from PIL import Image, ImageCms

from tests.badphotos.case import EITHER, READ, REFUSED, SAME, Case
from tests.badphotos.pictures import KINDS, PLAIN, ending, sound
from tests.badphotos.rare import RARE
from tests.fuzz.mutate import mutated

SIZES = (0, 1, 65535, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFF0)
SEGMENTS = (0xC0, 0xC2, 0xC4, 0xDA, 0xDB)


def of_seed(seed, count):
    """count cases, each kind of damage and of file as often as the others."""
    makers = (cut, flipped, inserted, changed, header, oriented, profiled, odd)
    for number in range(count):
        random = np.random.default_rng([seed, number])
        kind = list(KINDS)[(number // len(makers)) % len(KINDS)]
        group, data, source, wanted = makers[number % len(makers)](random, kind)
        yield Case(group, f"{number:05d}_{kind}.{ending(kind)}", data, source, wanted)


def cut(random, kind):
    data = sound(kind, random)
    return "cut", data[: int(random.integers(1, len(data)))], data, SAME


def flipped(random, kind):
    data = sound(kind, random)
    found = bytearray(data)
    for _ in range(random.integers(1, 4)):
        found[int(random.integers(len(found)))] ^= 1 << int(random.integers(8))
    return "bits flipped", bytes(found), data, EITHER


def inserted(random, kind):
    data = sound(kind, random)
    place, more = int(random.integers(len(data) + 1)), random.bytes(int(random.integers(1, 99)))
    if random.integers(4) == 0:
        return "bytes behind the end", data + more, data, SAME
    return "bytes inserted", data[:place] + more + data[place:], data, EITHER


def changed(random, kind):
    data = sound(kind, random)
    return "several changes", mutated(random, data), data, EITHER


def header(random, kind):
    """Sizes, lengths of chunks and kinds that cannot be, where each format has them."""
    data = sound(kind, random)
    width, height = (int(SIZES[random.integers(len(SIZES))]) for _ in range(2))
    return "absurd header", HEADERS[KINDS[kind][0]](random, data, width, height), data, EITHER


def _jpeg(random, data, width, height):
    how = random.integers(4)
    start = re.search(rb"\xff[\xc0-\xc3\xc9]", data).start()
    found = bytearray(data)
    if how == 0:
        found[start + 5 : start + 9] = struct.pack(">HH", height & 0xFFFF, width & 0xFFFF)
    elif how == 1:
        found[start + 4] = 12  # bits
    elif how == 2:
        found[start + 1] = random.choice([0xC1, 0xC3, 0xC5, 0xC9, 0xCA, 0xCB])  # C9: arithmetic
    else:
        marker = bytes([0xFF, int(random.choice(SEGMENTS))])
        place = data.find(marker)
        place = start if place < 0 else place
        found[place + 2 : place + 4] = struct.pack(">H", int(random.choice([0, 1, 2, 3, 65535])))
    return bytes(found)


def _png(random, data, width, height):
    if random.integers(3) == 0:
        place = data.index(b"IDAT") - 4
        return data[:place] + struct.pack(">I", width) + data[place + 4 :]
    body = b"IHDR" + struct.pack(">II", width, height) + data[24:29]
    return data[:12] + body + struct.pack(">I", zlib.crc32(body)) + data[33:]


def _bmp(random, data, width, height):
    return data[:18] + struct.pack("<II", width, height) + data[26:]


def _gif(random, data, width, height):
    size = struct.pack("<HH", width & 0xFFFF, height & 0xFFFF)
    place = 6 if random.integers(2) else data.index(b"\x2c", 13 + 3 * 2) + 5
    return data[:place] + size + data[place + 4 :]


def _ppm(random, data, width, height):
    sizes = random.choice([f"{width} {height}", f"-{width} 5", "5", "9" * 40])
    return data[:3] + str(sizes).encode() + b"\n" + data[data.index(b"\n", 3) + 1 :]


def _webp(random, data, width, height):
    place = (4, 16)[random.integers(2)]
    return data[:place] + struct.pack("<I", width) + data[place + 4 :]


def _tiff(random, data, width, height):
    found = bytearray(data)
    place = struct.unpack("<I", data[4:8])[0]
    entry = place + 2 + 12 * int(random.integers(struct.unpack("<H", data[place : place + 2])[0]))
    found[entry + 4 * int(random.integers(1, 3)) :][:4] = b""
    at = entry + 4 * int(random.integers(1, 3))
    found[at : at + 4] = struct.pack("<I", width)
    return bytes(found)


def _boxes(random, data, width, height):
    place = data.index(b"ispe") + 8
    return data[:place] + struct.pack(">II", width, height) + data[place + 8 :]


HEADERS = {
    "JPEG": _jpeg, "PNG": _png, "BMP": _bmp, "GIF": _gif, "PPM": _ppm, "WEBP": _webp,
    "TIFF": _tiff, "AVIF": _boxes, "HEIF": _boxes,
}  # fmt: skip
TURNED = [kind for kind in PLAIN if KINDS[kind][0] in ("JPEG", "PNG", "WEBP")]


def oriented(random, kind):
    """EXIF with each orientation, and with damage behind its mark."""
    kind = kind if kind in TURNED else TURNED[int(random.integers(len(TURNED)))]
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = int(random.integers(1, 9)), "a photo"
    whole = exif.tobytes()
    if random.integers(2):
        return "EXIF", sound(kind, random, exif=whole), None, READ
    found = bytearray(whole)
    found[int(random.integers(6, len(found)))] = int(random.integers(256))
    data = sound(kind, random, exif=bytes(found[: random.integers(7, len(found) + 1)]))
    return "EXIF damaged", data, None, READ


def profiled(random, kind):
    """A colour profile, whole, cut, or of noise."""
    plain = kind in PLAIN and KINDS[kind][0] not in ("BMP", "GIF", "PPM")
    kind = kind if plain else "jpeg"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = profile[:24] + bytes(12) + profile[36:]  # the time at which it was made
    how = random.integers(3)
    profile = (profile, profile[: random.integers(1, len(profile))], random.bytes(200))[how]
    group = "ICC profile" if how == 0 else "ICC profile damaged"
    return group, sound(kind, random, icc_profile=profile), None, READ


def odd(random, kind):
    """Sound files of each kind; bytes that are no picture; CMYK without Adobe's mark, YCCK."""
    how = random.integers(4)
    if how == 0:
        return "no picture", bytes(random.choice(np.array(NONE, object))), None, REFUSED
    data = sound("jpeg_cmyk" if how == 1 else kind, random)
    if how == 1:
        start = data.index(b"\xff\xee\x00\x0eAdobe")
        mark = data[start : start + 15] + b"\x02" if random.integers(2) else b""
        return "CMYK unmarked, YCCK", data[:start] + mark + data[start + 16 :], None, READ
    return "sound", data, None, EITHER if kind in RARE else READ


def _zip():
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.jpg", b"none")
    return buffer.getvalue()


NONE = [
    b"\xff", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"RIFF", b"II*\0", b"P6 ",
    b"a note\n", b"<!DOCTYPE html><p>404", bytes(5000), b"\xff\xd8\xff\xd9", _zip(),
]  # fmt: skip
