"""Whether the library reads a photo as is wanted, beside another decoder."""

import io
import os
import time
import warnings
from contextlib import contextmanager
from typing import NamedTuple

import cv2
import numpy as np
import tensorflow.compat.v1 as tf
from PIL import Image, ImageOps

from graphnets.errors import PhotoError
from tests.badphotos.case import READ, REFUSED, SAME

LEVELS = 3  # that two decoders may be apart
SECONDS = 5  # of the processor for one photo
LARGE = 1 << 24  # pixels, above which the time is that of a good photo as large


class Verdict(NamedTuple):
    """What came of a case.

    found: "equal", "fast" (but for the fast transform of JPEGs, which TensorFlow takes), "alone"
    (read, and by no other decoder), "refused" or "failure".
    """

    found: str
    why: str = ""


def judged(case, path, read):
    """The verdict on a case that lies at a path; read: a path to uint8 (height, width, 3)."""
    start = time.process_time()
    try:
        pixels = read(os.fsdecode(path))
    except PhotoError as error:
        if not str(error).isprintable():
            return Verdict("failure", f"no printable line: {error!r}")
        verdict = Verdict("failure" if case.wanted == READ else "refused", str(error))
    except Exception as error:
        return Verdict("failure", f"{type(error).__name__}: {error}"[:300])
    else:
        verdict = _read(case, path, pixels, read)
        if pixels.size > 3 * LARGE:
            return verdict
    seconds = time.process_time() - start
    return Verdict("failure", f"{seconds:.1f} s") if seconds > SECONDS else verdict


def _read(case, path, pixels, read):
    if case.wanted == REFUSED:
        return Verdict("failure", "it was read")
    if case.wanted == SAME:
        same = np.array_equal(pixels, read(case.source))
        return Verdict("equal") if same else Verdict("failure", "another picture than before")
    with open(path, "rb") as file:
        data = file.read()
    other = beside(data)
    if other is None:
        return Verdict("alone")
    if other.shape != pixels.shape:
        return Verdict("failure", f"{pixels.shape}, the other decoder has {other.shape}")
    apart = max(
        int(np.abs(a.astype(np.int16) - b).max()) for a, b in zip(pixels, other, strict=True)
    )
    if apart > LEVELS and data[:2] == b"\xff\xd8" and _accurate(data):
        return Verdict("fast", f"{apart} levels apart")
    return Verdict("equal") if apart <= LEVELS else Verdict("failure", f"{apart} levels apart")


def _accurate(data):
    """Whether TensorFlow's decoder has Pillow's pixels with the transform that Pillow takes."""
    found = tf.image.decode_jpeg(data, 3, dct_method="INTEGER_ACCURATE")
    found = tf.get_default_session().run(found).astype(int)
    with warnings.catch_warnings(), Image.open(io.BytesIO(data)) as image:
        warnings.simplefilter("ignore")
        other = np.asarray(image.convert("RGB"))
    return other.shape == found.shape and np.abs(found - other).max() <= LEVELS


def beside(data):
    """uint8 (height, width, 3), upright, of another decoder; None where it cannot read it.

    Of a JPEG, which TensorFlow decodes, Pillow's; of others, which Pillow decodes, OpenCV's.
    """
    with _silent(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _pillow(data) if data[:2] == b"\xff\xd8" else _opencv(data)
        except Exception:  # of damage both may raise anything
            return None


def _pillow(data):
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        try:
            image = ImageOps.exif_transpose(image)
        except Exception:  # damaged EXIF
            pass
        return np.asarray(image.convert("RGB"))


def _opencv(data):
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if found is None:
        return None
    found = (found >> 8).astype(np.uint8) if found.dtype == np.uint16 else found
    found = found[..., None] if found.ndim == 2 else found
    colours = found[..., :3][..., ::-1] if found.shape[2] > 2 else found[..., :1].repeat(3, 2)
    if found.shape[2] == 4:
        alpha = found[..., 3:].astype(int)
        colours = (colours * alpha + 255 * (255 - alpha) + 127) // 255
    with Image.open(io.BytesIO(data)) as image:
        turned = image.getexif().get(0x0112, 1) if image.format != "AVIF" else 1
    picture = Image.fromarray(np.ascontiguousarray(colours.astype(np.uint8)))
    picture.getexif()[0x0112] = turned
    return np.asarray(ImageOps.exif_transpose(picture))


@contextmanager
def _silent():
    """Keep what C libraries print away."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
