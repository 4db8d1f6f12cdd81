"""Message classes of a few fields read what other tools write, and pass over the rest."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto

from graphnets.weights.protos import message_class, parsed, parsed_file

NET = {
    "Array": {"size": (1, "int64*"), "values": (4, "bytes*")},
    "Net": {"name": (1, "string"), "array": (7, "Array*"), "first": (3, "Array")},
}


def test_messages_are_written_and_read():
    Net = message_class(NET, "Net")
    net = Net(name="small")
    net.array.add(size=[2, 3], values=[b"abc"])
    net.first.size.append(-1)
    again = parsed(Net, net.SerializeToString())
    assert (again.name, list(again.array[0].size), list(again.first.size)) == (
        "small",
        [2, 3],
        [-1],
    )
    assert list(again.array[0].values) == [b"abc"]
    assert not parsed(Net, b"").HasField("first")


def test_another_tools_file_is_read(tmp_path):
    """TensorFlow's NodeDef has its attr, 5, as a map of AttrValue, whose tensor is 8."""
    node = tf.NodeDef(name="weights", op="Const", input=["^before"])
    node.attr["value"].tensor.CopyFrom(TensorProto(dtype=1, float_val=[1.0, 2.0, 4.0]))
    (tmp_path / "node.pb").write_bytes(node.SerializeToString())
    messages = {
        "Node": {"name": (1, "string"), "attr": (5, "Entry*")},
        "Entry": {"key": (1, "string"), "value": (2, "Value")},
        "Value": {"tensor": (8, "Tensor")},
        "Tensor": {"dtype": (1, "int32"), "float_val": (5, "bytes*")},  # packed floats
    }
    read = parsed_file(message_class(messages, "Node"), tmp_path / "node.pb")
    assert (read.name, read.attr[0].key) == ("weights", "value")
    tensor = read.attr[0].value.tensor
    assert tensor.dtype == tf.float32.as_datatype_enum
    assert np.frombuffer(b"".join(tensor.float_val), "<f4").tolist() == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("content", [b"", b"\xff" * 20, b"\x0a\x05abc"])
def test_what_is_no_message(content, tmp_path):
    (tmp_path / "w.pb").write_bytes(content)
    with pytest.raises(ValueError):
        parsed_file(message_class(NET, "Net"), tmp_path / "w.pb")


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        parsed_file(message_class(NET, "Net"), tmp_path / "none")
