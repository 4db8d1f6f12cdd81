"""Un-freezing: Consts of any frozen GraphDef become variables, train, and are Consts again."""

import graphs
import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from graphnets.errors import GraphnetsError
from graphnets.networks.nodes import constant
from graphnets.networks.rewriting import modernised
from graphnets.networks.run_only import run_only
from graphnets.networks.unfreeze import import_unfrozen, matches, parameter_names, with_values

STD = np.array([0.5, 0.4, 0.3], np.float32)


def foreign(use_resource=False):
    """A network that TensorFlow's own converter froze: Const -> Identity -> Conv2D, MatMul ..."""
    random = np.random.default_rng(0)

    def variable(name, *shape):
        value = (random.standard_normal(shape) * 0.5).astype(np.float32)
        return tf.get_variable(name, initializer=value)

    with tf.Graph().as_default() as graph, tf.Session() as session:
        with tf.variable_scope("net", use_resource=use_resource):
            x = tf.placeholder(tf.float32, [None, 6, 6, 3], "input")
            x = tf.multiply(x, STD, name="scaled")
            x = tf.nn.conv2d(x, variable("conv/W", 3, 3, 3, 4), 1, "SAME", name="conv/Conv2D")
            x = tf.nn.relu(tf.nn.bias_add(x, variable("conv/b", 4), name="conv/BiasAdd"))
            x = tf.nn.depthwise_conv2d(x, variable("thin/W", 3, 3, 4, 1), [1, 1, 1, 1], "VALID")
            moments = [variable("norm/mean", 4), variable("norm/variance", 4) ** 2]
            scale, offset = variable("norm/gamma", 4), variable("norm/beta", 4)
            x = tf.nn.fused_batch_norm(x, scale, offset, *moments, is_training=False)[0]
            x = tf.nn.tanh(tf.reduce_mean(x, [1, 2])) * 2.0
            x = tf.matmul(x, variable("W5", 4, 5), name="fc/MatMul")
            tf.add(x, variable("b5", 5), name="fc/scores")
        session.run(tf.global_variables_initializer())
        return tf.graph_util.convert_variables_to_constants(
            session, graph.as_graph_def(), ["net/fc/scores"]
        )


SCORES = "net/fc/scores:0"


def pictures(count=4):
    return np.random.default_rng(1).standard_normal((count, 6, 6, 3)).astype(np.float32)


def plain(graph_def, name=SCORES):
    """What plain TensorFlow gives for the pictures."""
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(graph_def, name="")
        return session.run(name, {"net/input:0": pictures()})


def mean_loss(scores):
    """The cross-entropy of the first class, in NumPy."""
    exp = np.exp(scores.astype(float))
    return -np.log(exp[:, 0] / exp.sum(axis=1)).mean()


def unfrozen(graph_def, pattern, **options):
    """The scores of the pictures in the default graph, with what the pattern chooses to train."""
    x = tf.constant(pictures())
    chosen = parameter_names(graph_def, pattern) if pattern else []
    [scores] = import_unfrozen(graph_def, chosen, {"net/input": x}, [SCORES], **options)
    return scores


def loss_of(scores):
    return tf.losses.sparse_softmax_cross_entropy([0] * len(pictures()), scores)


def bytes_by_name(graph_def):
    return {node.name: node.SerializeToString(deterministic=True) for node in graph_def.node}


@pytest.mark.parametrize("name, pattern, expected", [
    ("mixed_10/conv", "mixed_10", True),
    ("mixed_10", "mixed_10", True),
    ("mixed_10", "mixed_10:0", True),
    ("mixed_10/conv", "mixed_10/", True),
    ("mixed_10/conv", "mixed_1", False),
    ("mixed_1/tower_1/conv", "mixed_1/tower", False),
    ("mixed_10/tower_1/conv", "mixed_1?/tower*", True),
    ("mixed_1/tower_1/conv", "mixed_1?/tower*", False),
    ("mixed_1/tower_1/conv", "*", True),
    ("mixed_1/conv", "MIXED_1", False),
    ("mixed_1/conv", "", False),
])  # fmt: skip
def test_a_pattern_is_a_name_a_folder_or_a_shell_pattern(name, pattern, expected):
    assert matches(name, pattern) == expected


@pytest.mark.parametrize("use_resource", [False, True])
@pytest.mark.parametrize("pattern, expected", [
    ("*", ["conv/W", "conv/b", "thin/W", "norm/gamma", "norm/beta", "W5", "b5"]),
    ("net", ["conv/W", "conv/b", "thin/W", "norm/gamma", "norm/beta", "W5", "b5"]),
    ("net/conv", ["conv/W", "conv/b"]),
    ("net/fc", ["W5", "b5"]),  # by the nodes that take them
    ("net/fc/MatMul", ["W5"]),
    ("net/W5", ["W5"]),
    ("net/*/W", ["conv/W", "thin/W"]),
    ("net/norm/mean", ["norm/mean"]),  # no weight by itself, but named
])  # fmt: skip
def test_weights_of_a_foreign_graph_are_found_behind_identities(use_resource, pattern, expected):
    assert parameter_names(foreign(use_resource), pattern) == [f"net/{name}" for name in expected]


def test_what_scales_the_pictures_is_no_parameter_unless_it_is_named():
    everything = parameter_names(foreign(), "*")
    assert parameter_names(foreign(), "net/scaled/y") == ["net/scaled/y"]
    assert "net/scaled/y" not in everything
    scalars = [name for name in everything if constant(nodes(foreign()), name).ndim == 0]
    assert scalars == []


def nodes(graph_def):
    return {node.name: node for node in graph_def.node}


def test_the_parameters_of_inceptions_layers_are_weights_and_folded_bias():
    graph_def = modernised(graphs.inception_like())
    assert parameter_names(graph_def, "conv_2") == [
        "conv_2/conv2d_params", "conv_2/batchnorm/folded_bias",
    ]  # fmt: skip
    assert parameter_names(graph_def, "softmax") == ["softmax/weights", "softmax/biases"]
    assert len(parameter_names(graph_def, "mixed*/tower*/conv*")) == 12
    assert parameter_names(graph_def, "Sub/y") == ["Sub/y"]
    assert len(parameter_names(graph_def, "*")) == 22


@pytest.mark.parametrize("pattern", ["mixed_7", "", "Mul", "pool", "ResizeBilinear/size"])
def test_a_pattern_that_matches_nothing_says_what_there_is(pattern):
    with pytest.raises(GraphnetsError) as caught:
        parameter_names(modernised(graphs.inception_like()), pattern)
    assert str(caught.value) == (
        f"no parameter matches {pattern!r}; this graph has parameters in conv, conv_1, conv_2, "
        "mixed, mixed_1, softmax: name a node there, or give a shell pattern"
    )


def test_a_graph_without_parameters():
    net = graphs.Builder()
    net.add("input", "Placeholder", dtype=tf.float32)
    with pytest.raises(GraphnetsError, match="'input'; this graph has parameters in no node: name"):
        parameter_names(net.graph_def, "input")


@pytest.mark.parametrize("use_resource", [False, True])
@pytest.mark.parametrize("pattern", ["*", "net/conv", "net/fc", "net/norm/variance"])
def test_before_the_first_step_the_output_is_the_untouched_graphs(pattern, use_resource):
    graph_def = foreign(use_resource)
    with tf.Graph().as_default(), tf.Session() as session:
        scores = unfrozen(graph_def, pattern)
        session.run(tf.global_variables_initializer())
        found = session.run(scores)
    wanted = plain(graph_def)
    assert wanted.std() > 0.1
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize("use_resource", [False, True])
@pytest.mark.parametrize("pattern", ["*", "net/conv", "net/thin", "net/norm", "net/fc"])
def test_a_step_moves_the_chosen_and_no_other_and_is_frozen_again(pattern, use_resource):
    graph_def = foreign(use_resource)
    chosen = parameter_names(graph_def, pattern)
    with tf.Graph().as_default(), tf.Session() as session:
        scores = unfrozen(graph_def, pattern, name="tuned")
        variables = tf.trainable_variables()
        assert [v.op.name for v in variables] == [f"tuned/{name}" for name in chosen]
        assert tf.global_variables() == variables
        step = tf.train.GradientDescentOptimizer(0.1).minimize(loss_of(scores))
        session.run(tf.global_variables_initializer())
        session.run(step)
        values = dict(zip(chosen, session.run(variables), strict=True))
        after = session.run(scores)
    tuned = with_values(graph_def, values)
    before, now = bytes_by_name(graph_def), bytes_by_name(tuned)
    assert list(now) == list(before)
    assert {name for name in now if now[name] != before[name]} == set(chosen)
    np.testing.assert_allclose(plain(tuned), after, atol=1e-6)
    assert mean_loss(after) < mean_loss(plain(graph_def))


@pytest.mark.parametrize("name", ["conv/W", "conv/b", "thin/W", "norm/gamma", "W5", "b5"])
def test_gradients_are_those_of_finite_differences(name):
    graph_def, name = foreign(), f"net/{name}"
    with tf.Graph().as_default(), tf.Session() as session:
        loss = loss_of(unfrozen(graph_def, name))
        [gradient] = tf.gradients(loss, tf.trainable_variables())
        session.run(tf.global_variables_initializer())
        gradient = session.run(gradient)
    value = constant(nodes(graph_def), name)
    place = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
    delta = np.zeros_like(value)
    delta[place] = 0.01
    higher, lower = (
        mean_loss(plain(with_values(graph_def, {name: value + sign * delta}))) for sign in (1, -1)
    )
    assert abs(gradient[place]) > 0.01
    np.testing.assert_allclose(gradient[place], (higher - lower) / 0.02, rtol=0.01)


def test_the_graph_has_only_what_is_needed_and_no_values_of_variables():
    net = graphs.Builder()
    net.add("x", "Placeholder", dtype=tf.float32)
    net.const("first", net.normal((1000, 1000), 1))
    net.const("second", net.normal((1000, 10), 1))
    net.add("front", "MatMul", ["x", "first"], T=tf.float32)
    net.add("out", "MatMul", ["front", "second"], T=tf.float32)
    net.add("not_needed", "Relu", ["out"], T=tf.float32)
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 1000])
        import_unfrozen(net.graph_def, ["second"], {"front:0": x}, ["out"])
        ops = [op.name for op in graph.get_operations() if op.name.startswith("import/graph")]
        assert ops == ["import/graph/out"]
        assert graph.as_graph_def().ByteSize() < 10_000


def test_where_nothing_trains_it_is_an_import_of_what_is_needed():
    graph_def = foreign()
    with tf.Graph().as_default() as graph, tf.Session() as session:
        scores = unfrozen(graph_def, "", name="")
        assert scores.name == SCORES
        assert tf.global_variables() == []
        assert "net/input" not in [op.name for op in graph.get_operations()]
        np.testing.assert_allclose(session.run(scores), plain(graph_def), atol=1e-6)


def test_two_calls_make_two_sets_of_variables():
    with tf.Graph().as_default():
        tensors = [unfrozen(foreign(), "net/b5", name="net") for _ in range(2)]
        assert [v.op.name for v in tf.global_variables()] == ["net/net/b5", "net_1/net/b5"]
    assert [t.name for t in tensors] == ["net/graph/net/fc/scores:0", "net_1/graph/net/fc/scores:0"]


def test_a_parameter_given_twice_is_one_variable():
    with tf.Graph().as_default():
        x = tf.constant(pictures())
        import_unfrozen(foreign(), ["net/b5", "net/b5"], {"net/input:0": x}, [SCORES], name="")
        assert [v.op.name for v in tf.global_variables()] == ["import/net/b5"]


def test_a_tensor_that_is_given_comes_back_as_it_is():
    with tf.Graph().as_default():
        x = tf.constant(pictures())
        assert import_unfrozen(foreign(), [], {"net/input": x}, ["net/input:0"])[0] is x


def test_nodes_that_want_to_lie_beside_one_that_is_left_out():
    graph_def = foreign()
    [taker] = [node for node in graph_def.node if node.name == "net/fc/MatMul"]
    taker.attr["_class"].list.s.append(b"loc:@net/input")
    with tf.Graph().as_default(), tf.Session() as session:
        scores = unfrozen(graph_def, "net/fc")
        session.run(tf.global_variables_initializer())
        np.testing.assert_allclose(session.run(scores), plain(foreign()), atol=1e-5)


@pytest.mark.parametrize("parameters, outputs, message", [
    (["net/W6"], [SCORES], "'net/W6' cannot train: the graph has no such node; wanted Consts"),
    (["net/fc/MatMul"], [SCORES], "'net/fc/MatMul' cannot train: it is a MatMul; wanted Consts"),
    (["net/W5"], ["net/conv/BiasAdd"], "train: none of the tensors asked for depends on it; "),
    ([], ["net/fc7:0"], "^the graph has no node 'net/fc7', wanted for 'net/fc7:0'; name tensors"),
])  # fmt: skip
def test_names_that_do_not_fit(parameters, outputs, message):
    with tf.Graph().as_default(), pytest.raises(GraphnetsError, match=message):
        import_unfrozen(foreign(), parameters, {"net/input": tf.constant(pictures())}, outputs)


def test_an_unknown_tensor_to_replace():
    with tf.Graph().as_default(), pytest.raises(GraphnetsError, match="no node 'image', wanted fo"):
        import_unfrozen(foreign(), [], {"image:0": tf.constant(pictures())}, [SCORES])


def test_the_same_values_give_the_same_bytes_and_the_given_graph_is_left_alone():
    graph_def = foreign()
    before = graph_def.SerializeToString(deterministic=True)
    values = {name: constant(nodes(graph_def), name) for name in parameter_names(
        graph_def, "*")}  # fmt: skip
    assert with_values(graph_def, values).SerializeToString(deterministic=True) == before
    doubled = with_values(graph_def, {name: value * 2 for name, value in values.items()})
    np.testing.assert_array_equal(constant(nodes(doubled), "net/W5"), values["net/W5"] * 2)
    assert graph_def.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize("name, value, message", [
    ("net/b5", np.zeros(4, "f4"), r"got float32 \(4,\) for 'net/b5', wanted float32 \(5,\); give"),
    ("net/b5", np.zeros(5), r"got float64 \(5,\) for 'net/b5', wanted float32 \(5,\); give the"),
    ("net/b6", np.zeros(5, "f4"), "'net/b6' is not in the graph; wanted the name of a Const of"),
    ("net/input", np.zeros(5, "f4"), "'net/input' is a Placeholder; wanted the name of a Const"),
])  # fmt: skip
def test_values_that_do_not_fit(name, value, message):
    with pytest.raises(GraphnetsError, match=f"^{message}"):
        with_values(foreign(), {name: value})


def test_where_it_is_only_run_all_weights_are_variables_that_do_not_train():
    graph_def = foreign()
    with tf.Graph().as_default() as graph, tf.Session() as session:
        with run_only():
            x = tf.constant(pictures())
            names = ["net/conv/W"]
            [scores] = import_unfrozen(graph_def, names, {"net/input:0": x}, [SCORES])
        assert [v.op.name for v in tf.trainable_variables()] == ["import/net/conv/W"]
        held = {v.op.name for v in tf.global_variables()}
        assert {"import/net/thin/W", "import/net/W5", "import/net/b5"} < held
        assert graph.as_graph_def().ByteSize() < graph_def.ByteSize() + 20_000
        session.run(tf.global_variables_initializer())
        np.testing.assert_allclose(session.run(scores), plain(graph_def), atol=1e-6)


def test_in_bfloat16_what_products_take_is_held_in_it(monkeypatch):
    monkeypatch.setattr("graphnets.networks.run_only.check", lambda _: None)  # emulated elsewhere
    graph_def = foreign()
    with tf.Graph().as_default(), tf.Session() as session:
        with run_only("bfloat16"):
            x = tf.constant(pictures())
            [scores] = import_unfrozen(graph_def, ["net/conv/W"], {"net/input:0": x}, [SCORES])
        held = {v.op.name: v.dtype.base_dtype for v in tf.global_variables()}
        assert held.pop("import/net/conv/W") == tf.float32  # trains
        for name in held:
            assert held[name] == (tf.bfloat16 if name.rpartition("/")[2][0] == "W" else tf.float32)
        assert {"import/net/W5", "import/net/b5", "import/net/thin/W"} < set(held)
        session.run(tf.global_variables_initializer())
        found, wanted = session.run(scores), plain(graph_def)
    assert 0 < np.abs(found - wanted).max() < 0.02
