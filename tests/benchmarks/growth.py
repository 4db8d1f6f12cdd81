"""What grows with the number of photos, and what must not: each function is one measurement."""

import os
import tempfile
import time
from itertools import islice
from pathlib import Path

import numpy as np

from graphnets.classifier import export
from graphnets.classifier.predict import Classifier
from graphnets.features.bottlenecks import Bottlenecks
from graphnets.features.store import FeatureStore
from graphnets.photos.listing import scan
from graphnets.training.heads import Head
from graphnets.zoo.architectures import open_network
from tests.benchmarks.contender import Started
from tests.benchmarks.photos import paths

ENDPOINT = "pool1"  # of AlexNet, random: the photos' path counts here, not the network
EARLY = 500  # photos, where resident memory is looked at first
CLASSES = 5
ROW, CHUNK = 8, 100_000  # numbers of a synthetic row, rows appended at once


def resident():
    """This process's resident memory in bytes."""
    try:
        import psutil
    except ImportError:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return psutil.Process().memory_info().rss


def bytes_in(folder):
    """The size of all files in the folder."""
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())


def _watched(items, seen):
    """The items; resident memory at the EARLY-th goes into `seen`."""
    for number, item in enumerate(items, 1):
        if number == EARLY:
            seen["early"] = resident()
        yield item


def add(photos, count):
    """`count` photos into a new store."""
    network, table, seen = open_network("alexnet", "random"), scan(photos)[:count], {}

    def turn():
        with tempfile.TemporaryDirectory() as folder:
            bottlenecks = Bottlenecks(network, ENDPOINT, folder)
            start = time.perf_counter()
            bottlenecks.add(table, lambda items, **_: _watched(items, seen))
            seconds, end = time.perf_counter() - start, resident()
            return {
                "photos": count, "seconds": seconds, **seen, "end": end,
                "store_bytes": bytes_in(folder), "feature_bytes": bottlenecks.read(table).nbytes,
            }  # fmt: skip

    return Started(turn)


def predict(photos, count):
    """`count` photos through an exported classifier."""
    network, files, seen = open_network("alexnet", "random"), paths(photos)[:count], {}
    width = next(i.shape[-1] for i in network.layers() if i.name == ENDPOINT)
    weights = np.random.default_rng(0).normal(0, 0.01, (width, CLASSES)).astype(np.float32)
    head = Head(weights, np.zeros(CLASSES, np.float32), step=0)
    with tempfile.TemporaryDirectory() as folder:
        graph, labels = Path(folder) / "graph.pb", Path(folder) / "labels.txt"
        export.write_graph(graph, export.classifier_graph_def(network, [ENDPOINT], head))
        export.write_labels(labels, [f"class {n}" for n in range(CLASSES)])
        classifier = Classifier(graph, labels)

    def turn():
        start = time.perf_counter()
        for _ in _watched(classifier.predict(files), seen):
            pass
        seconds = time.perf_counter() - start
        return {"photos": len(files), "seconds": seconds, **seen, "end": resident()}

    return Started(turn)


def open_store(rows):
    """Opening a store of so many rows of 32 bytes."""
    random, identity = np.random.default_rng(0), {"network": "synthetic", "endpoint": "none"}

    def turn():
        with tempfile.TemporaryDirectory() as folder:
            store, left = FeatureStore(folder, identity), iter(range(rows))
            while count := len(list(islice(left, CHUNK))):
                digits = random.bytes(16 * count).hex()
                keys = [digits[i : i + 32] for i in range(0, len(digits), 32)]
                store.append(keys, np.zeros((count, ROW), np.float32))
            store.close()
            start = time.perf_counter()
            opened = FeatureStore(folder, identity)
            seconds = time.perf_counter() - start
            return {"entries": len(opened), "seconds": seconds}

    return Started(turn)
