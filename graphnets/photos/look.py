"""What a whole picture tells before any network sees it: size, colours, ending, small copies."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from PIL import Image

from graphnets.errors import PhotoError
from graphnets.photos import images, kinds
from graphnets.photos.kinds import FRAMES, START_OF_SCAN

ENDINGS = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "BMP": (".bmp", ".dib"),
    "GIF": (".gif",),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "AVIF": (".avif",),
    "HEIF": (".heic", ".heif", ".hif"),
}
OTHERS = (".jp2",)  # of pictures that are not read
KNOWN = {ending: name for name, endings in ENDINGS.items() for ending in endings}
SMALL = 32  # pixels, the side that `imagehash.phash` takes
COLOUR = 16  # pixels, the side of the copy in colour
END_OF_IMAGE, RESTARTS = 0xD9, 0xDD
MARKER = re.compile(rb"\xff[\x02-\xcf\xd8-\xfe]")  # none of those that stand among pixels
LATER = (0xC4, 0xCC, START_OF_SCAN, 0xDB, 0xDC, RESTARTS, *range(0xE0, 0xF0), 0xFE)  # between scans


class Look(NamedTuple):
    """One photo, decoded whole.

    problem: "" or why it cannot be read; the rest is empty then. kind: of ENDINGS, by the bytes.
    mode: "colour", "grey", "CMYK", "alpha", "palette" or "16 bits". width, height: in the file.
    grey: uint8 (32, 32), colours: uint8 (16, 16, 3) RGB, upright and squeezed to a square.
    """

    problem: str
    kind: str = ""
    mode: str = ""
    width: int = 0
    height: int = 0
    grey: np.ndarray | None = None
    colours: np.ndarray | None = None


def looks(paths: Iterable[str], then: Callable[[Look], object]) -> Iterable:
    """What `then` makes of the look of each photo, in order; decoded and made in threads."""
    with ThreadPoolExecutor() as pool:
        yield from pool.map(lambda path: then(look(path)), paths)


def look(path: str) -> Look:
    """Decode a photo to its last pixel, and say what it is."""
    try:
        with images.opened(path) as data:
            picture = decoded(data)
            with kinds.header(io.BytesIO(data)) as header:
                width, height = header.size
                kind, mode = _kind(data, header), _mode(header)
            colours = picture.resize((COLOUR, COLOUR), Image.Resampling.BOX)
            grey = picture.resize((SMALL, SMALL), Image.Resampling.BOX).convert("L")
            return Look("", kind, mode, width, height, np.asarray(grey), np.asarray(colours))
    except PhotoError as error:
        return Look(str(error))


def decoded(data: bytes, side: int = 4 * SMALL) -> Image.Image:
    """The whole picture, strictly decoded, upright, RGB, squeezed to a square of that side.

    Raises PhotoError as `graphnets.photos.images.contents` does, and for JPEGs that are cut off.
    """
    square = (side, side)
    if data[: len(images.JPEG)] != images.JPEG:
        whole = Image.fromarray(images.pixels(data))
        return whole.resize(square, Image.Resampling.BOX)
    images.contents(data)  # raises for what is no JPEG, or too large
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            image.load()
            if not _has_end(data):
                raise PhotoError("damaged or cut off")
            return images.jpeg_rgb(data, image.resize(square, Image.Resampling.BOX))
    except PhotoError:
        raise
    except Exception:  # Pillow raises almost anything for a damaged one
        raise PhotoError("damaged or cut off") from None


def _has_end(data: bytes) -> bool:
    """Whether TensorFlow's decoder comes to a JPEG's end; Pillow's stops at the last row."""
    place, wanted, restarts = 2, (*LATER, *FRAMES), False
    while found := MARKER.search(data, place):
        place, marker = found.start(), data[found.start() + 1]
        if marker == START_OF_SCAN:
            wanted = LATER
        restarts = restarts or marker == RESTARTS
        if restarts and marker < FRAMES[0]:  # it goes on at the next restart
            place += 2
            continue
        if marker not in wanted:
            return marker == END_OF_IMAGE and wanted is LATER
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return False


def _kind(data: bytes, header: Image.Image) -> str:
    return "JPEG" if data[: len(images.JPEG)] == images.JPEG else str(header.format)


def _mode(header: Image.Image) -> str:
    tile = getattr(header, "tile", None)
    how = tile[0][3] if tile else ""  # of a TIFF, with more in a tuple
    if header.mode.startswith("I") or "16" in str(how[0] if isinstance(how, tuple) else how):
        return "16 bits"
    if header.has_transparency_data:
        return "alpha"
    names = {"1": "grey", "L": "grey", "P": "palette", "CMYK": "CMYK"}
    return names.get(header.mode, "colour")


def right_ending(path: str, kind: str) -> str:
    """The ending that a file of this kind should have; "" if its own is right, or is no picture's.

    kind: of a `Look`.
    """
    ending = os.path.splitext(path)[1].lower()
    known = ending in KNOWN or ending in OTHERS
    return ENDINGS[kind][0] if known and KNOWN.get(ending) != kind else ""
