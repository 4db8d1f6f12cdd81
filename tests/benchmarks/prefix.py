"""Fine-tuning AlexNet at full size: the whole network at every step, against the stored prefix.

usage: python -m tests.benchmarks.prefix [STEPS]

Random weights and pictures, batch 64, gradient descent from the same start on the same batches. The
first column runs the frozen layers, too, at every step, as a graph with `trainable` flags does.
"""

import sys

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.networks.network import Cut
from graphnets.training.options import TrainingOptions
from graphnets.training.tune import Stored, train
from graphnets.zoo.architectures import open_network

BATCH, PHOTOS, CLASSES = 64, 64, 5
NAMES = ["fc7"]


def run(network, tensor_names, after, x):
    """The values of some endpoints for all of x."""
    with tf.Graph().as_default(), tf.Session() as session:
        placeholder = tf.placeholder(tf.float32, [None, *x.shape[1:]])
        endpoints = network.build(placeholder, tensor_names, after)
        session.run(tf.global_variables_initializer())
        return session.run([endpoints[name] for name in tensor_names], {placeholder: x})


def main(steps=10):
    """Print a row per depth: seconds a step both ways, their ratio, the weights' difference."""
    network = open_network("alexnet_caffe", "random")
    random = np.random.default_rng(0)
    pictures = random.uniform(0, 255, (PHOTOS, 227, 227, 3)).astype(np.float32)
    labels = random.integers(0, CLASSES, PHOTOS)
    options = TrainingOptions(
        how_many_training_steps=steps,
        learning_rate=1e-4,
        train_batch_size=BATCH,
        eval_step_interval=steps,
    )
    print(f"{'depth':8s} {'whole s':>9s} {'stored s':>9s} {'ratio':>7s}  largest difference")
    for depth in ("fc7:", "fc6:", "conv5:"):
        cut = network.cut(NAMES, depth)
        features, at_cut = run(network, [*NAMES, cut.after], "", pictures)
        found = []
        for place, rows in ((Cut("", cut.layers, cut.behind), pictures), (cut, at_cut)):
            split = Stored([features], rows, labels)
            nothing = Stored([features[:0]], rows[:0], labels[:0])
            found.append(train(network, place, NAMES, (split, nothing), CLASSES, options))
        whole, stored = found
        worst = 0.0
        for name in stored.moved:
            one, other = (tuned.network.parameter(name) for tuned in found)
            worst = max(worst, np.abs(one - other).max() / np.abs(other).max())
        ratio = whole.seconds_per_step / stored.seconds_per_step
        print(f"{depth:8s} {whole.seconds_per_step:9.3f} {stored.seconds_per_step:9.3f} "
              f"{ratio:7.1f}  {worst:.1e}")  # fmt: skip


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
