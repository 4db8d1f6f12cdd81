"""SavedModels of TensorFlow 1, TensorFlow 2 and Keras as frozen graphs; nothing of them is run."""

import shutil

import backbones
import graphs
import numpy as np
import pytest
import tensorflow as tf2
import tensorflow.compat.v1 as tf
from tensorflow.core.protobuf import saved_model_pb2

from graphnets.errors import GraphnetsError
from graphnets.networks.nodes import full_name
from graphnets.networks.savedmodel import fingerprint, read_saved_model

PICTURES = np.random.default_rng(6).uniform(-1, 1, (2, 16, 16, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def keras(tmp_path_factory):
    """The folder of a Keras model, and what the model gives for PICTURES."""
    folder = tmp_path_factory.mktemp("models") / "keras"
    model = backbones.keras_model(folder)
    return folder, model.predict(PICTURES, verbose=0)


def result(model):
    feed = {f"{entry(model)}:0": PICTURES}
    return graphs.run(model.graph_def, feed, full_name(model.outputs[0]))


def entry(model):
    (name,) = (node.name for node in model.graph_def.node if node.op == "Placeholder")
    return name


def test_a_keras_export_gives_what_keras_gives(keras):
    folder, wanted = keras
    model = read_saved_model(folder)
    np.testing.assert_allclose(result(model), wanted, rtol=1e-4, atol=1e-5)
    assert not model.graph_def.library.function
    assert not {n.op for n in model.graph_def.node} & {"VarHandleOp", "StatefulPartitionedCall"}
    names = [node.name for node in model.graph_def.node if node.op == "Conv2D"]
    assert names[0].endswith("/stem_1/convolution")  # not under the names of the calls


@pytest.mark.parametrize("resource", [False, True])
def test_one_of_tensorflow_1(tmp_path, resource):
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 16, 16, 3], "x")
        with tf.variable_scope("net", use_resource=resource):
            W = tf.get_variable("W", [768, 4])
            y = tf.matmul(tf.reshape(x, [-1, 768]), W) + tf.get_variable("b", [4])
        session.run(tf.global_variables_initializer())
        wanted = session.run(y, {x: PICTURES})
        tf.saved_model.simple_save(session, str(tmp_path / "m"), {"x": x}, {"y": y})
    np.testing.assert_allclose(
        result(read_saved_model(tmp_path / "m")), wanted, rtol=1e-4, atol=1e-5
    )


class Twice(tf2.Module):
    """Two signatures, and a function that calls another."""

    def __init__(self):
        self.W = tf2.Variable(np.float32([[1, 2], [3, 4]]))

    @tf2.function(input_signature=[tf2.TensorSpec([None, 2])])
    def product(self, x):
        return {"a": tf2.matmul(x, self.W), "parts": tf2.split(self._twice(x), 2, 1)[1]}

    @tf2.function
    def _twice(self, x):
        return self.W[0] * x * 2.0

    @tf2.function(input_signature=[tf2.TensorSpec([None, 2])])
    def other(self, x):
        return {"b": x + 1}


@pytest.fixture(scope="module")
def twice(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("models") / "twice")
    module = Twice()
    signatures = {"one": module.product, "two": module.other}
    tf2.saved_model.save(module, folder, signatures=signatures)
    return folder


def test_a_signature_of_several_is_chosen_by_name(twice):
    model = read_saved_model(twice, "one")
    x = np.float32([[5, 6]])
    found = [graphs.run(model.graph_def, {f"{entry(model)}:0": x}, full_name(name))
             for name in model.outputs]  # fmt: skip
    assert [value.tolist() for value in found] == [[[23, 34]], [[24]]]
    with pytest.raises(GraphnetsError) as caught:
        read_saved_model(twice)
    assert str(caught.value) == f"{twice} has the signatures one, two; say which with --signature"
    with pytest.raises(GraphnetsError, match="has no signature 'three'; wanted one of one, two"):
        read_saved_model(twice, "three")


def test_without_signatures_it_is_refused(tmp_path):
    tf2.saved_model.save(tf2.Module(), str(tmp_path / "m"))
    with pytest.raises(GraphnetsError) as caught:
        read_saved_model(tmp_path / "m")
    assert str(caught.value).startswith(
        f"{tmp_path / 'm'} has no signatures, so what goes in and comes out is not known; export"
    )


def test_a_folder_of_something_else_says_what_it_has(tmp_path):
    (tmp_path / "checkpoint").touch()
    (tmp_path / "model.ckpt.index").touch()
    with pytest.raises(GraphnetsError) as caught:
        read_saved_model(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} has no saved_model.pb: a checkpoint has checkpoint, model.ckpt.index; wanted "
        "the folder of a SavedModel, as model.export(DIR) writes it"
    )


@pytest.fixture
def copy(keras, tmp_path):
    return shutil.copytree(keras[0], tmp_path / "copy")


def test_a_damaged_one_is_refused(copy):
    (copy / "saved_model.pb").write_bytes(b"\x08 nothing")
    with pytest.raises(GraphnetsError, match="saved_model.pb is no SavedModel; export"):
        read_saved_model(copy)


def test_variables_that_are_missing_are_told(copy):
    (copy / "variables" / "variables.index").unlink()
    with pytest.raises(GraphnetsError, match=r"variables cannot be read: .*; wanted the variables"):
        read_saved_model(copy)


def test_a_value_that_the_restoring_does_not_give_is_told(copy):
    model = saved_model_pb2.SavedModel.FromString((copy / "saved_model.pb").read_bytes())
    model.meta_graphs[0].saver_def.restore_op_name = ""
    (copy / "saved_model.pb").write_bytes(model.SerializeToString())
    with pytest.raises(GraphnetsError, match="has no value for its variable .*; export the model"):
        read_saved_model(copy)


@pytest.mark.parametrize("op", ["ReadFile", "PyFunc", "WriteFile"])
def test_ops_that_reach_out_are_refused_also_in_functions(copy, op):
    """Where the outputs need them; what only the restoring has is never run."""
    model = saved_model_pb2.SavedModel.FromString((copy / "saved_model.pb").read_bytes())
    library = model.meta_graphs[0].graph_def.library
    for function in library.function:
        for node in function.node_def:
            if node.op == "Softmax":
                node.op, name = op, node.name
                node.attr.clear()
                assert name
    (copy / "saved_model.pb").write_bytes(model.SerializeToString())
    with pytest.raises(GraphnetsError):
        read_saved_model(copy)


def test_the_fingerprint_is_that_of_all_files(copy, keras):
    assert fingerprint(copy) == fingerprint(keras[0])
    data = next((copy / "variables").glob("*.data*"))
    data.write_bytes(data.read_bytes()[:-1] + b"?")
    assert fingerprint(copy) != fingerprint(keras[0])


def grown(copy, size):
    """Make the variables' data a sparse file of that size."""
    with open(next((copy / "variables").glob("*.data*")), "ab") as file:
        file.truncate(size)


def test_variables_of_any_size_are_refused_before_they_are_read(copy):
    grown(copy, 1 << 40)
    with pytest.raises(
        GraphnetsError, match=r"variables has 1,099,5.* bytes, wanted 6,442,450,941 "
    ):
        read_saved_model(copy)
    with pytest.raises(GraphnetsError) as caught:
        fingerprint(copy)
    assert str(caught.value).startswith(f"{copy} has 1,0995"[: len(str(copy)) + 8])
    assert str(caught.value).endswith("wanted 6,442,450,941 at most: a graph and its optimiser")


def test_a_graph_of_any_size_is_refused_before_it_is_read(copy):
    with open(copy / "saved_model.pb", "ab") as file:
        file.truncate(1 << 40)
    with pytest.raises(GraphnetsError) as caught:
        read_saved_model(copy)
    assert str(caught.value) == (
        f"{copy / 'saved_model.pb'} is no SavedModel (it has 1,099,511,627,776 bytes, wanted "
        "2,147,483,647 at most); export the model again"
    )


def test_a_variable_that_is_read_over_and_over_is_told(twice, monkeypatch):
    monkeypatch.setattr("graphnets.networks.soundness.ROOM", -10_000)
    with pytest.raises(GraphnetsError, match="it reads its variables far more often than it has"):
        read_saved_model(twice, "one")
