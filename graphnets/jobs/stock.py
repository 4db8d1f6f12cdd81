"""What is stored of the photos of a training run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from graphnets.errors import GraphnetsError
from graphnets.features.bottlenecks import Bottlenecks, with_copies
from graphnets.features.rows import Rows, Table, joined
from graphnets.networks.stack import Cut, Network
from graphnets.photos.images import Progress, check_classes, split
from graphnets.training.options import class_weights, head_shape
from graphnets.training.tune import Pictures, Stored

if TYPE_CHECKING:
    from graphnets.jobs.retrain import RetrainOptions


class Stock:
    """What is stored of the photos of a run: plain features, values at the cut, and variants."""

    def __init__(
        self, network: Network, names: Sequence[str], cut: Cut, options: RetrainOptions
    ) -> None:
        self._network, self._cut, self._options = network, cut, options
        self._flatten = head_shape(options.training.head).flatten
        maps = [cut.after] if cut.layers and cut.after else []
        maps += [name for name in names if self._flatten and name not in maps]
        self._names = list(names)
        self.plain = Bottlenecks(network, names, options.bottleneck_dir, maps)
        self._varied = Bottlenecks(
            network, names, options.bottleneck_dir, maps, options.drawn, options.training.seed
        )
        self._copies = pd.DataFrame()

    def add(
        self, photos: pd.DataFrame, progress: Progress, say: Callable[[str], object]
    ) -> pd.DataFrame:
        """Store what is missing; the photos with their splits, unreadable ones left out."""
        new = len(self.plain.missing(photos))
        depth = ",".join([*self._names, *self.plain.maps])
        say(f"{new} photos to run through {self._network.name} to {depth}")
        if self._cut.layers and not self._cut.after:
            say("the first layer trains: the whole network runs at every step, nothing is stored")
        photos = self.plain.add(photos, progress)
        check_classes(photos)
        photos = split(photos, **self._options.splitting)
        if self._options.copies:
            if self._cut.layers and not self._cut.after:
                raise GraphnetsError(
                    "augmented copies are stored behind frozen layers, and here the first layer "
                    "trains; leave the first layer frozen, or the augmentation off"
                )
            copies = with_copies(photos[photos.split == "training"], self._options.copies)
            new = len(self._varied.missing(copies))
            say(f"{new} augmented variants to run through {self._network.name}")
            self._copies = self._varied.add(copies, progress)
        return photos

    def stored(self, photos: pd.DataFrame, name: str, labels: list[str]) -> Stored:
        """A split; that for training has the variants, too."""
        positions = {label: number for number, label in enumerate(labels)}
        tables = [(self.plain, photos[photos.split == name])]
        if name == "training" and len(self._copies):
            tables.append((self._varied, self._copies[self._copies.problem == ""]))
        parts = [self._features(store, table) for store, table in tables]
        numbers = np.concatenate([t.label.map(positions).to_numpy(int) for _, t in tables])
        weights = None
        if name == "training":
            weights = class_weights(self._options.training.class_weights, numbers, labels)
        return Stored(
            [joined(columns) for columns in zip(*parts, strict=True)],
            self._at_cut(tables),
            numbers,
            weights,
        )

    def _features(self, store: Bottlenecks, photos: pd.DataFrame) -> list[Rows]:
        if not self._flatten:
            return store.each(photos)
        return [store.rows(name, photos).flat() for name in self._names]

    def _at_cut(self, tables: list[tuple[Bottlenecks, pd.DataFrame]]) -> Table | Pictures | None:
        if not self._cut.layers:
            return None
        if not self._cut.after:
            return Pictures(list(tables[0][1].path), self._network.size)
        return joined([store.rows(self._cut.after, table) for store, table in tables])
