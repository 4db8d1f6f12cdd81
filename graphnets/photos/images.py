"""Photos: a folder becomes a table, a file becomes bytes that the graph can decode.

No TensorFlow here: the graph's side of decoding is in `graphnets.photos.jpeg`.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import BinaryIO, TypeVar

import numpy as np
import pandas as pd
from PIL import Image, ImageChops

from graphnets import storage
from graphnets.errors import GraphnetsError, PhotoError, check_kind, shown
from graphnets.photos import exif, kinds, tiffs
from graphnets.photos.folders import NOT_PHOTOS as NOT_PHOTOS
from graphnets.photos.kinds import JPEG as JPEG
from graphnets.photos.room import Room

ORIENTATION = 0x0112  # EXIF 2.3
STEPS = {"L;2": 85, "L;4": 17}  # from a grey of 2 or 4 bits to the next, in 8
MAX_PIXELS = 178_956_970  # where Pillow refuses a picture as a decompression bomb
BYTES_PER_PIXEL = 8  # of a file: red, green, blue and alpha in 16 bits, unpacked
MAX_BYTES = BYTES_PER_PIXEL * MAX_PIXELS + (1 << 20)
STRIP = 1 << 20  # pixels
NO_FILE = "not a regular file"
LARGE = 1 << 24  # bytes, from which on a file's beginning is looked at before the rest is read
WHITE_IS_ZERO = "white is zero"  # in Pillow's info of a picture, which forgets it
# Pixels decoded at a time, so that the memory for them does not grow with what photos are like.
ROOM = Room(32_000_000 * (os.cpu_count() or 1))

Progress = Callable[..., Iterable]
Function = TypeVar("Function", bound=Callable)
TABLE = "the table that graphnets.scan gives"


def no_progress(items: Iterable, **_: object) -> Iterable:
    """The progress bar that shows nothing."""
    return items


def check_progress(progress: object) -> None:
    """Raise GraphnetsError unless it is a function."""
    check_kind("progress", progress, Callable, "a function such as tqdm.tqdm")  # type: ignore[arg-type]


def plain_text(function: Function) -> Function:
    """Let a function have texts in columns as Python has them.

    Those of pyarrow, which pandas takes where it is installed, hold no name that is not UTF-8.
    """

    @wraps(function)
    def called(*arguments, **named):
        with pd.option_context("mode.string_storage", "python"):
            return function(*arguments, **named)

    return called  # type: ignore[return-value]


def check_photos(photos: object, *columns: str) -> None:
    """Raise GraphnetsError unless it is a table of photos with something in all of the columns."""
    check_kind("photos", photos, pd.DataFrame, TABLE)
    missing = [column for column in columns if column not in photos]  # type: ignore[operator]
    if missing:
        raise GraphnetsError(f"photos has no column {', '.join(missing)}, wanted {TABLE}")
    for column in columns:
        if photos[column].isna().any():  # type: ignore[index]
            raise GraphnetsError(
                f"photos has a NaN in the column {column}, wanted {TABLE}; read it from a file "
                "with pd.read_csv(..., keep_default_na=False)"
            )


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[bytes]:
    """All bytes of a photo's file, once there is room in memory for them and for its pixels.

    Decode them in the block. Raises PhotoError with the reason when there are none, StorageError
    where it is at an address that does not answer.
    """
    if storage.is_address(path):
        with _fetched(os.fspath(path)) as data:
            yield data
        return
    try:
        status = os.stat(path)
        check_status(status)
        file = open(path, "rb")  # noqa: SIM115
    except OSError as error:
        raise PhotoError(f"cannot be read ({shown(error.strerror)})") from None
    size = status.st_size // BYTES_PER_PIXEL
    with file:
        check_front(file, status.st_size)
        with ROOM.taking(size):  # some parsers read all of a file for its header
            wanted = max(_pixels(file), size)
        with ROOM.taking(wanted):
            try:
                file.seek(0)
                data = file.read(status.st_size)
            except OSError as error:
                raise PhotoError(f"cannot be read ({shown(error.strerror)})") from None
            yield data


@contextmanager
def _fetched(address: str) -> Iterator[bytes]:
    """What `opened` gives of a file at an address."""
    try:
        data, size = storage.beginning(address)
        if size > MAX_BYTES:
            raise PhotoError(f"{size} bytes are too many")
        check_mark(data, size)
        whole = len(data) == size
        # The end of a large file may say how many pixels it has: there is room for any.
        pixels_there = _pixels(io.BytesIO(data)) or (0 if whole else MAX_PIXELS)
        with ROOM.taking(max(pixels_there, size // BYTES_PER_PIXEL)):
            yield data if whole else storage.read(address, MAX_BYTES)
    except OSError as error:
        raise PhotoError(f"cannot be read ({shown(error.strerror)})") from None


def check_status(status: os.stat_result) -> None:
    """Raise PhotoError for a file that is not opened, or not read, for what the system says of it.

    Opening a pipe would wait for ever, and a sparse file takes hours to read.
    """
    if not stat.S_ISREG(status.st_mode):
        raise PhotoError(NO_FILE)
    if status.st_size > MAX_BYTES:
        raise PhotoError(f"{status.st_size} bytes are too many")
    if not status.st_size:  # as files of the system say that never end, or wait
        raise PhotoError("an empty file")


def check_front(file: BinaryIO, size: int) -> None:
    """Raise PhotoError for a large file, at its beginning, that cannot be a picture.

    Little of it is read: it may be a film, or sparse, of any size.
    """
    if size <= LARGE:
        return
    head = file.read(kinds.HEAD)
    file.seek(0)
    with _as_photo_errors(head):
        kinds.check_front(file)
    file.seek(0)


def check_mark(front: bytes, size: int) -> None:
    """Raise PhotoError for a large file at an address that does not begin as a picture does."""
    if size > LARGE and not kinds.is_known(front[: kinds.HEAD]):
        raise PhotoError(kinds.unknown(front[: kinds.HEAD]))


@dataclass(frozen=True)
class Held:
    """A photo in memory, which is no path: its name, all bytes of its file, pixels it may have."""

    name: str
    data: bytes
    most_pixels: int = MAX_PIXELS

    def __str__(self) -> str:
        return self.name


@contextmanager
def room_for(photo: Held) -> Iterator[bytes]:
    """The bytes of a photo in memory, once there is room for its pixels; decode them in the block.

    Raises PhotoError if it has too many.
    """
    wanted = _pixels(io.BytesIO(photo.data))
    if wanted > photo.most_pixels:
        found, most = wanted / 1e6, photo.most_pixels / 1e6
        raise PhotoError(f"{found:.10g} megapixels, more than the {most:.10g} that are allowed")
    with ROOM.taking(wanted):
        yield photo.data


def _pixels(file: BinaryIO) -> int:
    """How many a file says that it has; 0 for what is no picture."""
    try:
        if kinds.is_tiff(file.read(4)):
            return tiffs.first_page(file).pixels
        file.seek(0)
        with kinds.header(file) as image:
            return image.width * image.height
    except Exception:  # `contents` tells what is wrong
        return 0


def key_of(data: bytes) -> str:
    """The key of a photo with these bytes, as in the table of `scan`."""
    return hashlib.sha256(data).hexdigest()[:32]


def contents(data: bytes) -> bytes:
    """The bytes of a photo's file as `graphnets.photos.jpeg.decode` (and any exported graph) takes.

    Those of a JPEG are returned as they are; what else `pixels` takes comes back as a PNG of what
    it gives.
    Raises PhotoError with the reason when the file is no such picture, broken or too large.
    """
    if data[: len(JPEG)] == JPEG:
        with _picture(data):
            return data
    buffer = io.BytesIO()  # read once, in memory: its size does not matter
    Image.fromarray(pixels(data)).save(buffer, "PNG", compress_level=0)
    return buffer.getvalue()


def pixels(data: bytes) -> np.ndarray:
    """uint8 (height, width, 3), upright RGB, of any picture but a JPEG.

    A PNG, BMP, PPM, WebP or AVIF, the first frame of a GIF, the first page of a TIFF, the primary
    picture of a HEIC. 16 bits are cut to 8, transparency is laid over white. Raises PhotoError as
    `contents` does.
    """
    with _picture(data) as image:
        orientation = 1
        tiles = getattr(image, "tile", [])  # they go when the picture is loaded
        step = STEPS.get(str(tiles[0][3]), 1) if tiles else 1
        image.load()
        _check_size(image)  # it may be another than the header's
        if step > 1 and isinstance(image.info.get("transparency"), int):
            image.info["transparency"] *= step  # Pillow scales the greys alone
        with contextlib.suppress(Exception):  # damaged EXIF is no EXIF, as in graphnets.photos.jpeg
            if image.format != "HEIF":  # its decoder has turned it, whatever EXIF says
                orientation = image.getexif().get(ORIENTATION, 1)
        if image.mode == "F":  # a PFM, which says PPM to Pillow
            raise PhotoError("a picture of floating-point numbers")
        found = np.empty((image.height, image.width, 3), np.uint8)
        height = max(1, STRIP // image.width)  # all at once would take four times the memory
        for top in range(0, image.height, height):
            strip = image.crop((0, top, image.width, min(top + height, image.height)))
            found[top : top + height] = np.asarray(_rgb(strip))
    return upright(found, orientation)


def jpeg_rgb(data: bytes, image: Image.Image) -> Image.Image:
    """Pillow's picture of a JPEG's bytes, perhaps made smaller, as the graph has it: upright RGB.

    Pillow takes any CMYK for Adobe's, which is a negative.
    """
    if image.mode == "CMYK" and "adobe" not in image.info:
        image = ImageChops.invert(image)
    return Image.fromarray(upright(np.asarray(image.convert("RGB")), exif.orientation(data)))


@contextmanager
def _picture(data: bytes) -> Iterator[Image.Image]:
    """Pillow's image of a file's bytes; whatever it raises becomes a PhotoError."""
    if not data:
        raise PhotoError("an empty file")
    with _as_photo_errors(data[: kinds.HEAD]):
        page = tiffs.first_page(io.BytesIO(data)) if kinds.is_tiff(data) else None
        if page and page.pixels > MAX_PIXELS:
            raise PhotoError(f"{page.pixels} pixels are too many")
        with (
            tiffs.quiet() if page else contextlib.nullcontext(),
            kinds.header(io.BytesIO(data)) as image,
        ):
            _check_size(image)
            if page and page.inverted:
                image.info[WHITE_IS_ZERO] = True
            yield image


@contextmanager
def _as_photo_errors(head: bytes) -> Iterator[None]:
    """Make a PhotoError of whatever Pillow raises; head: the file's first bytes."""
    try:
        yield
    except PhotoError:
        raise
    except Image.UnidentifiedImageError:
        raise PhotoError(kinds.unknown(head)) from None
    except Image.DecompressionBombError:
        raise PhotoError("more pixels than are taken from a stranger's file") from None
    except Exception as error:  # a broken picture makes Pillow raise almost anything
        raise PhotoError(f"cannot be read ({shown(error)})") from None


def _check_size(image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise PhotoError(f"{image.width} x {image.height} pixels are too many")


def _rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB from any mode that Pillow reads."""
    if image.mode.startswith("I"):  # 16 bits, which Pillow's convert would clip, not scale
        numbers, clear = np.asarray(image), image.info.get("transparency")
        if image.info.get(WHITE_IS_ZERO):
            numbers = 65535 - numbers
        grey = (np.clip(numbers, 0, 65535) >> 8).astype(np.uint8)
        image = Image.fromarray(grey if clear is None else np.where(numbers == clear, 255, grey))
    if image.mode == "La":  # a step that Pillow does not find by itself
        image = image.convert("LA")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def upright(picture: np.ndarray, orientation: int) -> np.ndarray:
    """The array turned as its EXIF orientation says, in the way of `jpeg.decode`."""
    if orientation in (5, 6, 7, 8):
        picture = picture.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        picture = picture[::-1]
    if orientation in (2, 3, 6, 7):
        picture = picture[:, ::-1]
    return np.ascontiguousarray(picture)
