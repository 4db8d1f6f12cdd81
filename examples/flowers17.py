"""Seventeen kinds of flowers on VGG16: a new head, then block 5 as well; the training is plain TF1.

usage: python examples/flowers17.py IMAGE_DIR [WEIGHTS]

IMAGE_DIR has a folder of photos for each class, as Oxford's 17 Category Flower Dataset sorted by
class has. WEIGHTS is a file of VGG16's weights; without it, the one that `graphnets fetch vgg16`
has put into the cache is taken. Augmented photos, to look at, go to flowers17_augmented.png.
"""

import sys

import numpy as np
import tensorflow.compat.v1 as tf
from sklearn.metrics import classification_report

import graphnets

FROZEN_UNTIL, BLOCK_5 = "pool4", ["conv5_1", "conv5_2", "conv5_3"]
BATCH = 32


def list_layers(network):
    """Print index, name, output and parameters of each layer."""
    for index, layer in enumerate(network.layers()):
        shape = " x ".join(map(str, layer.shape[1:]))
        print(f"{index:2d}  {layer.name:8s}  {shape:16s}  {layer.parameters:>11,d}")


def write_sheet(photos, size, path, copies=6):
    """Write a picture with a row of random variants of each photo."""
    variants = graphnets.variants(photos, graphnets.PHOTO_AUGMENTATION, size, copies)
    graphnets.contact_sheet(variants.reshape(-1, *size, 3), columns=copies).save(path)


def new_head(pool5, classes, rate):
    """Flatten, fc 256, ReLU, dropout, fc: maps (n, 7, 7, 512) to logits (n, classes)."""
    x = tf.reshape(pool5, [-1, 7 * 7 * 512])
    with tf.variable_scope("head"):
        W = tf.Variable(tf.truncated_normal([7 * 7 * 512, 256], stddev=(2 / 25088) ** 0.5, seed=0))
        x = tf.nn.relu(tf.nn.xw_plus_b(x, W, tf.Variable(tf.zeros([256]))))
        x = tf.nn.dropout(x, rate=rate, seed=0)
        W = tf.Variable(tf.truncated_normal([256, classes], stddev=0.01, seed=0))
        return tf.nn.xw_plus_b(x, W, tf.Variable(tf.zeros([classes])))


def main(
    image_dir,
    weights=None,
    bottleneck_dir="/tmp/bottleneck",
    steps=100,  # longer, and the loss has nothing left to teach block 5
    tuning_steps=100,
    sheet="flowers17_augmented.png",
):
    """Print the reports; return the test accuracies before and after block 5 is un-frozen."""
    network = graphnets.open_network("vgg16", weights)
    list_layers(network)

    # The layers up to pool4 never train: each photo runs through them once, then comes from disk.
    store = graphnets.Bottlenecks(network, "pool5", bottleneck_dir, maps=[FROZEN_UNTIL, "pool5"])
    photos = store.add(graphnets.scan(image_dir))
    photos = graphnets.split(photos, testing_percentage=25, validation_percentage=0)
    train, test = (photos[photos.split == name] for name in ("training", "testing"))
    classes = sorted(photos.label.unique())
    y_train, y_test = (part.label.map(classes.index).to_numpy() for part in (train, test))
    print(f"{len(train)} photos for training, {len(test)} for testing, {len(classes)} classes")
    write_sheet(train.iloc[:: max(1, len(train) // 4)][:4], network.size, sheet)
    print(f"augmented photos, to look at: {sheet}")

    with tf.Graph().as_default(), tf.Session() as session:
        pool4 = tf.placeholder(tf.float32, [None, 14, 14, 512])
        pool5 = network.build(pool4, ["pool5"], after=FROZEN_UNTIL, trainable=BLOCK_5)["pool5"]
        scale = store.rows("pool5", train)[:].std()  # one number: relations between units stay
        rate = tf.placeholder_with_default(0.0, [])
        logits = new_head(pool5 / scale, len(classes), rate)
        y = tf.placeholder(tf.int64, [None])
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
        loss, guess = tf.reduce_mean(losses), tf.argmax(logits, 1)
        head = tf.trainable_variables("head")
        head_step = tf.train.RMSPropOptimizer(0.001).minimize(loss, var_list=head)
        step = tf.train.GradientDescentOptimizer(0.001).minimize(loss)  # conv5_1 to the head
        session.run(tf.global_variables_initializer())

        def learn(step, inputs, rows, count):
            for number, batch in enumerate(batches(len(train), count), 1):
                feed = {inputs: rows[batch], y: y_train[batch], rate: 0.5}
                _, value = session.run([step, loss], feed)
                if number % 50 == 0 or number == count:
                    print(f"step {number}, loss {value:.3f}", flush=True)

        def report(inputs, rows):
            parts = np.array_split(np.arange(len(test)), -(-len(test) // BATCH))
            guesses = np.concatenate([session.run(guess, {inputs: rows[part]}) for part in parts])
            numbers = range(len(classes))
            print(classification_report(y_test, guesses, labels=numbers, target_names=classes,
                                        zero_division=0))  # fmt: skip
            return float(np.mean(guesses == y_test))

        print("\nVGG16 is frozen, the new head trains")  # a tensor that is fed is not computed
        learn(head_step, pool5, store.rows("pool5", train), steps)
        before = report(pool5, store.rows("pool5", test))
        print(f"\nun-frozen from {BLOCK_5[0]} on")
        learn(step, pool4, store.rows(FROZEN_UNTIL, train), tuning_steps)
        after = report(pool4, store.rows(FROZEN_UNTIL, test))
    print(f"test accuracy on {len(test)} photos: {before:.1%} frozen, {after:.1%} from block 5 on")
    return before, after


def batches(count, number):
    """`number` batches of positions; every photo comes once before any comes again."""
    random = np.random.default_rng(0)
    rounds = -(-number * BATCH // count)
    order = np.concatenate([random.permutation(count) for _ in range(rounds)])
    return order[: number * BATCH].reshape(number, BATCH)


if __name__ == "__main__":
    tf.logging.set_verbosity(tf.logging.ERROR)
    main(*sys.argv[1:3])
