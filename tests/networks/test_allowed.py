"""The list of ops is one of what is allowed: what TensorFlow has besides is refused."""

import graphs
import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from tensorflow.core.framework import op_def_pb2, types_pb2
from tensorflow.python.client import pywrap_tf_session

import graphnets
from graphnets.errors import GraphnetsError
from graphnets.networks import allowed, frozen
from graphnets.sessions import Session

STATEFUL = (allowed.RANDOM, allowed.CALLS, allowed.ARRAYS, allowed.CHECKS)
TELLING = (
    "container",
    "shared_name",
    "device",
    "path",
    "file",
    "address",
    "url",
    "handler",
    "token",
)


@pytest.fixture(scope="module")
def registered():
    """{name: OpDef} of all ops of this TensorFlow, its libraries' too."""
    data = pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList())
    found = {op.name: op for op in op_def_pb2.OpList.FromString(data).op}
    assert len(found) > 1300
    return found


def refused(op):
    graph_def = tf.GraphDef()
    graph_def.node.add(name="n", op=op)
    try:
        frozen.refuse_dangerous_ops(graph_def, "it")
    except GraphnetsError as error:
        assert op in str(error)
        return True
    return False


def test_each_op_of_this_tensorflow_is_on_the_list_with_a_reason_or_refused(registered):
    accepted = {op for op in registered if not refused(op)}
    assert accepted == allowed.ALLOWED.keys() & registered.keys()
    assert len(accepted) > 350
    assert all(len(allowed.ALLOWED[op]) > 30 for op in accepted)


def test_no_op_is_on_the_list_twice_or_unknown(registered):
    names = [op for _, ops in allowed.GROUPS for op in ops.split()]
    assert len(names) == len(set(names)) == len(allowed.ALLOWED)
    if tf.version.VERSION.split(".") >= ["2", "21"]:  # older ones lack a few
        assert set(names) <= registered.keys()


def test_what_is_allowed_holds_what_its_group_says(registered):
    """By the registry: no state but where told, no functions but calls, no names of places."""
    stateful = {op for _, ops in STATEFUL for op in ops.split()}
    for name in allowed.ALLOWED.keys() & registered.keys():
        op = registered[name]
        assert not op.is_stateful or name in stateful, name
        functions = [a.name for a in op.attr if "func" in a.type]
        assert not functions or name in allowed.CALLS[1].split(), name
        assert not [a.name for a in op.attr if any(word in a.name for word in TELLING)], name
        arguments = [*op.input_arg, *op.output_arg]
        assert not any(a.is_ref for a in arguments), name
        handles = [a for a in arguments if a.type in (types_pb2.DT_RESOURCE, types_pb2.DT_VARIANT)]
        assert not handles or name in allowed.ARRAYS[1].split(), name


@pytest.mark.parametrize("op", """
    ReadFile WriteFile MatchingFiles ImmutableConst Save SaveV2 Restore RestoreV2 ShardedFilename
    MergeV2Checkpoints PyFunc PyFuncStateless EagerPyFunc XlaLaunch XlaCallModule Print PrintV2
    DebugIdentity DebugNumericSummary Copy Abort ImageSummary ScalarSummary IteratorGetNext
    TFRecordDataset TPUReplicate TPUExecute RemoteCall RpcCall CollectiveReduce _Send _Recv
    QueueDequeue FIFOQueue LookupTableFind InitializeTableFromTextFileV2 VarHandleOp ReadVariableOp
    SymbolicGradient BatchFunction DecodeCompressed ParseTensor DecodeProtoV2 FakeParam
    _MklConv2D _FusedConv2D SparseMatMul Relu7 _HostSend
""".split())  # fmt: skip
def test_refused_are_what_reaches_out_waits_or_is_new(op):
    assert refused(op)


def test_an_op_that_tensorflow_gains_is_refused(registered, monkeypatch):
    """One that is registered, pure and harmless, which the list does not know yet."""
    assert not refused("Relu6")
    less = {op: why for op, why in allowed.ALLOWED.items() if op != "Relu6"}
    monkeypatch.setattr(frozen, "ALLOWED", less)
    assert "Relu6" in registered and not registered["Relu6"].is_stateful
    assert refused("Relu6")


def shape_from(op, urls, **attributes):
    """A graph where a shape hangs on an op, which TensorFlow then runs as it imports the graph."""
    net = graphs.Builder(producer=tf.version.GRAPH_DEF_VERSION)
    net.const("shape", np.array([2, -1], np.int32))
    node = net.add("risky", op, ["shape"], T=tf.int32, **attributes)
    node.attr["debug_urls"].list.s.extend(urls)
    net.add("x", "Placeholder", dtype=tf.float32, shape=tf.TensorShape([None]))
    net.add("out", "Reshape", ["x", "risky"], T=tf.float32, Tshape=tf.int32)
    return net.graph_def


@pytest.mark.parametrize("saved", [False, True])
def test_a_graph_is_refused_before_importing_it_runs_an_op(saved, tmp_path):
    target = tmp_path / "written"
    urls = [f"file://{target}".encode()]
    graph_def = shape_from("DebugIdentity", urls, device_name="CPU:0", tensor_name="t:0")
    with tf.Graph().as_default():
        tf.import_graph_def(graph_def, name="")
    assert target.exists()  # so it would be
    target.rename(tmp_path / "before")
    with pytest.raises(GraphnetsError, match="DebugIdentity"):
        if saved:
            graphnets.open_network("graph", saved_model(tmp_path / "model", graph_def))
        else:
            graphnets.read_graph_def(graphs.write(tmp_path / "g.pb", graph_def))
    assert not target.exists()


WAYS_IN = {
    "modernised": graphnets.modernised,
    "parameter_names": lambda graph_def: graphnets.parameter_names(graph_def, "*"),
    "import_unfrozen": lambda graph_def: graphnets.import_unfrozen(graph_def, [], {}, ["out"]),
}


@pytest.mark.parametrize("name", WAYS_IN)
def test_a_graph_in_memory_is_held_to_the_list_by_all_that_take_one(name, tmp_path):
    """One that `tf.GraphDef.FromString` read: nothing has looked at it before."""
    target = tmp_path / "written"
    urls = [f"file://{target}".encode()]
    graph_def = shape_from("DebugIdentity", urls, device_name="CPU:0", tensor_name="t:0")
    with tf.Graph().as_default(), pytest.raises(GraphnetsError) as caught:
        WAYS_IN[name](graph_def)
    assert str(caught.value).startswith("the graph has the op(s) DebugIdentity, which are not kno")
    assert not target.exists()


def saved_model(folder, graph_def):
    """A SavedModel that serves x as out, and has no variables."""
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel()
    meta = model.meta_graphs.add(graph_def=graph_def)
    meta.meta_info_def.tags.append("serve")
    meta.signature_def["serving_default"].inputs["x"].name = "x:0"
    meta.signature_def["serving_default"].outputs["y"].name = "out:0"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(model.SerializeToString())
    return folder


def endless(lowered):
    """A graph whose loop has no end, on numbers that are known before it runs."""
    with tf.Graph().as_default() as graph:
        tf.enable_control_flow_v2()
        try:
            x = tf.placeholder(tf.float32, [None], "x")
            n = tf.while_loop(lambda i: i >= 0, lambda i: [tf.maximum(i, 0)], [tf.constant(2)])
        finally:
            tf.disable_control_flow_v2()
        tf.add(x, tf.cast(n, tf.float32), name="out")
    graph_def = graph.as_graph_def()
    [loop] = [node for node in graph_def.node if "While" in node.op]
    if not lowered:  # TensorFlow's constant folding would go round, which nothing stops
        del loop.attr["_lower_using_switch_merge"]
    return graph_def


@pytest.mark.parametrize("lowered", [False, True])
def test_a_loop_without_end_is_stopped(lowered, tmp_path, monkeypatch):
    monkeypatch.setattr("graphnets.sessions.LONGEST", 1)
    graph_def = graphnets.read_graph_def(graphs.write(tmp_path / "g.pb", endless(lowered)))
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
    with Session(graph=graph) as session:
        with pytest.raises(GraphnetsError, match="ran for over 1 s, as one whose loop has no end"):
            session.run("out:0", {"x:0": [1.0]})


def test_what_ties_a_graph_to_where_it_was_made_is_left_out(tmp_path):
    net = graphs.Builder(producer=tf.version.GRAPH_DEF_VERSION)
    x = net.add("x", "Placeholder", dtype=tf.float32)
    x.device = "/job:worker/task:7/gpu:3"
    for name in ("_class", "_kernel", "_XlaMustCompile", "_gradient_op_type"):
        x.attr[name].s = b"anything"
    call = net.add("call", "PartitionedCall", ["x"])
    for key in ("Tin", "Tout"):
        call.attr[key].list.type.append(types_pb2.DT_FLOAT)
    call.attr["f"].func.name = "same"
    call.attr["config_proto"].s = b"\x08\x01"
    call.attr["executor_type"].s = b"anything"
    function = net.graph_def.library.function.add()
    function.signature.name = "same"
    function.signature.input_arg.add(name="a", type=types_pb2.DT_FLOAT)
    function.signature.output_arg.add(name="b", type=types_pb2.DT_FLOAT)
    function.ret["b"] = "a"
    function.attr["_XlaMustCompile"].b = True
    net.graph_def.library.gradient.add(function_name="same", gradient_func="same")
    found = graphnets.read_graph_def(graphs.write(tmp_path / "g.pb", net.graph_def))
    assert found.node[0].device == "" and not [a for a in found.node[0].attr if a[0] == "_"]
    assert not found.node[1].attr["config_proto"].s and not found.node[1].attr["executor_type"].s
    assert not found.library.gradient and not found.library.function[0].attr
