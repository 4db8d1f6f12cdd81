"""What may be wrong with photos, kind by kind: from the tables of a check to findings."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field

import pandas as pd

from graphnets.errors import shown
from graphnets.photos.copies import groups
from graphnets.photos.folders import FEW_PHOTOS, NOT_CLASSES, is_table
from graphnets.photos.images import plain_text
from graphnets.photos.labels import each_label
from graphnets.photos.listing import NO_FILES, Images
from graphnets.photos.look import KNOWN, OTHERS, right_ending
from graphnets.photos.tracks import looks_like_tracks
from graphnets.storage import entries

IMBALANCE = 10  # times as many photos in the largest class as in the smallest
SMALL = 0.5  # of the network's input, that the shorter side should have


@dataclass(frozen=True)
class Finding:
    """Photos of which one thing is to be said.

    kind: its name. attention: whether something should be done before training. number: of
    photos, or of what `what` names. what, advice: a sentence each. items: one for each photo, pair
    or group, with `paths` and what there is to say of them.
    """

    kind: str
    attention: bool
    number: int
    what: str
    advice: str
    items: list[dict] = field(default_factory=list)


def of_files(photos: pd.DataFrame, passed: list[dict]) -> list[Finding]:
    """Files that cannot be used, or are not what they seem.

    photos: of `graphnets.scan`, with the columns `listed` (the problem before the photo was
    looked at), kind, mode, width and height. passed: what no scan sees.
    """
    unreadable = (photos.key == "") & ~photos.listed.isin(NO_FILES)
    unread = photos[(photos.problem != "") & ((photos.listed == "") | unreadable)]
    unused = photos[(photos.listed != "") & ~unreadable]
    passed = passed + _items(unused, unused.problem)
    found = [
        Finding(
            "unreadable", True, len(unread), f"{len(unread)} files cannot be read to their end",
            "get them again, or --move_to DIR moves them aside", _items(unread, unread.problem),
        ),
        Finding(
            "passed_over", True, len(passed), f"{len(passed)} pictures or folders are not taken",
            "put photos right inside the folder of their class", passed,
        ),
    ]  # fmt: skip
    return [finding for finding in found if finding.number]


def of_pictures(photos: pd.DataFrame, size: int) -> list[Finding]:
    """Usable photos that are small for a network of that size, of rare modes, or misnamed."""
    short = photos[["width", "height"]].min(axis=1)
    small = photos[short < SMALL * size]
    sides = [f"{w} x {h}" for w, h in zip(small.width, small.height, strict=True)]
    endings = [
        right_ending(path, kind) for path, kind in zip(photos.path, photos.kind, strict=True)
    ]
    wrong = photos.assign(ending=endings).query("ending != ''")
    says = [f"a {kind}, wanted {end}" for kind, end in zip(wrong.kind, wrong.ending, strict=True)]
    counts = photos["mode"].value_counts()
    rare = photos[photos["mode"] != counts.index[0]] if len(counts) else photos
    modes = ", ".join(f"{mode} {count}" for mode, count in counts.items())
    found = [
        Finding(
            "small", False, len(small),
            f"{len(small)} photos have a side under half of the network's {size} pixels",
            "they are enlarged, and blurred; a network with a smaller input may do as well",
            _items(small, sides),
        ),
        Finding(
            "endings", False, len(wrong), f"{len(wrong)} files are not what their endings say",
            "nothing here goes by endings, other programs do: rename them", _items(wrong, says),
        ),
        Finding(
            "modes", False, len(rare), f"photos differ in their colours: {modes}",
            "all are read as RGB; see that classes do not differ in it", _items(rare, rare["mode"]),
        ),
    ]  # fmt: skip
    return [finding for finding in found if finding.number]


def of_classes(photos: pd.DataFrame) -> list[Finding]:
    """Classes with few usable photos, and classes of very different sizes."""
    counts = class_sizes(photos)
    few = {label: count for label, count in counts.items() if count < FEW_PHOTOS}
    found = []
    if few:
        told = ", ".join(f"{shown(label)} {count}" for label, count in few.items())
        found.append(
            Finding(
                "few_photos",
                True,
                len(few),
                f"less than {FEW_PHOTOS} photos in {told}",
                "add photos of them",
                [{"paths": [], "label": k, "photos": v} for k, v in few.items()],
            )  # fmt: skip
        )
    if counts and max(counts.values()) > IMBALANCE * min(counts.values()):
        largest, smallest = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
        found.append(
            Finding(
                "imbalance",
                True,
                len(counts),
                f"{shown(largest)} has {counts[largest]} photos and {shown(smallest)} "
                f"{counts[smallest]}, more than {IMBALANCE} times as many",
                "add photos, or train with --class_weights balanced",
            )  # fmt: skip
        )
    return found


@plain_text
def class_sizes(photos: pd.DataFrame) -> dict[str, int]:
    """How many usable photos each label has."""
    rows = each_label(photos)
    return {str(k): int(v) for k, v in (rows.problem == "").groupby(rows.label).sum().items()}


def of_copies(photos: pd.DataFrame, pairs: pd.DataFrame) -> list[Finding]:
    """Copies that are there at all, under two labels, and in two splits.

    photos: the usable ones; pairs: their places, `first` and `second`, and `exact`, `mirrored`.
    """
    labels, splits = photos.label.to_numpy(), photos.split.to_numpy()
    one, other = pairs["first"].to_numpy(), pairs["second"].to_numpy()
    torn, parted = labels[one] != labels[other], splits[one] != splits[other]
    exact, near = groups(pairs[pairs.exact]), groups(pairs[~pairs.exact])
    again = sum(len(group) - 1 for group in exact)
    found = [
        Finding(
            "two_labels", True, int(torn.sum()),
            f"{torn.sum()} pairs of copies have two labels, one of which is wrong",
            "decide on one, or train with --multi_label", _pairs(photos, pairs[torn]),
        ),
        Finding(
            "across_splits", True, int(parted.sum()),
            f"{parted.sum()} pairs of copies lie in two splits, which flatters the figures",
            "keep one of each, or keep them together: --group_by, or the column group of a table",
            _pairs(photos, pairs[parted]),
        ),
        Finding(
            "exact_copies", True, again, f"{again} files are there again, byte for byte",
            "keep one of each; --move_to DIR moves the later ones within a class aside",
            [_item(photos, group) for group in exact],
        ),
        Finding(
            "near_copies", False, sum(map(len, near)),
            f"{sum(map(len, near))} photos in {len(near)} groups look the same: saved again, "
            "resized, brightened or mirrored",
            "look at them with --contact_sheet FILE.png", [_item(photos, group) for group in near],
        ),
    ]  # fmt: skip
    return [finding for finding in found if finding.number]


def of_tracks(photos: pd.DataFrame) -> list[Finding]:
    """Frames of tracks that the splits tear; photos: of `graphnets.split`."""
    tracks = looks_like_tracks(photos)
    if tracks is None:
        return []
    what = (
        f"names look like frames of tracks ({shown(tracks.first)} ... {shown(tracks.last)}), "
        f"{tracks.torn} of which lie in more than one split"
    )
    advice = f"--group_by '{tracks.group_by}' keeps them together"
    return [Finding("tracks", True, tracks.torn, what, advice)]


def passed_over(images: Images) -> list[dict]:
    """Pictures, by their endings, that lie where no scan of this folder looks."""
    if isinstance(images, pd.DataFrame) or is_table(images):
        return []
    folder = os.fspath(images)
    found = []
    for entry in sorted(entries(folder)):
        if not entry.is_folder and _is_picture(entry.name):
            hidden = entry.name[0] == "."
            found.append((entry.path, "hidden" if hidden else "beside the folders of classes"))
        elif entry.is_folder and entry.name[0] != "." and entry.name.lower() not in NOT_CLASSES:
            names = sorted(one.name for one in entries(entry.path))
            hidden_ones = [name for name in names if name[0] == "." and _is_picture(name)]
            found += [(os.path.join(entry.path, name), "hidden") for name in hidden_ones]
    return [{"paths": [path], "reason": reason} for path, reason in found]


def _is_picture(name: str) -> bool:
    """Whether a name has a picture's ending, and is not what macOS puts beside files."""
    return not name.startswith("._") and name.lower().endswith((*KNOWN, *OTHERS))


def _items(photos: pd.DataFrame, reasons: Iterable[str]) -> list[dict]:
    rows = zip(photos.path, reasons, strict=True)
    return [{"paths": [path], "reason": reason} for path, reason in rows]


def _item(photos: pd.DataFrame, places: list[int]) -> dict:
    rows = photos.iloc[places]
    return {"paths": list(rows.path), "labels": list(rows.label), "splits": list(rows.split)}


def _pairs(photos: pd.DataFrame, pairs: pd.DataFrame) -> list[dict]:
    columns = (pairs[name].tolist() for name in ("first", "second", "exact", "mirrored"))
    return [
        {**_item(photos, [one, other]), "exact": exact, "mirrored": mirrored}
        for one, other, exact, mirrored in zip(*columns, strict=True)
    ]
