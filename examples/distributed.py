"""A network's last layers and a new head, trained by several processes or machines together.

usage: python examples/distributed.py IMAGE_DIR TRAINED.npz [ARCHITECTURE [LAYERS [STORE]]]

The layers before LAYERS ("block6a:": that one and all behind it) stay frozen: what they give for
each photo comes from the folder STORE (/tmp/bottleneck), which all machines see. The same command
is started on each, with TF_CONFIG saying who they are, the index another on each:

    TF_CONFIG='{"cluster": {"worker": ["10.0.0.1:4001", "10.0.0.2:4001"]},
                "task": {"type": "worker", "index": 0}}'

Without TF_CONFIG one process trains alone, to the same weights but for rounding. Let one fill the
store first. TRAINED.npz, which the first writes, has the variables by name.
"""

import sys

import numpy as np
import tensorflow as tf

import graphnets

tf1 = tf.compat.v1


def photos_at_cut(network, image_dir, cut, endpoint, bottleneck_dir):
    """(rows, labels) of the photos for training and for testing, and the classes."""
    store = graphnets.Bottlenecks(network, endpoint, bottleneck_dir, maps=[cut.after])
    photos = graphnets.split(store.add(graphnets.scan(image_dir)), testing_percentage=25)
    classes = sorted(photos.label.unique())
    parts = [photos[photos.split == name] for name in ("training", "testing")]
    rows = [(store.rows(cut.after, part), part.label.map(classes.index)) for part in parts]
    return [(x, y.to_numpy(np.int64)) for x, y in rows], classes


def frozen_tail(network, cut, endpoint, shape):
    """What lies behind the cut as a GraphDef, from x:0 to features:0, and {parameter: value}."""
    with tf.Graph().as_default() as graph, network.session() as session:
        x = tf1.placeholder(tf.float32, [None, *shape], "x")
        found = network.build(x, [endpoint], cut.after, cut.layers)[endpoint]
        found = tf.reduce_mean(found, [1, 2]) if found.shape.rank == 4 else found
        tf.identity(found, "features")
        session.run(tf1.global_variables_initializer())
        values = session.run({v.op.name: v for v in tf1.trainable_variables()})
        freeze = tf1.graph_util.convert_variables_to_constants
        return freeze(session, graph.as_graph_def(), ["features"]), found.shape[1], values


def batches_of(data, steps, batch, strategy):
    """Each process's own part of the same batches, whoever is there: (rows, labels) a replica."""
    rows, labels = data
    order = np.random.default_rng(0).integers(0, len(labels), (steps, batch))

    def own(context):
        replicas = strategy.num_replicas_in_sync // context.num_input_pipelines  # of this process
        first = context.input_pipeline_id * replicas
        parts = order.reshape(steps, strategy.num_replicas_in_sync, -1)
        parts = parts[:, first : first + replicas].reshape(steps * replicas, -1)
        kinds = (
            tf.TensorSpec([parts.shape[1], *rows.shape[1:]], tf.float32),
            tf.TensorSpec([parts.shape[1]], tf.int64),
        )
        read = ((rows[part], labels[part]) for part in parts)
        return tf.data.Dataset.from_generator(lambda: read, output_signature=kinds).prefetch(2)

    return strategy.distribute_datasets_from_function(own)


def main(
    image_dir,
    trained,
    architecture="efficientnet_lite0",
    layers="block6a:",
    bottleneck_dir="/tmp/bottleneck",
    steps=100,
    batch=100,
    endpoint=None,
    network=None,
):
    """Train, write the variables to `trained`; return the test accuracy, a share from 0 to 1."""
    strategy = tf.distribute.MultiWorkerMirroredStrategy()  # before TensorFlow does anything else
    network = network or graphnets.open_network(architecture)
    endpoint = endpoint or network.default_endpoint
    cut = network.cut([endpoint], layers)
    (train, test), classes = photos_at_cut(network, image_dir, cut, endpoint, bottleneck_dir)
    tail, width, values = frozen_tail(network, cut, endpoint, train[0].shape[1:])
    with strategy.scope():
        variables = {name: tf.Variable(value, name=name) for name, value in values.items()}
        head = [tf.Variable(tf.zeros([width, len(classes)])), tf.Variable(tf.zeros(len(classes)))]
        optimizer = tf1.train.MomentumOptimizer(0.01, 0.9)

    def logits(x):
        given = {f"{name}:0": v for name, v in variables.items()}  # in the place of constants
        [found] = tf.graph_util.import_graph_def(tail, {"x:0": x, **given}, ["features:0"])
        return found @ head[0] + head[1]

    def learn(x, y):
        trainable = [*variables.values(), *head]
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits(x))
            loss = tf.reduce_sum(losses) / batch  # gradients and losses of the replicas are added
        optimizer.apply_gradients(zip(tape.gradient(loss, trainable), trainable, strict=True))
        return loss

    @tf.function
    def step(x, y):
        return strategy.reduce("SUM", strategy.run(learn, (x, y)), axis=None)

    for number, (x, y) in enumerate(batches_of(train, steps, batch, strategy), 1):
        loss = step(x, y)
        if number % 20 == 0 or number == steps:
            print(f"step {number}, loss {float(loss):.6f}", flush=True)
    guess = tf.function(lambda x: tf.argmax(logits(x), 1), reduce_retracing=True)
    parts = np.array_split(np.arange(len(test[1])), -(-len(test[1]) // batch))
    guesses = np.concatenate([guess(tf.constant(test[0][part])) for part in parts])
    if strategy.cluster_resolver.task_id in (None, 0):
        named = variables | {"head/W": head[0], "head/b": head[1]}
        np.savez(trained, **{name: variable.numpy() for name, variable in named.items()})
    share = float(np.mean(guesses == test[1]))
    print(f"test accuracy {share:.1%} on {len(guesses)} photos")
    return share


if __name__ == "__main__":
    tf1.logging.set_verbosity(tf1.logging.ERROR)
    main(*sys.argv[1:6])
