"""Reading a frozen GraphDef, and refusing one that could do more than compute."""

import re

import graphs
import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from graphs import run

from graphnets.errors import GraphnetsError
from graphnets.networks import frozen


def test_a_graph_is_read_as_it_is_in_the_file(old, tmp_path):
    assert frozen.read_graph_def(graphs.write(tmp_path / "g.pb", old)) == old


def test_a_missing_file(tmp_path):
    with pytest.raises(GraphnetsError, match=r"none\.pb cannot be read: No such file"):
        frozen.read_graph_def(tmp_path / "none.pb")


def test_a_folder(tmp_path):
    with pytest.raises(GraphnetsError, match="cannot be read: Is a directory"):
        frozen.read_graph_def(tmp_path)


PAGE = b"<!DOCTYPE html>\n<html><title>404 Not Found</title></html>\n"
RANDOM = np.random.default_rng(4).bytes(5000)


@pytest.mark.parametrize(
    "content", [b"", PAGE, RANDOM, b"PK\x03\x04" + bytes(50), b"\xff\xd8\xff\xe0JFIF", b"daisy\n"]
)
def test_a_file_of_another_kind(content, tmp_path):
    path = tmp_path / "g.pb"
    path.write_bytes(content)
    with pytest.raises(GraphnetsError, match=r"g\.pb (is no GraphDef|holds no graph); wanted a fr"):
        frozen.read_graph_def(path)


@pytest.mark.parametrize("share", [0.001, 0.3, 0.5, 0.9, 0.999])
def test_a_file_that_was_cut_off(old, share, tmp_path):
    content = old.SerializeToString(deterministic=True)
    path = tmp_path / "g.pb"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(GraphnetsError, match=r"g\.pb is no GraphDef"):
        frozen.read_graph_def(path)


def test_a_saved_model_is_no_frozen_graph(tmp_path):
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [2])
        tf.saved_model.simple_save(session, str(tmp_path / "m"), {"x": x}, {"y": 2 * x})
    with pytest.raises(GraphnetsError, match="(is no GraphDef|holds no graph); wanted a frozen"):
        frozen.read_graph_def(tmp_path / "m" / "saved_model.pb")


def one_op(op, inputs=(), **attributes):
    """A graph whose node "out" is that op on string constants."""
    net = graphs.Builder(producer=tf.version.GRAPH_DEF_VERSION)
    names = [net.const(f"in{i}", value) for i, value in enumerate(inputs)]
    net.add("out", op, names, **attributes)
    return net.graph_def


@pytest.mark.parametrize("op", [
    # files
    "ReadFile", "WriteFile", "MatchingFiles", "WholeFileReaderV2", "ReaderReadV2", "SaveV2",
    "RestoreV2", "MergeV2Checkpoints", "LoadAndRemapMatrix", "InitializeTableFromTextFileV2",
    "ImmutableConst", "GenerateVocabRemapping", "DecodeProtoV2", "EncodeProto", "RecordInput",
    "FileSystemSetConfiguration",
    # data sets
    "TextLineDataset", "TFRecordDatasetV2", "TensorSliceDataset", "MakeIterator",
    "IteratorGetNext", "OneShotIterator", "DataServiceDatasetV4", "ReduceDataset",
    # Python, processes, printing
    "PyFunc", "PyFuncStateless", "EagerPyFunc", "Abort", "Print", "PrintV2", "DebugIdentity",
    "DebugIdentityV2", "DebugNumericSummary", "SummaryWriter", "WriteScalarSummary",
    # other hosts
    "_Send", "_Recv", "RemoteCall", "CollectiveReduceV2", "RpcClient", "RpcServer",
    "XlaCallModule",
    # state
    "VarHandleOp", "VariableV2", "Variable", "HashTableV2", "FIFOQueueV2", "RandomShuffleQueueV2",
    "MutableHashTableV2", "Stage", "Barrier",
    # unknown
    "NoSuchOp", "",
])  # fmt: skip
def test_an_op_that_does_more_than_compute_is_refused(op, tmp_path):
    path = graphs.write(tmp_path / "g.pb", one_op(op))
    with pytest.raises(
        GraphnetsError, match=rf"g\.pb has the op\(s\) {op}, which are not known to do"
    ):
        frozen.read_graph_def(path)


def test_no_op_that_is_known_to_reach_out_slips_through():
    """The whole registry: what these words name is refused, however TensorFlow declares it."""
    words = (
        "File", "Save", "Restore", "Checkpoint", "PyFunc", "Dataset", "Iterator", "Print",
        "Writer", "Reader", "Rpc", "Remote", "Collective", "Debug", "Queue", "Stage", "Abort",
    )  # fmt: skip
    on_handles = "Queue(Close|Dequeue|Enqueue|IsClosed|Size)"  # of queues, which are refused
    ops = [op for op in dir(tf.raw_ops) if op[0] != "_" and any(word in op for word in words)]
    assert len(ops) > 250
    accepted = []
    for op in ops:
        try:
            frozen.refuse_dangerous_ops(one_op(op), "it")
            accepted.append(op)
        except GraphnetsError:
            pass
    assert [op for op in accepted if not re.match(on_handles, op)] == []


def test_all_refused_ops_are_named(tmp_path):
    graph_def = one_op("WriteFile")
    graph_def.node.add(name="b", op="ReadFile")
    graph_def.node.add(name="c", op="ReadFile")
    with pytest.raises(GraphnetsError, match=r"the op\(s\) ReadFile, WriteFile, which"):
        frozen.read_graph_def(graphs.write(tmp_path / "g.pb", graph_def))


def function(graph_def, name, op):
    """Add a function string -> string that calls op to the graph's library."""
    added = graph_def.library.function.add()
    added.signature.name = name
    added.signature.input_arg.add(name="a", type=tf.string.as_datatype_enum)
    added.signature.output_arg.add(name="b", type=tf.string.as_datatype_enum)
    node = added.node_def.add(name="n", op=op, input=["a"])
    if op == "Identity":
        node.attr["T"].type = tf.string.as_datatype_enum
    added.ret["b"] = "n:output:0" if op == "Identity" else "n:contents:0"


def calling(op_in_function, caller="PartitionedCall"):
    graph_def = one_op(caller, [b"/etc/hostname"])
    call = graph_def.node[-1]
    call.attr["f"].func.name = "inner"
    for key in ("Tin", "Tout"):
        call.attr[key].list.type.append(tf.string.as_datatype_enum)
    function(graph_def, "inner", op_in_function)
    return graph_def


@pytest.mark.parametrize("caller", ["PartitionedCall", "StatefulPartitionedCall"])
def test_an_op_hidden_in_a_function_is_refused(caller):
    with pytest.raises(GraphnetsError, match=r"^it has the op\(s\) ReadFile, which"):
        frozen.refuse_dangerous_ops(calling("ReadFile", caller), "it")


@pytest.mark.parametrize("caller", ["PartitionedCall", "StatefulPartitionedCall", "inner"])
def test_a_call_of_a_harmless_function_is_accepted(caller):
    graph_def = calling("Identity", caller)
    frozen.refuse_dangerous_ops(graph_def, "it")
    assert run(graph_def, {}, "out:0") == b"/etc/hostname"


def test_a_function_does_not_make_an_op_of_its_name_harmless():
    graph_def = one_op("ReadFile", [b"/etc/hostname"])
    function(graph_def, "ReadFile", "Identity")
    with pytest.raises(GraphnetsError, match="ReadFile"):
        frozen.refuse_dangerous_ops(graph_def, "it")


def test_nothing_is_run_by_refusing(tmp_path):
    target = tmp_path / "written"
    graph_def = one_op("WriteFile", [str(target).encode(), b"x"])
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(graph_def, name="")
        session.run("out")
    assert target.read_bytes() == b"x"  # what would be done
    target.unlink()
    with pytest.raises(GraphnetsError, match="WriteFile"):
        frozen.read_graph_def(graphs.write(tmp_path / "g.pb", graph_def))
    assert not target.exists()


@pytest.mark.parametrize("op", [
    "RandomUniform", "RandomStandardNormal", "Multinomial", "CheckNumerics", "Assert", "If",
    "While", "Case", "TensorArrayV3", "TensorArrayReadV3", "PlaceholderWithDefault", "DecodeJpeg",
    "DecodePng", "ParseExample", "Conv2D", "FusedBatchNormV3", "BatchNormWithGlobalNormalization",
])  # fmt: skip
def test_an_op_that_only_computes_is_accepted(op):
    frozen.refuse_dangerous_ops(one_op(op), "it")


def test_the_devices_of_another_machine_are_left_out(old, tmp_path):
    elsewhere = tf.GraphDef()
    elsewhere.CopyFrom(old)
    for node in elsewhere.node:
        node.device = "/job:worker/task:7/gpu:3"
    assert frozen.read_graph_def(graphs.write(tmp_path / "g.pb", elsewhere)) == old
