"""Training the head alone, on features of the size of a bottleneck store of flower_photos."""

import time

import numpy as np

from graphnets.training.alone import train_head
from graphnets.training.examples import Examples
from graphnets.training.options import TrainingOptions
from tests.benchmarks.contender import Started

TRAINING, VALIDATION, FEATURES, CLASSES = 2936, 367, 2048, 5


def train():
    """A round is one training with the default options."""
    random = np.random.default_rng(0)
    centres = random.normal(0, 0.2, (CLASSES, FEATURES))

    def examples(count):
        labels = random.integers(0, CLASSES, count)
        features = np.abs(centres[labels] + random.standard_normal((count, FEATURES)))
        return Examples(features.astype(np.float32), labels)

    training, validation, options = examples(TRAINING), examples(VALIDATION), TrainingOptions()

    def turn():
        start = time.perf_counter()
        train_head(training, validation, CLASSES, options)
        return {"seconds": time.perf_counter() - start}

    return Started(turn, facts={"steps": options.how_many_training_steps})
