"""graphnets' own contenders, and what the machine's matrix products reach in TensorFlow."""

import math
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.features.bottlenecks import Bottlenecks
from graphnets.networks.network import features
from graphnets.networks.precision import FLOAT32, check
from graphnets.networks.run_only import run_only
from graphnets.photos.listing import scan
from graphnets.photos.reading import BATCH, RUNS, photo_reader
from graphnets.zoo.architectures import open_network
from tests.benchmarks.contender import PROBES, Started, aligned, on_batches_faster, pictures

MATRICES = ((2048, 4), (4096, 1))  # size, products a round


def flops(network, endpoint):
    """Floating-point operations a picture, 2 for a multiply-add, of the layers to the endpoint."""
    layers = network.layers()
    last = [layer.name for layer in layers].index(endpoint.removesuffix(":0"))
    total, before = 0, 1
    for layer in layers[: last + 1]:
        places = math.prod(layer.shape[1:3]) if len(layer.shape) == 4 else 1
        products = layer.parameter_shapes[::2]  # W, b, W, b ...
        for number, shape in enumerate(products):
            expands = len(products) == 3 and number == 0  # on what the block takes
            total += 2 * math.prod(shape) * (before if expands else places)
        before = places
    return total


def runner(network, endpoint):
    """A function from pictures, and how many parts of them run at a time, to features."""
    with tf.Graph().as_default():
        session = network.session()
        x = tf.placeholder(tf.float32, [None, *network.size, 3])
        with run_only(network.precision):
            y = features(endpoint, network.build(x, [endpoint])[endpoint])
        session.run(tf.global_variables_initializer())
    pool = ThreadPoolExecutor(RUNS)

    def run(images, at_a_time=RUNS):
        size = max(1, math.ceil(len(images) / at_a_time))
        parts = [images[start : start + size] for start in range(0, len(images), size)]
        return np.concatenate(list(pool.map(lambda part: session.run(y, {x: part}), parts)))

    return run


def graph(architecture, weights, endpoint, batch, batches, precision=FLOAT32):
    """Prepared batches through the network: whole, or in RUNS parts at a time as `Bottlenecks`."""
    network = open_network(architecture, weights, precision=precision)
    run = runner(network, endpoint)
    ways = {"whole": partial(run, at_a_time=1), f"{RUNS} parts": run}
    facts = {"flops": flops(network, endpoint)}
    return on_batches_faster(ways, pictures(batch, network.size), batches, facts)


def graph_on_photos(architecture, weights, endpoint, photos, precision=FLOAT32):
    """As many photos as there are files, in the batches of `Bottlenecks`, without the files."""
    network = open_network(architecture, weights, precision=precision)
    run = runner(network, endpoint)
    files = list(scan(photos).path)
    with tf.Graph().as_default(), tf.Session() as session:
        read = photo_reader(session, network.size)
        images = aligned(np.concatenate([read(path) for path in files[: RUNS * BATCH]]))

    def turn():
        start = time.perf_counter()
        for done in range(0, len(files), RUNS * BATCH):
            run(images[: len(files) - done])
        return {"photos": len(files), "seconds": time.perf_counter() - start}

    return Started(turn, run(images[:PROBES]))


def files(architecture, weights, endpoint, photos, precision=FLOAT32):
    """JPEG files through `Bottlenecks` into a new store each round.

    Counted behind the first batch, as others have loaded and run before; that is the set-up.
    """
    network = open_network(architecture, weights, precision=precision)
    table = scan(photos)

    def added(part):
        with tempfile.TemporaryDirectory() as folder:
            bottlenecks = Bottlenecks(network, endpoint, folder)
            began = [time.perf_counter()]

            def progress(items, **_):
                for number, item in enumerate(items):
                    if number == BATCH:
                        began.append(time.perf_counter())
                    yield item

            bottlenecks.add(part, progress)
            seconds, setup = time.perf_counter() - began[-1], began[-1] - began[0]
            answer = {"photos": len(part) - BATCH, "seconds": seconds, "setup": setup}
            return answer, bottlenecks.read(part[:PROBES])

    return Started(lambda: added(table)[0], added(table[:PROBES])[1])


def peak(precision=FLOAT32, matrices=MATRICES):
    """The best rate of large matrix products, in floating-point operations a second."""
    check(precision)
    session = tf.Session(graph=tf.Graph())
    products = []
    with session.graph.as_default():
        for size, repeats in matrices:
            a, b = (tf.Variable(tf.random_normal([size, size], dtype=precision)) for _ in "ab")
            products.append((tf.matmul(a, b).op, 2 * size**3, repeats))
        session.run(tf.global_variables_initializer())

    def turn():
        rates = []
        for product, work, repeats in products:
            for _ in range(repeats):
                start = time.perf_counter()
                session.run(product)
                rates.append(work / (time.perf_counter() - start))
        return {"flops_per_second": max(rates)}

    return Started(turn)
