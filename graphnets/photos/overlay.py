"""Heat over a photo: where something is, in colours that rise evenly."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

LONGEST = 1024  # pixels of a side
COLOURS = "inferno"  # perceptually uniform: equal steps of heat look equal
MARGIN, SMALLEST_LINE = 8, 20  # pixels
FONT = "fonts/ttf/DejaVuSans.ttf"


def over(picture: np.ndarray, heat: np.ndarray) -> Image.Image:
    """A photo, and beside it, in grey, the same with the heat in colours over it.

    picture: uint8 (height, width, 3). heat: floats (rows, columns) that cover the whole picture;
    what is not above 0 has no colour, the largest the brightest.
    """
    photo = Image.fromarray(picture)
    photo.thumbnail((LONGEST, LONGEST))
    both = Image.new("RGB", (2 * photo.width + MARGIN, photo.height), "white")
    both.paste(photo, (0, 0))
    both.paste(heated(photo, heat), (photo.width + MARGIN, 0))
    return both


def heated(photo: Image.Image, heat: np.ndarray) -> Image.Image:
    """The photo in grey with the heat over it, see `over`."""
    high = np.maximum(heat, 0).astype(np.float32)
    high /= high.max(initial=0) or 1
    smooth = Image.fromarray(high).resize(photo.size, Image.Resampling.BICUBIC)
    share = np.clip(np.asarray(smooth), 0, 1)
    colours = matplotlib.colormaps[COLOURS](share)[..., :3] * 255
    grey = np.asarray(photo.convert("L"), np.float32)[..., np.newaxis]
    strength = share[..., np.newaxis] * 0.75
    mixed = grey * (0.6 - 0.6 * strength) + colours * strength
    return Image.fromarray(mixed.astype(np.uint8))


def captioned(picture: Image.Image, text: str) -> Image.Image:
    """The picture with a line of text below, cut where it does not fit."""
    line = max(SMALLEST_LINE, picture.height // 20)
    font = ImageFont.truetype(Path(matplotlib.get_data_path(), FONT), int(0.65 * line))
    while font.getlength(text) > picture.width - 2 * MARGIN and len(text) > 1:
        text = f"{text.removesuffix('…')[:-1]}…" if len(text) > 2 else "…"
    found = Image.new("RGB", (picture.width, picture.height + line), "white")
    found.paste(picture, (0, 0))
    ImageDraw.Draw(found).text((MARGIN, picture.height + 2), text, fill="black", font=font)
    return found
