"""report.html: one file that says what a run gave, without anything from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from graphnets.classifier.options import OUTPUT
from graphnets.classifier.run_files import GRAPH, LABELS, REPORT
from graphnets.errors import GraphnetsError, check_path, shown
from graphnets.files import write_whole, writing
from graphnets.report import plots, sections
from graphnets.report.album import SIDE, Album
from graphnets.report.heats import heats
from graphnets.report.run import Run, read_run
from graphnets.storage import StorageError

EXPLAINED = 12  # mistakes, with what counted for them
SECTIONS = {
    "matrix": "What was called what",
    "curves": "How training went",
    "classes": "Class by class",
    "mistakes": "Mistakes",
    "unsure": "Least certain",
    "doubts": "Labels to check",
    "trust": "How far to trust it",
    "copies": "The same file twice",
    "left_out": "Left out",
    "comparison": "How deep to train",
}


def write_report(
    folder: str | os.PathLike[str],
    graph: str | os.PathLike[str] | None = None,
    labels: str | os.PathLike[str] | None = None,
) -> Path:
    """Write report.html into the folder of a run or comparison, from the files there.

    graph, labels: the run's classifier, if it lies elsewhere; it shows what counted for mistakes.
    Photos that are gone by now are grey, which the page says. Raises GraphnetsError for a folder
    that is no run's, and if none is left to be shown where there is a report already.

    >>> graphnets.write_report("trained").name
    'report.html'
    """
    run = read_run(folder)
    for name, file in (("graph", graph), ("labels", labels)):
        if file is not None:
            check_path(name, file, "the path of a file of the run's classifier")
    try:
        text = _rendered(
            run, Path(graph or run.folder / GRAPH), Path(labels or run.folder / LABELS)
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, GraphnetsError):
            raise
        raise GraphnetsError(
            f"the files in {shown(folder)} are not those of one run ({type(error).__name__}: "
            f"{error}); wanted metrics.json, photos.csv and curves.csv as retrain writes them"
        ) from error
    path = Path(folder) / REPORT
    with writing(path):
        write_whole(path, text.encode("utf-8", "replace"))
    return path


def report_on_run(
    say: Callable[[str], object],
    folder: str | os.PathLike[str],
    graph: str | os.PathLike[str] | None = None,
    labels: str | os.PathLike[str] | None = None,
) -> None:
    """`write_report` for a run that has just ended; photos that are out of reach end no run."""
    try:
        write_report(folder, graph, labels)
    except StorageError as error:
        later = f"`graphnets report {shown(folder)}` does later"
        say(f"warning: {REPORT} is not written, {later}: {error}")


def _rendered(run: Run, graph: Path, labels: Path) -> str:
    page = Environment(
        loader=PackageLoader("graphnets.report", "page"),
        autoescape=True,  # labels and file names come from anywhere
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    script = _text("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    album = Album()
    parts: dict[str, Any] = {"metrics": run.metrics, "album": album, "comparison": _compared(run)}
    if run.metrics is not None:
        parts |= _of_photos(run, album, graph, labels) | _of_figures(run)
    there = [(name, text) for name, text in SECTIONS.items() if parts.get(name)]
    return page.get_template("report.html.jinja").render(
        **parts,
        title=shown(Path(os.path.abspath(run.folder)).name),
        sections=there,
        style=Markup(_text("report.css")),
        pictures=Markup(album.styles()),
        script=Markup(script),
        script_hash=f"sha256-{digest}",
    )


def _text(name: str) -> str:
    return (files("graphnets.report") / "page" / name).read_text("utf-8")


def _of_photos(run: Run, album: Album, graph: Path, labels: Path) -> dict[str, Any]:
    matrix, mistakes = sections.matrix(run), sections.mistakes(run)
    unsure, (doubts, doubt_count) = sections.unsure(run), sections.doubts(run)
    album.fill(sections.paths([*mistakes, *doubts, *unsure]))
    called = sections.called(run, mistakes[:EXPLAINED])
    pictures, no_heats = _heats(run, graph, labels, called)
    shown_heats = {path: f"what counted in {path}" for path in pictures}
    for path, picture in pictures.items():
        album.add(shown_heats[path], picture)
    cells = [cell for row in matrix or [] for cell in row]
    wrong_first = sorted(cells, key=lambda cell: cell.truth == cell.predicted)
    album.fill(path for cell in wrong_first for path in sections.paths(cell.shots))
    if album.gone and album.gone == album.asked and (run.folder / REPORT).exists():
        raise GraphnetsError(
            f"none of the {album.asked} photos to show is where photos.csv says, such as "
            f"{shown(run.photos.path.iloc[0])}; {REPORT} is left as it was"
        )
    copies, copy_count = sections.copies(run)
    left_out, left_out_count = sections.left_out(run)
    return {
        "gone": [f"{album.gone} of {album.asked} photos to show are no longer there: grey."]
        if album.gone
        else [],
        "matrix": matrix,
        "mistakes": mistakes,
        "heats": shown_heats,
        "no_heats": no_heats,
        "called": {path: shown(label) for path, label in called.items()},
        "unsure": unsure,
        "doubts": doubts,
        "doubt_count": doubt_count,
        "copies": copies,
        "copy_count": copy_count,
        "left_out": left_out,
        "left_out_count": left_out_count,
    }


def _heats(
    run: Run, graph: Path, labels: Path, called: Mapping[str, str]
) -> tuple[dict[str, Image.Image], str]:
    """What counted for the mistakes; or why it cannot be shown."""
    output = (run.metrics or {})["options"].get("final_tensor_name", OUTPUT)
    try:
        return heats(graph, labels, output, called, SIDE), ""
    except GraphnetsError as error:
        return {}, str(error)


def _of_figures(run: Run) -> dict[str, Any]:
    metrics = run.metrics or {}
    calibration, points = metrics["calibration"], run.curves
    bins = calibration["reliability"] if calibration else []
    options = {
        **{name: value for name, value in metrics["options"].items() if value is not None},
        "seed": metrics["seeds"]["training"],
        "weights": metrics["weights"],
        "precision": metrics["precision"],
        **{f"{name} (version)": text for name, text in metrics["versions"].items()},
        **{f"seconds for {name}": number for name, number in metrics["seconds"].items()},
    }
    return {
        "several": bool(metrics["options"]["multi_label"]),
        "warnings": _warnings(run),
        "facts": _facts(metrics),
        "options": [
            (name, shown(text)) for name, text in options.items() if text not in ("", None)
        ],
        "classes": [(shown(name), row) for name, row in metrics["per_class"].items()],
        "curves": len(points) and Markup(plots.training_curves(points, metrics["best_step"])),
        "reliability": bins and Markup(plots.reliability(bins)),
        "trust": _trust(metrics),
        "search": [_trial(row) for row in metrics["search"] or []],
    }


def _warnings(run: Run) -> list[str]:
    metrics = run.metrics or {}
    lines = []
    if metrics["copies_across_splits"]:
        lines.append(
            f"{metrics['copies_across_splits']} photos have a copy in another split: the accuracy "
            "is flattered."
        )
    if metrics["in_two_classes"]:
        lines.append(f"{len(metrics['in_two_classes'])} photos lie in two classes or more.")
    if metrics["left_out"]:
        lines.append(f"{len(metrics['left_out'])} files could not be read and were left out.")
    tested = int((run.photos.split == "testing").sum())
    if metrics["test_count"] < tested:
        lines.append(f"The accuracy is of a sample of {metrics['test_count']} of {tested} photos.")
    if tracks := metrics.get("torn_tracks"):
        lines.append(
            f"Names look like frames of tracks ({shown(tracks['first'])} ... "
            f"{shown(tracks['last'])}), {tracks['torn']} of which lie in more than one split, "
            "which flatters the accuracy: "
            f"--group_by '{shown(tracks['group_by'])}' keeps them together."
        )
    if not len(run.curves):
        lines.append("There are no curves: the folder has no curves.csv.")
    if run.photos.others_score.isna().all():
        lines.append("There are no labels to check: the run has not compared its photos.")
    if len(metrics["labels"]) > sections.MOST_CLASSES:
        lines.append(f"{len(metrics['labels'])} classes are too many for a matrix to look at.")
    return lines


def _facts(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    trained = metrics["fine_tuning"]["trainable"]
    counts = " / ".join(str(metrics[f"{name}_count"]) for name in ("train", "validation", "test"))
    seconds = sum(v for name, v in metrics["seconds"].items() if name != "training_step")
    return [
        ("photos to train / validate / test", counts),
        ("classes", str(len(metrics["labels"]))),
        ("network", shown(metrics["architecture"])),
        ("features from", shown(metrics["endpoint"])),
        ("trained", f"the head and {', '.join(map(shown, trained))}" if trained else "the head"),
        ("kept step", str(metrics["best_step"])),
        ("split by", shown(metrics["split_by"])),
        ("seconds", f"{seconds:.1f}"),
    ]


def _trust(metrics: Mapping[str, Any]) -> list[str]:
    lines = []
    if found := metrics["calibration"]:
        lines.append(
            f"Scores are divided by the temperature {found['temperature']:.2f}; their expected "
            f"calibration error is {found['expected_calibration_error']:.1%}, "
            f"{found['uncalibrated_error']:.1%} before."
        )
    if found := metrics["folds"]:
        lines.append(
            f"{len(found['each'])} folds: {found['figure'].replace('_', ' ')} {found['mean']:.1%}, "
            f"standard deviation {found['deviation']:.1%}."
        )
    if found := metrics["unknown"]:
        alarms = found["false_alarms"]
        told = "no test photo" if alarms is None else f"{alarms:.1%} of the test photos"
        if "detected" in found:
            told += f" and {found['detected']:.1%} of {found['unknown_count']} photos of no class"
        lines.append(f"Called unknown: {told} ({found['false_alarm_rate']:.1%} wanted).")
    if (found := metrics["earlier"]) and found["tested_again"]:
        lines.append(
            f"Of {found['tested_again']} test photos of the run before, "
            f"{found['accuracy_before']:.1%} were right before and {found['accuracy_now']:.1%} are "
            "now."
        )
    return lines


def _trial(row: Mapping[str, Any]) -> dict[str, str]:
    share = row.get("accuracy", row.get("mean_average_precision"))
    return {
        "head": shown(row["head"]),
        "learning_rate": f"{row['learning_rate']:g}",
        "weight_decay": f"{row['weight_decay']:g}",
        "share": "diverged" if share is None else f"{share:.1%}",
        "loss": "" if share is None else f"{row['cross_entropy']:.4f}",
    }


def _compared(run: Run) -> dict[str, Any] | None:
    if run.comparison is None:
        return None
    depths = run.comparison["depths"]
    rows = [
        {
            "name": shown(depth["name"]),
            "accuracy": depth["test_accuracy"],
            "interval": _or_dash(depth["test_accuracy_interval"], "{0[0]:.1%} to {0[1]:.1%}"),
            "map": depth["mean_average_precision"],
            "parameters": depth["trainable_parameters"],
            "seconds": f"{depth['training_seconds']:.1f}",
            "rate": _or_dash(depth["steps_per_second"], "{:.1f}"),
            "step": _or_dash(depth["best_step"], "{}"),
            "diverged": depth["diverged_at"],
        }
        for depth in depths
    ]
    curves = {
        shown(depth["name"]): plots.Curve(**depth["validation"])
        for depth in depths
        if depth["diverged_at"] is None
    }
    counts = run.comparison["photos"]
    return {
        "rows": rows,
        "several": any(row["map"] is not None for row in rows),
        "plot": Markup(plots.comparison(curves)),
        "told": f"{shown(run.comparison['architecture'])}, features from "
        f"{shown(run.comparison['endpoint'])}; "
        + ", ".join(f"{count} photos for {name}" for name, count in counts.items())
        + ". The first layer that trains, with all behind it:",
    }


def _or_dash(value: object, form: str) -> str:
    return "–" if value is None else form.format(value)
