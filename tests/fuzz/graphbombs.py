"""Bombs of graphs: frozen ones, SavedModels and checkpoints."""

import functools
import os
import shutil
from pathlib import Path

import numpy as np

SLOW = 4  # of the last are not in the suite


def _with(change):
    """What writes a small sound graph that `change` has been at."""

    def make(path):
        import backbones

        graph_def = backbones.frozen(backbones.mobile, "net/Predictions")
        change(graph_def)
        path.write_bytes(graph_def.SerializeToString())

    return make


def _constant(graph_def):
    return next(n for n in graph_def.node if n.op == "Const" and n.attr["value"].tensor.dtype == 1)


def splat(graph_def):
    """One number for a shape of 4 GB."""
    tensor = _constant(graph_def).attr["value"].tensor
    tensor.Clear()
    tensor.dtype = 1
    tensor.tensor_shape.dim.add(size=10**9)
    tensor.float_val.append(1)


def splats(graph_def):
    """A thousand constants of 1 MB, each of one number."""
    for number in range(1000):
        added = graph_def.node.add(name=f"splat{number}", op="Const")
        added.attr["dtype"].type = 1
        tensor = added.attr["value"].tensor
        tensor.dtype = 1
        tensor.tensor_shape.dim.add(size=1 << 18)
        tensor.float_val.append(1)


def content(graph_def):
    """A shape of 2 ** 40 with four bytes of content."""
    tensor = _constant(graph_def).attr["value"].tensor
    tensor.Clear()
    tensor.dtype = 1
    tensor.tensor_shape.dim.add(size=1 << 40)
    tensor.tensor_content = bytes(4)


def filled(graph_def):
    """A Fill of any size, in front of a shape."""
    import tensorflow.compat.v1 as tf

    for name, value in (("dims", np.int32([1 << 30])), ("one", np.int32(1))):
        node = graph_def.node.add(name=name, op="Const")
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
        node.attr["dtype"].type = node.attr["value"].tensor.dtype
    fill = graph_def.node.add(name="fill", op="Fill", input=["dims", "one"])
    fill.attr["T"].type = 3
    reshape = graph_def.node.add(name="shaped", op="Reshape", input=["input", "fill"])
    reshape.attr["T"].type, reshape.attr["Tshape"].type = 1, 3


def products(graph_def):
    """Sums of a row and a column, 64 MB each, of constants of 32 KB."""
    import tensorflow.compat.v1 as tf

    for number in range(30):
        for name, shape in (("row", (1, 4096)), ("column", (4096, 1))):
            node = graph_def.node.add(name=f"{name}{number}", op="Const")
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(np.ones(shape, np.float32)))
            node.attr["dtype"].type = 1
        inputs = [f"row{number}", f"column{number}"]
        graph_def.node.add(name=f"sum{number}", op="Add", input=inputs).attr["T"].type = 1


def row(op, count):
    """That many nodes one after another."""

    def add(graph_def):
        before = "input"
        for number in range(count):
            node = graph_def.node.add(name=f"row{number}", op=op, input=[before])
            node.attr["T"].type = 1
            before = node.name

    return add


def functions(graph_def):
    """Functions that call the one before twice, 2 ** 60 nodes."""
    for number in range(60):
        function = graph_def.library.function.add()
        function.signature.name = f"f{number}"
        function.signature.input_arg.add(name="a", type=1)
        function.signature.output_arg.add(name="b", type=1)
        op = f"f{number - 1}" if number else "Neg"
        for name, given in (("first", "a"), ("second", "first:b:0" if number else "first:y:0")):
            node = function.node_def.add(name=name, op=op, input=[given])
            if not number:
                node.attr["T"].type = 1
        function.ret["b"] = "second:b:0" if number else "second:y:0"
    graph_def.node.add(name="calls", op="f59", input=["input"])


def repeated(part, count):
    """What writes a protobuf of nothing but that part."""
    return lambda path: path.write_bytes(part * count)


def hollow(size):
    """What writes a file of holes behind a node without a name."""

    def make(path):
        with open(path, "wb") as file:
            file.write(b"\x0a\x00")
            file.truncate(size)

    return make


def saved_model(change):
    """What writes a folder of a sound SavedModel that `change` has been at."""

    def make(path):
        from tests.fuzz import savedmodel

        shutil.copytree(savedmodel.folder(), path)
        (path / "saved_model.pb").write_bytes(savedmodel.sound())
        change(path)

    return make


def grow(pattern, size=1 << 40):
    """What makes files in a folder sparse, and that large."""

    def change(folder):
        for path in folder.rglob(pattern):
            os.truncate(path, size)

    return change


def calling(folder):
    """Functions that call the one before twice, in a SavedModel."""
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    functions(model.meta_graphs[0].graph_def)
    [*_, call] = model.meta_graphs[0].graph_def.node
    call.input[:] = [model.meta_graphs[0].graph_def.node[0].name]
    for signature in model.meta_graphs[0].signature_def.values():
        for output in signature.outputs.values():
            output.name = "calls:0"
    (folder / "saved_model.pb").write_bytes(model.SerializeToString())


def read(path):
    """As a backbone, whatever its size of pictures."""
    from graphnets.zoo.architectures import open_network

    network = open_network("graph", path, input_mean=127.5, input_std=127.5)
    network.layers()


def opened(path):
    """A SavedModel, and its fingerprint."""
    from graphnets.networks.savedmodel import fingerprint

    fingerprint(path)
    read(path)


def parameters(path):
    """A GraphDef in memory that nothing has looked at."""
    import tensorflow.compat.v1 as tf

    import graphnets

    graphnets.modernised(tf.GraphDef.FromString(Path(path).read_bytes()))


def checkpoint(change):
    """What writes a run's checkpoints that `change` has been at."""

    def make(path):
        from graphnets.training.checkpoints import Checkpoints
        from tests.fuzz import checkpoints

        folder = Checkpoints(path).folder
        folder.mkdir(parents=True)
        for name, data in checkpoints._sound().items():
            (folder / name).write_bytes(data)
        change(folder)

    return make


def resumed(path):
    """Go on from a checkpoint."""
    from tests.fuzz import checkpoints

    checkpoints._phase(path, lambda session, variable, _: session.run(variable), resume=True)


def bombs(Bomb):  # noqa: N803
    """All of them, slow ones last."""
    graph = functools.partial(Bomb, read=read)
    return (
        graph("sparse.pb", hollow(1 << 40)),
        graph("zeros.pb", hollow((1 << 31) - 1)),
        graph("splat.pb", _with(splat)),
        Bomb("memory.pb", _with(splat), parameters),
        graph("splats.pb", _with(splats)),
        graph("content.pb", _with(content)),
        graph("filled.pb", _with(filled)),
        graph("products.pb", _with(products)),
        graph("functions.pb", _with(functions)),
        Bomb("saved_sparse", saved_model(grow("saved_model.pb")), opened),
        Bomb("variables_sparse", saved_model(grow("variables.*")), opened),
        Bomb("saved_calls", saved_model(calling), opened),
        Bomb("checkpoint_data", checkpoint(grow("*.data-*")), resumed),
        Bomb("checkpoint_index", checkpoint(grow("*.index")), resumed),
        graph("nodes.pb", repeated(b"\x0a\x00", 10_000_000)),
        graph("library.pb", repeated(b"\x12\x02\x0a\x00", 5_000_000)),
        graph("identities.pb", _with(row("Identity", 4000))),
        graph("relus.pb", _with(row("Relu", 4000))),
    )
