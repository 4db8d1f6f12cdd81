"""Several labels a photo: the column `labels` has them as a tuple, `label` as one text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from graphnets.photos.folders import BETWEEN

UNITED = "united"  # in a table's attrs: how many copies are not in it
CONFUSES = int(pd.__version__.split(".")[0]) < 3  # pandas 2 takes names not in UTF-8 for others
WHAT_CONFUSES = "not UTF-8, which pandas 2 takes for other such names"


def confused(name: str) -> bool:
    """Whether this pandas may take the name for another in groups and sets."""
    return CONFUSES and any("\ud800" <= character <= "\udfff" for character in name)


def united(photos: pd.DataFrame) -> pd.DataFrame:
    """One row for each content, with the labels of all its copies; the first path stays.

    What cannot be used keeps its rows. A copy in another given split keeps one, too.
    """
    usable = photos.problem == ""
    by = ["key", *(["given_split"] if "given_split" in photos else [])]
    groups = photos[usable].groupby(by, sort=False).label
    photos = photos.assign(
        label=groups.transform(joined).reindex(photos.index).fillna(photos.label)
    )
    again = photos[usable].duplicated(by).reindex(photos.index, fill_value=False)
    photos = photos[~again].sort_values(["label", "path"], kind="stable", ignore_index=True)
    photos = photos.assign(labels=photos.label.map(parts))
    photos.attrs[UNITED] = int(again.sum())  # for whoever tells it at once: pandas may lose it
    return photos


def joined(labels: Iterable[str]) -> str:
    """The different labels in several texts as one text."""
    return BETWEEN.join(sorted({part for label in labels for part in parts(label)}))


def parts(label: str) -> tuple[str, ...]:
    """The labels in a text; none in an empty one."""
    return tuple(part for part in label.split(BETWEEN) if part)


def each_label(photos: pd.DataFrame) -> pd.DataFrame:
    """A row for each label of each photo; the table itself where photos have one each."""
    if "labels" not in photos:
        return photos
    return (
        photos.drop(columns="label")
        .explode("labels")
        .dropna(subset="labels")
        .rename(columns={"labels": "label"})
    )


def positions(photos: pd.DataFrame, labels: Sequence[str]) -> np.ndarray:
    """The place of each photo's label in `labels`, int (n,).

    Where photos may have several, float32 (n, classes): 1 for those that a photo has, else 0.
    """
    places = {label: number for number, label in enumerate(labels)}
    if "labels" not in photos:
        return photos.label.map(places).to_numpy(int)
    found = np.zeros((len(photos), len(labels)), np.float32)
    for row, own in zip(found, photos.labels, strict=True):
        row[[places[label] for label in own]] = 1
    return found


def class_names(photos: pd.DataFrame) -> list[str]:
    """The labels of the usable photos, sorted: the order of a classifier's outputs."""
    return sorted(each_label(photos[photos.problem == ""]).label.unique())
