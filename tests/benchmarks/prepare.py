"""What is made before a table begins, in processes of its own: weights, frozen graphs, a store."""

import importlib.util
from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.classifier.export import _frozen
from graphnets.features.bottlenecks import Bottlenecks
from graphnets.features.running import identity_of
from graphnets.features.store import FeatureStore
from graphnets.networks.network import features
from graphnets.photos.listing import scan
from graphnets.weights.arrays import write_weights
from graphnets.weights.drawn import RandomWeights
from graphnets.zoo.architectures import DECLARED, open_network
from tests.benchmarks.contender import FEATURES, IMAGES, Started
from tests.benchmarks.courses import ALEXNET, alexnet_fc7

OPSET = 17


def weights(architecture, path):
    """Seeded random weights as a file."""
    write_weights(path, RandomWeights(DECLARED[architecture].shapes()))
    return Started(dict)


def frozen(architecture, weights, endpoint, path):
    """graphnets' graph up to the endpoint, averaged over the picture, as .pb and .onnx."""
    network = open_network(architecture, weights)
    with tf.Graph().as_default() as graph, tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, *network.size, 3], IMAGES)
        y = features(endpoint, network.build(x, [endpoint])[endpoint])
        tf.identity(y, FEATURES)
        _write(path, _frozen(session, graph, [FEATURES]))
    return Started(dict)


def frozen_course(weights, path):
    """The course's AlexNet up to fc7, as .pb and .onnx."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, *ALEXNET, 3], IMAGES)
        tf.identity(alexnet_fc7(x, np.load(weights), tf.constant), FEATURES)
        _write(path, graph.as_graph_def())
    return Started(dict)


def _write(path, graph_def):
    Path(path).write_bytes(graph_def.SerializeToString())
    if importlib.util.find_spec("tf2onnx") is None:
        return
    import tf2onnx

    tf2onnx.convert.from_graph_def(
        graph_def,
        input_names=[f"{IMAGES}:0"],
        output_names=[f"{FEATURES}:0"],
        opset=OPSET,
        output_path=str(Path(path).with_suffix(".onnx")),
    )


def filled_store(architecture, weights, photos, folder):
    """A store that has features for all photos: random ones, about a centre for each class."""
    network = open_network(architecture, weights)
    bottlenecks = Bottlenecks(network, None, folder)
    [endpoint] = bottlenecks.names
    width = next(i.shape[-1] for i in network.layers() if i.name == endpoint)
    table = scan(photos)
    random = np.random.default_rng(0)
    classes = table.label.unique()
    centres = dict(zip(classes, random.normal(0, 0.2, (len(classes), width)), strict=True))
    rows = np.stack([centres[label] for label in table.label])
    rows += random.standard_normal(rows.shape)
    [identity] = [identity_of(network, e, None, 0) for e in bottlenecks._pooled]
    store = FeatureStore(folder, identity)
    store.append(list(table.key), np.abs(rows).astype(np.float32))
    store.close()
    missing = len(Bottlenecks(network, None, folder).missing(table))
    return Started(lambda: {"photos": len(table), "missing": missing})
