"""Which of Pillow's parsers may look at a file: by its first bytes, no other one is run."""

from __future__ import annotations

import io
from typing import BinaryIO

from PIL import Image

from graphnets.errors import PhotoError
from graphnets.photos import tiffs
from graphnets.photos.tiffs import CUT

FORMATS = ("PNG", "BMP", "GIF", "PPM", "WEBP")  # whose own marks Pillow looks for
PICTURE = "JPEG, PNG, BMP, GIF, PPM, WebP, TIFF, AVIF or HEIC picture"
JPEG = b"\xff\xd8\xff"
ALONE, START_OF_SCAN = (0x01, *range(0xD0, 0xD9)), 0xDA  # markers without a length, and the last
# Starts of frames, and those that TensorFlow has; of others Pillow reads some.
FRAMES = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
READ = (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)  # Huffman and arithmetic, sequential and progressive
OTHER_JPEG = "a lossless, 12-bit or hierarchical JPEG, which is not read; save it as PNG"
MAX_SEGMENTS, MAX_JUNK = 10_000, 1 << 16  # before a JPEG's pixels; Pillow goes byte by byte there
HEAD = 512  # bytes of a file that tell what it is
MAX_BOXES = 1000  # of an AVIF or HEIC file, before the one that tells what the others are
MAX_FRONT, MAX_READS = 1 << 24, 50_000  # bytes and parts that are read of a file's front
INDEXES = (b"meta", b"moov")
WEBP_FRAMES = {b"VP8 ": (23, b"\x9d\x01\x2a"), b"VP8L": (20, b"\x2f"), b"VP8X": (12, b"VP8X")}
# Of ISO 23008-12, what an AVIF or HEIC file names itself; "mif1" is either.
AVIF = {b"avif", b"avis"}
HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}


def header(file: BinaryIO) -> Image.Image:
    """Pillow's image of a file that is at its beginning; nothing is decoded yet.

    Raises PhotoError where a parser is missing, and what Pillow raises.
    """
    head = file.read(HEAD)
    if head[: len(JPEG)] == JPEG:
        _check_segments(file)
    elif head[:3] == b"GIF":  # Pillow goes byte by byte where there is no frame
        file.seek(0)
        Image.open(_Front(file), formats=("GIF",))  # type: ignore[arg-type]
    file.seek(0)
    return Image.open(file, formats=_parsers(head))


def check_front(file: BinaryIO) -> None:
    """Raise what `header` raises for a file, at its beginning, that cannot be a picture.

    Little of it is read, however large it is.
    """
    head = file.read(HEAD)
    if is_webp(head):
        _check_webp(head, file.seek(0, io.SEEK_END))
    elif _brands(head) & (AVIF | HEIC):
        _check_boxes(file)
    elif is_tiff(head):
        tiffs.first_page(file)
    else:
        file.seek(0)
        header(_Front(file)).close()  # type: ignore[arg-type]


class _Front:
    """A file of which Pillow may read no more than a header has."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._left, self._reads = file, MAX_FRONT, MAX_READS
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = MAX_FRONT) -> bytes:
        data = self._file.read(size if 0 <= size <= self._left else self._left + 1)
        self._left -= len(data)
        self._reads -= 1
        if self._left < 0 or self._reads < 0:
            raise PhotoError(CUT)
        return data


def is_known(head: bytes) -> bool:
    """Whether a file that begins so has the mark of a picture that is read."""
    Image.init()
    accepts = (Image.OPEN[name][1] for name in FORMATS)
    marked = any(accept and accept(head[:16]) for accept in accepts)
    return marked or head[: len(JPEG)] == JPEG or is_tiff(head) or bool(_brands(head))


def _check_webp(head: bytes, size: int) -> None:
    """Raise PhotoError unless the file has a first frame, and all bytes that it says it has."""
    place, mark = WEBP_FRAMES.get(head[12:16], (0, b"none"))
    whole, first = (int.from_bytes(head[at : at + 4], "little") for at in (4, 16))
    if head[place : place + len(mark)] != mark or whole + 8 > size or first + 12 > whole:
        raise PhotoError(CUT)


def _check_boxes(file: BinaryIO) -> None:
    """Raise PhotoError unless one of the file's boxes tells where its pixels are."""
    place = 0
    for _ in range(MAX_BOXES):
        file.seek(place)
        front = file.read(16)
        size = int.from_bytes(front[:4], "big")
        size = int.from_bytes(front[8:], "big") if size == 1 else size
        if front[4:8] in INDEXES:
            return
        if size < 8:  # 0: all the rest
            break
        place += size
    raise PhotoError(CUT)


def _check_segments(file: BinaryIO) -> None:
    """Raise PhotoError for a JPEG before whose pixels lies more than any camera writes."""
    place, junk = 2, 0
    for _ in range(MAX_SEGMENTS):
        file.seek(place)
        front = file.read(5)
        if len(front) < 4:  # Pillow tells what is missing
            return
        if front[0] != 0xFF or front[1] in (0, 0xFF):
            file.seek(place + 1)
            skipped = file.read(MAX_JUNK).find(b"\xff") + 1
            junk += skipped or MAX_JUNK
            if junk >= MAX_JUNK:
                break
            place += skipped
        elif front[1] == START_OF_SCAN:
            return
        else:
            if front[1] in FRAMES and (front[1] not in READ or front[4:] != b"\x08"):
                raise PhotoError(OTHER_JPEG)
            length = 0 if front[1] in ALONE else int.from_bytes(front[2:4], "big")
            place += 2 + length
    raise PhotoError(CUT)


def is_webp(head: bytes) -> bool:
    """Whether a file that begins so is one that Pillow reads whole for its header."""
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP"


def is_tiff(head: bytes) -> bool:
    """Whether a file that begins so is to be checked by `graphnets.photos.tiffs`."""
    return head[:4] in tiffs.MARKS


def unknown(data: bytes) -> str:
    """Why no parser has taken a file with these bytes, in the words of a PhotoError."""
    if is_tiff(data):
        return "a damaged TIFF, or a kind of it that is not read; save it as PNG"
    return CUT if _brands(data[:HEAD]) & (AVIF | HEIC) else f"not a {PICTURE}"


def _parsers(head: bytes) -> tuple[str, ...]:
    if head[: len(JPEG)] == JPEG:
        return ("JPEG",)
    if is_tiff(head):
        return ("TIFF",)
    brands = _brands(head)
    if brands & AVIF:
        _find_avif()
        return ("AVIF",)
    if brands & HEIC:
        find_heif()
        return ("HEIF",)
    return FORMATS


def _brands(head: bytes) -> set[bytes]:
    """The kinds that a file of boxes says it is of."""
    if head[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(head[:4], "big"), len(head))
    return {head[8:12], *(head[place : place + 4] for place in range(16, end - 3, 4))}


def _find_avif() -> None:
    try:
        from PIL import AvifImagePlugin

        found = AvifImagePlugin.SUPPORTED
    except ImportError:
        found = False
    if not found:
        raise PhotoError(
            "an AVIF picture, which Pillow reads from 11.3 on; pip install --upgrade pillow"
        )


def find_heif() -> None:
    """Let Pillow know its HEIC plugin; PhotoError where there is none."""
    if "HEIF" in Image.OPEN:
        return
    try:  # here, so that nothing else waits for it
        from pillow_heif import register_heif_opener
    except ImportError:
        raise PhotoError("a HEIC picture; pip install 'graphnets[heic]' reads it") from None
    register_heif_opener()
