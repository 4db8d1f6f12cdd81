"""What a run, or a comparison, has left in its folder."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from graphnets.classifier.run_files import CURVES, METRICS, PHOTOS, read_photos
from graphnets.errors import GraphnetsError, check_path, shown

COMPARISON = "compare.json"
TEXTS = ("path", "label", "key", "problem", "split", "predicted")
SCORES = ("label_score", "rival_score", "others_score", "others_rival_score")
NAMES = ("rival", "others_say")


class Run(NamedTuple):
    """metrics: of metrics.json; photos: of photos.csv; curves: of curves.csv, without rows if it
    is not there. comparison: of compare.json. None: the folder has none.
    """

    folder: Path
    metrics: dict | None
    photos: pd.DataFrame
    curves: pd.DataFrame
    comparison: dict | None


def read_run(folder: str | os.PathLike[str]) -> Run:
    """Raises GraphnetsError for a folder with neither, and for files that are no run's."""
    check_path("folder", folder, "the --output_dir of a run of retrain or compare")
    folder = Path(folder)
    if not folder.is_dir():
        raise GraphnetsError(
            f"{shown(folder)} is no folder; wanted the --output_dir of a run of retrain or compare"
        )
    metrics, comparison = (
        _read(folder, name, lambda path: json.loads(path.read_text("utf-8")))
        for name in (METRICS, COMPARISON)
    )
    if metrics is None and comparison is None:
        raise GraphnetsError(
            f"{shown(folder)} has neither metrics.json nor compare.json; wanted the --output_dir "
            "of a run of retrain or compare"
        )
    photos = curves = None
    if metrics is not None:
        photos = _read(folder, PHOTOS, _photos)
        if photos is None:
            raise GraphnetsError(f"{shown(folder)} has no photos.csv beside its metrics.json")
        curves = _read(folder, CURVES, pd.read_csv)
        _check_tested(folder, metrics, photos)
    return Run(
        folder,
        _checked(folder, METRICS, metrics, "labels", "per_class", "test_count", "options"),
        pd.DataFrame(columns=[*TEXTS, *SCORES, *NAMES]) if photos is None else photos,
        pd.DataFrame(columns=["step", "split", "loss", "accuracy"]) if curves is None else curves,
        _checked(folder, COMPARISON, comparison, "depths"),
    )


def _check_tested(folder: Path, metrics: Any, photos: pd.DataFrame) -> None:
    """Raise GraphnetsError if the figures are of other photos than those of the table."""
    tested = int(((photos.split == "testing") & (photos.problem == "")).sum())
    if not isinstance(metrics, dict) or not {"test_count", "options"} <= metrics.keys():
        return  # told by `_checked`
    sample = metrics["options"].get("test_batch_size", -1) != -1
    if tested < metrics["test_count"] or (tested != metrics["test_count"] and not sample):
        raise GraphnetsError(
            f"{shown(folder)} has {tested} test photos in photos.csv and "
            f"{metrics['test_count']} in metrics.json; wanted the files of one run"
        )


def _photos(path: Path) -> pd.DataFrame:
    table = read_photos(path)
    table = table[[*TEXTS]].assign(
        **{
            name: pd.to_numeric(table[name]).astype(float) if name in table else float("nan")
            for name in SCORES
        },
        **{name: table[name] if name in table else "" for name in NAMES},
    )
    return table


def _read(folder: Path, name: str, read: Callable[[Path], Any]) -> Any:
    """What a file says; None if it is not there."""
    path = folder / name
    try:
        return read(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__
        raise GraphnetsError(
            f"{shown(path)} is no file that a run writes ({reason}); run it again"
        ) from None


def _checked(folder: Path, name: str, found: Any, *fields: str) -> dict | None:
    if found is None:
        return None
    lacking = fields if not isinstance(found, dict) else [f for f in fields if f not in found]
    if lacking:
        raise GraphnetsError(
            f"{shown(folder / name)} has no {', '.join(lacking)}; wanted one that a run wrote"
        )
    return found
