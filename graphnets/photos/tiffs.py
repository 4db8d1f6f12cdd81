"""What the first page of a TIFF says of itself, checked before a decoder acts on it.

Pillow and the libtiff behind it take a file's own numbers on trust: strips that are missing come
out black, JPEG strips that are cut come out grey, and some kinds of samples come out as others.
"""

from __future__ import annotations

import ctypes
import io
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

from PIL import Image

from graphnets.errors import PhotoError

MARKS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # what one begins with; + is a BigTIFF
MAX_TAGS = 1000
MAX_NUMBERS = 1 << 18  # in all tags; Pillow makes 40 to 200 bytes of each
MAX_SAMPLES = 6  # a pixel
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q"}
BYTES = (1, 2, 6, 7)  # types that stay bytes in Pillow
SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 254, 256, 257, 258, 259, 262
STRIPS, SAMPLES, ROWS, STRIP_BYTES, PLANES = 273, 277, 278, 279, 284
TILE_WIDTH, TILE_HEIGHT, TILES, TILE_BYTES, SAMPLE_FORMAT = 322, 323, 324, 325, 339
EXIF = (34665, 34853, 40965)  # tags that point to further ones
READ = (
    SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, STRIPS, SAMPLES, ROWS, STRIP_BYTES,
    PLANES, TILE_WIDTH, TILE_HEIGHT, TILES, TILE_BYTES, SAMPLE_FORMAT, *EXIF,
)  # fmt: skip
RAW, JPEG = 1, 7
COMPRESSIONS = (RAW, 5, JPEG, 8, 32773, 32946)  # LZW, JPEG, deflate, PackBits, deflate of old
GREYS, YCBCR = (0, 1), 6  # of PHOTOMETRIC
COLOURS = (*GREYS, 2, 3, 5, YCBCR)  # grey, RGB, palette, CMYK, and what JPEGs have
UNSIGNED, FLOAT = 1, 3  # of SAMPLE_FORMAT
CUT = "damaged or cut off"


class Page(NamedTuple):
    """Pixels: those to decode, of whole tiles. inverted: 0 is white in 16 bits."""

    pixels: int
    inverted: bool


class _File:
    """The numbers in a file, in its own order."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.size = file, file.seek(0, io.SEEK_END)
        head = self.at(0, 4)
        self.order = "<" if head[:1] == b"I" else ">"
        self.big = b"+" in head
        self.first = self.offset(self.at(8, 8) if self.big else self.at(4, 4))
        self.left = MAX_NUMBERS

    def at(self, place: int, size: int) -> bytes:
        if place + size > self.size:
            raise PhotoError(CUT)
        self.file.seek(place)
        return self.file.read(size)

    def offset(self, field: bytes) -> int:
        return struct.unpack(self.order + ("Q" if self.big else "I"), field)[0]

    def tags(self, place: int) -> dict[int, tuple[int, ...]]:
        """{tag: numbers} of those in READ, where the tags at a place are sound."""
        head, entry = (8, "HHQ8s") if self.big else (2, "HHI4s")
        count = int.from_bytes(self.at(place, head), "little" if self.order == "<" else "big")
        if count > MAX_TAGS:
            raise PhotoError(f"{count} tags are too many")
        data = self.at(place + head, count * struct.calcsize(self.order + entry))
        found: dict[int, tuple[int, ...]] = {}
        for tag, kind, number, field in struct.iter_unpack(self.order + entry, data):
            self.left -= 0 if kind in BYTES and tag not in READ else number
            if self.left < 0:
                raise PhotoError("more numbers in tags than are taken from a stranger's file")
            size = number * SIZES.get(kind, 0)
            place = self.offset(field) if size > len(field) else 0
            if tag in found or place + size > self.size:
                raise PhotoError(CUT)
            if tag in READ:
                value = self.at(place, size) if size > len(field) else field[:size]
                found[tag] = struct.unpack(f"{self.order}{number}{INTEGERS[kind]}", value)
        return found


def first_page(file: BinaryIO) -> Page:
    """Check the first page of a file that begins with one of MARKS.

    Raises PhotoError for what is damaged, too much, or would not be decoded right.
    """
    try:
        source = _File(file)
        tags = source.tags(source.first)
        _check_exif(source, tags)
        width, height = tags[WIDTH][0], tags[HEIGHT][0]
        _check_kind(tags)
        return Page(_check_parts(source, tags, width, height), _inverted(tags))
    except (struct.error, LookupError, ZeroDivisionError):  # of what must be there
        raise PhotoError(CUT) from None


def _inverted(tags: dict[int, tuple[int, ...]]) -> bool:
    return tags.get(PHOTOMETRIC, (0,))[0] == 0 and tags.get(BITS, (1,))[0] == 16


def _check_exif(source: _File, tags: dict[int, tuple[int, ...]]) -> None:
    """Count the numbers in EXIF, of which Pillow makes objects, too; damaged, it is no EXIF."""
    places = [tags[tag][0] for tag in EXIF if tag in tags]
    for place in places[: len(EXIF)]:
        try:
            places += [v[0] for tag, v in source.tags(place).items() if tag in EXIF]
        except (PhotoError, struct.error, LookupError):
            if source.left < 0:
                raise


def _check_kind(tags: dict[int, tuple[int, ...]]) -> None:
    """Raise PhotoError unless the pixels are of a kind that comes out right."""
    formats = set(tags.get(SAMPLE_FORMAT, (UNSIGNED,)))
    bits, samples = set(tags.get(BITS, (1,))), tags.get(SAMPLES, (1,))[0]
    compression = tags.get(COMPRESSION, (RAW,))[0]
    colour = tags.get(PHOTOMETRIC, (0,))[0]
    if tags.get(SUBFILE, (0,))[0] & 1:
        raise _not_read("that begins with a small copy, as raw files of cameras do")
    if formats == {FLOAT}:
        raise PhotoError("a picture of floating-point numbers")
    if formats != {UNSIGNED} or not bits <= {1, 2, 4, 8, 16} or len(bits) != 1:
        raise _not_read("whose samples are not unsigned numbers of 1, 2, 4, 8 or 16 bits")
    if samples > MAX_SAMPLES:
        raise _not_read(f"with {samples} samples a pixel")
    if compression not in COMPRESSIONS:
        raise _not_read(f"of compression {compression}")
    if colour not in COLOURS or (colour == YCBCR and compression != JPEG):
        raise _not_read(f"of photometric interpretation {colour}")
    if tags.get(PLANES, (1,))[0] != 1 and _are_mixed_up(colour, samples, bits, compression):
        raise _not_read("with a plane for each sample")


def _are_mixed_up(colour: int, samples: int, bits: set[int], compression: int) -> bool:
    """Whether Pillow would take planes for others."""
    if compression == RAW:
        return bits != {8} or colour == 0
    return samples > 1 and colour not in (2, 5)


def _not_read(kind: str) -> PhotoError:
    return PhotoError(f"a TIFF {kind}, which is not read; save it as PNG")


def _check_parts(source: _File, tags: dict[int, tuple[int, ...]], width: int, height: int) -> int:
    """How many pixels its strips or tiles have; PhotoError if there are not as many as needed."""
    if TILE_WIDTH in tags:
        part_width, part_height = tags[TILE_WIDTH][0], tags[TILE_HEIGHT][0]
        offsets, counts = TILES, TILE_BYTES
    else:
        part_width, part_height = width, min(height, tags.get(ROWS, (height,))[0])
        offsets, counts = STRIPS, STRIP_BYTES
    across, down = -(-width // part_width), -(-height // part_height)
    planes = 1 if tags.get(PLANES, (1,))[0] == 1 else tags.get(SAMPLES, (1,))[0]
    if (STRIPS in tags) == (TILES in tags) or len(tags[offsets]) != across * down * planes:
        raise PhotoError(CUT)
    if tags.get(COMPRESSION) == (JPEG,):
        for place, size in zip(tags[offsets], tags[counts], strict=False):
            _check_jpeg(source, place, size)
        if len(tags[counts]) != len(tags[offsets]):
            raise PhotoError(CUT)
    return across * part_width * down * part_height


def _check_jpeg(source: _File, place: int, size: int) -> None:
    """Raise PhotoError unless the JPEG in a strip has its end; libtiff makes up a missing one."""
    last = min(size, 64)
    end = source.at(place + size - last, last).rstrip(b"\0")
    if source.at(place, min(size, 2)) != b"\xff\xd8" or end[-2:] != b"\xff\xd9":
        raise PhotoError(CUT)


class _Quiet:
    """Keeps libtiff from printing, while at least one thread decodes; Pillow raises anyway."""

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0
        self._before: object = None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._before = self._handler(None)
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0:
                    self._handler(self._before)

    @staticmethod
    def _handler(new: object) -> object:
        try:  # the symbols of a library include those of the libraries that it needs
            function = ctypes.CDLL(Image.core.__file__).TIFFSetErrorHandler
        except (OSError, AttributeError):  # linked otherwise: it prints
            return None
        function.argtypes, function.restype = [ctypes.c_void_p], ctypes.c_void_p
        return function(new)


quiet = _Quiet()
