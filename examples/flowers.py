"""Five kinds of flowers on Inception's bottlenecks, with the training loop in plain TF1.

usage: python examples/flowers.py IMAGE_DIR [GRAPH.pb]

IMAGE_DIR has a folder of photos for each class. GRAPH.pb is the frozen Inception v3; without it,
the one that `graphnets fetch inception_v3` has put into the cache is taken.
"""

import sys

import numpy as np
import tensorflow.compat.v1 as tf

import graphnets


def main(image_dir, graph=None, network=None, bottleneck_dir="/tmp/bottleneck", steps=2000):
    """Print and return the test accuracy, a share from 0 to 1."""
    network = network or graphnets.open_network("inception_v3", graph)
    store = graphnets.Bottlenecks(network, None, bottleneck_dir)  # each photo runs once
    photos = graphnets.split(store.add(graphnets.scan(image_dir)), testing_percentage=25)
    classes = sorted(photos.label.unique())
    train, test = (photos[photos.split == name] for name in ("training", "testing"))
    bottlenecks, y_train = store.read(train), train.label.map(classes.index).to_numpy()

    x = tf.placeholder(tf.float32, [None, bottlenecks.shape[1]])
    y = tf.placeholder(tf.int64, [None])
    w = tf.Variable(tf.zeros([bottlenecks.shape[1], len(classes)]))
    b = tf.Variable(tf.zeros([len(classes)]))
    logits = tf.matmul(x, w) + b
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
    step = tf.train.GradientDescentOptimizer(0.5).minimize(loss)
    accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1), y), tf.float32))

    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for batch in np.random.default_rng(0).integers(0, len(train), (steps, 100)):
            session.run(step, {x: bottlenecks[batch], y: y_train[batch]})
        y_test = test.label.map(classes.index)
        share = session.run(accuracy, {x: store.read(test), y: y_test})
    print(f"test accuracy {share:.1%} on {len(test)} photos")
    return float(share)


if __name__ == "__main__":
    with tf.Graph().as_default():
        main(*sys.argv[1:3])
