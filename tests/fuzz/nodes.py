"""Damage to the nodes of a GraphDef, drawn from a seed."""

import tensorflow.compat.v1 as tf

from tests.fuzz.mutate import NUMBERS

OPS = """
    Add AddV2 BiasAdd Cast ConcatV2 Const Conv2D DepthwiseConv2dNative Fill FusedBatchNormV3
    Identity LRN MatMul MaxPool Mean Merge Mul NextIteration NoSuchOp Pack Pad Placeholder Range
    Relu Reshape ResizeBilinear Reverse Shape Softmax Split StridedSlice Sub Switch Tile Transpose
    Where
""".split()
ATTRIBUTES = """
    T Tidx _class _output_shapes data_format dtype index_type N _XlaCompile padding shape strides
    ksize value channels half_pixel_centers dilations
""".split()
WHOLE = (-(1 << 63), -(1 << 31), -2, -1, 0, 1, 2, 7, 1 << 20, (1 << 31) - 1, 1 << 40, (1 << 62) + 1)


def restructured(random, data):
    """The bytes of a GraphDef with 1 to 3 changes to its nodes."""
    graph = tf.GraphDef.FromString(data)
    for _ in range(random.integers(1, 4)):
        _one(random, CHANGES)(random, graph, _one(random, graph.node))
    return graph.SerializeToString(deterministic=True)


def _one(random, choices):
    return choices[int(random.integers(len(choices)))]


def _another_attribute(random, graph, node):
    other = _one(random, [node for node in graph.node if node.attr])
    value = other.attr[_one(random, sorted(other.attr))]
    node.attr[_one(random, [*sorted(node.attr), *ATTRIBUTES])].CopyFrom(value)


def _no_attribute(random, graph, node):
    if node.attr:
        del node.attr[_one(random, sorted(node.attr))]


def _another_type(random, graph, node):
    keys = sorted(key for key in node.attr if node.attr[key].WhichOneof("value") == "type")
    if keys:
        node.attr[_one(random, keys)].type = int(random.integers(32))


def _another_tensor_type(random, graph, node):
    _one(random, _constants(graph)).attr["value"].tensor.dtype = int(random.integers(25))


def _constants(graph):
    found = [node for node in graph.node if node.op == "Const" and "value" in node.attr]
    return found or [graph.node.add(name="constant", op="Const")]


def _another_shape(random, graph, node):
    attribute = node.attr["value" if "value" in node.attr else "shape"]
    shape = attribute.tensor.tensor_shape if "value" in node.attr else attribute.shape
    if not shape.dim or random.integers(3) == 0:
        shape.dim.add()
    _one(random, shape.dim).size = _one(random, WHOLE)


def _other_numbers(random, graph, node):
    lists = [node.attr[key] for key in sorted(node.attr) if node.attr[key].list.i]
    if lists:
        numbers = _one(random, lists).list.i
        numbers[int(random.integers(len(numbers)))] = _one(random, WHOLE)
    else:
        node.attr["N"].i = _one(random, WHOLE)


def _another_input(random, graph, node):
    name = _one(random, graph.node).name
    name = _one(random, [name, name, f"^{name}", f"{name}:7", "", "none", f"{name}:-1"])
    if node.input and random.integers(4):
        node.input[int(random.integers(len(node.input)))] = name
    else:
        node.input.append(name)


def _no_input(random, graph, node):
    if node.input:
        del node.input[int(random.integers(len(node.input)))]


def _another_op(random, graph, node):
    node.op = _one(random, OPS)


def _another_name(random, graph, node):
    taken = _one(random, graph.node).name
    node.name = _one(random, ["", "a b", "a:0", "^a", taken, "\x1b[31m", "_a"])


def _twice(random, graph, node):
    graph.node.add().CopyFrom(node)


def _without(random, graph, node):
    if len(graph.node) > 1:
        graph.node.remove(node)


def _another_place(random, graph, node):
    copied = type(node).FromString(node.SerializeToString())
    graph.node.remove(node)
    graph.node.insert(int(random.integers(len(graph.node) + 1)), copied)


def _another_content(random, graph, node):
    tensor = _one(random, _constants(graph)).attr["value"].tensor
    content = tensor.tensor_content
    if not content:  # a scalar lies in its type's own field
        tensor.tensor_content = random.bytes(4)
    elif random.integers(2):
        tensor.tensor_content = content[: int(random.integers(len(content) + 1))]
    else:
        number = (_one(random, NUMBERS) % (1 << 32)).to_bytes(4, "little")
        place = 4 * int(random.integers(len(content) // 4 + 1))
        tensor.tensor_content = content[:place] + number + content[place + 4 :]


def _another_value(random, graph, node):
    tensor = _one(random, _constants(graph)).attr["value"].tensor
    field, value = _one(
        random,
        [
            ("int_val", _one(random, WHOLE[1:10])),
            ("int64_val", _one(random, WHOLE)),
            ("float_val", 1e38),
            ("bool_val", True),
            ("string_val", b"x"),
        ],
    )
    getattr(tensor, field).append(value)


def _another_device(random, graph, node):
    node.device = _one(random, ["/gpu:0", "/job:worker/task:7", "garbage", "/cpu:99"])


def _another_version(random, graph, node):
    graph.versions.producer = _one(random, [0, 1, 8, 9, 21, 2000, 10**9, -1])
    graph.versions.min_consumer = _one(random, [0, 0, 10**9, -1])


def _function(random, graph, node):
    """One that may call itself, or have the name of an op."""
    function = graph.library.function.add()
    function.signature.name = _one(random, ["own", "Relu", node.op])
    function.node_def.add(name="again", op=_one(random, ["own", "Relu"]))
    node.op = function.signature.name


CHANGES = (
    _another_attribute,
    _no_attribute,
    _another_type,
    _another_tensor_type,
    _another_shape,
    _other_numbers,
    _another_input,
    _no_input,
    _another_op,
    _another_name,
    _twice,
    _without,
    _another_place,
    _another_content,
    _another_value,
    _another_device,
    _another_version,
    _function,
)
