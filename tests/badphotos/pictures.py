"""Sound photos of every kind, drawn from a seed: what is damaged, and what stands beside it."""

import io

import numpy as np
from PIL import Image

SIDES = (24, 96)  # pixels
KINDS = {
    "jpeg": ("JPEG", "RGB", {"quality": 90}),
    "jpeg_444": ("JPEG", "RGB", {"quality": 95, "subsampling": 0}),
    "jpeg_grey": ("JPEG", "L", {}),
    "jpeg_progressive": ("JPEG", "RGB", {"progressive": True}),
    "jpeg_restart": ("JPEG", "RGB", {"restart_marker_blocks": 2}),
    "jpeg_cmyk": ("JPEG", "CMYK", {"quality": 95}),
    "png": ("PNG", "RGB", {}),
    "png_grey": ("PNG", "L", {}),
    "png_palette": ("PNG", "P", {}),
    "png_1bit": ("PNG", "1", {}),
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
ENDINGS = {"JPEG": "jpg", "PPM": "ppm", "TIFF": "tif"}


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
    picture, buffer = clouds(random, mode), io.BytesIO()
    options = {**options, **more}
    if options.get("save_all"):
        options["append_images"] = [picture.rotate(180), picture.rotate(90).resize(picture.size)]
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()
