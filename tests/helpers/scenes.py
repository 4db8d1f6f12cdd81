"""Photos that look like photos to a perceptual hash: smooth, and all different."""

from pathlib import Path

import numpy as np
from PIL import Image


def scene(seed: int, width: int = 160, height: int = 120) -> Image.Image:
    """Coloured clouds drawn from the seed."""
    clouds = np.random.default_rng(seed).integers(0, 256, (6, 8, 3)).astype(np.uint8)
    return Image.fromarray(clouds).resize((width, height), Image.Resampling.BICUBIC)


def write_scenes(folder: Path, per_class: int = 20, **more: int) -> Path:
    """Two classes, hills and lakes, of different scenes: 00.jpg, 01.jpg ..."""
    for place, label in enumerate(("hills", "lakes")):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number in range(per_class):
            path = folder / label / f"{number:02d}.jpg"
            scene(1000 * place + number, **more).save(path, quality=90)
    return folder
