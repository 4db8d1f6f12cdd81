"""A small world for the tests: coloured photos of three classes, and two small networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf
from PIL import Image

from graphnets.jobs.options import RetrainOptions
from graphnets.networks.declared import Declared
from graphnets.networks.layers import conv, fc, max_pool
from graphnets.photos.reading import BATCH
from graphnets.training.options import TrainingOptions
from graphnets.training.tune import Stored
from graphnets.weights.drawn import RandomWeights

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


def make_folder(folder, **classes):
    """Each class with so many different small photos, 0.png onwards."""
    for label, count in classes.items():
        (folder / label).mkdir(parents=True)
        for i in range(count):
            path = folder / label / f"{i}.png"
            Image.new("RGB", (2, 2), (i, len(label), ord(label[0]) % 256)).save(path)
    return folder


def small_network():
    """conv1 (4 channels), pool1, conv2 (6 channels) on pictures of 16 x 16, seeded weights."""
    rows = (("conv1", conv(4, 3)), ("pool1", max_pool(2, 2)), ("conv2", conv(6, 3)))
    small = Declared("small", "Small", rows, (16, 16), lambda images: images / 255, "conv2")
    return small.network(RandomWeights(small.shapes(), seed=1), "random 1")


DEEP_ROWS = (
    ("conv1", conv(4, 3)),
    ("pool1", max_pool(2, 2)),
    ("conv2", conv(6, 3)),
    ("conv3", conv(5, 3)),
    ("pool3", max_pool(2, 2)),
    ("fc6", fc(12, maps=4)),
    ("fc7", fc(8)),
    ("fc8", fc(10, relu=False)),
)
DEEP = Declared("small", "Small", DEEP_ROWS, (16, 16), lambda images: images / 255, "fc7")


def deep_network():
    """DEEP with seeded weights."""
    return DEEP.network(RandomWeights(DEEP.shapes(), seed=1), "random 1")


def pictures(count, seed=0):
    return np.random.default_rng(seed).uniform(0, 255, (count, 16, 16, 3)).astype(np.float32)


def values(network, x, names, after=""):
    with tf.Graph().as_default(), tf.Session() as session:
        placeholder = tf.placeholder(tf.float32, [None, *x.shape[1:]])
        endpoints = network.build(placeholder, names, after)
        session.run(tf.global_variables_initializer())
        return [session.run(endpoints[name], {placeholder: x}) for name in names]


def maps_of(network, x, endpoint):
    """An endpoint's values for pictures (n, height, width, 3), straight from the network."""
    return values(network, x, [endpoint])[0]


def batches_of(count):
    """The sizes of the batches that so many photos run in: the last one is filled up."""
    return [BATCH] * -(-count // BATCH)


def close(found, expected):
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def stored(network, cut, names, count, seed=0):
    x = pictures(count, seed)
    at_cut = values(network, x, [cut.after])[0] if cut.after else x
    features = [v.mean(axis=(1, 2)) if v.ndim == 4 else v for v in values(network, x, names)]
    labels = np.random.default_rng(seed).integers(0, 3, count)
    return Stored(features, at_cut, labels)


def options(tmp_path, **changes):
    """Of a short `retrain` whose files all go under tmp_path; it writes no report."""
    training = {"how_many_training_steps": 60, "learning_rate": 0.01, "train_batch_size": 16}
    training |= changes.pop("training", {})
    return RetrainOptions(
        **{
            "output_dir": tmp_path / "out", "bottleneck_dir": tmp_path / "B",
            "summaries_dir": None, "testing_percentage": 25, "report": False,
            "training": TrainingOptions(**training), **changes,
        }
    )  # fmt: skip
