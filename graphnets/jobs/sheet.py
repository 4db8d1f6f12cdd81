"""Pairs of photos that look the same, side by side, to be judged by eye."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from graphnets.errors import PhotoError, shown
from graphnets.photos import images
from graphnets.photos.look import decoded
from graphnets.photos.splits import named

TILE = 200  # pixels, the longer side of a photo
LINE, GAP = 14, 10  # pixels
ROW = TILE + 4 * LINE + GAP
COLUMNS = 4  # pairs in a row
MOST_PAIRS = 48
LETTERS = 32  # that fit under a photo
RED = (200, 0, 0)


def pairs_sheet(photos: pd.DataFrame, pairs: pd.DataFrame) -> tuple[Image.Image, int]:
    """A picture of pairs of copies, with names, labels and splits, and how many there are on it.

    photos: path, label, split, width and height of the usable ones. pairs: their places, `first`
    and `second`, and `exact`, `mirrored`. Those under two labels come first, then those in two
    splits, and of each photo one pair before a second; at most MOST_PAIRS are drawn.
    """
    one, other = photos.iloc[pairs["first"]], photos.iloc[pairs["second"]]
    torn = one.label.to_numpy() != other.label.to_numpy()
    parted = one.split.to_numpy() != other.split.to_numpy()
    again = pairs.groupby("first").cumcount().to_numpy()
    places = np.lexsort((again, ~parted, ~torn))[:MOST_PAIRS]
    columns = min(COLUMNS, len(places))
    width = columns * (2 * TILE + 3 * GAP)
    sheet = Image.new("RGB", (width, math.ceil(len(places) / COLUMNS) * ROW + GAP), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for number, place in enumerate(places):
        row, column = divmod(number, COLUMNS)
        left, top = GAP + column * (2 * TILE + 3 * GAP), GAP + row * ROW
        pair = pairs.iloc[place]
        title = "the same file" if pair.exact else "mirrored" if pair.mirrored else "alike"
        title += ", two labels" * bool(torn[place]) + ", two splits" * bool(parted[place])
        colour = RED if torn[place] or parted[place] else "black"
        draw.text((left, top), title, fill=colour, font=font)
        for side, photo in enumerate((one.iloc[place], other.iloc[place])):
            x, y = left + side * (TILE + GAP), top + LINE
            sheet.paste(_tile(photo), (x, y))
            for line, text in enumerate((named(photo.path).rpartition("/")[2], photo.label)):
                told = (
                    shown(text) if line == 0 else f"{shown(text)[:18]}, {photo.split}".rstrip(", ")
                )
                draw.text((x, y + TILE + line * LINE), _short(told), fill="black", font=font)
    return sheet, len(places)


def _short(text: str) -> str:
    return text if len(text) <= LETTERS else f"{text[: LETTERS - 12]}...{text[-9:]}"


def _tile(photo: pd.Series) -> Image.Image:
    """A photo, at most TILE wide and high; grey if it is gone by now."""
    scale = TILE / max(photo.width, photo.height)
    size = (max(1, round(photo.width * scale)), max(1, round(photo.height * scale)))
    try:
        with images.opened(photo.path) as data:
            return decoded(data, TILE).resize(size)
    except PhotoError:
        return Image.new("RGB", size, "grey")
