"""SavedModels, for TensorFlow Serving and whatever else loads them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.classifier.export import RESIZED, SERVED
from graphnets.classifier.options import INPUT, OUTPUT
from graphnets.errors import GraphnetsError, reason
from graphnets.exports.quiet import quiet
from graphnets.exports.run import IMAGE, SCORES, Photo, without_others
from graphnets.files import refuse_existing, scratch_folder, writing
from graphnets.networks.nodes import full_name
from graphnets.sessions import Session

BYTES, BATCH, PICTURES = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY, "photos", "pictures"
IMAGE_BYTES = "image_bytes"  # TensorFlow Serving's REST takes {"b64": ...} where a name ends so


def write_saved_model(
    folder: str | os.PathLike[str], graph_def: tf.GraphDef, output: str = OUTPUT
) -> None:
    """Write the classifier as a SavedModel for TensorFlow Serving.

    Its signatures: `serving_default` takes `image`, one photo's bytes, a string (); `photos` takes
    `image_bytes`, those of several, strings (n,); `pictures` takes `image`, uint8
    (n, height, width, 3), RGB, of any height and width. All give `scores`, float32 (n, classes),
    and what else the graph tells: `thresholds`, `unknown_score`, `is_unknown`; of `photos` and
    `pictures` each has a row a photo, as the row format of REST wants.
    It appears when it is whole. Raises GraphnetsError if the folder is there already or cannot be
    written.
    """
    refuse_existing(folder)
    folder = Path(folder)
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(folder.parent, f".{folder.name}.") as made:
            try:
                _build(made / "model", graph_def, output)
            except tf.errors.OpError as error:
                raise GraphnetsError(f"{folder} cannot be written: {reason(error)}") from None
            os.rename(made / "model", folder)


def _build(folder: Path, graph_def: tf.GraphDef, output: str) -> None:
    with quiet(), tf.Graph().as_default(), Session() as session:
        tf.import_graph_def(graph_def, name="")
        ends = _ends(graph_def, output)
        found = {key: _tensor(f"{name}:0") for key, name in ends.items()}
        signatures = {BYTES: _signature({"image": _tensor(f"{INPUT}:0")}, found)}
        with tf.name_scope(BATCH):
            photos = tf.placeholder(tf.string, [None], IMAGE_BYTES)
            found = _rows(graph_def, ends, _each_resized(graph_def, photos))
            signatures[BATCH] = _signature({IMAGE_BYTES: photos}, found)
        with tf.name_scope(PICTURES):
            image = tf.placeholder(tf.uint8, [None, None, None, 3], IMAGE)
            size = _tensor(f"{RESIZED}:0").shape[1:3]
            resized = tf.raw_ops.ResizeBilinear(images=tf.cast(image, tf.float32), size=size)
            signatures[PICTURES] = _signature({IMAGE: image}, _rows(graph_def, ends, resized))
        builder = tf.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session, [tf.saved_model.tag_constants.SERVING], signatures
        )
        builder.save()


def _ends(graph_def: tf.GraphDef, output: str) -> dict[str, str]:
    there = {node.name for node in graph_def.node}
    more = {key: name for key, name in SERVED.items() if name in there}
    return {SCORES: output, **more}


def _tensor(name: str) -> tf.Tensor:
    return tf.get_default_graph().get_tensor_by_name(name)


def _signature(inputs: dict[str, tf.Tensor], outputs: dict[str, tf.Tensor]):
    return tf.saved_model.predict_signature_def(inputs, outputs)


def _each_resized(graph_def: tf.GraphDef, photos: tf.Tensor) -> tf.Tensor:
    """float32 (n, *size, 3) of the bytes of photos (n,), by the graph's own decoding."""
    source = full_name(next(node for node in graph_def.node if node.name == RESIZED).input[0])
    decoding = without_others(graph_def, [source], given=[f"{INPUT}:0"])

    shape = _tensor(f"{RESIZED}:0").shape[1:]

    @tf.autograph.experimental.do_not_convert
    def resized(contents: tf.Tensor) -> tf.Tensor:
        [found] = tf.import_graph_def(decoding, {f"{INPUT}:0": contents}, [source])
        return tf.ensure_shape(found[0], shape)

    found = tf.map_fn(resized, photos, fn_output_signature=tf.float32)
    found.set_shape([None, *shape])
    return found


def _rows(graph_def: tf.GraphDef, ends: dict[str, str], resized: tf.Tensor) -> dict[str, tf.Tensor]:
    """The graph from resized pictures on, once more, with the weights of the graph that is there.

    Each output has a row a photo.
    """
    given = [RESIZED, *(node.name for node in graph_def.node if node.op == "Const")]
    outputs = [f"{name}:0" for name in ends.values()]
    again = without_others(graph_def, outputs, [f"{name}:0" for name in given])
    sources = {f"{name}:0": _tensor(f"{name}:0") for name in given[1:]}
    used = {full_name(i) for node in again.node for i in node.input}
    sources = {f"{RESIZED}:0": resized} | {k: v for k, v in sources.items() if k in used}
    found = dict(zip(ends, tf.import_graph_def(again, sources, outputs, "again"), strict=True))
    if "thresholds" in found:
        found["thresholds"] = tf.broadcast_to(found["thresholds"], tf.shape(found[SCORES]))
    return found


def runner(folder: Path, signature: str) -> Callable[[Photo], dict[str, np.ndarray]]:
    """A function from a photo to what a signature gives for it, without the batch dimension."""
    graph = tf.Graph()
    session = Session(graph=graph)
    with graph.as_default():
        found = tf.saved_model.loader.load(
            session, [tf.saved_model.tag_constants.SERVING], str(folder)
        ).signature_def[signature]
    [(name, entry)] = found.inputs.items()
    outputs = {key: tensor.name for key, tensor in found.outputs.items() if key != "thresholds"}

    def scored(photo: Photo) -> dict[str, np.ndarray]:
        if signature == PICTURES:
            value: object = photo.pixels[np.newaxis]
        else:
            value = np.array([photo.contents] if name == IMAGE_BYTES else photo.contents, object)
        result = session.run(outputs, {entry.name: value})
        return {key: rows[0] for key, rows in result.items()}

    return scored
