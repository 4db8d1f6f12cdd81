"""The commands that write, on a small world of photos and networks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

PER_CLASS = 8
PHOTOS = 3 * PER_CLASS


class Command(NamedTuple):
    """A command line; {disk} is the disk that it writes to, {world} what it reads.

    prepare: puts on the disk what is there before. stdout: a file there that it is to print to.
    keeps: whether the same command afterwards has all in the end; environment: more of it.
    """

    words: str
    prepare: Callable[[Path, Path], object] = lambda world, disk: None
    stdout: str = ""
    again: str = ""
    environment: tuple[tuple[str, str], ...] = ()


NETWORK = "--graph {world}/net.pb --endpoint net/features --input_mean 0 --input_std 255"
RETRAIN = (
    f"retrain --image_dir {{world}}/photos {NETWORK} --how_many_training_steps 20 "
    "--testing_percentage 25 --output_dir {disk}/out --bottleneck_dir {disk}/store"
)
GRAPH = "--graph {world}/run/output_graph.pb --labels {world}/run/output_labels.txt"
NOWHERE = "--bottleneck_dir {world}/store --summaries_dir {world}/logs"


def make_world(world: Path) -> None:
    """Photos, a network, a run on them, weights, and photos with copies."""
    from backbones import frozen, mobile
    from PIL import Image
    from world import write_photos

    from graphnets.weights.arrays import write_weights

    write_photos(world / "photos", PER_CLASS)
    (world / "net.pb").write_bytes(frozen(mobile, "net/Predictions").SerializeToString())
    random = np.random.default_rng(0)
    weights = {f"fc{n}": (random.random((40, 30), np.float32), np.zeros(30, np.float32))
               for n in range(9)}  # fmt: skip
    write_weights(world / "w.npz", weights)
    for label in ("a", "b"):
        (world / "doubles" / label).mkdir(parents=True)
        for number in range(6):
            picture = Image.fromarray(random.integers(0, 256, (40, 40, 3)).astype(np.uint8))
            for name in (f"{number}.png", f"{number} again.png"):
                picture.save(world / "doubles" / label / name)
    pixels = random.integers(0, 256, (12, 20, 20, 3)).astype(np.uint8)
    np.savez(world / "arrays.npz", X=pixels, y=np.arange(12) % 2)


def make_run(world: Path) -> None:
    """A run on the photos, in a process of its own."""
    call(RETRAIN.replace("{disk}/out", "{world}/run").replace("{disk}", "{world}")
         + " --summaries_dir {world}/logs", world, world)  # fmt: skip


def call(words: str, world: Path, disk: Path) -> None:
    """Run the command in this process; it ends it."""
    from graphnets.cli.commands import main

    os.chdir(world)
    main([word.format(world=world, disk=disk) for word in words.split()], "graphnets")


def _report_before(world: Path, disk: Path) -> None:
    shutil.copytree(world / "run", disk / "run", ignore=shutil.ignore_patterns("checkpoints"))


def _doubles(world: Path, disk: Path) -> None:
    shutil.copytree(world / "doubles", disk / "doubles")


def _moved_before(world: Path, disk: Path) -> None:
    (disk / "aside").mkdir()
    (disk / "aside" / "moved.csv").write_text("path,moved_to,label,reason\nx,y,z,w\n")


def _doubles_aside(world: Path, disk: Path) -> None:
    shutil.rmtree(world / "moving", ignore_errors=True)
    shutil.copytree(world / "doubles", world / "moving")
    _moved_before(world, disk)


def _before(*names: str) -> Callable[[Path, Path], object]:
    def prepare(world: Path, disk: Path) -> None:
        for name in names:
            (disk / name).parent.mkdir(parents=True, exist_ok=True)
            (disk / name).write_bytes(b"what was there before")

    return prepare


RUN_FILES = [
    f"out/{name}"
    for name in ("output_graph.pb", "output_labels.txt", "metrics.json", "photos.csv", "curves.csv")
]
CHECK = "check {disk}/doubles --no_near_copies"
FILE_STORE = "--bottleneck_dir file://{world}/bucket"
COMMANDS = {
    "retrain": Command(f"{RETRAIN} --summaries_dir {{disk}}/logs", _before(*RUN_FILES)),
    "retrain, checkpoints": Command(
        f"{RETRAIN} --summaries_dir {{world}}/logs --checkpoint_every 5 --max_to_keep 2"
    ),
    "retrain, SavedModel and graphs between": Command(
        f"retrain --image_dir {{world}}/photos {NETWORK} --how_many_training_steps 20 {NOWHERE} "
        "--output_dir {disk}/out --saved_model_dir {disk}/saved --intermediate_store_frequency 10 "
        "--intermediate_output_graphs_dir {disk}/between"
    ),
    "compare": Command(
        f"compare --image_dir {{world}}/photos {NETWORK} --from all,net/Conv2d_2_pointwise/Relu6 "
        "--how_many_training_steps 10 --output_dir {disk}/out --bottleneck_dir {disk}/store "
        "--summaries_dir {disk}/logs",
        _before("out/compare.csv", "out/compare.json", "out/compare.png"),
    ),
    "report": Command("report {disk}/run", _report_before),
    "extract": Command(
        f"extract --image_dir {{world}}/photos {NETWORK} --bottleneck_dir {{disk}}/store "
        "--output {disk}/x.npz",
        _before("x.npz"),
    ),
    "extract, a store at an address": Command(
        f"extract --image_dir {{world}}/photos {NETWORK} {FILE_STORE} --output {{world}}/x.npz",
        environment=(("XDG_CACHE_HOME", "{disk}"),),
    ),
    "extract, arrays as photos": Command(
        f"extract --images {{world}}/arrays.npz --image_root {{disk}}/photos {NETWORK} "
        "--bottleneck_dir {world}/store --output {world}/x.npz"
    ),
    "predict, .csv": Command(f"predict {GRAPH} --output {{disk}}/x.csv {{world}}/photos"),
    "predict, .jsonl": Command(
        f"predict {GRAPH} --output {{disk}}/x.jsonl {{world}}/photos", _before("x.jsonl")
    ),
    "predict, .parquet": Command(f"predict {GRAPH} --output {{disk}}/x.parquet {{world}}/photos"),
    "predict, copies": Command(f"predict {GRAPH} --copy_to {{disk}}/sorted {{world}}/photos"),
    "predict, parts": Command(
        f"predict {GRAPH} --parts {{disk}}/parts --part_size 16 {{world}}/photos"
    ),
    "predict, Parquet parts": Command(
        f"predict {GRAPH} --parts {{disk}}/parts --part_format parquet --part_size 16 "
        "{world}/photos"
    ),
    "predict, to the terminal": Command(
        f"predict --json {GRAPH} {{world}}/photos", stdout="lines.jsonl"
    ),
    "explain": Command(f"explain {GRAPH} --output_dir {{disk}}/looked {{world}}/photos/grass"),
    "export, SavedModel": Command("export {world}/run --to saved_model --output_dir {disk}/ex"),
    "export, TFLite": Command(
        "export {world}/run --to tflite --precision float32 --output_dir {disk}/ex"
    ),
    "export, ONNX": Command("export {world}/run --to onnx --output_dir {disk}/ex"),
    "export again": Command(
        "export {world}/run --to saved_model --output_dir {disk}/ex --force",
        _before("ex/saved_model/export.json"),
    ),
    "convert, .npz": Command("convert {world}/w.npz {disk}/x.npz", _before("x.npz")),
    "convert, .npy": Command("convert {world}/w.npz {disk}/x.npy"),
    "convert, .safetensors": Command("convert {world}/w.npz {disk}/x.safetensors"),
    "check, a contact sheet": Command(
        f"{CHECK} --contact_sheet {{disk}}/pairs.png".replace("{disk}/d", "{world}/d"),
        _before("pairs.png"),
    ),
    "check, files moved": Command(f"{CHECK} --move_to {{disk}}/aside", _doubles),
    "check, files moved to another disk": Command(
        f"{CHECK} --move_to {{disk}}/aside".replace("{disk}/doubles", "{world}/moving"),
        _doubles_aside,
    ),
}  # fmt: skip
