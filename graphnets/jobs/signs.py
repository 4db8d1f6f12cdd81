"""Photo-like pictures of the 43 German traffic signs of GTSRB, drawn in code.

``write`` makes an image folder for a machine that has nothing but this package. A sign is a
plate and a glyph, both tuples of shapes in units where the sign spans -100..100 and y points
down; a photo is the clean sign seen askew on a random background, in random light, with blur
and noise. Only numpy and Pillow are needed, and no file is read.
"""

from __future__ import annotations

import os
import re
from cmath import rect
from collections.abc import Callable, Iterable
from functools import cache
from math import cos, radians, sin
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from graphnets.errors import GraphnetsError, check_path, check_seed, check_whole
from graphnets.files import check_writable, whole_file, writing

__all__ = ["FOLDERS", "NAMES", "draw", "draw_signs"]

Colour = tuple[int, int, int]
RED, BLUE, YELLOW, GREEN = (190, 22, 34), (10, 76, 160), (252, 190, 10), (0, 130, 80)
BLACK, WHITE, GREY, PALE = (22, 22, 24), (242, 242, 240), (135, 137, 140), (230, 231, 232)


class Shape(NamedTuple):
    """One painted thing: points are x + yj; width is a stroke, a rounding or a disc's radius."""

    kind: str
    colour: Colour
    points: tuple[complex, ...]
    width: float = 0
    text: str = ""


Glyph = tuple[Shape, ...]


def pairs(xy: tuple[float, ...]) -> tuple[complex, ...]:
    return tuple(map(complex, xy[::2], xy[1::2]))


def fill(colour: Colour, *xy: float, rounding: float = 0) -> Glyph:
    return (Shape("fill", colour, pairs(xy), rounding),)


def line(colour: Colour, width: float, *xy: float) -> Glyph:
    return (Shape("line", colour, pairs(xy), width),)


def limb(width: float, *xy: float) -> Glyph:
    return (Shape("limb", BLACK, pairs(xy), width),)


def disc(colour: Colour, x: float, y: float, radius: float) -> Glyph:
    return (Shape("disc", colour, (complex(x, y),), radius),)


def text(colour: Colour, string: str, half_width: float, half_height: float) -> Glyph:
    corner = complex(half_width, half_height)
    return (Shape("text", colour, (-corner, corner), text=string),)


def arc(x: float, y: float, radius: float, start: int, stop: int) -> tuple[float, ...]:
    """Points on a circle, in degrees clockwise from three o'clock."""
    step = 10 if stop > start else -10
    turns = [radians(a) for a in range(start, stop + step // 10, step)]
    return tuple(v for a in turns for v in (x + radius * cos(a), y + radius * sin(a)))


def place(glyph: Glyph, dx: float = 0, dy: float = 0, size: float = 1, turn: float = 0) -> Glyph:
    """The glyph scaled, turned clockwise by degrees, and moved."""
    factor, shift = rect(size, radians(turn)), complex(dx, dy)
    return tuple(
        g._replace(width=g.width * size, points=tuple(p * factor + shift for p in g.points))
        for g in glyph
    )


def mirror(glyph: Glyph) -> Glyph:
    return tuple(g._replace(points=tuple(-p.conjugate() for p in g.points)) for g in glyph)


def tint(colour: Colour, glyph: Glyph) -> Glyph:
    return tuple(g if g.colour == WHITE else g._replace(colour=colour) for g in glyph)


# Rows of coordinates read worse one number a line.
# fmt: off
CORNERS = (0, -106, 92, 53, -92, 53)
DIAMOND = (0, -92, 92, 0, 0, 92, -92, 0)
OCTAGON = tuple(102 * f(radians(a + 22.5)) for a in range(0, 360, 45) for f in (cos, sin))

RING = disc(WHITE, 0, 0, 100) + disc(RED, 0, 0, 97) + disc(WHITE, 0, 0, 72)
RED_DISC = disc(WHITE, 0, 0, 100) + disc(RED, 0, 0, 96)
BLUE_DISC = disc(WHITE, 0, 0, 100) + disc(BLUE, 0, 0, 95)
END_DISC = disc(BLACK, 0, 0, 100) + disc(PALE, 0, 0, 96)
STOP_PLATE = fill(WHITE, *OCTAGON) + place(fill(RED, *OCTAGON), size=0.94)
DIAMOND_PLATE = (
    fill(GREY, *DIAMOND, rounding=16) + place(fill(WHITE, *DIAMOND, rounding=16), size=0.96)
    + place(fill(BLACK, *DIAMOND, rounding=10), size=0.6)
    + place(fill(YELLOW, *DIAMOND, rounding=10), size=0.56))
TRIANGLE = place(
    fill(WHITE, *CORNERS, rounding=14) + place(fill(RED, *CORNERS, rounding=14), size=0.95)
    + place(fill(WHITE, *CORNERS, rounding=8), size=0.69), dy=14)
YIELD_PLATE = place(TRIANGLE, turn=180)

STRIPES = place(
    tuple(g for x in (-18, -9, 0, 9, 18) for g in line(BLACK, 4.5, x, -93, x, 93)), turn=45)
CAR = (fill(BLACK, -17, -18, 17, -18, 23, -4, 29, 0, 29, 14, -29, 14, -29, 0, -23, -4, rounding=3)
    + fill(WHITE, -14, -13, 14, -13, 18, -3, -18, -3)
    + fill(BLACK, -27, 12, -16, 12, -16, 22, -27, 22) + fill(BLACK, 16, 12, 27, 12, 27, 22, 16, 22)
    + disc(WHITE, -21, 6, 4) + disc(WHITE, 21, 6, 4))
TRUCK_BACK = (
    fill(BLACK, -26, -44, 26, -44, 26, 6, -26, 6) + fill(BLACK, -26, 10, 26, 10, 26, 18, -26, 18)
    + fill(BLACK, -26, 18, -14, 18, -14, 28, -26, 28)
    + fill(BLACK, 14, 18, 26, 18, 26, 28, 14, 28) + fill(BLACK, -4, 5, 4, 5, 4, 12, -4, 12))
WHEEL = disc(WHITE, 0, 0, 14) + disc(BLACK, 0, 0, 11) + disc(WHITE, 0, 0, 4)
TRUCK_SIDE = (
    fill(BLACK, -12, -30, 58, -30, 58, 12, -12, 12) + fill(BLACK, -16, 12, 54, 12, 54, 18, -16, 18)
    + fill(BLACK, -56, 18, -56, -2, -44, -22, -18, -22, -18, 18)
    + fill(WHITE, -50, -3, -41, -17, -28, -17, -28, -3)
    + place(WHEEL, -38, 19) + place(WHEEL, 36, 19))
CROSSING = (fill(BLACK, 0, -42, 22, -12, 12, -12, 12, 44, 0, 34, -12, 44, -12, -12, -22, -12)
    + line(BLACK, 11, -32, 13, 32, 13))
CAUTION = fill(BLACK, -6, -34, 6, -34, 3, 18, -3, 18, rounding=4) + disc(BLACK, 0, 36, 8.5)
CURVE = (line(BLACK, 15, -16, 47, -16, 26, *arc(2, 24, 18, 180, 270), 14, 6)
    + fill(BLACK, 9, -11, 33, 6, 9, 23))
DOUBLE_CURVE = line(BLACK, 14, 12, 46, 12, 24, -9, 8, -9, -12) \
    + fill(BLACK, -22, -10, 4, -10, -9, -36)
BUMPS = fill(BLACK, -48, 44, -48, 38, -38, 36, -29, 23, -21, 19, -13, 23, -4, 36,
             4, 36, 13, 23, 21, 19, 29, 23, 38, 36, 48, 38, 48, 44)
SKID = (place(CAR, 2, -1, 0.95, 14) + limb(5, -14, 24, -24, 29, -10, 36, -28, 46)
    + limb(5, 20, 30, 8, 35, 24, 40, 6, 47))
NARROWS = limb(8, -13, 42, -13, -18) + limb(8, 20, 42, 20, 22, 7, 4, 7, -18)
WORKER = (disc(BLACK, -2, -27, 7.5) + limb(12, -9, -12, -18, 8) + limb(8, -18, 10, -8, 26, -14, 43)
    + limb(8, -18, 10, -28, 26, -38, 43) + limb(5.5, -6, -14, 8, 0, 0, 16)
    + limb(3.5, -22, 2, 20, 36) + fill(BLACK, 4, 47, 28, 20, 34, 22, 54, 47))
LIGHTS = disc(RED, 0, -21, 12) + disc(YELLOW, 0, 8, 12) + disc(GREEN, 0, 37, 12)
WALKER = (disc(BLACK, 0, -34, 7.5) + limb(13, 2, -17, 2, 6) + limb(8, 2, 8, -7, 24, -15, 43)
    + limb(8, 3, 8, 11, 24, 16, 43) + limb(5.5, -1, -19, -13, -6, -17, 8)
    + limb(5.5, 5, -19, 16, -4, 15, 10))
RUNNER = (disc(BLACK, -6, -34, 8) + limb(13, 0, -17, 4, 4) + limb(8, 3, 8, -16, 18, -14, 40)
    + limb(8, 5, 8, 14, 26, 32, 32) + limb(5.5, -3, -18, -18, -8, -26, -18)
    + limb(5.5, 4, -18, 18, -8, 20, 6))
CHILDREN = place(RUNNER, -23, 24, 0.55) + place(RUNNER, 13, 11, 0.8)
BICYCLE = (limb(4.5, *arc(-25, 29, 16, 0, 360)) + limb(4.5, *arc(25, 29, 16, 0, 360))
    + limb(4.5, 25, 29, 2, 29, -16, 5, 11, 5, 25, 29) + limb(4.5, 2, 29, 13, -3)
    + limb(4.5, -25, 29, -15, -6, -23, -8) + limb(5.5, 7, -4, 19, -4))
SPOKE = limb(6, 0, 0, 0, -29) + limb(5, -9, -27, 0, -17, 9, -27)
SNOW = tuple(g for a in range(0, 360, 60) for g in place(SPOKE, 0, 14, 1, a))
DEER = (fill(BLACK, -26, -5, -17, -15, -8, -16, -3, 0, 16, 6, 27, 15, 33, 13, 28, 27, 6, 23,
         -8, 21, -13, 12, -14, -1, -24, 0, rounding=2)
    + limb(5, -8, 17, -27, 19, -34, 30) + limb(5, -5, 19, -22, 28, -24, 40)
    + limb(5, 26, 22, 32, 36, 47, 43) + limb(5, 22, 22, 24, 38, 37, 45)
    + limb(3, -12, -14, -8, -25, -11, -34) + limb(3, -8, -25, 2, -30) + limb(3, -10, -17, -1, -19))

HEAD = fill(WHITE, 0, -40, 44, 4, 44, 30, 0, -14, -44, 30, -44, 4)
TIP = fill(WHITE, 0, -32, 30, 12, -30, 12)
AHEAD = fill(WHITE, -11, 76, 11, 76, 11, -56, -11, -56) + place(HEAD, dy=-38)
TURN = line(WHITE, 22, -26, 72, -26, 16, *arc(2, 10, 28, 180, 270), 50, -18) \
    + place(HEAD, 32, -18, 0.95, 90)
FORK = (fill(WHITE, -31, 76, -11, 76, -11, -44, -31, -44) + place(TIP, -21, -48)
    + line(WHITE, 20, -21, 66, *arc(11, 54, 32, 180, 270), 40, 22) + place(TIP, 46, 22, 1, 90))
KEEP = place(AHEAD, turn=135)
SWEEP = line(WHITE, 20, *arc(0, 0, 55, 90, 20)) + place(TIP, 51, 6, 0.9, -4)
ROUNDABOUT = tuple(g for a in (0, 120, 240) for g in place(SWEEP, turn=a))

LEFT_CAR, RIGHT_CAR = place(CAR, -33, 0, 1.05), place(CAR, 33, 0, 1.05)
LEFT_TRUCK, LOW_CAR = place(TRUCK_BACK, -28, 0, 1.1), place(CAR, 33, 8)
SIGNS: tuple[tuple[str, Glyph, Glyph], ...] = (
    ("Speed limit (20km/h)", RING, text(BLACK, "20", 50, 42)),
    ("Speed limit (30km/h)", RING, text(BLACK, "30", 50, 42)),
    ("Speed limit (50km/h)", RING, text(BLACK, "50", 50, 42)),
    ("Speed limit (60km/h)", RING, text(BLACK, "60", 50, 42)),
    ("Speed limit (70km/h)", RING, text(BLACK, "70", 50, 42)),
    ("Speed limit (80km/h)", RING, text(BLACK, "80", 50, 42)),
    ("End of speed limit (80km/h)", END_DISC, text(GREY, "80", 62, 48) + STRIPES),
    ("Speed limit (100km/h)", RING, text(BLACK, "100", 58, 36)),
    ("Speed limit (120km/h)", RING, text(BLACK, "120", 58, 36)),
    ("No passing", RING, tint(RED, LEFT_CAR) + RIGHT_CAR),
    ("No passing for vehicles over 3.5 metric tons", RING, tint(RED, LEFT_TRUCK) + LOW_CAR),
    ("Right-of-way at the next intersection", TRIANGLE, CROSSING),
    ("Priority road", DIAMOND_PLATE, ()),
    ("Yield", YIELD_PLATE, ()),
    ("Stop", STOP_PLATE, text(WHITE, "STOP", 76, 32)),
    ("No vehicles", RING, ()),
    ("Vehicles over 3.5 metric tons prohibited", RING, TRUCK_SIDE),
    ("No entry", RED_DISC, fill(WHITE, -76, -17, 76, -17, 76, 17, -76, 17)),
    ("General caution", TRIANGLE, CAUTION),
    ("Dangerous curve to the left", TRIANGLE, mirror(CURVE)),
    ("Dangerous curve to the right", TRIANGLE, CURVE),
    ("Double curve", TRIANGLE, DOUBLE_CURVE),
    ("Bumpy road", TRIANGLE, BUMPS),
    ("Slippery road", TRIANGLE, SKID),
    ("Road narrows on the right", TRIANGLE, NARROWS),
    ("Road work", TRIANGLE, WORKER),
    ("Traffic signals", TRIANGLE, LIGHTS),
    ("Pedestrians", TRIANGLE, WALKER),
    ("Children crossing", TRIANGLE, CHILDREN),
    ("Bicycles crossing", TRIANGLE, BICYCLE),
    ("Beware of ice/snow", TRIANGLE, SNOW),
    ("Wild animals crossing", TRIANGLE, DEER),
    ("End of all speed and passing limits", END_DISC, STRIPES),
    ("Turn right ahead", BLUE_DISC, TURN),
    ("Turn left ahead", BLUE_DISC, mirror(TURN)),
    ("Ahead only", BLUE_DISC, AHEAD),
    ("Go straight or right", BLUE_DISC, FORK),
    ("Go straight or left", BLUE_DISC, mirror(FORK)),
    ("Keep right", BLUE_DISC, KEEP),
    ("Keep left", BLUE_DISC, mirror(KEEP)),
    ("Roundabout mandatory", BLUE_DISC, ROUNDABOUT),
    ("End of no passing", END_DISC, tint(GREY, LEFT_CAR + RIGHT_CAR) + STRIPES),
    ("End of no passing by vehicles over 3.5 metric tons", END_DISC,
     tint(GREY, LEFT_TRUCK + LOW_CAR) + STRIPES),
)
# fmt: on
NAMES: tuple[str, ...] = tuple(name for name, _, _ in SIGNS)
FOLDERS: tuple[str, ...] = tuple(
    f"{i:02d}_" + re.sub("[^a-z0-9]+", "_", name.lower().replace("km/h", "")).strip("_")
    for i, name in enumerate(NAMES)
)


def _letters(string: str, width: int, height: int) -> Image.Image:
    """A bold mask of the string, stretched to the box: road letters are tall and narrow."""
    font = ImageFont.load_default(size=160)
    mask = Image.new("L", (200 * len(string), 260))
    ImageDraw.Draw(mask).text((30, 20), string, 255, font, stroke_width=4)
    return mask.crop(mask.getbbox()).resize((width, height))


def _paint(image: Image.Image, shape: Shape, scale: float) -> None:
    pen = ImageDraw.Draw(image)
    middle = image.width / 2
    points = [(middle + p.real * scale, middle + p.imag * scale) for p in shape.points]
    width, colour = shape.width * scale, (*shape.colour, 255)
    if shape.kind == "text":
        (x0, y0), (x1, y1) = points
        mask = _letters(shape.text, round(x1 - x0), round(y1 - y0))
        image.paste(colour, (round(x0), round(y0)), mask)
        return
    if shape.kind == "fill":
        pen.polygon(points, colour)
        points.append(points[0])
    if shape.kind != "disc" and width:
        pen.line(points, colour, round(width), joint="curve")
    if shape.kind != "line":
        radius = width if shape.kind == "disc" else width / 2
        for x, y in points:
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), colour)


@cache
def clean(class_id: int, size: int) -> Image.Image:
    """The sign itself, straight on, on a transparent square of ``size`` pixels (RGBA)."""
    image = Image.new("RGBA", (4 * size, 4 * size), (0, 0, 0, 0))
    _, plate, glyph = SIGNS[class_id]
    for shape in plate + glyph:
        _paint(image, shape, 4 * size / 210)
    return image.reduce(4)


SKY, CLOUD, LEAVES, SHADE = (150, 185, 225), (225, 228, 232), (75, 100, 45), (22, 28, 18)
BARK, AUTUMN, WALL, ROAD = (88, 74, 60), (150, 95, 40), (190, 172, 150), (112, 112, 116)
SCENES: tuple[tuple[Colour, Colour], ...] = (
    (SKY, CLOUD), (CLOUD, BARK), (SKY, SHADE), (LEAVES, SHADE), (LEAVES, CLOUD),
    (AUTUMN, SHADE), (WALL, ROAD), (ROAD, BARK), (WALL, LEAVES), (BARK, SHADE),
)  # fmt: skip


def _smooth(rng: np.random.Generator, height: int, width: int, cells: int) -> np.ndarray:
    """Random blobs, about ``cells`` a side: float32 (height, width, 1) in 0..1."""
    small = Image.fromarray(rng.integers(0, 256, (cells, cells), dtype=np.uint8))
    large = small.resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(large, np.float32)[..., None] / 255


def _background(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Two colours of a scene mixed by coarse and fine blobs, with twigs, walls and a pole."""
    near, far = np.array(SCENES[rng.integers(len(SCENES))], np.float32)
    mask = _smooth(rng, height, width, 4) + rng.uniform(0, 0.9) * (
        _smooth(rng, height, width, 14) + _smooth(rng, height, width, 40) - 1
    )
    mask = np.clip((mask - 0.5) * rng.uniform(0.8, 4) + 0.5, 0, 1)
    image = Image.fromarray((near + (far - near) * mask).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    for _ in range(rng.integers(0, 7)):
        x0, y0, x1, y1 = rng.uniform(-0.2, 1.2, 4) * (width, height, width, height)
        colour = tuple(int(v) for v in SCENES[rng.integers(len(SCENES))][rng.integers(2)])
        if rng.random() < 0.3:
            pen.rectangle((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)), colour)
        else:
            pen.line((x0, y0, x1, y1), colour, int(rng.integers(1, 5)))
    if rng.random() < 0.7:
        grey, half = int(rng.integers(60, 190)), width * rng.uniform(0.015, 0.04)
        pen.rectangle((width / 2 - half, height / 2, width / 2 + half, height), (grey,) * 3)
    return np.asarray(image, np.float32)


def _askew(rng: np.random.Generator, class_id: int, height: int, width: int) -> np.ndarray:
    """The sign from a random side: float32 (height, width, 4), RGB 0..255 and alpha 0..1."""
    side = min(height, width)
    reach = side * rng.uniform(0.36, 0.46)
    angle = np.deg2rad(rng.normal(0, 4))
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], float)
    seen = corners * (rng.uniform(0.82, 1), 1) + rng.normal(0, 0.028, (4, 2))
    turn = np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
    centre = np.array((width, height)) / 2 + rng.normal(0, 0.02, 2) * side
    target = reach * seen @ turn + centre

    size = 64 if reach < 36 else 128
    source = (corners + 1) * size / 2
    # Pillow maps output to input: u = (ax + by + c) / (gx + hy + 1), and v alike with d, e, f.
    rows = []
    for (x, y), (u, v) in zip(target, source, strict=True):
        rows += [(x, y, 1, 0, 0, 0, -u * x, -u * y), (0, 0, 0, x, y, 1, -v * x, -v * y)]
    warp = np.linalg.solve(np.array(rows), source.ravel())
    layer = clean(class_id, size).transform(
        (width, height), Image.Transform.PERSPECTIVE, warp.tolist(), Image.Resampling.BICUBIC
    )
    return np.asarray(layer, np.float32) / np.array((1, 1, 1, 255), np.float32)


def _light(rng: np.random.Generator, photo: np.ndarray) -> np.ndarray:
    """Exposure, colour cast, haze and a shadow that deepens across the photo."""
    height, width = photo.shape[:2]
    x, y = np.linspace(-0.5, 0.5, width), np.linspace(-0.5, 0.5, height)[:, None]
    angle = rng.uniform(0, 2 * np.pi)
    ramp = (x * np.cos(angle) + y * np.sin(angle) + 0.7) / 1.4
    shadow = 1 - rng.uniform(0, 0.6) * ramp[..., None]
    haze = rng.uniform(0, 0.35) ** 1.5
    gain = np.exp(np.clip(rng.normal(-0.1, 0.35), -1.2, 0.4)) * rng.normal(1, 0.06, 3)
    lit = (photo * (1 - haze) + 190 * haze) * (shadow * gain).astype(np.float32)
    return np.clip(lit, 0, 255)


def draw(class_id: int, rng: np.random.Generator) -> np.ndarray:
    """One random view of the sign of a class, 0..42, the index into ``NAMES``.

    Returns a uint8 array (height, width, 3), RGB, 0..255, height and width from 48 to 160; the
    same state of ``rng`` gives the same picture. Raises GraphnetsError, a ValueError, for any
    other class.
    """
    if not 0 <= class_id < len(SIGNS):
        raise GraphnetsError(f"class_id must be 0 to {len(SIGNS) - 1}, not {class_id}")
    side = 48 + 96 * rng.beta(1.1, 1.9)
    height, width = (int(side * f) for f in rng.uniform(1, 1.11, 2))
    background = _background(rng, height, width)
    layer = _askew(rng, class_id, height, width)
    sign, alpha = layer[..., :3], layer[..., 3:]
    behind, front = rng.uniform(0.5, 1.2), rng.uniform(0.7, 1.05)
    photo = background * behind * (1 - alpha) + sign * front * alpha
    image = Image.fromarray(_light(rng, photo).astype(np.uint8))

    soft = side * 0.007 * abs(rng.normal())
    smear = soft + (side * rng.uniform(0, 0.02) if rng.random() < 0.25 else 0)
    radius = (soft, smear) if rng.random() < 0.5 else (smear, soft)
    image = image.filter(ImageFilter.GaussianBlur(radius))
    grain = rng.standard_normal((height, width, 3), np.float32) * rng.uniform(1, 8)
    return np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8)


def draw_signs(
    folder: str | os.PathLike[str],
    per_class: int = 30,
    seed: int = 0,
    progress: Callable[..., Iterable] = iter,
) -> int:
    """Write photos of every class as ``folder/FOLDERS[c]/00000.jpg`` and so on.

    Returns the number of photos, 43 * ``per_class``. Photo k of class c depends on (seed, c, k)
    alone: asking again for more keeps the first ones. Files of these names are overwritten, and
    nothing is deleted. ``progress`` gets the list of photos to draw and returns an iterable of
    the same, as ``tqdm`` does. Raises GraphnetsError, a ValueError, unless ``per_class`` and
    ``seed`` are whole numbers from 0, and if the folder cannot be written.

    >>> graphnets.draw_signs("drawn", per_class=1)
    43
    """
    check_path("folder", folder)
    check_whole("per_class", per_class, 0)
    check_seed(seed)
    for name in FOLDERS:
        check_writable(Path(folder, name))
    jobs = [(c, k) for c in range(len(FOLDERS)) for k in range(per_class)]
    for c, k in progress(jobs):
        photo = Image.fromarray(draw(c, np.random.default_rng([seed, c, k])))
        target = Path(folder, FOLDERS[c], f"{k:05d}.jpg")
        with writing(target), whole_file(target) as temporary:
            photo.save(temporary, quality=90)
    return len(jobs)
