"""Every endpoint of the rewritten Inception graph against the untouched file, one image at a time.

usage: python -m tests.benchmarks.untouched classify_image_graph_def.pb
"""

import sys

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.networks.inception import inception_endpoints


def main(path, count=4):
    """Print the largest difference at each endpoint, as a share of the endpoint's largest value."""
    images = np.random.default_rng(0).uniform(0, 255, (count, 299, 299, 3)).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        found = session.run(dict(inception_endpoints(tf.constant(images), path)))
    with open(path, "rb") as file:
        graph_def = tf.GraphDef.FromString(file.read())
    worst = 0.0
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(graph_def, name="")
        names = {name: f"{name}:0" for name in found}
        rows = [session.run(names, {"ResizeBilinear:0": image[None]}) for image in images]
    for name, value in found.items():
        wanted = np.concatenate([row[name] for row in rows])
        share = np.abs(value - wanted).max() / np.abs(wanted).max()
        worst = max(worst, share)
        print(f"{name:30s} {str(value.shape):22s} {share:.1e}")
    print(f"{len(found)} endpoints, largest difference {worst:.1e}")


if __name__ == "__main__":
    main(sys.argv[1])
