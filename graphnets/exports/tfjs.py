"""TensorFlow.js: a graph model for browsers and Node, by the converter of tensorflowjs."""

from __future__ import annotations

import contextlib
import json
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets import processes
from graphnets.errors import GraphnetsError, shown
from graphnets.exports.run import GRAPH, Photo, Run, picture_graph
from graphnets.exports.scripts import folder as scripts

MODEL = "model.json"
# Only the converter of frozen graphs is imported. The package's own start would import jax, flax
# and decision forests, which hold TensorFlow back at 2.19, and the converter has no use for them.
CONVERT = """
import importlib.util, os, sys, types
root = importlib.util.find_spec("tensorflowjs").submodule_search_locations[0]
for name, path in (("tensorflowjs", root), ("tensorflowjs.converters", root + "/converters")):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [path]
for name in ("tensorflow_decision_forests", "tensorflow_hub"):
    if importlib.util.find_spec(name) is None:
        sys.modules[name] = types.ModuleType(name)
from tensorflowjs.converters import tf_saved_model_conversion_v2 as converter
graph, outputs, folder = sys.argv[1:]
converter.convert_tf_frozen_model(graph, outputs, folder)
"""


def write(run: Run, folder: Path, say: Callable[[str], object]) -> dict[str, str]:
    """Write model.json and the files with the weights; the former's name.

    The input is `image`, int32 (n, height, width, 3), as `tf.browser.fromPixels` gives pictures
    with one dimension less; RGB, 0 to 255, of any height and width.
    """
    say("tfjs: converting")
    with TemporaryDirectory() as scratch:
        graph = Path(scratch) / "graph.pb"
        graph.write_bytes(_as_tfjs_takes_it(picture_graph(run, tf.int32)).SerializeToString())
        command = [sys.executable, "-c", CONVERT, str(graph), ",".join(run.outputs)]
        command.append(str(folder.absolute()))
        # In the scratch folder, as a numpy.py in the one that the user is in would be run.
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        done = processes.run(command, **streams, text=True, errors="replace", cwd=scratch)
    if done.returncode or not (folder / MODEL).is_file():
        told = [line for line in done.stderr.splitlines() if line.strip()] or ["no message"]
        raise GraphnetsError(
            f"{shown(run.folder / GRAPH)} cannot be converted to TensorFlow.js: {told[-1]}"
        )
    return {"float32": MODEL}


def _as_tfjs_takes_it(graph_def: tf.GraphDef) -> tf.GraphDef:
    """Without EnsureShape, whose shape TensorFlow.js 4.22 looks for among its inputs."""
    for node in graph_def.node:
        if node.op == "EnsureShape":
            node.op = "Identity"
            del node.attr["shape"]
    return graph_def


class NotRun(GraphnetsError):
    """There is no Node with TensorFlow.js here, or it fails on the model."""


class Node:
    """A model in Node: a function from a photo to what it gives, without the batch dimension.

    Node and its package @tensorflow/tfjs are looked for as `node` does from the working directory;
    @tensorflow/tfjs-backend-wasm computes where it is there, else plain JavaScript. by: which.
    Raises NotRun where they are not found, and where the model fails.
    """

    def __init__(self, folder: Path) -> None:
        if shutil.which("node") is None:
            raise NotRun("node, which would run it, is not installed")
        self._process = subprocess.Popen(
            ["node", scripts() / "run_tfjs.cjs", folder],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            self.by: str = self._answer()["by"]
        except NotRun:
            self.close()
            raise

    def __call__(self, photo: Photo) -> dict[str, np.ndarray]:
        """What the model gives for a photo."""
        head = struct.pack("<II", *photo.pixels.shape[:2])
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):  # its last line says why
            self._process.stdin.write(head + np.ascontiguousarray(photo.pixels).tobytes())
            self._process.stdin.flush()
        return {name: np.array(values) for name, values in self._answer().items()}

    def _answer(self) -> dict:
        assert self._process.stdout
        line = self._process.stdout.readline()
        found = json.loads(line) if line.strip() else {"problem": "Node has ended without a word"}
        if "problem" in found:
            raise NotRun(found["problem"])
        return found

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()
