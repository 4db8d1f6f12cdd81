"""The readers of pictures that hold others, or tags: TIFF, AVIF and, with its plugin, HEIC."""

import functools
import importlib.util
import io
import tempfile
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from graphnets.photos import images, kinds
from tests.fuzz.mutate import mutated

SIZE = 24  # pixels
ROWS = 278  # of a strip, a tag of TIFF
WAYS = {
    "tiff": ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"),
    "avif": ("4:2:0", "4:4:4"),
    "heic": ("420", "444"),
}


@functools.cache
def _sound(kind, way, mode):
    noise = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    picture, buffer = Image.fromarray(noise).convert(mode), io.BytesIO()
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a photo"
    if kind == "tiff":
        picture.save(buffer, "TIFF", compression=way, exif=exif, tiffinfo={ROWS: 8})
    elif kind == "avif":
        picture.save(buffer, "AVIF", subsampling=way, exif=exif)
    else:
        kinds.find_heif()
        picture.save(buffer, "HEIF", chroma=int(way), exif=exif.tobytes())
    return buffer.getvalue()


class Reader:
    """Of one kind of picture, as `check` and every network's input read it."""

    def __init__(self, kind):
        self.kind = kind

    def cases(self, seed, count):
        """The files of the seeds from `seed` on."""
        for number in range(seed, seed + count):
            random = np.random.default_rng(number)
            way = WAYS[self.kind][random.integers(len(WAYS[self.kind]))]
            yield mutated(random, _sound(self.kind, way, ("RGB", "L")[random.integers(2)]))

    def check(self, data):
        """Read the bytes as a photo: uint8 RGB, or an error."""
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of damaged EXIF
            path = Path(folder) / "photo"
            path.write_bytes(data)
            with images.opened(path) as found:
                pixels = images.pixels(found)
        assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3


FOUND = ("tiff", "avif", *(["heic"] if importlib.util.find_spec("pillow_heif") else []))
READERS = {kind: Reader(kind) for kind in FOUND}
