"""A classifier for a folder of photos, with the graph and the training loop in plain TF1.

usage: python examples/flowers.py IMAGE_DIR
"""

import sys

import numpy as np
import tensorflow.compat.v1 as tf

import graphnets


def main(image_dir, network=None, bottleneck_dir="/tmp/bottleneck", steps=1000):
    """Print and return the test accuracy, a share from 0 to 1."""
    network = network or graphnets.open_network("vgg16")
    bottlenecks = graphnets.Bottlenecks(network, None, bottleneck_dir)
    photos = graphnets.split(bottlenecks.add(graphnets.scan(image_dir)), testing_percentage=25)
    labels = sorted(photos.label.unique())
    train, test = (photos[photos.split == name] for name in ("training", "testing"))
    x_train, x_test = bottlenecks.read(train), bottlenecks.read(test)
    y_train, y_test = (part.label.map(labels.index).to_numpy() for part in (train, test))

    x = tf.placeholder(tf.float32, [None, x_train.shape[1]])
    y = tf.placeholder(tf.int64, [None])
    w = tf.Variable(tf.truncated_normal([x_train.shape[1], len(labels)], stddev=0.001, seed=0))
    b = tf.Variable(tf.zeros([len(labels)]))
    logits = tf.nn.xw_plus_b((x - x_train.mean(0)) / (x_train.std(0) + 1e-6), w, b)
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
    step = tf.train.GradientDescentOptimizer(0.01).minimize(loss)
    accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1), y), tf.float32))

    random = np.random.default_rng(0)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for _ in range(steps):
            batch = random.integers(0, len(y_train), 100)
            session.run(step, {x: x_train[batch], y: y_train[batch]})
        share = session.run(accuracy, {x: x_test, y: y_test})
    print(f"test accuracy {share:.1%} on {len(y_test)} photos")
    return float(share)


if __name__ == "__main__":
    with tf.Graph().as_default():
        main(sys.argv[1])
