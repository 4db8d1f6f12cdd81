"""Sound photos of every kind, drawn from a seed: what is damaged, and what stands beside it."""

import importlib.util
import io

import cv2
import numpy as np
from PIL import Image

from graphnets.photos import kinds
from tests.badphotos.rare import RARE

SIDES = (24, 96)  # pixels
KINDS = {
    "jpeg": ("JPEG", "RGB", {"quality": 90}),
    "jpeg_444": ("JPEG", "RGB", {"quality": 95, "subsampling": 0}),
    "jpeg_grey": ("JPEG", "L", {}),
    "jpeg_progressive": ("JPEG", "RGB", {"progressive": True}),
    "jpeg_restart": ("JPEG", "RGB", {"restart_marker_blocks": 2}),
    "jpeg_cmyk": ("JPEG", "CMYK", {"quality": 95}),
    **{name: ("JPEG", None, {}) for name in RARE},
    "png": ("PNG", "RGB", {}),
    "png_grey": ("PNG", "L", {}),
    "png_palette": ("PNG", "P", {}),
    "png_1bit": ("PNG", "1", {}),
    "png_2bit": ("PNG", "P", {"bits": 2}),
    "png_4bit": ("PNG", "P", {"bits": 4}),
    "png_rgb16": ("PNG", "RGB;16", {}),
    "png_16": ("PNG", "I;16", {}),
    "png_rgba": ("PNG", "RGBA", {}),
    "png_la": ("PNG", "LA", {}),
    "apng": ("PNG", "RGB", {"save_all": True}),
    "bmp": ("BMP", "RGB", {}),
    "bmp_palette": ("BMP", "P", {}),
    "gif": ("GIF", "P", {}),
    "gif_animated": ("GIF", "P", {"save_all": True}),
    "ppm": ("PPM", "RGB", {}),
    "pgm": ("PPM", "L", {}),
    "webp": ("WEBP", "RGB", {"quality": 90}),
    "webp_lossless": ("WEBP", "RGB", {"lossless": True}),
    "webp_alpha": ("WEBP", "RGBA", {"lossless": True}),
    "webp_animated": ("WEBP", "RGB", {"lossless": True, "save_all": True}),
    "tiff": ("TIFF", "RGB", {}),
    "tiff_lzw": ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    "tiff_deflate": ("TIFF", "L", {"compression": "tiff_adobe_deflate"}),
    "tiff_packbits": ("TIFF", "RGB", {"compression": "packbits"}),
    "tiff_jpeg": ("TIFF", "RGB", {"compression": "jpeg"}),
    "tiff_16": ("TIFF", "I;16", {}),
    "avif": ("AVIF", "RGB", {"quality": 90}),
}
if importlib.util.find_spec("pillow_heif"):
    kinds.find_heif()
    KINDS["heic"] = ("HEIF", "RGB", {"quality": 90})
PLAIN = [kind for kind in KINDS if kind not in RARE and kind != "png_rgb16"]  # take EXIF, a profile
ENDINGS = {"HEIF": "heic", "JPEG": "jpg", "PPM": "ppm", "TIFF": "tif"}


def ending(kind):
    """Of a file of this kind."""
    return ENDINGS.get(KINDS[kind][0], KINDS[kind][0].lower())


def clouds(random, mode="RGB"):
    """A smooth picture with some noise in it, of a size that is drawn."""
    size = tuple(int(n) for n in random.integers(*SIDES, 2))
    coarse = Image.fromarray(random.integers(0, 256, (4, 5, 3)).astype(np.uint8))
    smooth = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC)).astype(int)
    noisy = smooth + random.integers(-6, 7, smooth.shape)
    picture = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
    if mode == "I;16":
        return Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    if mode in ("RGBA", "LA"):
        alpha = Image.fromarray(random.integers(0, 256, size[::-1]).astype(np.uint8))
        picture = picture.convert(mode[:-1])
        picture.putalpha(alpha)
        return picture
    return picture.convert(mode)


def sound(kind, random, **more):
    """The bytes of a sound file of one of KINDS; more: what Pillow takes besides."""
    file_format, mode, options = KINDS[kind]
    if kind in RARE:
        return RARE[kind]
    if mode == "RGB;16":
        samples = np.asarray(clouds(random)).astype(np.uint16) * 256
        return cv2.imencode(".png", samples + random.integers(256))[1].tobytes()
    picture, buffer = clouds(random, mode), io.BytesIO()
    options = {**options, **more}
    picture = picture.quantize(1 << options["bits"]) if "bits" in options else picture
    if options.get("save_all"):
        options["append_images"] = [picture.rotate(180), picture.rotate(90).resize(picture.size)]
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()
