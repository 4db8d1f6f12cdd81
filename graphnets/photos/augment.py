"""Random variants of a photo for training: drawn from a seed, applied in the graph.

A variant follows from the photo's key, the copy's number, the seed and the options alone, so that
its features can be stored as those of the photo itself are.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf
from PIL import Image

from graphnets.errors import GraphnetsError, check_whole
from graphnets.photos.augmentation import Augmentation


class Drawn(NamedTuple):
    """One variant of one photo, as `apply` takes it.

    transform: float32 (2, 3), from a pixel (x, y, 1) of the variant to the place (x, y) in the
    photo of the network's size that it shows. brightness: float32, what pixels are multiplied by.
    """

    transform: np.ndarray
    brightness: np.float32


def draw(options: Augmentation, size: tuple[int, int], seed: int, key: str, copy: int) -> Drawn:
    """Draw a variant of a photo; the same arguments always draw the same one.

    size: the network's (height, width). key: the photo's, as in `graphnets.photos.images.scan`.
    copy: an integer that tells the variants of one photo apart.
    What one option draws does not depend on the others; with all off, it is the photo itself.
    """
    # A hash, as NumPy's generators may give other numbers in a later version.
    digest = hashlib.shake_256(f"{seed:d} {key} {copy:d}".encode()).digest(8 * 11)
    uniform = (np.frombuffer(digest, "<u8") >> 11) * 2.0**-53  # 53 bits each, from [0, 1)
    flip, scale, left, top, light, *moves = map(float, uniform)
    cropped = (1 + options.random_crop / 100) * (1 + options.random_scale / 100 * scale)
    moved = _moved(options, size, [2 * u - 1 for u in moves])
    transform = moved @ _window(size, cropped, left, top)
    if options.flip_left_right and flip < 0.5:
        transform = transform @ np.array([[-1, 0, size[1] - 1], [0, 1, 0], [0, 0, 1]])
    brightness = 1 + options.random_brightness / 100 * (2 * light - 1)
    return Drawn(transform[:2].astype(np.float32), np.float32(brightness))


def _window(size: tuple[int, int], scale: float, left: float, top: float) -> np.ndarray:
    """To a photo from the window of `size` that retrain.py cuts out of it enlarged by `scale`.

    left, top: 0 to 1, where the window lies in what the enlarged photo has over.
    """
    height, width = size
    x, y = left * (scale - 1) * width, top * (scale - 1) * height
    return np.array([[1 / scale, 0, x / scale], [0, 1 / scale, y / scale], [0, 0, 1]])


def _moved(options: Augmentation, size: tuple[int, int], moves: list[float]) -> np.ndarray:
    """Rotation, shift, shear and zoom about the centre, composed in Keras's order.

    moves: how much of what the options allow, each from -1 to 1.
    """
    turn, right, down, slant, wide, high = moves
    height, width = size
    angle = math.radians(options.rotation * turn)
    cos, sin = math.cos(angle), math.sin(angle)
    rotation = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
    shift = _shift(options.width_shift * right * width, options.height_shift * down * height)
    shear = np.array([[1, options.shear * slant, 0], [0, 1, 0], [0, 0, 1]])
    zoom = np.diag([1 + options.zoom * wide, 1 + options.zoom * high, 1])
    x, y = (width - 1) / 2, (height - 1) / 2
    return _shift(x, y) @ rotation @ shift @ shear @ zoom @ _shift(-x, -y)


def _shift(x: float, y: float) -> np.ndarray:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]])


def apply(
    image: tf.Tensor, transform: tf.Tensor, brightness: tf.Tensor, size: tuple[int, int]
) -> tf.Tensor:
    """uint8 (height, width, 3) to the variant, float32 (1, *size, 3), 0 to 255.

    transform, brightness: as in `Drawn`, or placeholders for them. A place outside of the photo
    shows the nearest pixel of its edge.

    Pixels are read straight from the full-size photo, at the places where
    `graphnets.photos.jpeg.resize` reads it: a variant is as sharp as the plain photo, and the
    identity gives what `resize` gives.
    """
    # ImageProjectiveTransformV3 would need the whole photo as float32, and is less exact.
    with tf.name_scope("augment"):
        transform = tf.convert_to_tensor(transform, tf.float32)
        x = tf.range(size[1], dtype=tf.float32)
        y = tf.range(size[0], dtype=tf.float32)[:, tf.newaxis]
        x, y = (a[0] * x + a[1] * y + a[2] for a in tf.unstack(transform, 2))
        shape = tf.shape(image)
        left, right, across = _neighbours(x, shape[1], size[1])
        top, bottom, down = _neighbours(y, shape[0], size[0])

        def between_columns(row: tf.Tensor) -> tf.Tensor:
            first, second = (
                tf.cast(tf.gather_nd(image, tf.stack([row, column], -1)), tf.float32)
                for column in (left, right)
            )
            return first + (second - first) * across

        upper, lower = between_columns(top), between_columns(bottom)
        variant = upper + (lower - upper) * down
        return tf.clip_by_value(variant * brightness, 0, 255)[tf.newaxis]


def _neighbours(
    place: tf.Tensor, full: tf.Tensor, resized: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The pixels to both sides of a place along an axis, and how far it is from the first.

    place: float32 (height, width), in pixels of the photo were it `resized` long; it is `full`.
    """
    last = full - 1
    # float64, as TensorFlow's optimizer makes this a multiplication with a rounded 1 / resized.
    scale = tf.cast(tf.cast(full, tf.float64) / resized, tf.float32)
    place = tf.clip_by_value(place * scale, 0, tf.cast(last, tf.float32))
    first = tf.cast(place, tf.int32)
    distance = place - tf.cast(first, tf.float32)
    return first, tf.minimum(first + 1, last), distance[..., tf.newaxis]


def contact_sheet(photos: Sequence[np.ndarray], columns: int, gap: int = 4) -> Image.Image:
    """Photos side by side on white, `columns` in a row, to see what augmented ones look like.

    photos: each (height, width, 3), RGB, 0 to 255, of any type of numbers. gap: pixels between
    them, from 0. Raises GraphnetsError for anything else, if there are none, or no columns.

    >>> photos = np.random.default_rng(0).uniform(0, 255, (6, 32, 48, 3))
    >>> graphnets.contact_sheet(photos, columns=3).size
    (152, 68)
    """
    check_whole("columns", columns)
    check_whole("gap", gap, 0)
    if not len(photos) or columns < 1:
        raise GraphnetsError(
            f"got {len(photos)} photos for {columns} columns; wanted 1 or more of both"
        )
    for number, photo in enumerate(photos):
        sound = isinstance(photo, np.ndarray) and photo.ndim == 3 and photo.shape[2] == 3
        if not sound or not np.isfinite(photo).all():
            got = f"of the shape {photo.shape}" if isinstance(photo, np.ndarray) else "no array"
            raise GraphnetsError(
                f"photo {number} is {got}, or has a NaN; wanted arrays (height, width, 3) of "
                "finite numbers"
            )
    height, width = (max(photo.shape[axis] for photo in photos) + gap for axis in (0, 1))
    rows = math.ceil(len(photos) / columns)
    sheet = Image.new("RGB", (columns * width - gap, rows * height - gap), "white")
    for number, photo in enumerate(photos):
        pixels = np.clip(np.rint(photo), 0, 255).astype(np.uint8)
        row, column = divmod(number, columns)
        sheet.paste(Image.fromarray(pixels), (column * width, row * height))
    return sheet
