"""Photos through the frozen part of a network, and its values into stores: one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
import tensorflow.compat.v1 as tf

from graphnets import devices
from graphnets.errors import GraphnetsError, PhotoError
from graphnets.features.store import FeatureStore
from graphnets.networks.network import Network, features
from graphnets.networks.precision import FLOAT32, onednn
from graphnets.networks.run_only import run_only
from graphnets.photos import images, jpeg
from graphnets.photos.augmentation import Augmentation
from graphnets.photos.images import Progress
from graphnets.photos.reading import (
    BATCH,
    Item,
    ahead,
    in_runs,
    photo_reader,
    placed,
    several,
    variant_reader,
)
from graphnets.weights.memory import aligned_empty

Batch = dict[int, tuple[str, np.ndarray]]  # {place: (key, picture)}
TOGETHER = 16  # batches a run on a GPU, fewer if its memory does not hold them


class Endpoint(NamedTuple):
    """What one store holds: an endpoint averaged over the picture, or the whole map."""

    name: str
    whole: bool


def endpoints_of(
    network: Network, names: Sequence[str], maps: Sequence[str]
) -> tuple[list[Endpoint], dict[str, Endpoint]]:
    """What is stored averaged, and, by the name, what is stored whole.

    A vector is the same averaged or whole: one store serves both.
    """
    layers = network.layers() if maps else []
    vectors = {layer.name for layer in layers if len(layer.shape) == 2}
    return (
        [Endpoint(name, False) for name in names],
        {name: Endpoint(name, name not in vectors) for name in maps},
    )


def identity_of(
    network: Network, endpoint: Endpoint, augmentation: Augmentation | None, seed: int
) -> dict[str, object]:
    """What the values at an endpoint depend on besides the photo."""
    identity: dict[str, object] = {
        "network": network.name,
        "weights": network.fingerprint,
        "endpoint": endpoint.name,
        "preprocessing": f"{jpeg.PREPROCESSING} {network.size}",
    }
    if endpoint.whole:
        identity["pooling"] = "none"
    if network.precision != FLOAT32:
        identity["precision"] = network.precision
    if not onednn():
        identity["onednn"] = "off"
    if devices.used() != devices.CPU:
        identity["device"] = devices.GPU  # which sums up otherwise, and in TF32
    if augmentation:
        identity["augmentation"] = augmentation.describe()
        identity["seed"] = seed
    return identity


class Extractor:
    """The frozen part of a network, up to some endpoints, ready to run.

    augmentation, seed: what is read are the variants that they draw; None: the photos.
    """

    def __init__(
        self,
        network: Network,
        endpoints: Sequence[Endpoint],
        augmentation: Augmentation | None = None,
        seed: int = 0,
    ) -> None:
        self._network = network
        with tf.Graph().as_default():
            self._session = network.session()
            self._read = partial(_read, _reader(self._session, network.size, augmentation, seed))
            self._x = tf.placeholder(tf.float32, [None, *network.size, 3])
            with run_only(network.precision):
                built = network.build(self._x, list(dict.fromkeys(e.name for e in endpoints)))
            self._tensors = {e: features(e.name, built[e.name], e.whole) for e in endpoints}
            self._session.run(tf.global_variables_initializer())
        # On the processor kernels, and so last digits, would depend on how many there are.
        self._together = 1 if devices.used() == devices.CPU else TOGETHER

    def close(self) -> None:
        """Give back what TensorFlow holds for it."""
        self._session.close()

    def run(
        self,
        photos: pd.DataFrame,
        places: Mapping[str, int],
        stores: Mapping[Endpoint, FeatureStore],
        progress: Progress,
    ) -> Found:
        """Put the values of photos into stores of its endpoints, batch by batch.

        places: of each key, where in its batch it lies. The stores are closed, whatever happens.
        """
        found = Found()
        tensors = [self._tensors[endpoint] for endpoint in stores]
        items = _by_source(photos)
        in_hand = 2 * BATCH * self._together // max(len(item.keys) for item in items)
        read = ahead(items, self._read, max(2, in_hand))
        bar = progress(
            found.pictures(read, places), total=len(photos), desc="features", unit="photos"
        )
        readable = ((place, (key, picture)) for key, place, picture in bar if picture is not None)

        def run(batches: list[Batch]) -> tuple[list[str], list[np.ndarray]]:
            taken = [n * BATCH + place for n, batch in enumerate(batches) for place in batch]
            values = self._values(tensors, batches)
            keys = [key for batch in batches for key, _ in batch.values()]
            return keys, [rows[taken] for rows in values]

        with ExitStack() as finishing:
            for store in stores.values():
                finishing.callback(store.close)  # all, also where one cannot be uploaded
            for result in in_runs(several(placed(readable), self._together), run):
                _store(stores.values(), *result())
        return found

    def _values(self, tensors: Sequence[tf.Tensor], batches: list[Batch]) -> list[np.ndarray]:
        """The values of all places of batches, together, or half as many where memory is short."""
        if len(batches) > self._together:
            parts = [self._values(tensors, part) for part in several(batches, self._together)]
            return [np.concatenate(rows) for rows in zip(*parts, strict=True)]
        try:
            return self._network.run(self._session, tensors, self._x, _stacked(batches))
        except GraphnetsError as error:
            full = isinstance(error.__cause__, tf.errors.ResourceExhaustedError)
            if not full or len(batches) == 1:
                raise
        self._together = min(self._together, len(batches) // 2)  # another run may have found less
        return self._values(tensors, batches)


def _reader(
    session: tf.Session, size: tuple[int, int], augmentation: Augmentation | None, seed: int
) -> Callable[[Item], np.ndarray]:
    """A function from a photo to its pictures, float32 (k, *size, 3), see `photo_reader`."""
    if augmentation:
        return variant_reader(session, size, augmentation, seed)
    read = photo_reader(session, size)
    return lambda item: read(item.photo)


def copy_key(source: str, copy: int) -> str:
    """The key of a photo's copy; the photo itself is 0."""
    return images.key_of(f"{source} {copy}".encode()) if copy else source


def _copies(photos: pd.DataFrame) -> Sequence[int]:
    return list(photos["copy"]) if "copy" in photos else [0] * len(photos)


def places_of(photos: pd.DataFrame) -> dict[str, int]:
    """{key: place in its batch}: it follows from the list alone, not from what is missing of it."""
    rows = sorted(zip(photos.path, _copies(photos), photos.key, strict=True))
    places: dict[str, int] = {}
    for number, (_, _, key) in enumerate(rows):
        places.setdefault(key, number % BATCH)
    return places


class Found:
    """What was found out about photos as they were read.

    changed: the keys of photos that are not what they were in the table. unopened, damaged: why
    photos are left out, by the file, and by the photo's key.
    """

    def __init__(self) -> None:
        self.changed: dict[str, str] = {}
        self.unopened: dict[str, str] = {}
        self.damaged: dict[str, str] = {}

    def pictures(
        self, results: Iterable, positions: Mapping[str, int]
    ) -> Iterator[tuple[str, int, np.ndarray | None]]:
        """(key, place, picture) of each copy of each photo, in order; None if it cannot be read."""
        for item, result in results:
            key, read = result()
            keys, places = item.keys, [positions[key] for key in item.keys]
            if key and key != item.source:
                self.changed[item.path] = key
                keys = [copy_key(key, copy) for copy in item.copies]
            if isinstance(read, PhotoError):
                reasons, name = (self.damaged, key) if key else (self.unopened, item.path)
                reasons[name] = str(read)
                read = [None] * len(keys)
            yield from zip(keys, places, read, strict=True)

    def add(self, other: Found) -> None:
        """Take over what was found out about other photos."""
        self.changed.update(other.changed)
        self.unopened.update(other.unopened)
        self.damaged.update(other.damaged)

    def named(self, names: Mapping[str, str]) -> Found:
        """The same with the files named otherwise, {path: name}."""
        found = Found()
        found.changed = {names[path]: key for path, key in self.changed.items()}
        found.unopened = {names[path]: why for path, why in self.unopened.items()}
        found.damaged = self.damaged
        return found

    def told(self, photos: pd.DataFrame) -> pd.DataFrame:
        """The table with what was found out."""
        rows = list(zip(photos.path, _sources(photos), photos.problem, strict=True))
        sources = [self.changed.get(path, source) for path, source, _ in rows]
        problems = [
            problem or self.unopened.get(path) or self.damaged.get(source, "")
            for (path, _, problem), source in zip(rows, sources, strict=True)
        ]
        if "copy" not in photos:
            return photos.assign(key=sources, problem=problems)
        keys = [copy_key(key, copy) for key, copy in zip(sources, photos["copy"], strict=True)]
        return photos.assign(key=keys, source=sources, problem=problems)


def _read(
    pictures: Callable[[Item], np.ndarray], item: Item
) -> tuple[str, np.ndarray | PhotoError]:
    """The key of the very bytes that are decoded ("" if there are none), and their pictures."""
    key = ""
    try:
        with images.opened(item.path) as data:
            key = images.key_of(data)
            return key, pictures(item._replace(data=data, source=key))
    except PhotoError as error:
        return key, error


def _sources(photos: pd.DataFrame) -> pd.Series:
    return photos.source if "source" in photos else photos.key


def _by_source(photos: pd.DataFrame) -> list[Item]:
    """What is to be read, by path, so that places come in order."""
    items: dict[str, Item] = {}
    rows = zip(photos.path, _copies(photos), _sources(photos), photos.key, strict=True)
    for path, copy, source, key in sorted(rows):
        item = items.setdefault(source, Item(path, source, [], []))
        item.keys.append(key)
        item.copies.append(int(copy))
    return list(items.values())


def _stacked(batches: Sequence[Batch]) -> np.ndarray:
    """The pictures at their places, where TensorFlow takes them over without a copy; zeros else.

    BATCH of each: for fewer other kernels may run, whose rows differ in the last digits.
    """
    [(_, picture), *_] = batches[0].values()
    fed = aligned_empty((len(batches) * BATCH, *picture.shape))
    for number, batch in enumerate(batches):
        for place in range(BATCH):
            fed[number * BATCH + place] = batch[place][1] if place in batch else 0
    return fed


def _store(stores: Iterable[FeatureStore], keys: list[str], rows: Iterable[np.ndarray]) -> None:
    for store, row in zip(stores, rows, strict=True):
        new = ~store.has(keys)  # another run or endpoint list may have been here
        if new.any():
            store.append([k for k, n in zip(keys, new, strict=True) if n], row[new])
