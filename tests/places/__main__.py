"""`python -m tests.places [--sizes 12] [NAME...]`; see the package. It takes root, to mount."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.places.disks import Limit, can_mount, ended

KINDS = ("pages", "files", "writes", "bytes")


def start() -> None:
    """Import once what each command would, and no more: processes that are forked must not share
    a session."""
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "1"}
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
    import tensorflow.compat.v1 as tf

    tf.logging.set_verbosity(tf.logging.ERROR)
    import pyarrow.parquet  # noqa: F401

    import graphnets.classifier.predict
    import graphnets.exports.export
    import graphnets.jobs.compare
    import graphnets.jobs.retrain  # noqa: F401


def sizes(trial, kind: str, most: int) -> list[int]:
    """Limits from none to what the command fits into, `most` of them about."""
    if kind == "writes":
        return [0]
    if kind == "bytes":
        return [0, 100, 1000][:most]
    low, high = 0, 1
    while not trial.faults(Limit(kind, high))[0]:
        low, high = high, high * 2
    while high - low > max(1, high // (2 * most)):
        middle = (low + high) // 2
        low, high = (low, middle) if trial.faults(Limit(kind, middle))[0] else (middle, high)
    step = max(1, high // most)
    return sorted({*range(0 if kind == "files" else 1, high, step), low, high} - {0})


def tried(trial, kind: str, most: int) -> tuple[Counter, list[str]]:
    """How many limits were "tried", and how many of them "fits" and "refused"; the faults."""
    counts, faults = Counter(), []
    for size in sizes(trial, kind, most):
        fits, found = trial.faults(Limit(kind, size))
        counts.update(["tried", "fits" if fits else "refused"])
        faults += [f"{trial.name}, {size} {kind}: {fault}" for fault in found]
    return counts, faults


def main() -> int:
    """Run the commands and say how many limits each was tried with, and the faults."""
    start()
    from tests.places.commands import COMMANDS, make_run, make_world
    from tests.places.judge import Trial, kinds_of
    from tests.places.together import faults_together

    parser = argparse.ArgumentParser(prog="python -m tests.places")
    parser.add_argument("names", nargs="*", default=[])
    parser.add_argument("--sizes", type=int, default=12, help="of each kind, about")
    parser.add_argument("--kinds", default="", help=f"some of {', '.join(KINDS)}")
    parser.add_argument("--together", type=int, default=4, help="processes on one store; 0: none")
    chosen = parser.parse_args()
    if not can_mount():
        print("no disk can be mounted, as root can: files are limited to some bytes instead")
        chosen.kinds = "bytes"
    total, all_faults = Counter(), []
    with tempfile.TemporaryDirectory() as folder:
        world, place = Path(folder, "world"), Path(folder, "disk")
        world.mkdir()
        place.mkdir()
        named = chosen.names or list(COMMANDS)
        needed = chosen.together or any("{world}/run" in COMMANDS[name].words for name in named)
        for make in (make_world, make_run) if needed else (make_world,):
            found = ended(lambda make=make: make(world))
            if found.status:
                raise RuntimeError(found)
        for name in named:
            begun = time.perf_counter()
            trial, counts, faults = Trial(name, world, place), Counter(), []
            for kind in chosen.kinds.split(",") if chosen.kinds else kinds_of(name):
                more, found = tried(trial, kind, chosen.sizes)
                counts, faults = counts + more, faults + found
            seconds = time.perf_counter() - begun
            print(f"{name:45s} | {counts['tried']:3d} tried | {counts['fits']:3d} fit | "
                  f"{len(faults):3d} faults | {seconds:.0f} s", flush=True)  # fmt: skip
            for fault in faults:
                print(f"    {fault}", flush=True)
            total, all_faults = total + counts, all_faults + faults
        if chosen.together:
            for overlap in (1.0, 0.5, 0.0):
                found = faults_together(world, place, chosen.together, overlap)
                total["tried"] += 1
                all_faults += found
                print(f"{chosen.together} processes on one store, {overlap:.0%} of the photos the "
                      f"same | {len(found)} faults", *found, sep="\n    ")  # fmt: skip
    print(f"{total['tried']} tried, {len(all_faults)} faults")
    return bool(all_faults)


if __name__ == "__main__":
    sys.exit(main())
