"""Files that are moved out of the way of training: none is overwritten, none is deleted."""

from __future__ import annotations

import contextlib
import csv
import errno
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
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
        row = {"path": path, "label": labels[path], "reason": reason}
        moved.append(_moved(row, Path(folder)))
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


def _moved(row: dict[str, str], folder: Path) -> dict[str, str]:
    """Move the row's file to a name of its class that is free; the row with that name."""
    own = folder / folder_name(row["label"])
    with writing(own):
        own.mkdir(parents=True, exist_ok=True)
    stem, ending = os.path.splitext(os.path.basename(row["path"]))
    for number in count(1):
        target = own / (f"{stem}{ending}" if number == 1 else f"{stem}-{number}{ending}")
        if os.path.lexists(target):
            continue
        row = {name: {**row, "moved_to": str(target)}[name] for name in COLUMNS}
        try:
            with _noted(folder / LIST, row):
                _move(row["path"], target)
            break
        except FileExistsError:  # another took the name this moment
            continue
        except OSError as error:
            raise GraphnetsError(f"{target} cannot be written: {error.strerror}") from None
    return row


def _move(path: str, target: Path) -> None:
    """Move a file, or a link itself, to a name that is free, or raise FileExistsError."""
    try:
        move_new(path, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with scratch_folder(target.parent, ".moving-") as scratch:  # from another disk
            shutil.copy2(path, scratch / "file", follow_symlinks=False)
            move_new(scratch / "file", target)
        try:
            os.unlink(path)
        except OSError:  # it stays where it is
            target.unlink()
            raise


@contextmanager
def _noted(path: Path, row: dict[str, str]) -> Iterator[None]:
    """Add a row to the list, and take it back if the block, or the writing, fails.

    So a kill leaves a row of a file that was not moved at worst, never one moved without a word.
    """
    before = path.stat().st_size if path.exists() else 0
    try:
        with (
            writing(path),
            open(path, "a", encoding="utf-8", errors="surrogateescape", newline="") as file,
        ):
            writer = csv.DictWriter(file, COLUMNS)
            if not before:
                writer.writeheader()
            writer.writerow(row)
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            os.truncate(path, before) if before else path.unlink()
        raise
