"""A run's classifier for other runtimes: written, loaded back, compared with the graph."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import tensorflow.compat.v1 as tf

import graphnets
from graphnets.classifier.run_files import GRAPH
from graphnets.errors import GraphnetsError, check_kind, check_path
from graphnets.exports import onnx, saved_model, tfjs, tflite
from graphnets.exports.compare import Comparison, Runner, size_of
from graphnets.exports.options import PRECISIONS, ExportOptions, chosen_formats
from graphnets.exports.quiet import quiet
from graphnets.exports.run import IMAGE, SCORES, Run, read_run
from graphnets.exports.scripts import folder as scripts
from graphnets.files import check_writable, scratch_folder, sha256, writing
from graphnets.photos.images import Progress, check_progress, no_progress, plain_text

SAVED = "model"  # the folder of the SavedModel
ABOUT, FIGURES = "preprocessing.json", "export.json"
SCRIPTS = {
    "tflite": ("classify_tflite.py", "classify.py"),
    "onnx": ("classify_onnx.py", "classify.py"),
    "saved_model": ("classify_saved_model.py", "classify.py"),
    "tfjs": ("classify_tfjs.html", "classify.html"),
}
PACKAGES = {
    "tflite": ["ai-edge-litert"],
    "onnx": ["tf2onnx", "onnx", "onnxruntime"],
    "saved_model": [],
    "tfjs": ["tensorflowjs"],
}


class Export(NamedTuple):
    """What was written for one format, into `folder`; figures: the content of its export.json."""

    format: str
    folder: Path
    figures: dict


@plain_text
def export_classifier(
    run: str | os.PathLike[str],
    formats: str | Sequence[str],
    options: ExportOptions | None = None,
    progress: Progress = no_progress,
    say: Callable[[str], object] = lambda line: None,
) -> list[Export]:
    """Write a run's classifier for other runtimes, load each back and compare it with the graph.

    run: the output_dir of a `graphnets.retrain`. formats: "tflite", "onnx", "saved_model", "tfjs",
    one or several. Each gets a folder of its own, by default in `export` in the run's, that appears
    when it is whole: the model, `preprocessing.json` (how pictures go in, and what comes out), a
    script that classifies a photo, and `export.json` (sizes, and figures on the run's test photos).
    Raises GraphnetsError for a folder that is no run's, a converter that is not installed, a folder
    that is there already, precisions without TFLite, and a graph that a converter does not take.

    >>> options = graphnets.ExportOptions(output_dir="exported", test_photos=4)
    >>> [export] = graphnets.export_classifier("trained", "saved_model", options)
    """
    check_path("run", run, "the output_dir of a graphnets.retrain")
    options = ExportOptions() if options is None else options
    check_kind("options", options, ExportOptions, "a graphnets.ExportOptions")
    check_progress(progress)
    chosen = chosen_formats(formats, options)
    parent = Path(run) / "export" if options.output_dir is None else Path(options.output_dir)
    for name in chosen:
        check_replaceable(parent / name, options.force)
    found = read_run(run, options.output_layer)
    check_writable(parent)
    comparison = Comparison(found, options.test_photos, progress)
    exports = []
    for name in chosen:
        with writing(parent / name), scratch_folder(parent, f".{name}.") as made:
            folder = made / name
            folder.mkdir()
            figures = _written(found, name, folder, options, comparison, say)
            _moved(folder, parent / name, made)
        exports.append(Export(name, parent / name, figures))
    return exports


def check_replaceable(folder: Path, force: bool) -> None:
    """Raise GraphnetsError if an export cannot take the place of what is there."""
    if not os.path.lexists(folder):
        return
    if not force:
        raise GraphnetsError(
            f"{folder} is there already; name another --output_dir, or say --force to replace it"
        )
    if not (folder / FIGURES).is_file():
        raise GraphnetsError(
            f"{folder} has no {FIGURES}, so it is no export, and is not replaced; name another "
            "--output_dir"
        )


def _moved(folder: Path, target: Path, scratch: Path) -> None:
    before = scratch / "before"
    if os.path.lexists(target):
        os.rename(target, before)
    try:
        os.rename(folder, target)
    except BaseException:
        if before.exists():
            os.rename(before, target)
        raise


def _written(
    run: Run, name: str, folder: Path, options: ExportOptions, comparison: Comparison,
    say: Callable[[str], object],
) -> dict:  # fmt: skip
    """Everything of one format; the content of its export.json."""
    files = _model(run, name, folder, options, say)
    source, target = SCRIPTS[name]
    (folder / target).write_bytes((scripts() / source).read_bytes())
    _write_json(folder / ABOUT, _about(run, name, files))
    compared, problem, by = _compared(name, folder, files, comparison, say)
    figures = {
        "format": name,
        "graph_sha256": sha256(run.folder / GRAPH),
        "files": files,
        "bytes": {what: size_of(folder, file) for what, file in files.items()},
        "graph": comparison.of_graph,
        "compared": compared,
        "not_compared": problem,
        "versions": {**_versions(name), **by},
    }
    _write_json(folder / FIGURES, figures)
    return figures


def _model(
    run: Run, name: str, folder: Path, options: ExportOptions, say: Callable[[str], object]
) -> dict[str, str]:
    """Write the model; {what is compared: the file or folder that it is in}."""
    if name == "tflite":
        return tflite.write(run, folder, options.precisions or PRECISIONS, say)
    if name == "onnx":
        return onnx.write(run, folder, say)
    if name == "tfjs":
        return tfjs.write(run, folder, say)
    say("saved_model: writing")
    saved_model.write_saved_model(folder / SAVED, run.graph_def, run.outputs[SCORES][:-2])
    return dict.fromkeys((saved_model.BYTES, saved_model.BATCH, saved_model.PICTURES), SAVED)


def _compared(
    name: str, folder: Path, files: dict[str, str], comparison: Comparison,
    say: Callable[[str], object],
) -> tuple[dict, str | None, dict]:  # fmt: skip
    """The figures, why there are none, and what has run it where that is no package of Python."""
    compared, problem, by = {}, None, {}
    try:
        with ExitStack() as stack:
            with quiet():
                runners = _runners(name, folder, files)
            for runner in runners.values():
                if isinstance(runner, tfjs.Node):
                    stack.callback(runner.close)
                    by = {"run by": runner.by}
            say(f"{name}: comparing with the graph on the run's test photos")
            compared = comparison.compared(runners)
    except tfjs.NotRun as error:
        problem = str(error)
    if problem is None and not any(row["photos"] for row in compared.values()):
        compared, problem = {}, "none of the run's test photos can be read"
    if problem is not None:
        say(f"warning: {name} is not compared with the graph: {problem}")
    return compared, problem, by


def _runners(name: str, folder: Path, files: dict[str, str]) -> dict[str, Runner]:
    if name == "tfjs":
        return {what: tfjs.Node(folder) for what in files}
    if name == "saved_model":
        return {what: saved_model.runner(folder / SAVED, what) for what in files}
    runner = tflite.runner if name == "tflite" else onnx.runner
    return {what: runner(folder / file) for what, file in files.items()}


def _about(run: Run, name: str, files: dict[str, str]) -> dict:
    """What a program must know that feeds pictures."""
    batch = 1 if name == "tflite" else None
    image = {
        "name": IMAGE,
        "dtype": "int32" if name == "tfjs" else "uint8",
        "shape": [batch, None, None, 3],
        "channels": "RGB",
        "range": [0, 255],
    }
    outputs = {SCORES: "float32 (n, classes)"}
    more = {"unknown_score": "float32 (n,)", "is_unknown": "bool (n,)"}
    outputs |= {key: what for key, what in more.items() if key in run.outputs}
    return {
        "files": list(dict.fromkeys(files.values())),
        "input": image,
        "before": [
            "decode the photo",
            "turn it as its EXIF orientation says",
            "lay transparency over white",
        ],
        "inside": {
            "resizing": {
                "size": list(run.size),
                "method": "bilinear",
                "half_pixel_centers": False,
                "align_corners": False,
            },
            "preprocessing": "the network's own",
        },
        "outputs": outputs,
        "labels": run.labels,
        "label_thresholds": run.thresholds,
        "unknown_threshold": run.unknown_above,
    }


def _versions(name: str) -> dict[str, str]:
    found = {"graphnets": graphnets.__version__, "tensorflow": tf.version.VERSION}
    return found | {package: metadata.version(package) for package in PACKAGES[name]}


def _write_json(path: Path, value: object) -> None:
    path.write_text(f"{json.dumps(value, indent=2)}\n", encoding="utf-8")
