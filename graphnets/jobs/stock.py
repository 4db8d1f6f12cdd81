"""What is stored of the photos of a training run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from graphnets.errors import GraphnetsError, check_kind, shown
from graphnets.features.bottlenecks import Bottlenecks, with_copies
from graphnets.features.rows import Rows, Table, joined
from graphnets.jobs.options import RetrainOptions
from graphnets.networks.network import Cut, Network, check_network
from graphnets.photos.folders import FEW_PHOTOS, SPLITS
from graphnets.photos.images import Progress, check_progress
from graphnets.photos.labels import UNITED, each_label, positions
from graphnets.photos.listing import IMAGES, Images, check_classes, loose, scan
from graphnets.photos.splits import split
from graphnets.photos.tracks import looks_like_tracks
from graphnets.training.options import class_weights, head_shape
from graphnets.training.tune import Pictures, Stored

FEWEST_UNKNOWN = 12  # photos of no class: three test
NAMED = 5  # in a line of text


def checked_job(
    images: Images,
    network: Network,
    options: RetrainOptions | None,
    progress: Progress,
) -> RetrainOptions:
    """The options of a job; GraphnetsError for arguments of another kind than those wanted."""
    options = RetrainOptions() if options is None else options
    check_kind("options", options, RetrainOptions, "a graphnets.RetrainOptions")
    check_network(network)
    check_kind("images", images, Images, IMAGES)
    check_progress(progress)
    return options


def listed(
    images: Images, options: RetrainOptions, progress: Progress, say: Callable[[str], object]
) -> pd.DataFrame:
    """The photos of a job, as `scan` lists them; GraphnetsError if they cannot be split."""
    photos = scan(images, progress, options.image_root, options.multi_label, options.trust_keys)
    tried = split(photos, **options.splitting)  # for real once it is known which can be read
    groups = f", {tried.group.nunique()} groups" if "group" in tried else ""
    copies = photos.attrs.get(UNITED, 0)
    united = f"; {copies} more are copies of them, whose labels they have, too" if copies else ""
    say(f"{len(photos)} files in {each_label(photos).label.nunique()} classes{groups}{united}")
    return photos


class Others(NamedTuple):
    """Photos of no class: what is stored of them, for training, validation and testing.

    tested: the paths of the latter. left_out: path and reason of those that cannot be read.
    """

    splits: tuple[Stored, Stored, Stored]
    tested: list[str]
    left_out: list[dict[str, str]]


class Stock:
    """What is stored of the photos of a run: plain features, values at the cuts, and variants.

    One pass over the photos serves all cuts. Raises GraphnetsError for augmented copies where the
    first layer trains: they are stored behind frozen layers.
    """

    def __init__(
        self, network: Network, names: Sequence[str], cuts: Sequence[Cut], options: RetrainOptions
    ) -> None:
        self._network, self._names, self._options = network, list(names), options
        self._flatten = head_shape(options.training.head).flatten
        maps = [cut.after for cut in cuts if cut.layers and cut.after]
        maps = list(dict.fromkeys([*maps, *(names if self._flatten else [])]))
        self._plain = Bottlenecks(network, names, options.bottleneck_dir, maps)
        self._varied = Bottlenecks(
            network, names, options.bottleneck_dir, maps, options.drawn, options.training.seed
        )
        self._copies = pd.DataFrame()
        for cut in cuts:
            if options.copies and cut.layers and not cut.after:
                raise GraphnetsError(
                    f"augmented copies are stored behind frozen layers, and {cut.layers[0]}, the "
                    "first layer, trains; leave it frozen, or the augmentation off"
                )

    def add(
        self, photos: pd.DataFrame, progress: Progress, say: Callable[[str], object]
    ) -> pd.DataFrame:
        """Store what is missing; the photos with their splits, unreadable ones left out.

        What may mislead is said before the photos are run, but for what only the splits tell.
        """
        ends = ",".join(dict.fromkeys([*self._names, *self._plain.maps]))
        new = len(self._plain.missing(photos))
        say(f"{new} photos to run through {self._network.name} to {ends}")

        def warn(line: str) -> None:
            say(f"warning: {line}")

        for line in warnings_of(photos):
            warn(line)
        photos = self._plain.add(photos, progress, warn)
        check_classes(photos)
        photos = split(photos, **self._options.splitting)
        for line in of_tracks(photos):
            warn(line)
        if self._options.copies:
            copies = with_copies(photos[photos.split == "training"], self._options.copies)
            new = len(self._varied.missing(copies))
            say(f"{new} augmented variants to run through {self._network.name}")
            self._copies = self._varied.add(copies, progress, warn)
        return photos

    def others(
        self,
        known: pd.DataFrame,
        cut: Cut,
        progress: Progress,
        say: Callable[[str], object],
    ) -> Others | None:
        """What is stored of the photos of `unknown_dir`, split, with labels of 0; None of none.

        Half of them train, a quarter each validates and tests. Those that are `known` photos, too,
        are left out.
        """
        if self._options.unknown_dir is None:
            return None
        photos = loose(self._options.unknown_dir, progress)
        say(f"{len(self._plain.missing(photos))} photos of no class to run")
        photos = self._plain.add(photos, progress, lambda line: say(f"warning: {line}"))
        usable = photos[photos.problem == ""]
        left_out = photos[photos.problem != ""]
        for row in left_out.itertuples():
            say(f"warning: {shown(row.path)}: {shown(row.problem)}, left out of unknown_dir")
        both = usable.key.isin(known.key)
        if both.any():
            say(
                f"warning: {both.sum()} photos of unknown_dir are photos of a class, too, "
                f"{shown(usable.path[both].iloc[0])} the first; they are left out of unknown_dir"
            )
            usable = usable[~both]
        if len(usable) < FEWEST_UNKNOWN:
            raise GraphnetsError(
                f"unknown_dir has {len(usable)} readable photos, wanted {FEWEST_UNKNOWN} or more"
            )
        parted = split(usable, 25, 25, self._options.split_seed)
        training, validation, testing = (
            Stored(
                self._features(self._plain, part),
                self._at_cut(cut, [(self._plain, part)]),
                np.zeros(len(part), int),
            )
            for part in (parted[parted.split == name] for name in SPLITS)
        )
        return Others(
            (training, validation, testing),
            list(parted.path[parted.split == "testing"]),
            [{"path": row.path, "reason": row.problem} for row in left_out.itertuples()],
        )

    def stored(
        self, photos: pd.DataFrame, cut: Cut, labels: Sequence[str]
    ) -> tuple[Stored, Stored, Stored]:
        """The splits, as in SPLITS; that for training has the variants, too."""
        training, validation, testing = (self._split(photos, name, cut, labels) for name in SPLITS)

        def weighted(split: Stored) -> Stored:
            # Folds train on photos of all splits.
            text = self._options.training.class_weights
            weights = class_weights(text, split.labels, labels, counted=training.labels)
            if weights is not None and split.weights is not None:
                return split._replace(weights=weights * split.weights)
            return split if weights is None else split._replace(weights=weights)

        return weighted(training), weighted(validation), weighted(testing)

    def _split(self, photos: pd.DataFrame, name: str, cut: Cut, labels: Sequence[str]) -> Stored:
        """Of a split, weighted as the table says."""
        tables = [(self._plain, photos[photos.split == name])]
        if name == "training" and len(self._copies):
            tables.append((self._varied, self._copies[self._copies.problem == ""]))
        parts = [self._features(store, table) for store, table in tables]
        numbers = np.concatenate([positions(table, labels) for _, table in tables])
        weights = None
        if "weight" in photos:
            own = np.concatenate([t.weight.to_numpy(np.float32) for _, t in tables])
            ones = np.ones_like(numbers, np.float32)
            weights = ones * (own if numbers.ndim == 1 else own[:, np.newaxis])
        return Stored(
            [joined(columns) for columns in zip(*parts, strict=True)],
            self._at_cut(cut, tables),
            numbers,
            weights,
        )

    def _features(self, store: Bottlenecks, photos: pd.DataFrame) -> list[Rows]:
        if not self._flatten:
            return store.each(photos)
        return [store.rows(name, photos).flat() for name in self._names]

    def _at_cut(
        self, cut: Cut, tables: list[tuple[Bottlenecks, pd.DataFrame]]
    ) -> Table | Pictures | None:
        if not cut.layers:
            return None
        if not cut.after:
            return Pictures(list(tables[0][1].path), self._network.size)
        return joined([store.rows(cut.after, table) for store, table in tables])


def in_two_classes(photos: pd.DataFrame) -> list[list[str]]:
    """The paths of each photo that lies, byte for byte the same, in two classes or more."""
    usable = photos[photos.problem == ""]
    torn = usable[usable.groupby("key").label.transform("nunique") > 1]
    return [list(paths) for _, paths in torn.groupby("key", sort=False).path]


def warnings_of(photos: pd.DataFrame) -> list[str]:
    """A line for each thing about the photos of `graphnets.scan` that may mislead a classifier."""
    lines = []
    counts = each_label(photos[photos.problem == ""]).label.value_counts(sort=False)
    few = [f"{shown(label)} {count}" for label, count in counts.items() if count < FEW_PHOTOS]
    if few:
        lines.append(f"less than {FEW_PHOTOS} photos, which may cause issues, in {_named(few)}")
    lines += _of_given_splits(photos)
    same = [" = ".join(map(shown, paths)) for paths in in_two_classes(photos)]
    if same:
        lines.append(
            f"{len(same)} photos lie in two classes or more, one of which is wrong: {_named(same)}"
        )
    return lines


def of_tracks(photos: pd.DataFrame) -> list[str]:
    """A line if splits tear what look like tracks; photos: of `graphnets.split`."""
    tracks = looks_like_tracks(photos)
    if tracks is None:
        return []
    given = "mend the table's split, or take it out, and " if "given_split" in photos else ""
    return [
        f"names look like frames of tracks ({shown(tracks.first)} ... {shown(tracks.last)}), "
        f"{tracks.torn} of which lie in more than one split, which flatters the figures: {given}"
        f"--group_by '{tracks.group_by}' keeps them together"
    ]


def _of_given_splits(photos: pd.DataFrame) -> list[str]:
    """What may mislead in a split that a table gives."""
    if "given_split" not in photos:
        return []
    usable = photos[photos.problem == ""]
    torn = usable[usable.groupby("key").given_split.transform("nunique") > 1]
    copies = [" = ".join(map(shown, paths)) for _, paths in torn.groupby("key", sort=False).path]
    lines = []
    if copies:
        lines.append(
            f"{len(copies)} photos have copies in another split of the table, which flatter the "
            f"figures: {_named(copies)}"
        )
    rows = each_label(usable)
    for name in SPLITS[1:]:
        counts = (rows.given_split == name).groupby(rows.label).sum()
        lacking = [shown(label) for label, count in counts.items() if not count]
        if lacking:
            lines.append(f"the table's split has no photos for {name} of {_named(lacking)}")
    return lines


def _named(things: list[str]) -> str:
    more = f" and {len(things) - NAMED} more" if len(things) > NAMED else ""
    return f"{', '.join(things[:NAMED])}{more}"
