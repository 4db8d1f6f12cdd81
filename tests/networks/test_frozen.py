"""Rewriting a frozen GraphDef: the same figures, for batches, without the old ops."""

import io

import graphs
import numpy as np
import pytest
import tensorflow as tf2
import tensorflow.compat.v1 as tf
from graphs import run
from PIL import Image

from graphnets.errors import GraphnetsError
from graphnets.networks.rewriting import modernised

ENDPOINTS = [
    "conv:0",
    "pool:0",
    "mixed/tower/conv_1:0",
    "mixed/join:0",
    "mixed_1/join:0",
    "pool_3:0",
    "pool_3/_reshape:0",
    "softmax/logits:0",
    "softmax:0",
]
OLD_OPS = {"BatchNormWithGlobalNormalization", "CheckNumerics", "Concat"}


def assert_close(found, wanted):
    assert found.shape == wanted.shape
    assert np.abs(wanted).max() > 1e-3
    assert np.abs(found - wanted).max() < 1e-5 * np.abs(wanted).max()


def jpegs(count):
    random = np.random.default_rng(1)
    for number in range(count):
        pixels = random.integers(0, 256, (50 + number, 61, 3), np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG")
        yield buffer.getvalue()


@pytest.fixture(scope="module")
def new(old):
    return modernised(old)


@pytest.fixture(scope="module")
def untouched(old):
    """What the untouched graph gives for three JPEGs, one at a time, name by name."""
    names = ["ResizeBilinear:0", "Sub:0", "Mul:0", *ENDPOINTS]
    rows = [run(old, {"DecodeJpeg/contents:0": photo}, names) for photo in jpegs(3)]
    return {
        name: np.concatenate(parts)
        for name, parts in zip(names, zip(*rows, strict=True), strict=True)
    }


@pytest.mark.parametrize("entry", ["Mul:0", "Sub:0", "ResizeBilinear:0"])
def test_a_batch_gives_what_the_untouched_graph_gives_one_by_one(new, untouched, entry):
    results = run(new, {entry: untouched[entry]}, ENDPOINTS)
    for name, result in zip(ENDPOINTS, results, strict=True):
        assert_close(result, untouched[name])


def test_a_batch_of_photos_of_one_size_is_resized_inside(old, new):
    photos = np.random.default_rng(6).integers(0, 256, (3, 30, 70, 3)).astype(np.float32)
    found = run(new, {"ExpandDims:0": photos}, "softmax:0")
    one_by_one = [run(old, {"ExpandDims:0": photos[i : i + 1]}, "softmax:0") for i in range(3)]
    assert_close(found, np.concatenate(one_by_one))


def test_a_jpeg_enters_where_it_did_before(new, untouched):
    results = [run(new, {"DecodeJpeg/contents:0": photo}, ENDPOINTS) for photo in jpegs(3)]
    for name, *rows in zip(ENDPOINTS, *results, strict=True):
        assert_close(np.concatenate(rows), untouched[name])


def test_the_untouched_graph_takes_no_batch(old, untouched):
    with pytest.raises(ValueError, match=r"\(3, 47, 47, 3\).*Mul:0, which has shape \(1,"):
        run(old, {"Mul:0": untouched["Mul:0"]}, "pool_3/_reshape:0")


def test_names_stay_and_the_old_ops_go(old, new):
    assert {node.op for node in old.node} >= OLD_OPS
    assert not {node.op for node in new.node} & OLD_OPS
    gone = {node.name for node in old.node} - {node.name for node in new.node}
    assert {name.split("/")[-1] for name in gone} == {
        "CheckNumerics", "moving_mean", "moving_variance", "beta", "gamma",
    }  # fmt: skip
    names = [node.name for node in new.node]
    assert len(set(names)) == len(names)


def test_the_given_graph_def_is_not_changed():
    graph_def = graphs.inception_like()
    before = graph_def.SerializeToString(deterministic=True)
    modernised(graph_def)
    assert graph_def.SerializeToString(deterministic=True) == before


def test_rewriting_twice_changes_no_number(new, untouched):
    again = modernised(new)
    found = run(again, {"Mul:0": untouched["Mul:0"]}, "softmax:0")
    assert_close(found, untouched["softmax:0"])


def test_the_newest_producer_is_declared_and_imports(old, new):
    assert old.versions.producer == 8
    assert new.versions.producer == tf.version.GRAPH_DEF_VERSION
    late = tf.GraphDef()
    late.CopyFrom(old)
    late.versions.producer = tf.version.GRAPH_DEF_VERSION
    refusals = (ValueError, tf.errors.UnimplementedError)
    with tf.Graph().as_default(), pytest.raises(refusals, match="removed in version 9"):
        tf.import_graph_def(late, name="")
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(new, name="")
        assert graph.get_tensor_by_name("pool_3/_reshape:0").shape.as_list() == [None, 32]


def test_a_saved_model_of_it_loads_in_tensorflow_2(new, untouched, tmp_path):
    with tf.Graph().as_default(), tf.Session() as session:
        images = tf.placeholder(tf.float32, [None, graphs.SIZE, graphs.SIZE, 3])
        [result] = tf.import_graph_def(
            new, input_map={"Mul:0": images}, return_elements=["softmax:0"], name=""
        )
        tf.saved_model.simple_save(session, str(tmp_path / "m"), {"x": images}, {"y": result})
    serve = tf2.saved_model.load(str(tmp_path / "m")).signatures["serving_default"]
    found = serve(x=tf2.constant(untouched["Mul:0"]))["y"].numpy()
    assert_close(found, untouched["softmax:0"])


def blocks():
    """A Builder with a placeholder x (n, 6, 6, 3) and weights w (3, 3, 3, 4)."""
    net = graphs.Builder(seed=2)
    node = net.add("x", "Placeholder", dtype=tf.float32)
    node.attr["shape"].shape.CopyFrom(tf.TensorShape([None, 6, 6, 3]).as_proto())
    net.const("w", net.normal((3, 3, 3, 4), 0.4))
    return net


def compared(net, names):
    """The rewritten graph, once the tensors in it were found to be the untouched graph's."""
    new = modernised(net.graph_def)
    assert not {node.op for node in new.node} & OLD_OPS
    x = np.random.default_rng(3).standard_normal((2, 6, 6, 3)).astype(np.float32)
    wanted = run(net.graph_def, {"x:0": x}, names)
    for found, value in zip(run(new, {"x:0": x}, names), wanted, strict=True):
        assert_close(found, value)
    return {node.name: node for node in new.node}


@pytest.mark.parametrize("scale_after", [True, False])
def test_batch_norm_becomes_one_bias_behind_its_convolution(scale_after):
    net = blocks()
    net.conv2d("c", "x", "w")
    net.batch_norm("bn", "c", 4, scale_after_normalization=scale_after)
    nodes = compared(net, ["bn:0"])
    assert nodes["bn"].op == "BiasAdd"
    assert nodes["bn"].input[0] == "c"


def test_batch_norm_equals_its_formula():
    net = blocks()
    net.conv2d("c", "x", "w")
    net.batch_norm("bn", "c", 4)
    consts = {n.name: tf.make_ndarray(n.attr["value"].tensor) for n in net.graph_def.node
              if n.op == "Const"}  # fmt: skip
    x = np.ones((1, 6, 6, 3), np.float32)
    [raw] = run(net.graph_def, {"x:0": x}, ["c:0"])
    normal = (raw - consts["bn/moving_mean"]) / np.sqrt(consts["bn/moving_variance"] + 0.001)
    wanted = normal * consts["bn/gamma"] + consts["bn/beta"]
    assert_close(run(modernised(net.graph_def), {"x:0": x}, "bn:0"), wanted)


def test_a_convolution_that_is_read_by_others_keeps_its_output():
    net = blocks()
    net.conv2d("c", "x", "w")
    net.batch_norm("bn", "c", 4)
    net.add("also", "Relu", ["c"], T=tf.float32)
    compared(net, ["bn:0", "also:0", "c:0"])


def test_weights_shared_by_two_convolutions_are_not_scaled():
    net = blocks()
    net.conv2d("c1", "x", "w")
    net.conv2d("c2", "x", "w", stride=2)
    net.batch_norm("bn1", "c1", 4)
    net.batch_norm("bn2", "c2", 4)
    compared(net, ["bn1:0", "bn2:0", "c1:0", "c2:0"])


def test_two_batch_norms_on_one_convolution():
    net = blocks()
    net.conv2d("c", "x", "w")
    net.batch_norm("bn1", "c", 4)
    net.batch_norm("bn2", "c", 4)
    compared(net, ["bn1:0", "bn2:0", "c:0"])


def test_batch_norm_behind_something_else_than_a_convolution():
    net = blocks()
    net.batch_norm("bn", "x", 3)
    net.batch_norm("again", "bn", 3)
    net.pool("MaxPool", "pool", "again", 2, 2, "VALID")
    net.batch_norm("last", "pool", 3)
    compared(net, ["bn:0", "again:0", "pool:0", "last:0"])


def test_a_depthwise_convolution_takes_the_scale_into_its_weights():
    net = blocks()
    net.const("dw", net.normal((3, 3, 3, 2), 0.4))
    strides = [1, 1, 1, 1]
    net.add(
        "d", "DepthwiseConv2dNative", ["x", "dw"], T=tf.float32, strides=strides, padding="SAME"
    )
    net.batch_norm("bn", "d", 6)
    net.add("y", "Relu", ["bn"], T=tf.float32)
    new = compared(net, ["bn:0", "y:0"])
    assert {node.op for node in new.values()} == {
        "Placeholder", "DepthwiseConv2dNative", "BiasAdd", "Relu", "Const",
    }  # fmt: skip


def test_names_that_the_rewriting_would_choose_may_be_taken():
    net = blocks()
    for part in ("scale", "bias", "scaled"):
        net.const(f"bn/{part}", np.float32(1))
    net.batch_norm("bn", "x", 3)
    compared(net, ["bn:0"])


def test_control_inputs_survive_or_go_without_harm():
    net = blocks()
    net.conv2d("c", "x", "w")
    net.batch_norm("bn", "c", 4)
    net.graph_def.node[-1].input.append("^w")
    net.join("join", ["bn", "c:0"])
    net.graph_def.node[-1].input.append("^w")
    compared(net, ["join:0"])


def test_checks_in_a_row_go():
    net = blocks()
    net.add("one", "CheckNumerics", ["x:0"], T=tf.float32, message="")
    net.add("two", "CheckNumerics", ["one"], T=tf.float32, message="")
    net.add("y", "Relu", ["two:0", "^one"], T=tf.float32)
    assert list(compared(net, ["y:0"])["y"].input) == ["x"]


def test_a_join_along_another_axis():
    net = blocks()
    axis = net.const("axis", np.int32(1))
    net.add("join", "Concat", [axis, "x", "x", "x"], T=tf.float32, N=3)
    compared(net, ["join:0"])


@pytest.mark.parametrize("shape, free", [([1, 108], True), ([2, 54], False), ([108], False)])
def test_a_reshape_to_one_row_takes_a_batch(shape, free):
    net = blocks()
    net.const("shape", np.array(shape, np.int64))
    net.add("r", "Reshape", ["x", "shape"], T=tf.float32, Tshape=tf.int64)
    new = modernised(net.graph_def)
    x = np.arange(3 * 108, dtype=np.float32).reshape(3, 6, 6, 3)
    assert run(new, {"x:0": x[:1]}, "r:0").shape == tuple(shape)
    if free:
        np.testing.assert_array_equal(run(new, {"x:0": x}, "r:0"), x.reshape(3, 108))
    else:
        with pytest.raises(tf.errors.InvalidArgumentError):
            run(new, {"x:0": x}, "r:0")


def test_a_shape_that_others_read_stays_for_them():
    net = blocks()
    net.const("shape", np.array([1, 108], np.int32))
    net.const("seven", np.float32(7))
    net.add("r", "Reshape", ["x", "shape"], T=tf.float32)
    net.add("fill", "Fill", ["shape", "seven"], T=tf.float32)
    new = modernised(net.graph_def)
    x = np.zeros((2, 6, 6, 3), np.float32)
    rows, filled = run(new, {"x:0": x}, ["r:0", "fill:0"])
    assert rows.shape == (2, 108)
    assert filled.shape == (1, 108)


def test_batch_norm_on_unfrozen_variables_is_an_error():
    net = blocks()
    net.batch_norm("bn", "x", 3)
    for node in net.graph_def.node:
        if node.name == "bn/gamma":
            node.CopyFrom(tf.NodeDef(name="bn/gamma", op="VariableV2"))
            node.attr["dtype"].type = tf.float32.as_datatype_enum
            node.attr["shape"].shape.dim.add(size=3)
    with pytest.raises(GraphnetsError, match="^bn/gamma is a VariableV2, wanted a Const: freeze"):
        modernised(net.graph_def)
