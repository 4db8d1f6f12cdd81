"""Examples to learn from: features with their labels, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from graphnets.errors import GraphnetsError, check_kind, check_whole, refused
from graphnets.features.rows import Rows, Table, in_parts


class Examples(NamedTuple):
    """features: float32 (n, features); labels: int (n,), positions in the list of classes.

    Of several labels, float32 (n, classes): 1 for those that an example has, else 0.

    >>> graphnets.Examples(np.zeros((2, 1280), np.float32), np.array([0, 4])).features.shape
    (2, 1280)
    """

    features: np.ndarray
    labels: np.ndarray


def positions(count: int, size: int, random: np.random.Generator) -> np.ndarray:
    """`size` positions below count, sorted; all of them for -1."""
    if size < 0 or size >= count:
        return np.arange(count)
    return np.sort(random.choice(count, size, replace=False))


def checked_splits(
    training: Examples, validation: Examples, classes: int, multi_label: bool = False
) -> tuple[Examples, Examples]:
    """The examples as arrays, float32 and int64; GraphnetsError unless they can be learnt from.

    There are some to train on, each has a label from 0 to below `classes`, and all have as many
    features, finite ones. Features may also be `Rows`. Of several labels, float32, each is 0 or 1.
    """
    check_whole("classes", classes, 2)
    check = _checked_labels if not multi_label else _checked_several
    training = _checked("training", training, classes, check)
    validation = _checked("validation", validation, classes, check)
    widths = training.features.shape[1], validation.features.shape[1]
    if widths[0] != widths[1]:
        raise GraphnetsError(
            f"validation.features has {widths[1]} columns and training.features {widths[0]}, "
            "wanted the same features"
        )
    if not len(training.labels) or not widths[0]:
        shape = training.features.shape
        raise GraphnetsError(
            f"training.features is {shape}, wanted one row and one feature or more"
        )
    return training, validation


def _checked(name: str, examples: Examples, classes: int, check_labels: Callable) -> Examples:
    check_kind(name, examples, Examples, "graphnets.Examples(features, labels)")
    features, labels = examples.features, np.asarray(examples.labels)
    if not isinstance(features, Rows):
        features = _floats(f"{name}.features", features)
    if len(features.shape) != 2:
        raise GraphnetsError(f"{name}.features is {features.shape}, wanted (n, features)")
    check_finite(f"{name}.features", features)
    return Examples(features, check_labels(name, labels, len(features), classes))


def _checked_several(name: str, labels: np.ndarray, count: int, classes: int) -> np.ndarray:
    if labels.shape != (count, classes):
        raise GraphnetsError(
            f"{name} has {count} rows of features and labels of the shape {labels.shape}, wanted "
            f"({count}, {classes}): a column of 0 and 1 for each class"
        )
    if labels.dtype.kind not in "biuf" or not np.isin(labels, (0, 1)).all():
        raise GraphnetsError(f"{name}.labels has other values than 0 and 1; wanted those")
    return labels.astype(np.float32)


def _checked_labels(name: str, labels: np.ndarray, count: int, classes: int) -> np.ndarray:
    if labels.shape != (count,):
        raise GraphnetsError(
            f"{name} has {count} rows of features and labels of the shape {labels.shape}, "
            "wanted one label a row"
        )
    if labels.size and labels.dtype.kind not in "iu":
        raise GraphnetsError(
            f"{name}.labels is {labels.dtype}, wanted whole numbers, positions in the list of "
            "classes"
        )
    wrong = (labels < 0) | (labels >= classes) if labels.size else np.zeros(0, bool)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise GraphnetsError(
            f"{name}.labels has {labels[row]} in row {row}, wanted 0 to {classes - 1} as there are "
            f"{classes} classes"
        )
    return labels.astype(np.int64)


def check_finite(name: str, features: Table) -> None:
    """Raise GraphnetsError, with the row, for a NaN or an infinite number in a table."""
    for part in in_parts(features):
        finite = np.isfinite(features[part]).all(axis=1)
        if not finite.all():
            raise GraphnetsError(
                f"{name} has a NaN or an infinite number in row "
                f"{part.start + int(np.argmin(finite))}, wanted finite ones; leave that row out"
            )


def _floats(name: str, features: object) -> np.ndarray:
    try:
        found = np.asarray(features)
    except (TypeError, ValueError):
        raise refused(name, features, "an array (n, features)") from None
    if found.dtype.kind not in "fiu":
        raise GraphnetsError(f"{name} is {found.dtype}, wanted float32 (n, features)")
    with np.errstate(over="ignore"):  # told as an infinite number
        return found.astype(np.float32, copy=False)
