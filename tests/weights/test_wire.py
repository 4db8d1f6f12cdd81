"""Messages that would take far more memory than their bytes are refused without making them."""

import os

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from foreign import field, varint

from graphnets.weights import wire
from graphnets.weights.protos import message_class, parsed, parsed_file

GRAPH = tf.GraphDef.DESCRIPTOR
NODE, ATTR, INPUT = 1, 5, 3
NET = {"Array": {"size": (1, "int64*"), "name": (2, "string")}, "Net": {"array": (7, "Array*")}}


def graph():
    """Bytes of a graph with all that a node can have, in 20 fields."""
    graph_def = tf.GraphDef()
    node = graph_def.node.add(name="weights", op="Const", input=["^before"])
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(np.ones((2, 300), np.float32)))
    node.attr["shape"].list.i.extend([1, 300, -1])
    return graph_def.SerializeToString(deterministic=True)


def test_all_fields_are_counted_those_of_inner_messages_too():
    wire.check(graph(), GRAPH, most=20)
    with pytest.raises(wire.TooLarge, match="^it has over 19 fields$"):
        wire.check(graph(), GRAPH, most=19)


def test_what_the_class_does_not_know_is_passed_over():
    strange = field(99, bytes(1000)) + varint(100 << 3 | 1) + bytes(8) + varint(101 << 3 | 5)
    wire.check(strange + bytes(4) + field(102, 1 << 60), GRAPH, most=4)


def nested(count):
    """A list of a function's attribute in that of another, `count` times."""
    inner = b""
    for _ in range(count):  # NameAttrList.attr, its AttrValue.func
        inner = field(2, field(2, field(10, inner)))
    return field(NODE, field(ATTR, field(2, field(10, inner))))


MOST = 20_000
BOMBS = {
    "nodes": b"\x0a\x00" * (MOST + 1),
    "inputs": field(NODE, b"\x1a\x00" * (MOST + 1)),
    "numbers": field(NODE, field(ATTR, field(2, field(1, field(3, bytes(17 * MOST)))))),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused(name, monkeypatch):
    monkeypatch.setattr(wire, "MOST_FIELDS", MOST)
    with pytest.raises(wire.TooLarge, match="^it has over 20,000 fields$"):
        parsed(tf.GraphDef, BOMBS[name])


@pytest.mark.parametrize(
    "data", [bytes(9), b"\x0a", b"\x0a\x05abc", b"\x0e\x01", b"\x09abc", b"\x08" + b"\xff" * 11]
)
def test_no_message(data):
    with pytest.raises(ValueError, match="it is no message|it ends too early"):
        wire.check(data, GRAPH)


def test_messages_in_messages_have_an_end():
    wire.check(nested(20), GRAPH)
    with pytest.raises(ValueError, match="^it is no message$"):
        wire.check(nested(40), GRAPH)


def test_an_inner_message_of_texts_is_counted():
    data = field(7, field(2, b"a") + field(2, b"b"))
    wire.check(data, message_class(NET, "Net").DESCRIPTOR, most=3)
    with pytest.raises(wire.TooLarge):
        wire.check(data, message_class(NET, "Net").DESCRIPTOR, most=2)


def test_a_file_of_more_bytes_than_protobuf_reads_is_never_read(tmp_path, monkeypatch):
    with open(tmp_path / "w.pb", "wb") as file:
        file.truncate(1 << 40)
    monkeypatch.setattr("mmap.mmap", lambda *_, **__: pytest.fail("it is mapped"))
    with pytest.raises(wire.TooLarge, match="has 1,099,511,627,776 bytes, wanted 2,147,483,647 at"):
        parsed_file(tf.GraphDef, tmp_path / "w.pb")


def test_a_file_of_nothing_but_zeros_is_no_message(tmp_path):
    with open(tmp_path / "w.pb", "wb") as file:
        file.truncate(wire.LARGEST)
    with pytest.raises(ValueError, match="^it is no message$"):
        parsed_file(tf.GraphDef, tmp_path / "w.pb")


def test_a_pipe_is_read(tmp_path):
    reading, writing = os.pipe()
    os.write(writing, graph())
    os.close(writing)
    assert parsed_file(tf.GraphDef, f"/dev/fd/{reading}").node[0].name == "weights"
    os.close(reading)
