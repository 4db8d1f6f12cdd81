"""43 traffic signs on AlexNet's fc7, as in the traffic-sign course; the graphs are plain TF1.

usage: python examples/traffic_signs.py [IMAGE_DIR]

IMAGE_DIR has a folder for each sign, its class number in front ("00014", "14_stop"), as the German
Traffic Sign Recognition Benchmark has. Without it, signs are drawn.
"""

import sys
import tempfile
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import tensorflow.compat.v1 as tf
from sklearn.model_selection import train_test_split

import graphnets
from graphnets import AlexNet, GraphnetsError


def extract_fc7(paths, weights):
    """fc7 of each photo, float32 (n, 4096); the frozen layers run once per photo."""
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, (1, None, None, 3))
        resized = tf.image.resize_images(x, (227, 227))
        fc7 = AlexNet(resized, feature_extract=True, weights=weights, preprocess=True)
        session.run(tf.global_variables_initializer())
        photos = (imageio.imread(path, mode="RGB")[np.newaxis] for path in paths)
        return np.concatenate([session.run(fc7, {x: photo}) for photo in photos])


def weights_or_random():
    """AlexNet's weights where `graphnets fetch alexnet` puts them, else random ones."""
    try:
        return graphnets.weight_file("alexnet")
    except GraphnetsError as error:
        print(f"{error}; random weights are used instead")
        return "random"


def train(X_train, y_train, X_test, nb_classes, steps):
    """Train fc8 on fc7; return the probabilities of the test photos, float32 (n, nb_classes)."""
    mean, deviation = X_train.mean(axis=0), X_train.std()  # one for all: some units never fire
    with tf.Graph().as_default(), tf.Session() as session:
        fc7 = tf.placeholder(tf.float32, (None, X_train.shape[1]))
        labels = tf.placeholder(tf.int64, None)
        shape = (fc7.get_shape().as_list()[-1], nb_classes)
        fc8W = tf.Variable(tf.truncated_normal(shape, stddev=1e-3, seed=0))
        fc8b = tf.Variable(tf.zeros(nb_classes))
        logits = tf.nn.xw_plus_b((fc7 - mean) / deviation, fc8W, fc8b)
        cross_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(logits=logits, labels=labels)
        loss = tf.reduce_mean(cross_entropy)
        step = tf.train.GradientDescentOptimizer(0.03).minimize(loss)
        session.run(tf.global_variables_initializer())
        for batch in np.random.default_rng(0).integers(0, len(y_train), (steps, 128)):
            session.run(step, {fc7: X_train[batch], labels: y_train[batch]})
        return session.run(tf.nn.softmax(logits), {fc7: X_test})


def main(image_dir=None, weights=None, steps=500, per_class=20):
    """Print and return the test accuracy, a share from 0 to 1."""
    sign_names = graphnets.sign_names()
    with tempfile.TemporaryDirectory() as drawn:
        if image_dir is None:
            print(f"no folder of photos is named: {per_class} of each sign are drawn")
            graphnets.draw_signs(drawn, per_class)
        paths = np.array(sorted(Path(image_dir or drawn).glob("*/*")))
        y = np.array([int(path.parent.name[:5].partition("_")[0]) for path in paths])
        X = extract_fc7(paths, weights or weights_or_random())
    X_train, X_test, y_train, y_test, _, names = train_test_split(
        X, y, [path.name for path in paths], test_size=0.33, random_state=0, stratify=y
    )
    probabilities = train(X_train, y_train, X_test, len(sign_names), steps)
    guesses = probabilities.argmax(axis=1)
    for name, label, guess, row in zip(names[:5], y_test, guesses, probabilities, strict=False):
        print(f"{name}: {sign_names[guess]} {row[guess]:.3f}, is {sign_names[label]}")
    share = np.mean(guesses == y_test)
    print(f"test accuracy {share:.1%} on {len(y_test)} photos")
    return float(share)


if __name__ == "__main__":
    main(*sys.argv[1:2])
