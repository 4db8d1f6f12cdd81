"""How far a figure is to be trusted, and which head is best: many heads on what is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd

from graphnets.errors import GraphnetsError
from graphnets.features.rows import joined, taken
from graphnets.jobs.options import RetrainOptions
from graphnets.networks.network import Cut, Network
from graphnets.photos.folders import SPLITS
from graphnets.photos.labels import each_label
from graphnets.photos.splits import folds
from graphnets.training.calibration import temperature
from graphnets.training.heads import Head
from graphnets.training.options import Diverged, TrainingOptions, head_shape, with_usual_decay
from graphnets.training.tune import Stored, train

# What a search tries, besides what the options say.
RATES = 0.01, 0.1
DECAYS = 0.0, 0.03, 0.1
HEADS = "linear", "fc:256,dropout=0.5"

Say = Callable[[str], object]


class Pool(NamedTuple):
    """Photos with a label, row by row with what is stored of them; no layer trains."""

    photos: pd.DataFrame
    stored: Stored


class Trainer(NamedTuple):
    """What trains heads on the endpoints `names` of a network for so many classes."""

    network: Network
    names: list[str]
    classes: int

    def head(self, training: Stored, validation: Stored, options: TrainingOptions) -> Head:
        """A head, trained as `retrain` does where no layer of the network trains."""
        cut, splits = Cut("", [], []), (training, validation)
        return train(self.network, cut, self.names, splits, self.classes, options).head


def pool(photos: pd.DataFrame, splits: Sequence[Stored], names: Sequence[str] = SPLITS) -> Pool:
    """The photos of some splits as one; splits: of each name what is stored of its photos."""
    table = pd.concat([photos[photos.split == name] for name in names], ignore_index=True)
    columns = zip(*(split.features for split in splits), strict=True)
    every = [split.weights for split in splits if split.weights is not None]
    weights = np.concatenate(every) if every else None
    labels = np.concatenate([split.labels for split in splits])
    return Pool(table, Stored([joined(parts) for parts in columns], None, labels, weights))


def _rows(stored: Stored, chosen: np.ndarray) -> Stored:
    """Of the photos at these places, bool (n,)."""
    features = [taken(part, np.flatnonzero(chosen)) for part in stored.features]
    weights = None if stored.weights is None else stored.weights[chosen]
    return Stored(features, None, stored.labels[chosen], weights)


def cross_validated(pool: Pool, trainer: Trainer, options: RetrainOptions, say: Say) -> dict:
    """Each of `options.folds` folds tested once, by a head trained on the others.

    A part of the others, as large as that of the photos for validation among those not for testing,
    tells the best step. Returns the figure's name, its mean and standard deviation over the folds,
    and each.
    """
    seed = options.training.seed
    number = folds(pool.photos, options.folds, seed)
    counts = pool.photos.split.value_counts()
    share = counts.get("validation", 0) / (counts.sum() - counts.get("testing", 0))
    figures = []
    for fold in range(options.folds):
        names = np.full(len(number), "testing", object)
        names[number != fold] = _learning(pool.photos[number != fold], share, seed)
        training, validation, testing = (_rows(pool.stored, names == name) for name in SPLITS)
        head = trainer.head(training, validation, options.training)
        figures.append(_figure(head, testing))
        say(
            f"fold {fold + 1} of {options.folds}: {figures[-1]:.1%} of {len(testing.labels)} photos"
        )
    return {
        "figure": _figure_name(options),
        "mean": float(np.mean(figures)),
        "deviation": float(np.std(figures, ddof=1)),
        "each": figures,
    }


def _learning(photos: pd.DataFrame, share: float, seed: int) -> np.ndarray:
    """ "validation" for about this share of the photos, "training" for the others."""
    names = np.full(len(photos), "training", object)
    if share:
        count = min(max(2, round(1 / share)), each_label(photos).label.value_counts().max())
        judge = folds(photos, int(count), seed, fewest=1) == 0
        # A class is not to lose its only photos.
        learnt = set(each_label(photos[~judge]).label)
        own = [set(row) for row in photos.get("labels", photos.label.map(lambda label: [label]))]
        names[judge & np.array([labels <= learnt for labels in own])] = "validation"
    return names


def searched(
    splits: tuple[Stored, Stored],
    pool: Pool | None,
    trainer: Trainer,
    options: RetrainOptions,
    say: Say,
) -> tuple[TrainingOptions, list[dict]]:
    """The options of the head that is best on validation photos, and every trial, best first.

    splits: for training and for validation; pool: the photos of both, where folds of them are to
    judge. No test photo is looked at.
    """
    trials = []
    for tried in _grid(options.training):
        changes = {name: getattr(tried, name) for name in ("learning_rate", "weight_decay", "head")}
        try:
            heads = [
                (trainer.head(training, validation, tried), validation)
                for training, validation in _pairs(splits, pool, options)
            ]
        except Diverged as error:
            trials.append((0.0, np.inf, tried, changes | {"diverged_at": error.step}))
            say(f"{_told(changes)}: diverged at step {error.step}")
            continue
        share = float(np.mean([_figure(head, split) for head, split in heads]))
        loss = float(np.mean([_loss(head, split) for head, split in heads]))
        figures = {_figure_name(options): share, "cross_entropy": loss}
        trials.append((share, loss, tried, changes | figures))
        say(f"{_told(changes)}: {share:.1%} on validation photos, cross-entropy {loss:.4f}")
    trials.sort(key=lambda trial: (trial[1], -trial[0]))
    if not np.isfinite(trials[0][1]):
        raise GraphnetsError("every trial diverged; choose a smaller learning_rate than 0.01")
    say(f"the best head: {_told(trials[0][3])}")
    return trials[0][2], [row for *_, row in trials]


def _grid(own: TrainingOptions) -> list[TrainingOptions]:
    """What the options say first, and each combination of others with it."""
    own = with_usual_decay(own, alone=True)
    flatten = "flatten," if head_shape(own.head).flatten else ""
    heads = dict.fromkeys([own.head, *(flatten + head for head in HEADS)])
    rates = dict.fromkeys([own.learning_rate, *RATES])
    decays = dict.fromkeys([own.weight_decay, *DECAYS])
    return [
        replace(own, head=head, learning_rate=rate, weight_decay=decay)
        for head, rate, decay in product(heads, rates, decays)
    ]


def _pairs(
    splits: tuple[Stored, Stored], pool: Pool | None, options: RetrainOptions
) -> Iterator[tuple[Stored, Stored]]:
    """To train on and to judge by: the two splits, or each fold of the pool once."""
    if pool is None:
        yield splits
        return
    number = folds(pool.photos, options.folds, options.training.seed)
    for fold in range(options.folds):
        yield _rows(pool.stored, number != fold), _rows(pool.stored, number == fold)


def _features(split: Stored) -> np.ndarray:
    return np.concatenate([part[:] for part in split.features], axis=1)


def _figure(head: Head, split: Stored) -> float:
    """The accuracy; of several labels the mean average precision."""
    found = head.probabilities(_features(split))
    if head.independent:
        from sklearn.metrics import average_precision_score  # here, as most runs do without

        there = split.labels.any(axis=0)
        return float(average_precision_score(split.labels[:, there], found[:, there]))
    return float((found.argmax(axis=1) == split.labels).mean())


def _figure_name(options: RetrainOptions) -> str:
    return "mean_average_precision" if options.multi_label else "accuracy"


def _loss(head: Head, split: Stored) -> float:
    """The mean cross-entropy of the head as it is delivered: calibrated on these photos."""
    logits = head.logits_of(_features(split)).astype(np.float64)
    logits /= temperature(logits, split.labels)
    if head.independent:
        losses = np.logaddexp(0, logits) - split.labels * logits
        return float(losses.sum(axis=1).mean())
    whole = np.logaddexp.reduce(logits, axis=1)
    return float((whole - logits[np.arange(len(logits)), split.labels]).mean())


def _told(changes: dict) -> str:
    return "head {head}, learning_rate {learning_rate:g}, weight_decay {weight_decay:g}".format(
        **changes
    )
