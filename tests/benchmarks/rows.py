"""A head trained on more rows than fit in memory: from the disk, and from memory.

usage: python -m tests.benchmarks.rows [--rows 1000000] [--width 2048] [--steps 100] [--folder DIR]

Writes a store of synthetic rows into a new folder in DIR, which is removed at the end, and trains
on nine tenths of them, the rest for validation. Each way runs in a process of its own.
"""

import argparse
import mmap
import os
import re
import statistics
import tempfile
import threading
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from graphnets.features import rows as limits
from graphnets.features.store import FeatureStore
from graphnets.networks.network import Cut
from graphnets.training import alone
from graphnets.training.beside import Beside
from graphnets.training.options import TrainingOptions
from graphnets.training.tune import Stored, train
from tests.benchmarks.contender import Contender, LeftOut, Started
from tests.benchmarks.report import print_rows
from tests.benchmarks.turns import Failed, once

IDENTITY = {"network": "synthetic", "endpoint": "none"}
CHUNK, CLASSES, STRETCHES = 10_000, 10, 3  # rows written at once; stretches that are timed
WAYS = ("disk", "disk, cold", "memory", "graph, what fits in 2 GiB")
KINDS = ("RssAnon", "RssFile")
GIGA = 1e9


def write(folder, rows, width):
    """Fill a new store: seconds."""
    start, random = time.perf_counter(), np.random.default_rng(0)
    centres = random.standard_normal((CLASSES, width)).astype(np.float32)
    store = FeatureStore(folder, IDENTITY)
    for first in range(0, rows, CHUNK):
        numbers = np.arange(first, min(first + CHUNK, rows))
        noise = random.standard_normal((len(numbers), width), np.float32)
        store.append(_keys(numbers), np.abs(3 * noise + centres[numbers % CLASSES]))
    store.close()
    return time.perf_counter() - start


def _keys(numbers):
    """As even as hashes, and known without a list of them."""
    digits = np.stack([numbers * np.int64(0x5851F42D4C957F2D), numbers], 1).tobytes().hex()
    return [digits[i : i + 32] for i in range(0, len(digits), 32)]


def learn(folder, rows, way, steps):
    """A round is one training of STRETCHES times so many steps."""
    wanted = 1.2 * sum(path.stat().st_size for path in Path(folder).rglob("*.features")) / GIGA
    if way == "memory" and wanted > (free := _size("/proc/meminfo", "MemAvailable")):
        raise LeftOut(f"{free:.1f} GB of memory are free, wanted {wanted:.1f}")

    def turn():
        if way == "memory":
            limits.IN_MEMORY = 1 << 40
            alone.fits_in_memory = lambda *tables: False  # the graph would hold them once more
        with _watched() as peaks:
            return {**_learnt(folder, rows, way, steps), **peaks}

    return Started(turn)


def _learnt(folder, rows, way, steps):
    start = time.perf_counter()
    store = FeatureStore(folder, IDENTITY)
    opened = time.perf_counter()
    if way.startswith("graph"):
        rows = min(rows, limits.IN_MEMORY // (4 * store.width))
    keys = _keys(np.arange(rows))
    asked = time.perf_counter()
    assert store.has(keys).all()
    known = time.perf_counter()
    labels = np.arange(rows) % CLASSES
    if way.startswith("disk"):
        limits.IN_MEMORY = min(limits.IN_MEMORY, 2 * rows * store.width)  # of a small store, too
    splits = tuple(
        Stored([store.rows(keys[part])], None, labels[part])
        for part in (slice(rows // 10, None), slice(rows // 10))
    )
    begun, seconds = time.perf_counter(), []
    before = partial(_forget, store) if way == "disk, cold" else lambda: None
    beside = Beside(progress=partial(_timed, steps, before, seconds))
    count = STRETCHES * steps + 1  # validation judges after the last one, which is not timed
    options = TrainingOptions(count, eval_step_interval=count)
    train(None, Cut("", [], []), ["none"], splits, CLASSES, options, beside)
    return {
        "rows": rows, "open": opened - start, "has": known - asked,
        "train": time.perf_counter() - begun, "speeds": [steps / taken for taken in seconds],
    }  # fmt: skip


def _timed(steps, before, seconds, items, **_):
    """The items; the seconds of each whole stretch of so many go into `seconds`."""
    start = 0.0
    for number in items:
        if number % steps == 1:
            if start:
                seconds.append(time.perf_counter() - start)
            before()
            start = time.perf_counter()
        yield number


def _forget(store):
    """Take the store's files out of memory, this process's and the system's."""
    for file in store._files:
        file.base._mmap.madvise(mmap.MADV_DONTNEED)
    for path in store.folder.iterdir():
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _size(file, kind):
    return int(re.search(rf"{kind}:\s*(\d+)", Path(file).read_text())[1]) * 1024 / GIGA


@contextmanager
def _watched():
    """The greatest of what Linux tells of this process's memory while the block runs, in GB."""
    peaks, end = dict.fromkeys(KINDS, 0.0), threading.Event()

    def watch():
        while not end.wait(0.05):
            for kind in KINDS:
                peaks[kind] = max(peaks[kind], _size("/proc/self/status", kind))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peaks
    finally:
        end.set()
        thread.join()


def main():
    """Print a line for each way."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--width", type=int, default=2048)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--folder", type=Path)
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=flags.folder) as folder:
        seconds = write(folder, flags.rows, flags.width)
        size = 4e-9 * flags.rows * flags.width
        print(f"{flags.rows:,} rows of {flags.width:,}, {size:.1f} GB, written in {seconds:.0f} s")
        lines, first = [], None
        for way in WAYS:
            options = {
                "folder": folder, "rows": flags.rows, "way": way, "steps": flags.steps,
            }  # fmt: skip
            try:
                found = once(Contender(way, "rows:learn", options), Path(folder))
            except Failed as reason:
                print(f"  {way} left out: {reason}")
                continue
            speed = statistics.median(found["speeds"])
            first = first or speed
            cells = [found["open"], found["has"], found["train"], *(found[k] for k in KINDS)]
            lines.append([way, f"{found['rows']:,}", f"{speed:.0f}", f"{speed / first:.2f}",
                          *(f"{cell:.2f}" for cell in cells)])  # fmt: skip
    header = ["", "rows", "steps/s", "ratio", "open s", "has s", "train s"]
    print_rows([*header, *(f"{kind} GB" for kind in KINDS)], lines)


if __name__ == "__main__":
    main()
