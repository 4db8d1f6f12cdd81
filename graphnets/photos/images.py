"""Photos: a folder becomes a table, a file becomes bytes that the graph can decode.

No TensorFlow here: the graph's side of decoding is in `graphnets.photos.jpeg`.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
import pandas as pd
from PIL import Image

from graphnets.errors import GraphnetsError, PhotoError, check_kind, check_whole, shown
from graphnets.files import sha256
from graphnets.photos.folders import (
    FEWEST_PHOTOS,
    check_class_count,
    check_percentages,
    class_files,
)
from graphnets.photos.folders import NOT_PHOTOS as NOT_PHOTOS
from graphnets.photos.room import Room

FORMATS = ("PNG", "BMP", "GIF", "PPM", "WEBP")  # besides JPEG; no other parser of Pillow is run
JPEG = b"\xff\xd8\xff"
ORIENTATION = 0x0112  # EXIF 2.3
STEPS = {"L;2": 85, "L;4": 17}  # from a grey of 2 or 4 bits to the next, in 8
MAX_PIXELS = 178_956_970  # where Pillow refuses a picture as a decompression bomb
BYTES_PER_PIXEL = 8  # of a file: red, green, blue and alpha in 16 bits, unpacked
MAX_BYTES = BYTES_PER_PIXEL * MAX_PIXELS + (1 << 20)
STRIP = 1 << 20  # pixels
# Pixels decoded at a time, so that the memory for them does not grow with what photos are like.
ROOM = Room(32_000_000 * (os.cpu_count() or 1))
HASH_BUCKETS = 2**27 - 1  # retrain.py's MAX_NUM_IMAGES_PER_CLASS

Progress = Callable[..., Iterable]
TABLE = "the table that graphnets.scan gives"


def no_progress(items: Iterable, **_: object) -> Iterable:
    """The progress bar that shows nothing."""
    return items


def check_progress(progress: object) -> None:
    """Raise GraphnetsError unless it is a function."""
    check_kind("progress", progress, Callable, "a function such as tqdm.tqdm")  # type: ignore[arg-type]


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


def scan(image_dir: str | os.PathLike[str], progress: Progress = no_progress) -> pd.DataFrame:
    """List the photos of a folder that has one sub-folder per class.

    Returns a table, sorted by class and file name, with the columns
      path     the file
      label    the name of its folder, unchanged
      key      the first 128 bits of the SHA-256 of the file's bytes, in hex ("" if unreadable)
      problem  "" for a file to use, else the reason why it is left out

    Hidden files, and what systems leave beside photos, are passed over. Raises GraphnetsError
    if the folder or its classes cannot serve.
    """
    check_progress(progress)
    paths = class_files(image_dir)
    with ThreadPoolExecutor() as pool:
        hashed = pool.map(lambda item: _key(item[1]), paths)
        keys = list(progress(hashed, total=len(paths), desc="reading photos"))
    photos = pd.DataFrame(
        {
            "path": [path for _, path in paths],
            "label": [label for label, _ in paths],
            "key": [key for key, _ in keys],
            "problem": [problem for _, problem in keys],
        },
        dtype=object,
    )
    check_classes(photos)
    return photos


def _key(path: str) -> tuple[str, str]:
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            return "", "a folder inside a class folder"
        if not stat.S_ISREG(mode):  # opening a pipe would wait for ever
            return "", "not a regular file"
        return sha256(path)[:32], ""
    except OSError as error:
        return "", f"cannot be opened ({error.strerror})"


def check_classes(photos: pd.DataFrame) -> None:
    """Raise GraphnetsError unless 2 classes or more have 3 usable photos or more each."""
    usable = (photos.problem == "").groupby(photos.label).sum()
    short = [
        f"{shown(label)} has {count} (of {(photos.label == label).sum()} files)"
        for label, count in usable[usable < FEWEST_PHOTOS].items()
    ]
    if short:
        raise GraphnetsError(
            f"each class needs {FEWEST_PHOTOS} readable photos or more, but {'; '.join(short)}: "
            "add photos or take the folder away"
        )
    check_class_count(len(usable))


def split(
    photos: pd.DataFrame,
    testing_percentage: float = 10,
    validation_percentage: float = 10,
    split_seed: int = 0,
) -> pd.DataFrame:
    """Add the column `split`: "training", "validation" or "testing"; "" for what is left out.

    The split of a photo follows from a hash of `class/file` up to `_nohash_`, as in retrain.py
    (which hashes the full path): it stays when the folder moves or when photos are added.
    Photos whose names agree up to `_nohash_` stay together. Only where the hash leaves a class
    with nothing in a split whose percentage is above 0 do its nearest photos by hash go there.
    Another split_seed than 0 salts the hash: another split, as lasting as the first.

    Raises GraphnetsError for another table than that of `scan`, and if the percentages leave
    nothing to train on.
    """
    check_photos(photos, "path", "label", "problem")
    check_whole("split_seed", split_seed)
    check_percentages(testing_percentage, validation_percentage)
    usable = np.flatnonzero(photos.problem == "")  # places, as the index may name a photo twice
    splits = np.full(len(photos), "", object)
    for label, rows in photos.iloc[usable].groupby("label").indices.items():
        places = usable[rows]
        percent = photos.path.iloc[places].map(lambda path: _hash_percentage(path, split_seed))
        distinct = np.unique(percent)
        if len(distinct) < FEWEST_PHOTOS:
            raise GraphnetsError(
                f"class {shown(label)} has {len(distinct)} group(s) of photos with one name before "
                f"'_nohash_', wanted {FEWEST_PHOTOS}: a group cannot be torn between splits"
            )
        names = np.array(_bands(distinct, validation_percentage, testing_percentage), object)
        splits[places] = names[np.searchsorted(distinct, percent)]
    return photos.assign(split=splits)


def _hash_percentage(path: str, seed: int) -> float:
    name = re.sub(r"_nohash_.*$", "", "/".join(path.split(os.sep)[-2:]))
    digest = hashlib.sha1(os.fsencode(f"{seed} {name}" if seed else name)).hexdigest()
    return int(digest, 16) % (HASH_BUCKETS + 1) * (100.0 / HASH_BUCKETS)


def _bands(percent: np.ndarray, validation: float, testing: float) -> list[str]:
    """The split of each of a class's sorted hash percentages; none that was asked for is empty."""
    n_validation = max(int((percent < validation).sum()), int(validation > 0))
    n_testing = max(int((percent < validation + testing).sum()) - n_validation, int(testing > 0))
    while n_validation + n_testing >= len(percent):
        if n_testing >= n_validation:
            n_testing -= 1
        else:
            n_validation -= 1
    n_training = len(percent) - n_validation - n_testing
    return ["validation"] * n_validation + ["testing"] * n_testing + ["training"] * n_training


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[bytes]:
    """All bytes of a photo's file, once there is room in memory for them and for its pixels.

    Decode them in the block. Raises PhotoError with the reason when there are none.
    """
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            raise PhotoError("not a regular file")
        if status.st_size > MAX_BYTES:
            raise PhotoError(f"{status.st_size} bytes are too many")
        file = open(path, "rb")  # noqa: SIM115
    except OSError as error:
        raise PhotoError(f"cannot be read ({shown(error.strerror)})") from None
    with file, ROOM.taking(max(_pixels(file), status.st_size // BYTES_PER_PIXEL)):
        try:
            file.seek(0)
            data = file.read()
        except OSError as error:
            raise PhotoError(f"cannot be read ({shown(error.strerror)})") from None
        yield data


def _pixels(file: BinaryIO) -> int:
    """How many a file says that it has; 0 for what is no picture."""
    try:
        with Image.open(file, formats=("JPEG", *FORMATS)) as image:
            return image.width * image.height
    except Exception:  # `contents` tells what is wrong
        return 0


def key_of(data: bytes) -> str:
    """The key of a photo with these bytes, as in the table of `scan`."""
    return hashlib.sha256(data).hexdigest()[:32]


def contents(data: bytes) -> bytes:
    """The bytes of a photo's file as `graphnets.photos.jpeg.decode` (and any exported graph) takes.

    Those of a JPEG are returned as they are. PNG, BMP, GIF (first frame), PPM and WebP come back as
    a PNG of the pixels that `pixels` gives.
    Raises PhotoError with the reason when the file is no such picture, broken or too large.
    """
    if data[: len(JPEG)] == JPEG:
        with _picture(data):
            return data
    buffer = io.BytesIO()  # read once, in memory: its size does not matter
    Image.fromarray(pixels(data)).save(buffer, "PNG", compress_level=0)
    return buffer.getvalue()


def pixels(data: bytes) -> np.ndarray:
    """uint8 (height, width, 3), upright RGB, of a PNG, BMP, GIF (first frame), PPM or WebP.

    16 bits are cut to 8, transparency is laid over white. Raises PhotoError as `contents` does.
    """
    with _picture(data) as image:
        orientation = 1
        tiles = getattr(image, "tile", [])  # they go when the picture is loaded
        step = STEPS.get(str(tiles[0][3]), 1) if tiles else 1
        image.load()
        if step > 1 and isinstance(image.info.get("transparency"), int):
            image.info["transparency"] *= step  # Pillow scales the greys alone
        with contextlib.suppress(Exception):  # damaged EXIF is no EXIF, as in graphnets.photos.jpeg
            orientation = image.getexif().get(ORIENTATION, 1)
        if image.mode == "F":  # a PFM, which says PPM to Pillow
            raise PhotoError("a picture of floating-point numbers")
        found = np.empty((image.height, image.width, 3), np.uint8)
        height = max(1, STRIP // image.width)  # all at once would take four times the memory
        for top in range(0, image.height, height):
            strip = image.crop((0, top, image.width, min(top + height, image.height)))
            found[top : top + height] = np.asarray(_rgb(strip))
    return _upright(found, orientation)


@contextmanager
def _picture(data: bytes) -> Iterator[Image.Image]:
    """Pillow's image of a file's bytes; whatever it raises becomes a PhotoError."""
    if not data:
        raise PhotoError("an empty file")
    formats = ("JPEG",) if data[: len(JPEG)] == JPEG else FORMATS
    try:
        with Image.open(io.BytesIO(data), formats=formats) as image:
            if image.width * image.height > MAX_PIXELS:
                raise PhotoError(f"{image.width} x {image.height} pixels are too many")
            yield image
    except PhotoError:
        raise
    except Image.UnidentifiedImageError:
        raise PhotoError("not a JPEG, PNG, BMP, GIF, PPM or WebP picture") from None
    except Image.DecompressionBombError:
        raise PhotoError("more pixels than are taken from a stranger's file") from None
    except Exception as error:  # a broken picture makes Pillow raise almost anything
        raise PhotoError(f"cannot be read ({shown(error)})") from None


def _rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB from any mode that Pillow reads."""
    if image.mode.startswith("I"):  # 16 bits, which Pillow's convert would clip, not scale
        numbers, clear = np.asarray(image), image.info.get("transparency")
        grey = (np.clip(numbers, 0, 65535) >> 8).astype(np.uint8)
        image = Image.fromarray(grey if clear is None else np.where(numbers == clear, 255, grey))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _upright(picture: np.ndarray, orientation: int) -> np.ndarray:
    """The picture turned as its EXIF orientation says, in the way of `jpeg.decode`."""
    if orientation in (5, 6, 7, 8):
        picture = picture.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        picture = picture[::-1]
    if orientation in (2, 3, 6, 7):
        picture = picture[:, ::-1]
    return np.ascontiguousarray(picture)
