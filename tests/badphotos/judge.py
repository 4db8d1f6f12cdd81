"""Whether the library reads a photo as is wanted, beside other decoders.

A JPEG is right that equals, to the bit, what TensorFlow's decoder makes of the whole file, while
that decoder with its accurate transform is within LEVELS of Pillow: the fast transform, which the
library and Inception's own graph take, is up to 11 levels off by itself.
"""

import io
import os
import re
import time
import warnings
from contextlib import contextmanager
from typing import NamedTuple

import cv2
import numpy as np
import tensorflow.compat.v1 as tf
from PIL import Image, ImageChops

from graphnets.errors import PhotoError
from graphnets.photos.images import upright
from graphnets.photos.reading import pixel_reader
from tests.badphotos.case import READ, REFUSED, SAME

LEVELS = 3  # that two decoders may be apart
SECONDS = 5  # of the processor for one photo
LARGE = 1 << 24  # pixels, above which the time is that of a good photo as large
ORIENTATION = 0x0112
# Whole entries with an orientation, of EXIF that Pillow gives up at damage in front of them.
ENTRY = re.compile(
    rb"\x01\x12\0\x03\0\0\0\x01\0([\x01-\x08])|\x12\x01\x03\0\x01\0\0\0([\x01-\x08])\0", re.DOTALL
)
UNDAMAGED = ("EXIF", "sound", "ICC profile")


class Verdict(NamedTuple):
    """What came of a case.

    found: "equal", "fast" (but for the fast transform of JPEGs), "alone" (read, and by no other
    decoder), "refused" or "failure".
    """

    found: str
    why: str = ""


class Judge:
    """Reads cases as the library does, in a session; read: in place of its own reader."""

    def __init__(self, session, read=None):
        self._read = read or pixel_reader(session)
        contents = tf.placeholder(tf.string, [])
        self._fast, self._accurate = (
            session.make_callable(tf.image.decode_jpeg(contents, 3, dct_method=how), [contents])
            for how in ("", "INTEGER_ACCURATE")
        )

    def judged(self, case, path):
        """The verdict on a case that lies at a path."""
        start = time.process_time()
        try:
            pixels, refusal = self._read(os.fsdecode(path)), ""
        except PhotoError as error:
            pixels, refusal = np.empty(0), str(error)
        except Exception as error:
            return Verdict("failure", f"{type(error).__name__}: {error}"[:300])
        seconds = time.process_time() - start
        if seconds > SECONDS and pixels.size <= 3 * LARGE:
            return Verdict("failure", f"{seconds:.1f} s")
        if not refusal:
            return self._compared(case, path, pixels)
        if not refusal.isprintable():
            return Verdict("failure", f"no printable line: {refusal!r}")
        return Verdict("failure" if case.wanted == READ else "refused", refusal)

    def _compared(self, case, path, pixels):
        if case.wanted == REFUSED:
            return Verdict("failure", "it was read")
        if case.wanted == SAME:
            same = np.array_equal(pixels, self._read(case.source))
            return Verdict("equal") if same else Verdict("failure", "another picture than before")
        with open(path, "rb") as file:
            data = file.read()
        with _silent(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            turns = _orientations(data, case.group in UNDAMAGED)
            if data[:2] == b"\xff\xd8":
                return self._as_jpeg(pixels, data, turns)
            other = _or_none(_opencv, data)
        if other is None:
            return Verdict("alone")
        return _verdict(min(_apart(pixels, upright(other, turn)) for turn in turns))

    def _as_jpeg(self, pixels, data, turns):
        fast = self._fast(np.array(data, object))
        if not any(np.array_equal(pixels, upright(fast, turn)) for turn in turns):
            return Verdict("failure", "not what TensorFlow's decoder makes of it")
        other = _or_none(_pillow, data)
        if other is None:
            return Verdict("alone")
        verdict = _verdict(_apart(self._accurate(np.array(data, object)), other))
        close = _apart(fast, other) <= LEVELS
        return verdict if close or verdict.found == "failure" else Verdict("fast")


def _verdict(apart):
    return Verdict("equal") if apart <= LEVELS else Verdict("failure", f"{apart} levels apart")


def _apart(one, other):
    """How many levels at the most, infinitely many of another size."""
    if one.shape != other.shape:
        return np.inf
    return max(int(np.abs(a.astype(np.int16) - b).max()) for a, b in zip(one, other, strict=True))


def _or_none(decode, data):
    try:
        return decode(data)
    except Exception:  # of damage it may raise anything
        return None


def _orientations(data, undamaged):
    """Those in which it may be shown: Pillow's, and of damaged EXIF that of whole entries."""
    found = _or_none(_orientation, data) or 1
    found = found if found in range(1, 9) else 1
    if undamaged or data[:2] != b"\xff\xd8":
        return {found}
    entries = ENTRY.finditer(data[: 1 << 16])
    return {found, *(ord(entry[1] or entry[2]) for entry in entries)}


def _orientation(data):
    with Image.open(io.BytesIO(data)) as image:
        # Their decoders have turned these, whatever EXIF says.
        return image.getexif().get(ORIENTATION, 1) if image.format not in ("AVIF", "HEIF") else 1


def _pillow(data):
    """As it lies in the file, not turned, as OpenCV's is."""
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        if image.mode == "CMYK" and "adobe" not in image.info:  # which Pillow shows as a negative
            image = ImageChops.invert(image)
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
    return colours.astype(np.uint8)


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
