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
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from graphnets.errors import GraphnetsError, PhotoError
from graphnets.files import sha256, shown
from graphnets.photos.folders import (
    FEWEST_PHOTOS,
    check_class_count,
    check_percentages,
    class_files,
)
from graphnets.photos.folders import NOT_PHOTOS as NOT_PHOTOS

FORMATS = ("PNG", "BMP", "GIF", "PPM", "WEBP")  # besides JPEG; no other parser of Pillow is run
MAX_PIXELS = 178_956_970  # where Pillow refuses a picture as a decompression bomb
HASH_BUCKETS = 2**27 - 1  # retrain.py's MAX_NUM_IMAGES_PER_CLASS

Progress = Callable[..., Iterable]


def no_progress(items: Iterable, **_: object) -> Iterable:
    """The progress bar that shows nothing."""
    return items


def scan(image_dir: str | os.PathLike[str], progress: Progress = no_progress) -> pd.DataFrame:
    """List the photos of a folder that has one sub-folder per class.

    Returns a table, sorted by class and file name, with the columns
      path     the file
      label    the name of its folder, unchanged
      key      the first 128 bits of the SHA-256 of the file's bytes, in hex ("" if unreadable)
      problem  "" for a file to use, else the reason why it is left out

    Hidden files are passed over. Raises GraphnetsError if the folder or its classes cannot serve.
    """
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

    Raises GraphnetsError if the percentages leave nothing to train on.
    """
    check_percentages(testing_percentage, validation_percentage)
    photos = photos.assign(split="")
    for label, group in photos[photos.problem == ""].groupby("label"):
        percent = group.path.map(lambda path: _hash_percentage(path, split_seed))
        distinct = np.unique(percent)
        if len(distinct) < FEWEST_PHOTOS:
            raise GraphnetsError(
                f"class {shown(label)} has {len(distinct)} group(s) of photos with one name before "
                f"'_nohash_', wanted {FEWEST_PHOTOS}: a group cannot be torn between splits"
            )
        names = np.array(_bands(distinct, validation_percentage, testing_percentage), object)
        photos.loc[group.index, "split"] = names[np.searchsorted(distinct, percent)]
    return photos


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


def contents(path: str | os.PathLike[str]) -> bytes:
    """Read a photo as bytes that `graphnets.photos.jpeg.decode` (and any exported graph) takes.

    A JPEG is returned as it lies on disk. PNG, BMP, GIF (first frame), PPM and WebP come back as
    a PNG of upright 8-bit RGB: 16 bits are cut to 8, transparency is laid over white.
    Raises PhotoError with the reason when the file is no such picture, broken or too large.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe would wait for ever
            raise PhotoError("not a regular file")
        with open(path, "rb") as file:
            data = file.read(3)
            if not data:
                raise PhotoError("an empty file")
            is_jpeg = data == b"\xff\xd8\xff"
            file.seek(0)
            with Image.open(file, formats=("JPEG",) if is_jpeg else FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise PhotoError(f"{image.width} x {image.height} pixels are too many")
                if not is_jpeg:
                    return _png(_rgb(image))
            with open(path, "rb") as again:  # Pillow may have closed the first
                return again.read()
    except PhotoError:
        raise
    except Image.UnidentifiedImageError:
        raise PhotoError("not a JPEG, PNG, BMP, GIF, PPM or WebP picture") from None
    except Image.DecompressionBombError:
        raise PhotoError("more pixels than are taken from a stranger's file") from None
    except Exception as error:  # a broken picture makes Pillow raise almost anything
        reason = getattr(error, "strerror", None) or error  # str() would name the file
        raise PhotoError(f"cannot be read ({shown(reason)})") from None


def _rgb(image: Image.Image) -> Image.Image:
    """Upright 8-bit RGB from any mode that Pillow reads."""
    image.load()
    with contextlib.suppress(Exception):  # damaged EXIF is no EXIF, as in graphnets.photos.jpeg
        image = ImageOps.exif_transpose(image)
    if image.mode == "F":  # a PFM, which says PPM to Pillow
        raise PhotoError("a picture of floating-point numbers")
    if image.mode.startswith("I"):  # 16 bits, which Pillow's convert would clip, not scale
        image = Image.fromarray((np.clip(np.asarray(image), 0, 65535) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=0)  # read once, in memory: size does not matter
    return buffer.getvalue()
