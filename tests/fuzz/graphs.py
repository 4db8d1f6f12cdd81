"""Frozen graphs, damaged as bytes and node by node, through every way in that reads one.

A child process reads them: a CHECK that fails in TensorFlow ends it, which is a fault.
"""

import functools
import io
import os
import sys
import tempfile
import zlib
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import TimeoutError as NoAnswer
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

from graphnets.errors import GraphnetsError
from tests.fuzz.mutate import mutated

SECONDS = 60  # in which the child has to answer


@functools.cache
def sound():
    """The bytes of sound graphs: this library's, one like Inception's of 2015, retrain.py's, ..."""
    import backbones
    import graphs
    from tiny import a_head, tiny_network

    from graphnets.classifier.export import classifier_graph_def

    own = classifier_graph_def(tiny_network(), ["conv2"], a_head())
    found = [own, graphs.inception_like(), graphs.retrained_like()]
    for norm in (backbones.fused, backbones.of_ops):
        build = functools.partial(backbones.mobile, 1, keep=True, norm=norm)
        found.append(backbones.frozen(build, "net/Predictions"))
    return [graph.SerializeToString(deterministic=True) for graph in found]


def cases(seed, count):
    """Damaged graphs; TensorFlow is imported here, in the child too, where no file's time runs."""
    from tests.fuzz.nodes import restructured

    for number in range(seed, seed + count):
        _child()
        random = np.random.default_rng(number)
        data = sound()[random.integers(len(sound()))]
        yield mutated(random, data) if random.integers(3) == 0 else restructured(random, data)


def check(data):
    """Have the child judge a graph."""
    in_child(judged, data)


def in_child(judge, data):
    """Have the child judge a file; that it dies or does not answer is a fault."""
    pool = _child()
    try:
        found = pool.submit(judge, data).result(SECONDS)
    except BrokenProcessPool:
        _child.cache_clear()
        raise AssertionError("the process dies") from None
    except NoAnswer:
        _child.cache_clear()
        for process in pool._processes.values():
            process.kill()
        raise AssertionError("no end") from None
    if found == "refused":
        raise GraphnetsError("refused in the child")
    assert found == "sound", found


@functools.cache
def _child():
    pool = ProcessPoolExecutor(1, get_context("spawn"), _prepare, (sys.path,))
    pool.submit(photo).result()
    return pool


def _prepare(path):
    sys.path[:] = path
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    import graphnets.classifier.predict  # noqa: F401
    import graphnets.zoo.architectures  # noqa: F401


def judged(data):
    """In the child: the verdict on one of the ways in that the graph is for."""
    from tests.fuzz.judge import verdict

    ways = WAYS[b"DecodeJPGInput" in data, b"final_weights" in data]
    ways = (backbone, backbone, unfrozen) if b"Conv2d_0" in data else ways
    reader = Way(ways[zlib.crc32(data) % len(ways)])
    found = verdict(reader, data)
    return found if found in ("sound", "refused") else f"{reader}: {found}"


class Way:
    """A way in, a function of a graph's path, as a reader."""

    def __init__(self, read):
        self.read = read

    def __str__(self):
        return str(self.read)

    def check(self, data):
        """Read the bytes as a file."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "graph.pb")
            path.write_bytes(data)
            self.read(path)


@functools.cache
def photo():
    """A small JPEG's bytes."""
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (20, 24, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


def predicted(path, labels, **options):
    """Classify a photo; the graph alone gives the same for its bytes."""
    from graphnets.classifier.options import InputOptions
    from graphnets.classifier.predict import Classifier

    path.with_name("labels.txt").write_text("".join(f"{i}\n" for i in range(labels)))
    jpeg = path.with_name("photo.jpg")
    jpeg.write_bytes(photo())
    classifier = Classifier(path, path.with_name("labels.txt"), InputOptions(**options))
    scores = classifier.scores(jpeg)
    assert len(list(classifier.predict([jpeg, jpeg]))) == 2
    entry = options.get("input_layer", "DecodeJPGInput")
    if entry != "Mul":
        alone = _plainly(path, {f"{entry}:0": photo()}, "final_result:0")
        np.testing.assert_allclose(scores, alone[0], rtol=1e-3, atol=1e-5)


def _plainly(path, feed, name):
    """What TensorFlow alone gives, on the devices that there are and without others' attributes."""
    import tensorflow.compat.v1 as tf
    from graphs import run

    graph_def = tf.GraphDef.FromString(path.read_bytes())
    for node in graph_def.node:
        node.device = ""
        for key in [key for key in node.attr if key[:1] == "_"]:
            del node.attr[key]
    return run(graph_def, feed, name)


def inception(path):
    """List the layers, train some, run the last."""
    import tensorflow.compat.v1 as tf

    from graphnets.zoo.architectures import open_network

    network = open_network("inception_v3", path)
    names = [layer.name for layer in network.layers()][-2:]
    cut = network.cut(names, "mixed_1:")
    with tf.Graph().as_default(), network.session() as session:
        x = tf.placeholder(tf.float32, [None, *network.size, 3])
        layers = network.build(x, names, "", cut.layers)
        session.run(tf.global_variables_initializer())
        pictures = np.ones((2, *network.size, 3), np.float32)
        network.run(session, [layers[name] for name in names], x, pictures)


def backbone(path):
    """As any graph that takes pictures: its layers, its features, all of it in training."""
    import tensorflow.compat.v1 as tf

    from graphnets.zoo.architectures import open_network

    network = open_network("graph", path, input_mean=127.5, input_std=127.5)
    names = [network.default_endpoint, *[layer.name for layer in network.layers()][-2:]]
    cut = network.cut(names[:1], True)
    with tf.Graph().as_default(), network.session() as session:
        x = tf.placeholder(tf.float32, [None, *network.size, 3])
        layers = network.build(x, names, "", cut.layers)
        session.run(tf.global_variables_initializer())
        pictures = np.ones((2, *network.size, 3), np.float32)
        network.run(session, [layers[name] for name in names], x, pictures)


def unfrozen(path):
    """Un-freeze all parameters, as the graph is and modernised; both give the same."""
    import tensorflow.compat.v1 as tf

    import graphnets

    graph_def = graphnets.read_graph_def(path)
    found = []
    for graph in (graph_def, graphnets.modernised(graph_def)):
        names = graphnets.parameter_names(graph, "*")
        with tf.Graph().as_default(), tf.Session() as session:
            [result] = graphnets.import_unfrozen(graph, names, {}, [graph_def.node[-1].name])
            session.run(tf.global_variables_initializer())
            entries = [
                op.outputs[0]
                for op in session.graph.get_operations()
                if op.name.endswith(("DecodeJpeg/contents", "DecodeJPGInput"))
            ]
            feed = dict.fromkeys(entries, photo())
            try:
                found.append(session.run(result, feed))
            except (tf.errors.OpError, TypeError, ValueError):  # in a session of the caller's
                return
    if found[0].dtype.kind == "f":
        np.testing.assert_allclose(found[0], found[1], rtol=1e-3, atol=1e-5)


OWN = functools.partial(predicted, labels=3)
BYTES = functools.partial(predicted, labels=5, input_layer="DecodeJpeg/contents")
PICTURES = functools.partial(predicted, labels=5, input_layer="Mul", input_mean=128, input_std=128)
WAYS = {  # by whether a graph has this library's input, and retrain.py's head
    (True, False): (OWN, OWN, unfrozen, backbone),
    (True, True): (OWN, unfrozen),
    (False, False): (inception, unfrozen),
    (False, True): (BYTES, PICTURES, inception, unfrozen, backbone),
}
