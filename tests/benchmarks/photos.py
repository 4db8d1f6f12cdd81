"""The photos that the benchmarks read: drawn from a seed, or taken out of a folder of real ones."""

import shutil
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIZE = (320, 240)  # width, height
CLASSES = ("ash", "beech", "cedar", "elm", "oak")
QUALITY = 90  # with this noise, files of 25 to 30 KB
GRAIN = 9.5
SHAPES = 9


def prepared(folder, count, given=None):
    """A folder of `count` JPEGs in class folders: drawn, or out of the folder `given`."""
    if given is None:
        return draw(folder, count)
    for path in _evenly(Path(given), count):
        target = folder / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return folder


def paths(folder):
    """All photos of the folder, class by class."""
    return sorted(str(path) for path in Path(folder).glob("*/*.jpg"))


def _evenly(folder, count):
    """`count` JPEGs, as many from each class as there are."""
    classes = [sorted(c.glob("*.jpg")) for c in sorted(folder.iterdir()) if c.is_dir()]
    found = [path for path in chain.from_iterable(zip_longest(*classes)) if path is not None]
    if not found:
        raise SystemExit(f"{folder} has no class folders with .jpg files")
    return found[:count]


def draw(folder, count, seed=0):
    """Draw `count` different JPEGs: smooth shapes on a gradient, with a camera's grain."""
    random = np.random.default_rng(seed)
    width, height = SIZE
    grain = random.normal(0, GRAIN, (2 * height, 2 * width, 3)).astype(np.float32)
    for label in CLASSES:
        (folder / label).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        image = _shapes(random).filter(ImageFilter.GaussianBlur(1))
        top, left = random.integers(0, (height, width))
        pixels = np.asarray(image) + grain[top : top + height, left : left + width]
        path = folder / CLASSES[number % len(CLASSES)] / f"{number:05d}.jpg"
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path, quality=QUALITY)
    return folder


def _shapes(random):
    width, height = SIZE
    corners = random.integers(0, 256, (2, 2, 3), np.uint8)
    image = Image.fromarray(corners).resize(SIZE, Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(image)
    for _ in range(SHAPES):
        colour = tuple(int(value) for value in random.integers(0, 256, 3))
        x, y, w, h = (int(v) for v in random.integers(10, (width, height, width // 2, height // 2)))
        kind = random.integers(2)
        (pen.ellipse if kind else pen.rectangle)((x - w // 2, y - h // 2, x + w, y + h), colour)
    return image
