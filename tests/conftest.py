"""A small world for the tests: coloured photos of three classes, and a network of two layers."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
for setting in ("TF_ENABLE_ONEDNN_OPTS", "TF_USE_LEGACY_KERAS"):  # as the commands have them
    os.environ.setdefault(setting, "1")

COLOURS = {"blue sky": (60, 90, 220), "grass": (40, 180, 50), "red_roof": (210, 40, 50)}


def write_photos(folder: Path, per_class: int = 20, seed: int = 0) -> Path:
    """One sub-folder a colour; photos of different sizes, noisy enough to all be different."""
    random = np.random.default_rng(seed)
    for label, colour in COLOURS.items():
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number in range(per_class):
            height, width = random.integers(20, 40, 2)
            noise = random.normal(0, 40, (height, width, 3))
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{number:03d}.jpg")
    return folder


def small_network():
    """conv1 (4 channels), pool1, conv2 (6 channels) on pictures of 16 x 16, seeded weights."""
    from graphnets.networks.declared import Declared
    from graphnets.networks.layers import conv, max_pool
    from graphnets.weights.arrays import RandomWeights

    rows = (("conv1", conv(4, 3)), ("pool1", max_pool(2, 2)), ("conv2", conv(6, 3)))
    small = Declared("small", "Small", rows, (16, 16), lambda images: images / 255, "conv2")
    return small.network(RandomWeights(small.shapes(), seed=1), "random 1")


@pytest.fixture
def photo_folder(tmp_path: Path) -> Path:
    """60 readable photos in 3 classes."""
    return write_photos(tmp_path / "photos")


@pytest.fixture
def network():
    """The small network."""
    return small_network()
