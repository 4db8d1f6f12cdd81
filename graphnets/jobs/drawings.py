"""Drawings of how a classifier did on its test photos: the confusion matrix, a sheet of mistakes.

Drawn with Pillow, as Matplotlib reads `$` in a label as mathematics.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from graphnets.errors import shown
from graphnets.photos.thumbnails import squares

WIDTH = 1100  # pixels of all cells of a matrix, where they are not too small or too large
SMALLEST, LARGEST = 2, 56  # pixels of a cell
NUMBERED, LABELLED = 18, 10  # pixels of a cell that holds a number, or beside which a label fits
RIGHT, WRONG = (33, 102, 172), (178, 24, 43)
LETTERS = 24  # of a label
TILE, LINE, GAP, COLUMNS = 160, 14, 10, 6  # of a sheet: pixels, and photos in a row


def confusion_picture(matrix: np.ndarray, labels: Sequence[str]) -> Image.Image:
    """A confusion matrix: a row a true class, a column a predicted one, both in `labels`' order.

    matrix: counts, int (classes, classes). The darker, the larger a share of its row: blue where
    right, red where wrong. Numbers and labels are left out where they would not fit.
    """
    count = len(labels)
    cell = int(np.clip(WIDTH // count, SMALLEST, LARGEST))
    font = ImageFont.load_default(max(9, min(14, cell // 2)))
    names = [_cut(label) for label in labels] if cell >= LABELLED else []
    margin = 36 + max((math.ceil(font.getlength(name)) for name in names), default=0)
    picture = Image.new("RGB", (margin + cell * count + GAP,) * 2, "white")
    draw = ImageDraw.Draw(picture)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    strength = np.sqrt(shares)[..., np.newaxis]  # a single mistake is to be seen
    right = np.eye(count, dtype=bool)[..., np.newaxis]
    colours = (255 + strength * (np.where(right, RIGHT, WRONG) - 255)).astype(np.uint8)
    cells = Image.fromarray(colours).resize((cell * count,) * 2, Image.Resampling.NEAREST)
    picture.paste(cells, (margin, margin))
    for number, name in enumerate(names):
        middle = margin + number * cell + cell // 2
        draw.text((margin - 6, middle), name, "black", font, anchor="rm")
        _upwards(picture, (middle, margin - 6), name, font)
    if cell >= NUMBERED:
        for row, column in zip(*np.nonzero(matrix), strict=True):
            colour = "white" if strength[row, column, 0] > 0.6 else "black"
            place = (margin + column * cell + cell // 2, margin + row * cell + cell // 2)
            draw.text(place, str(matrix[row, column]), colour, font, anchor="mm")
    draw.rectangle((margin - 1, margin - 1, *(margin + cell * count,) * 2), outline="grey")
    larger = ImageFont.load_default(14)
    draw.text((margin + cell * count // 2, 4), "predicted", "black", larger, anchor="ma")
    _upwards(picture, (12, margin + cell * count // 2), "true", larger, middle=True)
    return picture


def _upwards(
    picture: Image.Image,
    place: tuple[int, int],
    text: str,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    middle: bool = False,
) -> None:
    """Write a text from below upwards, from `place` on, or around it."""
    size = math.ceil(font.getlength(text)) + 2, 20
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).text((0, size[1] // 2), text, 255, font, anchor="lm")
    turned = mask.transpose(Image.Transpose.ROTATE_90)
    top = place[1] - (turned.height // 2 if middle else turned.height)
    picture.paste("black", (place[0] - turned.width // 2, top), turned)


def mistakes_sheet(
    paths: Sequence[str], predicted: Sequence[str], truth: Sequence[str], scores: Sequence[float]
) -> Image.Image:
    """Photos side by side, each with the label it got, its score, its true label and its name."""
    rows, columns = math.ceil(len(paths) / COLUMNS), min(COLUMNS, len(paths))
    height = TILE + 3 * LINE + GAP
    sheet = Image.new("RGB", (GAP + columns * (TILE + GAP), GAP + rows * height), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for number, picture in enumerate(squares(paths, TILE)):
        row, column = divmod(number, COLUMNS)
        x, y = GAP + column * (TILE + GAP), GAP + row * height
        sheet.paste(picture, (x, y))
        lines: tuple[tuple[str, str | tuple[int, ...]], ...] = (
            (f"{_cut(predicted[number]) or 'nothing'} {scores[number]:.0%}", WRONG),
            (f"is {_cut(truth[number]) or 'nothing'}", "black"),
            (_cut(paths[number].replace("\\", "/").rpartition("/")[2]), "grey"),
        )
        for line, (text, colour) in enumerate(lines):
            draw.text((x, y + TILE + line * LINE), text, colour, font)
    return sheet


def _cut(text: str) -> str:
    text = shown(text)
    return text if len(text) <= LETTERS else f"{text[: LETTERS - 10]}...{text[-7:]}"
