"""TFLite: float32, float16 and int8, with the labels inside."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.errors import GraphnetsError, shown
from graphnets.exports import metadata
from graphnets.exports.quiet import converting
from graphnets.exports.run import (
    GRAPH,
    IMAGE,
    LABELS,
    Photo,
    Run,
    each_photo,
    picture_graph,
    spread,
)
from graphnets.photos import jpeg
from graphnets.sessions import Session

CALIBRATED_ON = 100  # training photos that int8 measures its ranges on; TensorFlow's guide's number
SIGNATURE = "serving_default"


def write(
    run: Run, folder: Path, precisions: Sequence[str], say: Callable[[str], object]
) -> dict[str, str]:
    """Write a file for each precision; {precision: the file's name}.

    The input is `image`, uint8 (1, height, width, 3), RGB, of any height and width: the network's
    own until the runtime is told others (`resize_tensor_input`, which `get_signature_runner` does
    by itself). Outputs are float32 also of int8, whose weights and activations alone are 8 bits.
    """
    calibration = _calibration(run) if "int8" in precisions else None
    files = {}
    for precision in precisions:
        say(f"tflite: converting to {precision}")
        with converting(shown(run.folder / GRAPH), f"TFLite {precision}"):
            model = _finished(run, _converted(run, precision, calibration))
        files[precision] = f"classifier_{precision}.tflite"
        (folder / files[precision]).write_bytes(model)
    return files


def _calibration(run: Run) -> list[np.ndarray]:
    """Training photos, uint8 (1, *size, 3); GraphnetsError where there are none."""
    chosen = spread(run.paths("training"), CALIBRATED_ON)
    with tf.Graph().as_default(), Session() as session:
        picture = tf.placeholder(tf.uint8, [None, None, 3])
        resize = session.make_callable(
            tf.cast(tf.round(jpeg.resize(picture, run.size)), tf.uint8), [picture]
        )
        found = [resize(photo.pixels) for photo in each_photo(chosen)]
    if not found:
        raise GraphnetsError(
            "int8 measures its ranges on the run's training photos, and none of those in its "
            "photos.csv can be read; put them back, or leave int8 out with --precision"
        )
    return found


def _converted(run: Run, precision: str, calibration: list[np.ndarray] | None) -> bytes:
    graph_def = picture_graph(run, batch=1)
    with tf.Graph().as_default(), Session() as session:
        image, *outputs = tf.import_graph_def(
            graph_def, name="", return_elements=[f"{name}:0" for name in (IMAGE, *run.outputs)]
        )
        converter = tf.lite.TFLiteConverter.from_session(session, [image], outputs)
        if precision != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if precision == "int8":

            def representative() -> Iterator[list[np.ndarray]]:
                return ([picture] for picture in calibration or ())

            converter.representative_dataset = representative
        return converter.convert()


def _finished(run: Run, model: bytes) -> bytes:
    """The model with names for its ends, the network's size as its input's, and the labels."""
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    found = flatbuffer_utils.convert_bytearray_to_object(bytearray(model))
    graph = found.subgraphs[0]
    # Of 1 x ? x ? x 3, the runtime would make a picture of one pixel until it is told a size.
    graph.tensors[graph.inputs[0]].shape = [1, *run.size, 3]
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = SIGNATURE, 0
    signature.inputs = [_ended(schema, IMAGE, graph.inputs[0])]
    signature.outputs = [
        _ended(schema, name, place) for name, place in zip(run.outputs, graph.outputs, strict=True)
    ]
    found.signatureDefs = [signature]
    about = schema.BufferT()
    about.data = metadata.model_metadata("classifier", IMAGE, list(run.outputs), run.size)
    found.buffers.append(about)
    entry = schema.MetadataT()
    entry.name, entry.buffer = metadata.FIELD, len(found.buffers) - 1
    found.metadata = [*(found.metadata or []), entry]
    packed = bytes(flatbuffer_utils.convert_object_to_bytearray(found))
    return metadata.with_files(packed, {metadata.LABELS: (run.folder / LABELS).read_bytes()})


def _ended(schema: Any, name: str, place: int) -> Any:
    found = schema.TensorMapT()
    found.name, found.tensorIndex = name, int(place)
    return found


def runner(path: Path) -> Callable[[Photo], dict[str, np.ndarray]]:
    """A function from a photo to what the file gives for it, each without the batch dimension."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=os.cpu_count())
    interpreter.allocate_tensors()
    run = interpreter.get_signature_runner(SIGNATURE)

    def scored(photo: Photo) -> dict[str, np.ndarray]:
        return {name: found[0] for name, found in run(image=photo.pixels[np.newaxis]).items()}

    return scored
