"""Small pictures of photos, to look at."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from PIL import Image, ImageOps

from graphnets.photos import images


def thumbnails(paths: Iterable[str | os.PathLike[str]], side: int) -> list[Image.Image]:
    """The `thumbnail` of each photo, made in threads."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(partial(thumbnail, side=side), paths))


def thumbnail(path: str | os.PathLike[str], side: int) -> Image.Image:
    """A whole photo, upright, as large as a white square of `side` pixels has room for, RGB.

    Of a JPEG no more is decoded than such a picture takes. Grey if it cannot be read.
    """
    square = Image.new("RGB", (side, side), "white")
    try:
        with images.opened(path) as data:
            small = _small(data, side)
    except Exception:  # Pillow raises almost anything for a damaged one
        return Image.new("RGB", (side, side), "grey")
    square.paste(small, ((side - small.width) // 2, (side - small.height) // 2))
    return square


def _small(data: bytes, side: int) -> Image.Image:
    if data[: len(images.JPEG)] != images.JPEG:
        return _fitted(Image.fromarray(images.pixels(data)), side)
    images.contents(data)  # raises for what is too large
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        image.draft(None, (2 * side, 2 * side))  # type: ignore[arg-type]
        picture = _fitted(image, side)
        with contextlib.suppress(Exception):  # damaged EXIF is no EXIF
            picture.getexif()[images.ORIENTATION] = image.getexif().get(images.ORIENTATION, 1)
            picture = ImageOps.exif_transpose(picture)
        return picture.convert("RGB")


def _fitted(image: Image.Image, side: int) -> Image.Image:
    scale = side / max(image.size)
    return image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
