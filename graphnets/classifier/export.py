"""Writing a trained classifier as one frozen graph, from JPEG bytes to probabilities."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import tensorflow.compat.v1 as tf

from graphnets.classifier.options import INPUT, OUTPUT
from graphnets.errors import GraphnetsError
from graphnets.files import write_whole
from graphnets.networks.network import Network
from graphnets.photos import jpeg
from graphnets.sessions import Session
from graphnets.training.heads import Head, head_input

RESIZED = "ResizedJPG"  # where a batch of pictures can be fed
THRESHOLDS = "label_thresholds"  # from which probability on each class is named
UNKNOWN, UNKNOWN_ABOVE, IS_UNKNOWN = "unknown_score", "unknown_threshold", "is_unknown"
# What they are called in a SavedModel's signatures and in other exports.
SERVED = {"thresholds": THRESHOLDS, "unknown_score": UNKNOWN, "is_unknown": IS_UNKNOWN}


def classifier_graph_def(
    network: Network, names: Sequence[str], head: Head, output: str = OUTPUT
) -> tf.GraphDef:
    """The frozen graph of network and head, without variables.

    Feed one JPEG's (or PNG's) bytes to `DecodeJPGInput:0`, scalar string, and fetch
    `final_result:0`, float32 (1, classes): decoding, transparency over white, EXIF orientation,
    resizing and the network's own preprocessing are in the graph. `ResizedJPG:0` takes a batch
    instead: float32 (n, height, width, 3), RGB, 0 to 255. Of several labels, each class has a
    probability of its own, and `label_thresholds:0`, float32 (classes,), tells which are named.
    With what tells photos of no class, `is_unknown:0`, bool (n,), is whether `unknown_score:0`,
    float32 (n,), is above `unknown_threshold:0`, float32 ().
    """
    with tf.Graph().as_default() as graph, Session() as session:
        contents = tf.placeholder(tf.string, [], INPUT)
        resized = jpeg.resize(jpeg.decode(contents), network.size)
        # A batch can be fed here, so nothing behind may count on one photo.
        resized = tf.placeholder_with_default(resized, [None, *network.size, 3], RESIZED)
        found = network.build(resized, names)
        bottleneck = tf.concat(head_input(found, names, head.flatten), 1, name="bottleneck")
        logits = head.logits(bottleneck)
        scores = _named(tf.nn.sigmoid if head.independent else tf.nn.softmax, logits, output)
        more = {}
        if head.thresholds is not None:
            more[THRESHOLDS] = tf.constant(head.thresholds)
        if head.unknown is not None:
            more[UNKNOWN] = head.unknown.tensor(bottleneck, scores)
            more[UNKNOWN_ABOVE] = tf.constant(head.unknown.threshold, tf.float32)
            more[IS_UNKNOWN] = more[UNKNOWN] > more[UNKNOWN_ABOVE]
        for name, tensor in more.items():
            _named(tf.identity, tensor, name)
        return _frozen(session, graph, [output, *more])


def _named(op: Callable[..., tf.Tensor], x: tf.Tensor, name: str) -> tf.Tensor:
    """The op of x under this name, to the letter."""
    try:
        found = op(x, name=name)
    except ValueError:
        found = None
    if found is None or found.op.name != name:
        raise GraphnetsError(
            f"{name!r} cannot name the output; wanted letters, digits, '.', '_' or '/', and no "
            "name that the network uses"
        )
    return found


def _frozen(session: tf.Session, graph: tf.Graph, outputs: list[str]) -> tf.GraphDef:
    """The variables, initialised, as constants, and nothing that the outputs do not need."""
    from tensorflow.python.framework import convert_to_constants

    verbosity = tf.logging.get_verbosity()
    tf.logging.set_verbosity(tf.logging.ERROR)  # these functions say that they are deprecated
    try:
        if not graph.get_collection(tf.GraphKeys.GLOBAL_VARIABLES):
            # Converting none takes most of a second for Inception.
            return tf.graph_util.extract_sub_graph(graph.as_graph_def(), outputs)
        session.run(tf.global_variables_initializer())
        return convert_to_constants.convert_variables_to_constants_from_session_graph(
            session, graph.as_graph_def(), outputs
        )
    finally:
        tf.logging.set_verbosity(verbosity)


def write_graph(path: str | os.PathLike[str], graph_def: tf.GraphDef) -> None:
    """Write a frozen GraphDef; a file that was there is replaced at once."""
    write_whole(path, graph_def.SerializeToString(deterministic=True))


def write_labels(path: str | os.PathLike[str], labels: Sequence[str]) -> None:
    """Write the labels, one a line, in the order of the output's columns."""
    write_whole(path, "".join(f"{label}\n" for label in labels).encode("utf-8", "surrogateescape"))
