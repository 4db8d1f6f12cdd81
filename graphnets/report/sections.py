"""What a page says of a run's photos, as plain data."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import numpy as np
import pandas as pd

from graphnets.errors import shown
from graphnets.photos.folders import BETWEEN
from graphnets.photos.splits import named
from graphnets.report.run import Run
from graphnets.storage import is_address

WEB = ("http://", "https://")

MOST_CLASSES = 100  # in a matrix that can be looked at
MISTAKES, UNSURE, DOUBTS = 48, 16, 24  # photos that are shown
MISTAKES_OF_CELL, RIGHT_OF_CELL = 24, 6
LISTED = 200  # lines of a list


class Shot(NamedTuple):
    """A photo on the page: its file, and lines of text under it."""

    path: str
    name: str
    link: str
    lines: list[str]


class Cell(NamedTuple):
    """Photos of one class that were called another, or itself."""

    anchor: str
    truth: str
    predicted: str
    number: int
    share: float  # of the photos of the class
    shots: list[Shot]


def matrix(run: Run) -> list[list[Cell]] | None:
    """A row a class, a cell a class that its test photos were called; None if it cannot be shown.

    It counts all test photos, of which the figures may be a sample.
    """
    labels = run.metrics["labels"] if run.metrics else []
    tested = _tested(run)
    if _several(run) or not len(tested) or len(labels) > MOST_CLASSES:
        return None
    groups = dict(list(tested.groupby(["label", "predicted"], sort=False)))
    counts = tested.label.value_counts()
    rows = []
    for i, truth in enumerate(labels):
        row = []
        for j, predicted in enumerate(labels):
            own = groups.get((truth, predicted), tested[:0])
            share = len(own) / counts.get(truth, 1)
            shots = []
            if len(own):
                most = RIGHT_OF_CELL if i == j else MISTAKES_OF_CELL
                shots = [_judged(run, photo) for photo in _by_margin(own, i == j)[:most]]
            row.append(Cell(f"c{i}-{j}", shown(truth), shown(predicted), len(own), share, shots))
        rows.append(row)
    return rows


def mistakes(run: Run) -> list[Shot]:
    """The test photos that were mistaken, the most confident first."""
    wrong = _tested(run)
    wrong = wrong[wrong.predicted != wrong.label]
    return [_judged(run, photo) for photo in _by_margin(wrong, False)[:MISTAKES]]


def called(run: Run, shots: Iterable[Shot]) -> dict[str, str]:
    """Of each photo the class that it was called and is not; none where one was only missed."""
    rows = run.photos.drop_duplicates("path").set_index("path")
    found = {}
    for path in paths(shots):
        row = rows.loc[path]
        given = row.predicted.split(BETWEEN) if _several(run) else [row.predicted]
        if row.rival in given:
            found[path] = row.rival
    return found


def unsure(run: Run) -> list[Shot]:
    """The test photos that were right, the least certain first."""
    right = _tested(run)
    right = right[(right.predicted == right.label) & right.label_score.notna()]
    return [_judged(run, photo) for photo in _by_margin(right, False)[:UNSURE]]


def doubts(run: Run) -> tuple[list[Shot], int]:
    """Photos whose label the others contradict, the clearest first, and how many there are."""
    usable = run.photos[run.photos.problem == ""]
    # A photo without labels, or with all of them, has no other side: the middle stands for it.
    own, rival = usable.others_score.fillna(0.5), usable.others_rival_score.fillna(0.5)
    # Classes that are often taken for each other have high rivals: these count by half.
    usable = usable.assign(doubt=rival / 2 - own)[rival > own]
    usable = usable.sort_values("doubt", ascending=False, kind="stable")
    shots = []
    for photo in usable[:DOUBTS].itertuples():
        lines = [f"labelled {_label(photo.label)} {_told(photo.others_score)}".rstrip()]
        if photo.others_say:
            lines.append(f"others say {shown(photo.others_say)} {_told(photo.others_rival_score)}")
        shots.append(_shot(run, photo.path, [*lines, photo.split]))
    return shots, len(usable)


def left_out(run: Run) -> tuple[list[Shot], int]:
    """The files that could not be used, with the reasons, and how many there are."""
    lost = run.photos[run.photos.problem != ""]
    shots = [_shot(run, row.path, [shown(row.problem)]) for row in lost[:LISTED].itertuples()]
    return [shot._replace(name=shown(named(shot.path))) for shot in shots], len(lost)


def copies(run: Run) -> tuple[list[list[Shot]], int]:
    """The same file in several splits, or under several labels, and how often there is such."""
    usable = run.photos[run.photos.problem == ""]
    grouped = usable.groupby("key", sort=False)
    torn = grouped[["split", "label"]].transform("nunique").max(axis=1) > 1
    found = [
        [_shot(run, row.path, [_label(row.label), row.split]) for row in own.itertuples()]
        for _, own in usable[torn].groupby("key", sort=False)
    ]
    return found[:LISTED], len(found)


def paths(shots: Iterable[Shot]) -> list[str]:
    """The files of photos on the page."""
    return [shot.path for shot in shots]


def _tested(run: Run) -> pd.DataFrame:
    photos = run.photos
    return photos[(photos.split == "testing") & (photos.problem == "")]


def _several(run: Run) -> bool:
    return bool(run.metrics and run.metrics["options"].get("multi_label"))


def _by_margin(photos: pd.DataFrame, surest: bool) -> list:
    """Rows by how far a label that a photo does not have scores above those that it has."""
    margin = photos.rival_score.fillna(0) - photos.label_score.fillna(0.5)
    order = np.argsort((margin if surest else -margin).to_numpy(), kind="stable")
    return list(photos.iloc[order].itertuples())


def _judged(run: Run, photo) -> Shot:
    """A test photo with its label and what it was called, or could as well have been."""
    label = f"{_label(photo.label)} {_score(photo.label_score)}".strip()
    if _several(run):
        called = f"called {_label(photo.predicted)}"
        rival = f"{shown(photo.rival)} {_score(photo.rival_score)}" if photo.rival else ""
        return _shot(run, photo.path, [part for part in (label, called, rival) if part])
    other = photo.rival if photo.predicted == photo.label else photo.predicted
    word = "" if photo.predicted == photo.label else "called "
    return _shot(run, photo.path, [label, f"{word}{_label(other)} {_score(photo.rival_score)}"])


def _shot(run: Run, path: str, lines: list[str]) -> Shot:
    return Shot(path, shown(Path(path).name), _link(run.folder, path), lines)


def _link(folder: Path, path: str) -> str:
    """Where a photo lies, seen from the page; nothing in a name can make another address of it.

    A photo at an address has no link that a browser would follow but that of a page of the web.
    """
    if is_address(path):
        return quote(os.fsencode(path), ":/?&=%") if path.startswith(WEB) else "#"
    try:
        found = os.path.relpath(path, folder)
    except ValueError:  # on another drive
        return Path(path).as_uri()
    return quote(os.fsencode(found.replace(os.sep, "/")))


def _label(label: str) -> str:
    return shown(label.replace(BETWEEN, ", ")) or "no label"


def _score(score: float) -> str:
    return "" if np.isnan(score) else f"{score:.0%}"


def _told(score: float) -> str:
    """What others say is no probability."""
    return "" if np.isnan(score) else f"{score:.2f}"
