"""Which photos train, validate and test: by a hash of their names, by group, or as given."""

from __future__ import annotations

import hashlib
import os
import re
import warnings
from collections import Counter

import numpy as np
import pandas as pd

from graphnets.errors import GraphnetsError, check_kind, check_whole, shown
from graphnets.photos.folders import FEWEST_PHOTOS, SPLITS, check_percentages
from graphnets.photos.images import check_photos, plain_text
from graphnets.photos.labels import each_label
from graphnets.storage import is_address

HASH_BUCKETS = 2**27 - 1  # retrain.py's MAX_NUM_IMAGES_PER_CLASS


@plain_text
def split(
    photos: pd.DataFrame,
    testing_percentage: float = 10,
    validation_percentage: float = 10,
    split_seed: int = 0,
    group_by: str | None = None,
) -> pd.DataFrame:
    """Add the column `split`: "training", "validation" or "testing"; "" for what is left out.

    What a table gives as `given_split` is taken as it is. Else the split of a photo follows from a
    hash of `class/file` up to `_nohash_`, as in retrain.py
    (which hashes the full path): it stays when the folder moves or when photos are added.
    Photos whose names agree up to `_nohash_`, and those of one `group`, stay together. Only where
    the hash leaves a class with nothing in a split whose percentage is above 0 do its nearest
    photos by hash go there. Another split_seed than 0 salts the hash: another split, as lasting as
    the first.

    group_by: a regular expression, searched for in `class/file`; what its groups match, or all but
    what it matches if it has none, becomes the column `group`. What it does not match is a group by
    itself.

    Raises GraphnetsError for another table than that of `scan`, if the percentages leave nothing to
    train on, for groups that leave a class without training photos, and for a given split that
    tears a group.

    >>> photos = graphnets.split(graphnets.scan("signs"), testing_percentage=25)
    >>> sorted(photos.split.unique())
    ['testing', 'training', 'validation']
    >>> train = photos[photos.split == "training"]
    """
    check_photos(photos, "path", "label", "problem")
    check_whole("split_seed", split_seed)
    check_percentages(testing_percentage, validation_percentage)
    if group_by is not None:
        photos = photos.assign(group=_groups(photos, group_by))
    usable = photos[photos.problem == ""].reset_index()  # as the index may name a photo twice
    splits = np.full(len(photos), "", object)
    places = np.flatnonzero(photos.problem == "")
    if "given_split" in photos:
        splits[places] = usable.given_split
        _check_given(usable)
    else:
        units = _units(usable)
        percent = units.map({unit: _hash_percentage(unit, split_seed) for unit in units.unique()})
        splits[places] = _drawn(
            usable.assign(unit=units, percent=percent), validation_percentage, testing_percentage
        )
    return photos.assign(split=splits)


def split_by(photos: pd.DataFrame) -> str:
    """What a table's splits go by: "table" (as it gives them), "group" or "name"."""
    if "given_split" in photos:
        return "table"
    return "group" if "group" in photos else "name"


def named(path: str) -> str:
    """`class/file` of a path, which is what splits go by."""
    return "/".join(path.split("/" if is_address(path) else os.sep)[-2:])


def folds(photos: pd.DataFrame, count: int, seed: int = 0, fewest: int = 2) -> np.ndarray:
    """The fold of each photo, 0 to count - 1: int (n,), each class spread over all of them.

    photos: of the table of `split`, those that are usable. What `split` keeps together is in one
    fold, and so are copies. Equal arguments give equal folds. Raises GraphnetsError for a class
    with less than `fewest` groups, which would have nothing to train on, and for too many folds.
    """
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    groups = together(photos)
    for label, own in each_label(photos.assign(together=groups)).groupby("label").together:
        if own.nunique() < fewest:
            raise GraphnetsError(
                f"class {shown(label)} has {own.nunique()} group of photos, wanted 2 or more for "
                "folds: one to train on and one to test"
            )
    largest = each_label(photos).label.value_counts().max()
    most = min(len(np.unique(groups)), largest)
    if most < count:
        raise GraphnetsError(
            f"the largest class has {largest} photos, and all are {len(np.unique(groups))} groups; "
            f"wanted {count} or more of both for {count} folds"
        )
    # Of several labels, the combinations are too many to be spread.
    kind = GroupKFold if "labels" in photos else StratifiedGroupKFold
    splitter = kind(count, shuffle=True, random_state=seed % 2**32)
    found = np.zeros(len(photos), int)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class smaller than the number of folds
        for number, (_, tested) in enumerate(splitter.split(groups, photos.label, groups)):
            found[tested] = number
    return found


def together(photos: pd.DataFrame) -> np.ndarray:
    """A number for each photo, int (n,): equal for those that no fold may part.

    These are copies, photos of one group, and those whose names agree up to `_nohash_`.
    """
    from scipy.sparse import coo_matrix  # later than the commands that have no use for it
    from scipy.sparse.csgraph import connected_components

    units, keys = (pd.factorize(column)[0] for column in (_units(photos), photos.key))
    size = units.max(initial=-1) + 1, keys.max(initial=-1) + 1
    edges = coo_matrix((np.ones(len(photos)), (units, size[0] + keys)), (sum(size), sum(size)))
    return connected_components(edges, directed=False)[1][units]


def _units(photos: pd.DataFrame) -> pd.Series:
    """What is not torn between splits: the group, else the name up to `_nohash_`."""
    names = photos.path.map(lambda path: re.sub(r"_nohash_.*$", "", named(path)))
    return names if "group" not in photos else photos.group.where(photos.group != "", names)


def _groups(photos: pd.DataFrame, pattern: str) -> list[str]:
    check_kind("group_by", pattern, str, "a regular expression")
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise GraphnetsError(
            f"group_by {pattern!r} is no regular expression ({error}); wanted one such as '_\\d+'"
        ) from None
    names = [named(path) for path in photos.path]
    if names and not any(map(expression.search, names)):
        raise GraphnetsError(
            f"group_by {pattern!r} matches none of the {len(names)} names, {shown(names[0])} the "
            "first; wanted an expression for what differs in a group ('_\\d+'), or with what is "
            "the same in brackets"
        )
    return [_group(expression, name) for name in names]


def _group(expression: re.Pattern, name: str) -> str:
    found = expression.search(name)
    if found is None:
        return name
    if expression.groups:
        return " ".join(part or "" for part in found.groups())
    return expression.sub("", name)


def _check_given(photos: pd.DataFrame) -> None:
    """Raise GraphnetsError if a given split tears a group, or a class has nothing to train on."""
    if "group" in photos:
        grouped = photos[photos.group != ""]
        torn = grouped.groupby("group").given_split.nunique()
        torn = torn[torn > 1].index
        if len(torn):
            raise GraphnetsError(
                f"the table's split tears {len(torn)} of its groups, {shown(torn[0])} the first; "
                "wanted all photos of a group in one split: mend the table, or take the column "
                "split out"
            )
    rows = each_label(photos)
    training = (rows.given_split == "training").groupby(rows.label).sum()
    lacking = list(training[training == 0].index)
    if lacking:
        raise GraphnetsError(
            f"the table's split leaves class {shown(lacking[0])} without photos for training; "
            "wanted one or more"
        )


def _hash_percentage(name: str, seed: int) -> float:
    digest = hashlib.sha1(os.fsencode(f"{seed} {name}" if seed else name)).hexdigest()
    return int(digest, 16) % (HASH_BUCKETS + 1) * (100.0 / HASH_BUCKETS)


def _drawn(photos: pd.DataFrame, validation: float, testing: float) -> list[str]:
    """The split of each photo from the hash percentage of its unit."""
    rows = each_label(photos)
    units = rows.groupby("label").percent.unique().map(np.sort)
    for label, percent in units.items():
        if len(percent) < FEWEST_PHOTOS:
            kind = "photos with one name before '_nohash_'" if "group" not in photos else "photos"
            raise GraphnetsError(
                f"class {shown(label)} has {len(percent)} group(s) of {kind}, wanted "
                f"{FEWEST_PHOTOS}: a group cannot be torn between splits"
            )
    if "labels" in photos or (rows.groupby("unit").label.nunique() > 1).any():
        percentages = dict(zip(photos.unit, photos.percent, strict=True))
        found = _across_classes(percentages, rows, validation, testing)
        return [found[unit] for unit in photos.unit]
    names = {
        (label, percent): name
        for label, own in units.items()
        for percent, name in zip(own, _bands(own, validation, testing), strict=True)
    }
    return [names[place] for place in zip(photos.label, photos.percent, strict=True)]


def _bands(percent: np.ndarray, validation: float, testing: float) -> list[str]:
    """The split of each of a class's sorted hash percentages; none that was asked for is empty."""
    n_validation = max(int((percent < validation).sum()), int(validation > 0))
    n_testing = max(int((percent < validation + testing).sum()) - n_validation, int(testing > 0))
    while n_validation + n_testing >= len(percent):
        if n_testing >= n_validation:
            n_testing -= 1
        else:
            n_validation -= 1
    n_training = len(percent) - n_validation - n_testing
    return ["validation"] * n_validation + ["testing"] * n_testing + ["training"] * n_training


def _across_classes(
    percentages: dict[str, float], rows: pd.DataFrame, validation: float, testing: float
) -> dict[str, str]:
    """The split of units that may be of several classes: by the hash alone, then mended.

    A class that has nothing in a split gets there the unit whose hash is nearest, where no class
    loses its last by that.
    """
    edges = {
        "validation": (0.0, validation),
        "testing": (validation, validation + testing),
        "training": (validation + testing, 100.0),
    }
    found = {
        unit: next((name for name, (_, end) in edges.items() if percent < end), "training")
        for unit, percent in percentages.items()
    }
    classes: dict = rows.groupby("unit").label.unique().to_dict()
    counts = Counter((label, found[unit]) for unit, own in classes.items() for label in own)
    for label, own in rows.groupby("label").unit.unique().to_dict().items():
        for name in SPLITS:
            start, end = edges[name]
            if counts[label, name] or start == end:
                continue
            free = [u for u in own if all(counts[c, found[u]] > 1 for c in classes[u])]
            if free:
                _, unit = min((abs(percentages[u] - (start + end) / 2), u) for u in free)
                for each in classes[unit]:
                    counts[each, found[unit]] -= 1
                    counts[each, name] += 1
                found[unit] = name
            elif name == "training":
                raise GraphnetsError(
                    f"class {shown(label)} has no group for training that another class can spare; "
                    "add photos of it, or group otherwise"
                )
    return found
