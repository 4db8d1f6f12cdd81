"""What `export_classifier` writes and where, and what can be checked of it at once.

Neither TensorFlow nor NumPy here.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from graphnets.classifier.options import OUTPUT
from graphnets.errors import (
    GraphnetsError,
    check_flag,
    check_kind,
    check_names,
    check_path,
    check_whole,
    shown,
)

FORMATS = ("tflite", "onnx", "saved_model", "tfjs")
PRECISIONS = ("float32", "float16", "int8")
# {format: (module that it needs besides TensorFlow, how to get it)}
NEEDED = {
    "tflite": [("ai_edge_litert", "pip install 'graphnets[tflite]'")],
    "onnx": [
        ("tf2onnx", "pip install 'graphnets[onnx]'"),
        ("onnxruntime", "pip install 'graphnets[onnx]'"),
    ],
    "saved_model": [],
    # With its dependencies it takes TensorFlow back to 2.19; what is used of it works without.
    "tfjs": [("tensorflowjs", "pip install --no-deps 'tensorflowjs>=4.22'")],
}


@dataclass(frozen=True)
class ExportOptions:
    """How a classifier is exported.

    output_dir: where a folder a format is made (None: `export` in the run's folder). precisions: of
    TFLite's files, "float32", "float16", "int8" (None: all three). output_layer: the graph's
    output, as `retrain`'s final_tensor_name. test_photos: on how many of the run's test photos the
    exports are compared (None: on all). force: replace exports that are there.
    Raises GraphnetsError for what cannot be one.

    >>> graphnets.ExportOptions(precisions=["float16"], test_photos=100).output_layer
    'final_result'
    """

    output_dir: str | os.PathLike[str] | None = None
    precisions: Sequence[str] | None = None
    output_layer: str = OUTPUT
    test_photos: int | None = None
    force: bool = False

    def __post_init__(self) -> None:
        if self.output_dir is not None:
            check_path("output_dir", self.output_dir, "the path of a folder")
        if self.precisions is not None:
            _check_among("precisions", self.precisions, PRECISIONS)
        check_kind("output_layer", self.output_layer, str, "the name of a tensor")
        if self.test_photos is not None:
            check_whole("test_photos", self.test_photos, 0)
        check_flag("force", self.force)


def chosen_formats(formats: object, options: ExportOptions) -> list[str]:
    """The formats, each once.

    Raises GraphnetsError for none, unknown ones, missing converters, and precisions without TFLite.
    """
    names = [formats] if isinstance(formats, str) else formats
    chosen = _check_among("formats", names, FORMATS)
    if options.precisions is not None and "tflite" not in chosen:
        raise GraphnetsError(
            f"precisions are of TFLite's files; for {', '.join(chosen)} float32 is always written; "
            "leave --precision out, or add --to tflite"
        )
    missing = {name: found for name in chosen if (found := _missing(name))}
    for name, (module, install) in missing.items():
        others = [other for other in chosen if other not in missing]
        rest = f", or leave --to {' and --to '.join(missing)} out for {', '.join(others)}"
        raise GraphnetsError(
            f"{name} needs {module}, which is not installed; `{install}`{rest if others else ''}"
        )
    return chosen


def _missing(name: str) -> tuple[str, str] | None:
    return next((needed for needed in NEEDED[name] if find_spec(needed[0]) is None), None)


def _check_among(name: str, value: object, known: Sequence[str]) -> list[str]:
    names = list(dict.fromkeys(check_names(name, value)))
    others = [one for one in names if one not in known]
    if others or not names:
        raise GraphnetsError(
            f"{name} has {shown(', '.join(others)) or 'none'}; wanted some of {', '.join(known)}"
        )
    return names
