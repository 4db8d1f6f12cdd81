"""A damaged GraphDef is refused in one sentence, before TensorFlow ends the process over it."""

import graphs
import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import graphnets
from graphnets.errors import GraphnetsError
from graphnets.networks import soundness

END = f"; wanted a frozen graph that TensorFlow {tf.version.VERSION} can import"


def resizing():
    """A placeholder for pictures, resized to 4 x 5."""
    net = graphs.Builder(producer=tf.version.GRAPH_DEF_VERSION)
    net.add("x", "Placeholder", dtype=tf.float32, shape=tf.TensorShape([None, None, None, 3]))
    net.const("size", np.array([4, 5], np.int32))
    net.add("resized", "ResizeBilinear", ["x", "size"], T=tf.float32)
    return net.graph_def


def node(graph_def, name):
    return next(node for node in graph_def.node if node.name == name)


def size(graph_def):
    return node(graph_def, "size").attr["value"].tensor


def another_type(graph_def):  # TensorFlow's CHECK for it ends the process
    node(graph_def, "size").attr["dtype"].type = tf.int64.as_datatype_enum


def huge(graph_def):  # one number fills the shape: 4 TiB
    tensor = size(graph_def)
    tensor.ClearField("tensor_content")
    tensor.int_val.append(1)
    tensor.tensor_shape.dim[0].size = 1 << 40


def huge_result(graph_def):
    size(graph_def).tensor_content = np.array([1 << 20, 1 << 20], np.int32).tobytes()


def cut_content(graph_def):
    size(graph_def).tensor_content = size(graph_def).tensor_content[:5]


def too_many_values(graph_def):
    size(graph_def).int_val.extend([4, 5, 6])


def negative(graph_def):
    size(graph_def).tensor_shape.dim[0].size = -2


def no_numbers(graph_def):
    for attr in node(graph_def, "size").attr.values():
        attr.type = tf.variant.as_datatype_enum
    node(graph_def, "size").attr["value"].tensor.dtype = tf.variant.as_datatype_enum


def no_value(graph_def):
    del node(graph_def, "size").attr["value"]


def no_such_type(graph_def):
    node(graph_def, "size").attr["dtype"].type = 77
    size(graph_def).dtype = 77


def no_input(graph_def):
    node(graph_def, "resized").input[1] = "nowhere"


def no_attribute(graph_def):
    del node(graph_def, "resized").attr["T"]


def circle(graph_def):
    node(graph_def, "resized").input[0] = "resized"


def twice(graph_def):
    graph_def.node.add().CopyFrom(node(graph_def, "x"))


def bad_name(graph_def):
    graph_def.node.add(name="a\nb", op="NoOp")


def recursion(graph_def):
    for name, called in (("f", "g"), ("g", "f")):
        function = graph_def.library.function.add()
        function.signature.name = name
        function.node_def.add(name="call", op=called)


DAMAGED = [
    (another_type, "size has values of another type than it says"),
    (huge, "its constants take far more memory than the graph has bytes"),
    (huge_result, r"its resized:0, float32 \[None, 1048576, 1048576, 3\], takes 13194139533312 by"),
    (cut_content, r"size has other values than its shape \[2\] wants"),
    (too_many_values, r"size has other values than its shape \[2\] wants"),
    (negative, "size has values of no definite shape"),
    (no_numbers, "size has values of the type variant"),
    (no_value, "size has no value"),
    (no_such_type, "Cannot convert the argument `type_value`: 77 to a TensorFlow DType"),
    (no_input, "Node 'resized': Unknown input node 'nowhere'"),
    (no_attribute, "NodeDef missing attr 'T' from"),
    (circle, "1 nodes in a cycle"),
    (twice, "Node 'x' is not unique"),
    (bad_name, r"Node 'a b': Node name contains invalid characters"),
    (recursion, "its function f calls itself"),
]


@pytest.mark.parametrize(
    "damage, reason", DAMAGED, ids=lambda value: getattr(value, "__name__", "")
)
def test_a_damaged_graph_is_refused_with_the_reason(damage, reason):
    graph_def = resizing()
    damage(graph_def)
    with pytest.raises(GraphnetsError, match=f"^g.pb is no sound graph: .*{reason}") as caught:
        soundness.check(graph_def, "g.pb")
    assert str(caught.value).endswith(END)
    assert "\n" not in str(caught.value)


WAYS_IN = [
    graphnets.modernised,
    lambda graph_def: graphnets.parameter_names(graph_def, "*"),
    lambda graph_def: graphnets.import_unfrozen(graph_def, [], {}, ["resized"]),
]


@pytest.mark.parametrize("use", WAYS_IN, ids=["modernised", "parameter_names", "import_unfrozen"])
@pytest.mark.parametrize("damage", [another_type, huge, no_input, no_attribute, circle])
def test_every_function_of_a_graph_refuses_it(damage, use):
    graph_def = resizing()
    damage(graph_def)
    with (
        pytest.raises(GraphnetsError, match="^the graph is no sound graph: "),
        tf.Graph().as_default(),
    ):
        use(graph_def)


@pytest.mark.parametrize("damage", [another_type, huge, no_input, circle])
def test_a_damaged_file_is_refused_by_its_path(damage, tmp_path):
    graph_def = resizing()
    damage(graph_def)
    path = graphs.write(tmp_path / "g.pb", graph_def)
    with pytest.raises(GraphnetsError, match=r"g\.pb is no sound graph: "):
        graphnets.read_graph_def(path)


def test_a_sound_graph_is_left_as_it_is():
    graph_def = graphs.inception_like()
    soundness.check(graph_def)
    assert graph_def == graphs.inception_like()


@pytest.mark.parametrize(
    "value",
    [
        np.zeros((3000, 1000), np.float32),
        np.float64(1.5),
        np.array([1 + 2j, 3], np.complex64),
        np.array([1, 2], np.float16),
        np.array([[b"a", b"longer"]]),
        np.zeros((0, 4), np.int64),
        np.array([True, False]),
    ],
    ids=lambda value: f"{value.dtype}{value.shape}",
)
def test_constants_of_all_kinds_are_sound(value):
    with tf.Graph().as_default() as graph:
        tf.constant(value, name="value")
        tf.constant(value, shape=[2, *value.shape], name="filled") if value.size == 1 else None
    soundness.check(graph.as_graph_def())


def test_an_input_of_another_type_is_refused():
    with tf.Graph().as_default():
        with pytest.raises(
            GraphnetsError,
            match="^the graph cannot be imported with these inputs, .* expected float",
        ):
            graphnets.import_unfrozen(resizing(), [], {"x": tf.constant(1)}, ["resized"])


def test_a_resizing_to_no_size_is_no_inception(tmp_path):
    graph_def = graphs.inception_like()
    graph_def.node.add().CopyFrom(node(graph_def, "ResizeBilinear/size"))
    graph_def.node[-1].name = "another"
    node(graph_def, "ResizeBilinear").input[1] = "another"
    tensor = node(graph_def, "ResizeBilinear/size").attr["value"].tensor
    tensor.tensor_content = np.array([0, 47], np.int32).tobytes()
    with pytest.raises(
        GraphnetsError, match=r"ResizeBilinear/size is \[ 0 47\], wanted the height"
    ):
        graphnets.inception_graph_def(graphs.write(tmp_path / "g.pb", graph_def))


def test_a_node_of_more_inputs_or_outputs_than_it_has_is_refused():
    """TensorFlow would make room for them before it counts."""
    for op, attribute, most in (("ConcatV2", "N", 2), ("Split", "num_split", 65_536)):
        graph_def = tf.GraphDef()
        node = graph_def.node.add(name="y", op=op, input=["a", "b"])
        node.attr[attribute].i = 2**31 - 1
        with pytest.raises(GraphnetsError) as caught:
            soundness.check(graph_def)
        assert str(caught.value).startswith(
            f"the graph is no sound graph: y says that its {attribute} is 2147483647, wanted {most}"
        )
