"""Small pictures of photos, quickly."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from PIL import Image, ImageOps

from graphnets.errors import PhotoError
from graphnets.photos import images


def squares(paths: Iterable[str | os.PathLike[str]], side: int) -> list[Image.Image]:
    """Each photo, as large as a white square has room for; grey if it cannot be read."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(partial(_square, side=side), paths))


def _square(path: str | os.PathLike[str], side: int) -> Image.Image:
    square = Image.new("RGB", (side, side), "white")
    try:
        small = thumbnail(path, side)
    except PhotoError:
        return Image.new("RGB", (side, side), "grey")
    small = ImageOps.contain(small, (side, side))
    square.paste(small, ((side - small.width) // 2, (side - small.height) // 2))
    return square


def thumbnail(path: str | os.PathLike[str], side: int) -> Image.Image:
    """The photo upright, RGB, at most `side` pixels wide and high.

    Raises PhotoError where it cannot be read.
    """
    with images.opened(path) as data:
        picture = _reduced(data, side)
        if picture is None:
            picture = Image.fromarray(images.pixels(data))
        picture.thumbnail((side, side), Image.Resampling.BOX, reducing_gap=2.0)
        return picture


def _reduced(data: bytes, side: int) -> Image.Image | None:
    """A JPEG, decoded at an eighth of its size or more; None for what else there is."""
    if data[: len(images.JPEG)] != images.JPEG:
        return None
    images.contents(data)  # raises for what is too large
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            image.draft("RGB", (2 * side, 2 * side))
            return images.jpeg_rgb(data, image)
    except Exception:  # Pillow raises almost anything for a damaged one
        raise PhotoError("damaged or cut off") from None
