"""ONNX, by tf2onnx, for onnxruntime and whatever else reads it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from graphnets.errors import shown
from graphnets.exports.quiet import converting
from graphnets.exports.run import GRAPH, IMAGE, Photo, Run, picture_graph

FILE = "classifier.onnx"
OPSET = 15  # tf2onnx's own default, what it is tested with most


def write(run: Run, folder: Path, say: Callable[[str], object]) -> dict[str, str]:
    """Write the file; its name.

    The input is `image`, uint8 (n, height, width, 3), RGB, of any height and width. The labels are
    in the file's metadata, too, as a JSON list.
    """
    import onnx
    import tf2onnx

    say("onnx: converting")
    with converting(shown(run.folder / GRAPH), "ONNX"):
        model, _ = tf2onnx.convert.from_graph_def(
            picture_graph(run), name="classifier", opset=OPSET, input_names=[f"{IMAGE}:0"],
            output_names=[f"{name}:0" for name in run.outputs],
            tensors_to_rename={f"{name}:0": name for name in (IMAGE, *run.outputs)},
        )  # fmt: skip
        for end in (*model.graph.input, *model.graph.output):
            dims = end.type.tensor_type.shape.dim
            for dim, name in zip(dims, ("n", "height", "width"), strict=False):
                if not dim.dim_value:
                    dim.dim_param = name
        about = model.metadata_props.add()
        about.key, about.value = "labels", json.dumps(run.labels)
        onnx.checker.check_model(model)
        data = model.SerializeToString(deterministic=True)
    (folder / FILE).write_bytes(data)
    return {"float32": FILE}


def runner(path: Path) -> Callable[[Photo], dict[str, np.ndarray]]:
    """A function from a photo to what the file gives for it, each without the batch dimension."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def scored(photo: Photo) -> dict[str, np.ndarray]:
        found = session.run(names, {IMAGE: photo.pixels[np.newaxis]})
        return {name: value[0] for name, value in zip(names, found, strict=True)}

    return scored
