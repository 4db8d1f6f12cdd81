"""Graphs of thousands of nodes in a row take time as their number, not as its square."""

import time

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from graphnets.networks import folding, found, nodes, rewriting

COUNT = 10_000
SECONDS = 4  # of the processor; with the square it is minutes


@pytest.fixture
def quickly():
    start = time.process_time()
    yield
    assert time.process_time() - start < SECONDS


def row(op, count=COUNT):
    """{name: node}: x, n0, n1, ... each of which takes the one before."""
    names = ["x", *(f"n{number}" for number in range(count))]
    made = {"x": tf.NodeDef(name="x", op="Placeholder")}
    for before, name in zip(names, names[1:], strict=False):
        made[name] = tf.NodeDef(name=name, op=op, input=[before])
    return made


def test_identities_are_passed_by(quickly):
    graph = row("Identity")
    rewriting._pass_by(graph)
    assert {node.input[0] for node in graph.values() if node.op == "Identity"} == {"x"}


def test_what_nobody_reads_is_dropped(quickly):
    graph = row("Neg")
    before = tf.GraphDef(node=graph.values())
    before.node.add(name="last", op="Neg", input=[f"n{COUNT - 1}"])
    rewriting._drop_unread(graph, before)
    assert not graph


def test_the_last_product_before_each_of_many_outputs(quickly):
    graph = row("Relu")
    graph["n7"].op = "MatMul"
    order = [*graph]
    for number in range(0, COUNT, 4):
        name = f"end{number}"
        graph[name] = tf.NodeDef(name=name, op="Softmax", input=[f"n{number}"])
        order.append(name)
    last = found._last_products(graph, order)
    assert "end4" not in last and last["end8"] == last[f"n{COUNT - 1}"] == "n7"


def test_what_is_behind_a_row_too_long_for_a_network_is_not_looked_for(quickly):
    graph = row("Identity")
    graph["x"] = nodes.const_node("x", np.float32(1))
    assert nodes.const_behind(graph, f"n{nodes.MOST_PASSED - 2}") is graph["x"]
    assert all(nodes.const_behind(graph, f"n{i}") is None for i in range(1000, COUNT))


def test_constants_of_constants_have_an_end():
    """Of 16 KB each: what they make when they are added is 64 MB."""
    graph = {}
    for number in range(4):
        for axis in range(2):
            shape = (1 << 12, 1) if axis else (1, 1 << 12)
            name = f"c{number}{axis}"
            graph[name] = nodes.const_node(name, np.zeros(shape, np.float32))
        inputs = [f"c{number}0", f"c{number}1"]
        graph[f"sum{number}"] = tf.NodeDef(name=f"sum{number}", op="Add", input=inputs)
    with pytest.raises(ValueError, match="^what it computes of constants takes far more memory th"):
        folding.compute_constants(graph, list(graph))
