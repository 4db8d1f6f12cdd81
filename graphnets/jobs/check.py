"""A look at photos before they are trained on: what is broken, there twice, misplaced or odd."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from graphnets.errors import GraphnetsError, check_flag, check_whole
from graphnets.files import check_target, whole_file, writing
from graphnets.jobs import findings
from graphnets.jobs.aside import check_aside, move_aside
from graphnets.jobs.findings import Finding
from graphnets.jobs.sheet import pairs_sheet
from graphnets.photos import copies
from graphnets.photos.images import Progress, no_progress, plain_text
from graphnets.photos.listing import Images, check_classes, listed
from graphnets.photos.look import Look, looks
from graphnets.photos.splits import split

PAIR = ["first", "second", "exact", "mirrored"]


@dataclass(frozen=True)
class Checked:
    """What `check` found.

    photos: the table of `graphnets.split` ("" where no split can be made) with the columns kind
    (the format), mode, width and height, empty where a photo cannot be read. findings: what there
    is to say, what needs attention first. shown_pairs: of copies, on the contact sheet. moved: the
    rows of moved.csv that were added.
    """

    photos: pd.DataFrame
    findings: list[Finding]
    shown_pairs: int
    moved: list[dict[str, str]]

    @property
    def attention(self) -> bool:
        """Whether something should be done before training."""
        return any(finding.attention for finding in self.findings)


@plain_text
def check(
    images: Images,
    size: int = 224,
    near_copies: bool = True,
    progress: Progress = no_progress,
    image_root: str | os.PathLike[str] | None = None,
    multi_label: bool = False,
    contact_sheet: str | os.PathLike[str] | None = None,
    move_to: str | os.PathLike[str] | None = None,
    **splitting: Any,
) -> Checked:
    """Look at the photos of a folder or table before training, each decoded once to its end.

    images, image_root, multi_label: as for `graphnets.scan`. splitting: as for `graphnets.split`,
    whose split is looked at. size: pixels of the network's input. near_copies: whether to look for
    photos that were saved again, resized, brightened or mirrored, for which imagehash is needed.
    contact_sheet: a .png to write pairs of copies to, if there are any. move_to: a folder outside
    of images, to which unreadable files and the later of equal ones of a class are moved.

    Raises GraphnetsError where `scan` does but for small classes, for sound photos that cannot be
    split by such arguments, and where nothing can be written.

    >>> found = graphnets.check("signs", near_copies=False)
    >>> found.attention, [finding.kind for finding in found.findings if finding.attention]
    (True, ['few_photos'])
    """
    check_whole("size", size, 1)
    check_flag("near_copies", near_copies)
    if near_copies:
        copies.check_imagehash()
    if contact_sheet is not None:
        _check_sheet(contact_sheet)
    if move_to is not None:
        check_aside(images, move_to)
    photos = listed(images, progress, image_root, multi_label)
    _check_splitting(photos, splitting)
    photos, hashes, colours = _looked(photos, progress)
    photos, unsplit = _split(photos, splitting)
    usable = photos[photos.problem == ""]
    pairs = _pairs(usable, hashes, colours) if near_copies else _exact(usable)
    found = [
        *findings.of_files(photos, findings.passed_over(images)),
        *findings.of_copies(usable, pairs),
        *findings.of_tracks(photos),
        *unsplit,
        *findings.of_classes(photos),
        *findings.of_pictures(usable, size),
    ]
    found.sort(key=lambda finding: not finding.attention)  # stable
    drawn = 0
    if contact_sheet is not None and len(pairs):
        sheet, drawn = pairs_sheet(usable, pairs)
        with writing(contact_sheet), whole_file(contact_sheet) as temporary:
            sheet.save(temporary, "PNG")
    moved = [] if move_to is None else move_aside(photos, found, move_to)
    return Checked(photos.drop(columns="listed"), found, drawn, moved)


def _check_sheet(path: str | os.PathLike[str]) -> None:
    if not str(path).lower().endswith(".png"):
        raise GraphnetsError(f"contact_sheet is {str(path)!r}, wanted a file that ends in .png")
    check_target(path)


def _check_splitting(photos: pd.DataFrame, splitting: dict) -> None:
    """Raise GraphnetsError for arguments by which no photos of these names can be split."""
    split(photos.assign(problem="not looked at"), **splitting)


def _looked(
    photos: pd.DataFrame, progress: Progress
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """The table with what looking adds, and of the usable ones hashes and small copies."""
    look_at = photos.path[photos.problem == ""]
    seen = looks(look_at, _printed)
    rows = list(progress(seen, total=len(look_at), desc="looking at photos"))
    whole = [(look, hashes) for look, hashes in rows if not look.problem]
    columns = pd.DataFrame(
        [(look.problem, look.kind, look.mode, look.width, look.height) for look, _ in rows],
        columns=["new", "kind", "mode", "width", "height"],
        index=look_at.index,
    )
    photos = photos.assign(listed=photos.problem).join(columns)
    photos["problem"] = photos.problem.where(photos.problem != "", photos.new.fillna(""))
    photos = photos.drop(columns="new").fillna({"kind": "", "mode": "", "width": 0, "height": 0})
    photos = photos.astype({"width": int, "height": int})
    hashes = np.array([hashes for _, hashes in whole]).reshape(-1, 2, copies.BITS)
    colours = np.array([look.colours for look, _ in whole], np.uint8)
    return photos, hashes, colours


def _printed(look: Look) -> tuple[Look, np.ndarray | None]:
    if look.grey is None:
        return look, None
    return look._replace(grey=None), copies.prints(look.grey)


def _split(photos: pd.DataFrame, splitting: dict) -> tuple[pd.DataFrame, list[Finding]]:
    """The table with splits; if there can be none, a finding that says why."""
    try:
        check_classes(photos)
        return split(photos, **splitting), []
    except GraphnetsError as error:
        finding = Finding("split", True, 1, f"retrain would refuse them: {error}", "")
        return photos.assign(split=""), [finding]


def _exact(photos: pd.DataFrame) -> pd.DataFrame:
    return copies.exact_pairs(photos.key).assign(exact=True, mirrored=False)[PAIR]


def _pairs(photos: pd.DataFrame, hashes: np.ndarray, colours: np.ndarray) -> pd.DataFrame:
    """Exact and near copies among usable photos; of exact ones only the first has near ones."""
    exact = _exact(photos)
    first = np.setdiff1d(np.arange(len(photos)), exact["second"])
    near = copies.near_pairs(hashes[first], colours[first])
    for end in ("first", "second"):
        near[end] = first[near[end]]
    return pd.concat([exact, near.assign(exact=False)[PAIR]], ignore_index=True)
