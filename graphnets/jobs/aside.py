"""Files that are moved out of the way of training: none is overwritten, none is deleted."""

from __future__ import annotations

import contextlib
import csv
import errno
import os
import shutil
from collections import Counter
from itertools import count
from pathlib import Path

import pandas as pd

from graphnets.errors import GraphnetsError, check_path, shown
from graphnets.files import (
    check_writable,
    folder_name,
    in_or_around,
    move_new,
    scratch_folder,
    writing,
)
from graphnets.jobs.findings import Finding
from graphnets.photos.folders import is_table
from graphnets.photos.listing import Images
from graphnets.storage import is_address

LIST = "moved.csv"
COLUMNS = ("path", "moved_to", "label", "reason")


def check_aside(images: Images, folder: str | os.PathLike[str]) -> None:
    """Raise GraphnetsError unless files can be moved to a folder that is apart from the images."""
    check_path("move_to", folder, "the path of a folder")
    if is_address(images):
        raise GraphnetsError(
            f"{shown(images)} is an address, where no photo is moved; leave out move_to"
        )
    if not isinstance(images, pd.DataFrame) and not is_table(images):
        if in_or_around(images, folder):
            raise GraphnetsError(
                f"move_to is {shown(folder)}, in or around {shown(images)}, where it would be "
                "taken for a class; name a folder elsewhere"
            )
    check_writable(Path(folder))


def move_aside(
    photos: pd.DataFrame, findings: list[Finding], folder: str | os.PathLike[str]
) -> list[dict[str, str]]:
    """Move unreadable files, and the later of equal ones of a class, to `folder`/class.

    Every move is added to moved.csv there, whose new rows are returned. A file that another row of
    the table, or a link, leads to stays. Raises GraphnetsError where a file cannot be moved.
    """
    reasons = _unreadable(findings) | _later(photos)
    labels = dict(zip(photos.path, photos.label, strict=True))
    listed = Counter(photos.path)
    leading = Counter(os.path.realpath(path) for path in listed)
    moved = []
    for path, reason in reasons.items():
        link = os.path.islink(path)
        needed = listed[path] > 1 or (not link and leading[os.path.realpath(path)] > 1)
        if needed or not (link or os.path.isfile(path)):
            continue
        target = _move(path, Path(folder) / folder_name(labels[path]))
        row = dict(zip(COLUMNS, (path, target, labels[path], reason), strict=True))
        _note(Path(folder) / LIST, row)
        moved.append(row)
    return moved


def _unreadable(findings: list[Finding]) -> dict[str, str]:
    items = [item for finding in findings if finding.kind == "unreadable" for item in finding.items]
    return {item["paths"][0]: item["reason"] for item in items}


def _later(photos: pd.DataFrame) -> dict[str, str]:
    """{path: reason} of the later of equal files of a class; of links and files, links go."""
    usable = photos[photos.problem == ""]
    usable = usable.assign(link=usable.path.map(os.path.islink)).sort_values("link", kind="stable")
    first = usable.groupby(["label", "key"], sort=False).path.transform("first")
    later = usable.path != first
    rows = zip(usable.path[later], first[later], strict=True)
    return {path: f"a copy of {original}" for path, original in rows}


def _move(path: str, folder: Path) -> str:
    """Move a file, or a link itself, under a name that is free; returns where it is."""
    stem, ending = os.path.splitext(os.path.basename(path))
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with writing(path):
        for number in count(1):
            target = folder / (f"{stem}{ending}" if number == 1 else f"{stem}-{number}{ending}")
            with contextlib.suppress(FileExistsError):
                _move_to(path, target)
                break
    return str(target)


def _move_to(path: str, target: Path) -> None:
    try:
        move_new(path, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with scratch_folder(target.parent, ".moving-") as scratch:  # from another disk
            shutil.copy2(path, scratch / "file", follow_symlinks=False)
            move_new(scratch / "file", target)
        os.unlink(path)


def _note(path: Path, row: dict[str, str]) -> None:
    with (
        writing(path),
        open(path, "a", encoding="utf-8", errors="surrogateescape", newline="") as f,
    ):
        writer = csv.DictWriter(f, COLUMNS)
        if not f.tell():
            writer.writeheader()
        writer.writerow(row)
