"""The labels and the kind of picture inside of a .tflite file, where its tools look for them.

The layout is TensorFlow Lite's: a `ModelMetadata` (metadata_schema.fbs 1.5, tflite-support) as the
buffer TFLITE_METADATA of the model, and behind the model a zip with the files that it names.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import flatbuffers

FIELD, IDENTIFIER, PARSER = "TFLITE_METADATA", b"M001", "1.0.0"
LABELS = "labels.txt"
AXIS_LABELS, IMAGE_PROPERTIES, RGB = 2, 2, 1  # numbers of the schema


def model_metadata(name: str, image: str, outputs: Sequence[str], size: tuple[int, int]) -> bytes:
    """The ModelMetadata of a classifier.

    name: of the model. image: the input's name; it is RGB, by default of the size (height, width).
    outputs: their names in the order of the model's, the first one has the labels.
    """
    builder = flatbuffers.Builder(1024)
    make = partial(_table, builder)
    text, vector = builder.CreateString, partial(_vector, builder)
    default = make([(builder.PrependUint32Slot, size[1]), (builder.PrependUint32Slot, size[0])])
    reference = builder.PrependUOffsetTRelativeSlot
    properties = make([(builder.PrependInt8Slot, RGB), (reference, default)])
    content = make([(builder.PrependUint8Slot, IMAGE_PROPERTIES), (reference, properties)])
    picture = make([(reference, text(image)), None, None, (reference, content), None, None, None])
    file = make([(reference, text(LABELS)), None, (builder.PrependInt8Slot, AXIS_LABELS)])
    found = []
    for number, output in enumerate(outputs):
        files = None if number else (reference, vector([file]))
        found.append(make([(reference, text(output)), *[None] * 5, files]))
    inputs, results = vector([picture]), vector(found)
    subgraph = make([None, None, (reference, inputs), (reference, results)])
    subgraphs = vector([subgraph])
    fields = [(reference, text(name)), None, None, (reference, subgraphs), None, None, None]
    root = make([*fields, (reference, text(PARSER))])
    builder.Finish(root, IDENTIFIER)
    return bytes(builder.Output())


def _table(builder: Any, fields: Sequence[tuple[Callable, int] | None]) -> int:
    """A table with these fields, in the order of the schema; None for one that is not set."""
    builder.StartObject(len(fields))
    for slot, field in enumerate(fields):
        if field is not None:
            prepend, value = field
            prepend(slot, value, 0)
    return builder.EndObject()


def _vector(builder: Any, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def with_files(model: bytes, files: dict[str, bytes]) -> bytes:
    """The model with a zip of the files behind it."""
    buffer = io.BytesIO(model)
    with zipfile.ZipFile(buffer, "a") as archive:
        for name, data in files.items():
            # With a time of its own, two exports of one graph would differ.
            archive.writestr(zipfile.ZipInfo(name), data)
    return buffer.getvalue()
