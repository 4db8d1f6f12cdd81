"""What the classifier, and the other photos, say of each photo's label: columns of photos.csv."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from graphnets.photos.folders import SPLITS
from graphnets.photos.labels import positions
from graphnets.photos.splits import together
from graphnets.training.doubts import Rivals, rivals, told_by_others
from graphnets.training.tune import Stored

MOST = 150_000_000  # numbers in the features that are compared, 1.2 GB
MOST_PHOTOS = 20_000  # each is compared with each
DIGITS = 6


def with_scores(photos: pd.DataFrame, scores: np.ndarray, labels: Sequence[str]) -> pd.DataFrame:
    """The photos with what the classifier gave to those of the testing split, as `scores`.

    scores: (n, classes), 0 to 1. New columns: `label_score`, of the photo's label (of several the
    least); `rival`, the likeliest label that it does not have, and `rival_score`; NaN and "" for
    photos of other splits.
    """
    tested = photos.index[photos.split == "testing"]
    found = rivals(scores, positions(photos.loc[tested], labels))
    return _with_columns(photos, tested, found, ("label_score", "rival", "rival_score"), labels)


def with_doubts(
    photos: pd.DataFrame,
    splits: Sequence[Stored],
    labels: Sequence[str],
    say: Callable[[str], object] = lambda line: None,
) -> pd.DataFrame:
    """The photos with what all others say of the label of each, see `doubts.told_by_others`.

    splits: of each of SPLITS what is stored. New columns: `others_score` (of the label, about 0 to
    1), `others_say` (the likeliest other label) and its `others_rival_score`; NaN and "" for what
    is left out, and for all photos where they are more than can be compared, which `say` is told.
    """
    names = ("others_score", "others_say", "others_rival_score")
    order = np.concatenate([photos.index[photos.split == name] for name in SPLITS])
    parts = [list(columns) for columns in zip(*(s.features for s in splits), strict=True)]
    counts = [int((photos.split == name).sum()) for name in SPLITS]
    width = sum(columns[0].shape[1] for columns in parts)
    most = min(MOST_PHOTOS, MOST // width)
    if not 0 < len(order) <= most:
        if len(order):
            say(
                f"{len(order)} photos are more than are compared with each other ({most}): "
                "photos.csv does not say what the others say of the label of each"
            )
        nothing = Rivals(np.empty(0), np.empty(0, int), np.empty(0))
        return _with_columns(photos, order[:0], nothing, names, labels)
    # Variants of training photos lie behind the photos themselves.
    features = np.hstack(
        [
            np.concatenate([part[:count] for part, count in zip(columns, counts, strict=True)])
            for columns in parts
        ]
    )
    usable = photos.loc[order]
    numbers = positions(usable, labels)
    has = numbers if numbers.ndim == 2 else np.eye(len(labels))[numbers]
    found = rivals(told_by_others(features, has, together(usable)), has)
    return _with_columns(photos, order, found, names, labels)


def _with_columns(
    photos: pd.DataFrame,
    rows: np.ndarray,
    found: Rivals,
    names: tuple[str, str, str],
    labels: Sequence[str],
) -> pd.DataFrame:
    rival = [labels[place] if place >= 0 else "" for place in found.rival]
    own, rival_score = (np.round(part, DIGITS) for part in (found.own, found.rival_score))
    called = pd.Series(rival, rows, object).reindex(photos.index).fillna("")
    scores = {names[0]: pd.Series(own, rows), names[2]: pd.Series(rival_score, rows)}
    return photos.assign(**scores, **{names[1]: called})
