"""SavedModels whose saved_model.pb is damaged, beside sound variables, in the graphs' child."""

import functools
import tempfile
from pathlib import Path

import numpy as np

from tests.fuzz import graphs
from tests.fuzz.mutate import mutated


@functools.cache
def folder():
    """A small SavedModel with variables, a function in a function and two signatures."""
    import tensorflow as tf

    class Net(tf.Module):
        def __init__(self):
            random = np.random.default_rng(0)
            self.W = tf.Variable(random.standard_normal((3, 3, 3, 4)).astype(np.float32))
            self.V = tf.Variable(random.standard_normal((4, 5)).astype(np.float32))

        @tf.function
        def features(self, x):
            return tf.nn.relu(tf.nn.conv2d(x / 255.0, self.W, 1, "SAME"))

        @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3])])
        def scores(self, x):
            return {"y": tf.nn.softmax(tf.reduce_mean(self.features(x), [1, 2]) @ self.V)}

    net = Net()
    path = Path(tempfile.mkdtemp(), "model")
    tf.saved_model.save(net, str(path), {"serving_default": net.scores, "other": net.scores})
    return path


@functools.cache
def sound():
    """The bytes of the sound saved_model.pb."""
    return (folder() / "saved_model.pb").read_bytes()


def cases(seed, count):
    """Bytes damaged, or nodes of the graph and of its functions."""
    from tensorflow.core.protobuf import saved_model_pb2

    from tests.fuzz.nodes import restructured

    for number in range(seed, seed + count):
        random = np.random.default_rng(number)
        if random.integers(3) == 0:
            yield mutated(random, sound())
            continue
        model = saved_model_pb2.SavedModel.FromString(sound())
        graph = model.meta_graphs[0].graph_def
        if random.integers(2):
            graph.ParseFromString(restructured(random, graph.SerializeToString()))
        else:
            function = graph.library.function[random.integers(len(graph.library.function))]
            part = type(graph)(node=function.node_def)
            part.ParseFromString(restructured(random, part.SerializeToString()))
            del function.node_def[:]
            function.node_def.extend(part.node)
        yield model.SerializeToString()


def check(data):
    """Have the child open it as a backbone."""
    graphs.in_child(judged, data)


def judged(data):
    """In the child: the verdict on the damaged file beside sound variables."""
    from tests.fuzz.judge import verdict

    return verdict(Damaged(), data)


class Damaged:
    """The SavedModel with another saved_model.pb, as a reader."""

    def check(self, data):
        """Open it, and run it."""
        (folder() / "saved_model.pb").write_bytes(data)
        graphs.backbone(folder())
