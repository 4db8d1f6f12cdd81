"""Calls become the bodies of their functions, whatever a stranger's calls hang on."""

import time

import pytest
import tensorflow.compat.v1 as tf
from tensorflow.core.framework import types_pb2

from graphnets.errors import GraphnetsError
from graphnets.networks import inlining, soundness
from graphnets.networks.inlining import inlined

FLOAT = types_pb2.DT_FLOAT


def function(graph_def, name, body, gives):
    """Add a function a -> b. body: (name, op, inputs) of its nodes; gives: what b is."""
    added = graph_def.library.function.add()
    added.signature.name = name
    added.signature.input_arg.add(name="a", type=FLOAT)
    added.signature.output_arg.add(name="b", type=FLOAT)
    for node, op, inputs in body:
        added.node_def.add(name=node, op=op, input=inputs).attr["T"].type = FLOAT
    added.ret["b"] = gives


def calling(*calls):
    """A graph of a placeholder x and calls (name, function, inputs)."""
    graph_def = tf.GraphDef()
    graph_def.node.add(name="x", op="Placeholder").attr["dtype"].type = FLOAT
    for name, called, inputs in calls:
        call = graph_def.node.add(name=name, op="PartitionedCall", input=inputs)
        call.attr["f"].func.name = called
        for key in ("Tin", "Tout"):
            call.attr[key].list.type.append(FLOAT)
    return graph_def


def inputs_of(graph_def):
    return {node.name: list(node.input) for node in graph_def.node}


def test_a_call_behind_calls_takes_what_the_first_body_gives():
    graph_def = calling(("one", "f", ["x"]), ("two", "same", ["one"]), ("three", "f", ["two:0"]))
    function(graph_def, "f", [("neg", "Neg", ["a"])], "neg:y:0")
    function(graph_def, "same", [], "a")
    found, ends = inlined(graph_def, ["three:0"])
    assert inputs_of(found) == {"x": [], "neg": ["one/neg"], "one/neg": ["x"]}
    assert ends == ["neg"]


def test_calls_that_pass_each_other_on_in_a_circle_are_told():
    graph_def = calling(("one", "same", ["two"]), ("two", "same", ["one"]))
    function(graph_def, "same", [], "a")
    with pytest.raises(ValueError, match=r"^(one|two)(:0)? is its own input$"):
        inlined(graph_def, ["one:0"])


def test_an_output_that_a_call_does_not_have_is_told():
    graph_def = calling(("one", "same", ["x"]))
    function(graph_def, "same", [], "a")
    with pytest.raises(ValueError, match="^a call has no output one:3$"):
        inlined(graph_def, ["one:3"])


def test_what_waits_for_a_call_waits_for_all_that_its_body_gives():
    graph_def = calling(("one", "f", ["x"]))
    graph_def.node.add(name="last", op="Identity", input=["x", "^one"]).attr["T"].type = FLOAT
    function(graph_def, "f", [("neg", "Neg", ["a"])], "neg:y:0")
    found, _ = inlined(graph_def, ["last:0"])
    assert inputs_of(found)["last"] == ["x", "^neg"]


def test_a_body_that_waits_for_its_argument_waits_for_what_is_given():
    graph_def = calling(("one", "f", ["x"]))
    function(graph_def, "f", [("neg", "Neg", ["a", "^a"])], "neg:y:0")
    assert inputs_of(inlined(graph_def, ["one:0"])[0])["neg"] == ["x", "^x"]


@pytest.mark.parametrize("dangling", ["^nowhere", "nowhere:0"])
def test_an_input_that_leads_nowhere_is_told(dangling):
    graph_def = calling(("one", "f", ["x"]))
    graph_def.node.add(name="last", op="Identity", input=["one", dangling])
    function(graph_def, "f", [("neg", "Neg", ["a"])], "neg:y:0")
    with pytest.raises(ValueError, match="^it has no node nowhere$"):
        inlined(graph_def, ["last:0"])


def test_a_body_with_an_input_that_leads_nowhere_is_told():
    graph_def = calling(("one", "f", ["x"]))
    function(graph_def, "f", [("neg", "Neg", ["a", "^nowhere"])], "neg:y:0")
    with pytest.raises(ValueError, match="^the function of one has no node .?nowhere$"):
        inlined(graph_def, ["one:0"])


def test_a_function_that_gives_no_tensor_is_told():
    """What is waited for would double with each call, for one that calls such a one twice."""
    graph_def = calling(("one", "f", ["x"]))
    function(graph_def, "f", [("neg", "Neg", ["a"])], "^neg")
    with pytest.raises(ValueError, match="^the function of one gives no tensor$"):
        inlined(graph_def, ["one:0"])


def doubling(count):
    """Functions each of which calls the one before it twice: 2 ** count nodes."""
    graph_def = calling(("call", f"f{count}", ["x"]))
    function(graph_def, "f0", [("neg", "Neg", ["a"])], "neg:y:0")
    for number in range(1, count + 1):
        inner = f"f{number - 1}"
        calls = [("first", inner, ["a"]), ("second", inner, ["first:b:0"])]
        function(graph_def, f"f{number}", calls, "second:b:0")
    return graph_def


def test_calls_that_become_too_many_nodes_are_told(monkeypatch):
    monkeypatch.setattr(inlining, "MOST", 5000)
    assert len(inlined(doubling(4), ["call:0"])[0].node) == 17
    with pytest.raises(ValueError, match="^its functions become more than 5,000 nodes$"):
        inlined(doubling(40), ["call:0"])


def test_a_graph_of_more_nodes_than_that_is_whole_without_calls():
    """What becomes too many is told where calls become it: a graph by itself is checked before."""
    graph_def = calling()
    for number in range(50_001):
        graph_def.node.add(name=f"n{number}", op="Neg")
    assert len(inlined(graph_def, ["n7:0"])[0].node) == 1
    with pytest.raises(GraphnetsError, match="it has 50,002 nodes, more than any network"):
        soundness.check(graph_def)


def test_bodies_that_become_far_more_bytes_than_the_graph_has_are_told():
    graph_def = calling(*[(f"c{i}", "f", ["x"]) for i in range(200)])
    function(graph_def, "f", [("neg", "Neg", ["a"])], "neg:y:0")
    graph_def.library.function[0].node_def[0].attr["_note"].s = bytes(1 << 20)
    graph_def.node.add(name="last", op="AddN", input=[f"c{i}" for i in range(200)])
    with pytest.raises(ValueError, match="^its functions become far more bytes than the graph has"):
        inlined(graph_def, ["last:0"])


def test_an_attribute_that_a_call_gives_to_a_thousand_nodes_is_counted_each_time():
    graph_def = calling(("one", "f", ["x"]))
    graph_def.node[1].attr["note"].s = bytes(1 << 20)
    body = [(f"n{i}", "Neg", ["a"]) for i in range(1000)]
    function(graph_def, "f", body, "n0:y:0")
    for node in graph_def.library.function[0].node_def:
        node.attr["_note"].placeholder = "note"
    with pytest.raises(ValueError, match="^its functions become far more bytes than the graph has"):
        inlined(graph_def, ["one:0"])


def test_what_waits_for_calls_of_many_outputs_is_counted():
    graph_def = calling(("one", "f", ["x"]))
    function(graph_def, "f", [(f"n{i}", "Neg", ["a"]) for i in range(1000)], "n0:y:0")
    for number in range(1, 1000):
        graph_def.library.function[0].signature.output_arg.add(name=f"b{number}", type=FLOAT)
        graph_def.library.function[0].ret[f"b{number}"] = f"n{number}:y:0"
    for number in range(1000):
        graph_def.node.add(name=f"w{number}", op="NoOp", input=["^one"])
    graph_def.node.add(name="last", op="NoOp", input=[f"^w{i}" for i in range(1000)])
    with pytest.raises(ValueError, match="^its nodes come to have more than 500,000 inputs$"):
        inlined(graph_def, ["^last"])


def test_a_chain_of_functions_is_followed_in_one_go():
    """Each calls the next: the time grew with the square of their number, as did the memory."""
    count = 2000
    graph_def = calling(("call", "f0", ["x"]))
    for number in range(count):
        body = [("call", f"f{number + 1}", ["a"])]
        function(graph_def, f"f{number}", body, "call:b:0")
    function(graph_def, f"f{count}", [("neg", "Neg", ["a"])], "neg:y:0")
    start = time.process_time()
    soundness.check_nodes(graph_def, "it")
    found, ends = inlined(graph_def, ["call:0"])
    assert time.process_time() - start < 2
    assert (inputs_of(found), ends) == ({"x": [], "neg": ["x"]}, ["neg"])
