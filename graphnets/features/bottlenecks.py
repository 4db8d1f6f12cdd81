"""Running photos, or variants of them, through the frozen part of a network, each once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import tensorflow.compat.v1 as tf

from graphnets.errors import GraphnetsError, PhotoError
from graphnets.features.rows import Rows
from graphnets.features.store import FeatureStore
from graphnets.networks.precision import FLOAT32
from graphnets.networks.stack import Network
from graphnets.photos import jpeg
from graphnets.photos.augmentation import Augmentation
from graphnets.photos.images import Progress, no_progress
from graphnets.photos.reading import BATCH, Item, ahead, in_runs, photo_reader, variant_reader
from graphnets.weights.arrays import aligned_empty


def endpoint_names(network: Network, endpoint: str | Sequence[str] | None) -> list[str]:
    """ "conv4_3,conv5_3" -> ["conv4_3", "conv5_3"]; None is the network's default endpoint.

    A sequence of names is taken as it is. Tensor names lose their ":0", so that both spellings
    are one endpoint.
    """
    text = network.default_endpoint if endpoint in (None, "") else endpoint
    parts = text.split(",") if isinstance(text, str) else text
    names = [name.strip().removesuffix(":0") for name in parts]
    if "" in names or len(set(names)) < len(names):
        raise GraphnetsError(
            f"got the endpoint {text!r}; wanted different names, with commas between them"
        )
    return names


def features(name: str, tensor: tf.Tensor, whole: bool = False) -> tf.Tensor:
    """An endpoint as (n, features), a map averaged over height and width; `whole`: as it is.

    Raises GraphnetsError, with the endpoint's name, unless it is float32 (n, features) or
    (n, height, width, channels).
    """
    if tensor.shape.rank not in (2, 4) or tensor.dtype != tf.float32:
        raise GraphnetsError(
            f"the endpoint {name!r} is {tensor.dtype.name} {tensor.shape}; wanted float32 "
            "(n, features) or (n, height, width, channels)"
        )
    return tf.reduce_mean(tensor, [1, 2]) if tensor.shape.rank == 4 and not whole else tensor


def with_copies(photos: pd.DataFrame, copies: int) -> pd.DataFrame:
    """Each photo `copies` times, for a `Bottlenecks` with an augmentation.

    Returns the table with the columns `copy` (1 to copies), `source` (the photo's key) and
    another `key`, which tells the copies apart. Raises GraphnetsError unless copies is 1 or more.
    """
    if copies < 1:
        raise GraphnetsError(f"got {copies} copies of each photo; wanted 1 or more")
    table = photos.iloc[np.repeat(np.arange(len(photos)), copies)].reset_index(drop=True)
    numbers = np.tile(np.arange(1, copies + 1), len(photos))
    texts = (f"{key} {copy}" for key, copy in zip(table.key, numbers, strict=True))
    keys = [hashlib.sha256(text.encode()).hexdigest()[:32] for text in texts]
    return table.assign(copy=numbers, source=table.key, key=keys)


class Endpoint(NamedTuple):
    """What one store holds: an endpoint averaged over the picture, or the whole map."""

    name: str
    whole: bool


class Bottlenecks:
    """The features of photos at some endpoints of a network, kept in one store per endpoint.

    What the network computes in another precision than float32 is stored by itself.

    endpoint: names with commas between, or a sequence of them, None for the network's default;
    they are stored averaged over the picture, and `read` returns them. maps: the names of endpoints
    that are stored whole, for `rows`. One pass over the photos fills all stores.

    augmentation: if it is on, photos are those of `with_copies`, and what is stored is that of
    the variants drawn with the seed.
    """

    def __init__(
        self,
        network: Network,
        endpoint: str | Sequence[str] | None,
        bottleneck_dir: str | os.PathLike[str],
        maps: Sequence[str] = (),
        augmentation: Augmentation | None = None,
        seed: int = 0,
    ) -> None:
        self.network = network
        self.names = endpoint_names(network, endpoint)
        self.maps = endpoint_names(network, maps or ())
        self._augmentation = augmentation if augmentation and augmentation.active else None
        self._seed = int(seed)
        # A vector is the same averaged or whole: one store serves both.
        layers = network.layers() if self.maps else []
        vectors = {layer.name for layer in layers if len(layer.shape) == 2}
        self._maps = {name: Endpoint(name, name not in vectors) for name in self.maps}
        self._pooled = [Endpoint(name, False) for name in self.names]
        self._stores = {
            endpoint: FeatureStore(bottleneck_dir, self._identity(endpoint))
            for endpoint in (*self._pooled, *self._maps.values())
        }

    def _identity(self, endpoint: Endpoint) -> dict[str, object]:
        identity: dict[str, object] = {
            "network": self.network.name,
            "weights": self.network.fingerprint,
            "endpoint": endpoint.name,
            "preprocessing": f"{jpeg.PREPROCESSING} {self.network.size}",
        }
        if endpoint.whole:
            identity["pooling"] = "none"
        if self.network.precision != FLOAT32:
            identity["precision"] = self.network.precision
        if self._augmentation:
            identity["augmentation"] = self._augmentation.describe()
            identity["seed"] = self._seed
        return identity

    def missing(self, photos: pd.DataFrame) -> pd.DataFrame:
        """The usable photos that are not in every store, one for each different content.

        Raises GraphnetsError for copies without an augmentation, and the other way round.
        """
        if self._augmentation and "copy" not in photos:
            raise GraphnetsError(
                "got photos without copies for an augmentation; wanted those of with_copies"
            )
        if not self._augmentation and "copy" in photos:
            raise GraphnetsError(
                "got copies of photos and no augmentation that is on; wanted one, or the photos"
            )
        usable = photos[photos.problem == ""].drop_duplicates("key")
        stored = np.ones(len(usable), bool)
        for store in self._stores.values():
            stored &= store.has(list(usable.key))
        return usable[~stored]

    def add(self, photos: pd.DataFrame, progress: Progress = no_progress) -> pd.DataFrame:
        """Put what is missing into the stores; rows are safe on disk batch by batch.

        Returns `photos` with the reason in `problem` for each that could not be read, and for all
        its copies.
        """
        missing = self.missing(photos)
        problems: dict[str, str] = {}
        if len(missing):
            try:
                self._run(missing, problems, progress)
            finally:
                for store in self._stores.values():
                    store.close()
        known = zip(photos.problem, _sources(photos), strict=True)
        return photos.assign(problem=[problem or problems.get(key, "") for problem, key in known])

    def _run(self, photos: pd.DataFrame, problems: dict[str, str], progress: Progress) -> None:
        keys = list(photos.key)
        stores = {e: store for e, store in self._stores.items() if not store.has(keys).all()}
        with tf.Graph().as_default(), self.network.session() as session:
            read = self._reader(session)
            resized = tf.placeholder(tf.float32, [None, *self.network.size, 3])
            endpoints = self.network.build(resized, list(dict.fromkeys(e.name for e in stores)))
            tensors = [features(e.name, endpoints[e.name], e.whole) for e in stores]
            session.run(tf.global_variables_initializer())
            items = _by_source(photos)
            in_hand = 2 * BATCH // max(len(item.keys) for item in items)
            pictures = _pictures(ahead(items, read, max(2, in_hand)), problems)
            bar = progress(pictures, total=len(photos), desc="features", unit="photos")
            readable = ((key, picture) for key, picture in bar if picture is not None)

            def run(batch: list[tuple[str, np.ndarray]]) -> tuple[list[str], list[np.ndarray]]:
                fed = {resized: _stacked([picture for _, picture in batch])}
                return [key for key, _ in batch], session.run(tensors, fed)

            for result in in_runs(readable, run):
                _store(stores.values(), *result())

    def _reader(self, session: tf.Session) -> Callable[[Item], np.ndarray]:
        """A function from a photo to its pictures, float32 (k, *size, 3), see `photo_reader`."""
        if self._augmentation:
            return variant_reader(session, self.network.size, self._augmentation, self._seed)
        read = photo_reader(session, self.network.size)
        return lambda item: read(item.path)

    def read(self, photos: pd.DataFrame) -> np.ndarray:
        """The features of photos that were added: float32 (n, features), endpoints side by side."""
        found = [self._stores[endpoint].read(list(photos.key)) for endpoint in self._pooled]
        return np.concatenate([np.empty((len(photos), 0), np.float32), *found], axis=1)

    def each(self, photos: pd.DataFrame) -> list[Rows]:
        """The features of photos that were added, endpoint by endpoint: (n, features).

        They are fetched in parts, `rows[indices]`, from memory if they fit, else from the disk.
        """
        return [self._stores[endpoint].rows(list(photos.key)) for endpoint in self._pooled]

    def rows(self, name: str, photos: pd.DataFrame) -> Rows:
        """The values of one of `maps` for photos that were added: (n, height, width, channels).

        They are fetched in parts, `rows[indices]`, from memory if they fit, else from the disk.
        Raises GraphnetsError for a name that is not in `maps`.
        """
        endpoint = self._maps.get(name.removesuffix(":0"))
        if endpoint is None:
            raise GraphnetsError(
                f"no map {name!r} among those stored whole, {', '.join(self.maps) or 'none'}; name "
                "it in `maps`"
            )
        return self._stores[endpoint].rows(list(photos.key))


def _sources(photos: pd.DataFrame) -> pd.Series:
    return photos.source if "source" in photos else photos.key


def _by_source(photos: pd.DataFrame) -> list[Item]:
    items: dict[str, Item] = {}
    copies = photos["copy"] if "copy" in photos else [0] * len(photos)
    for path, source, key, copy in zip(
        photos.path, _sources(photos), photos.key, copies, strict=True
    ):
        item = items.setdefault(source, Item(path, source, [], []))
        item.keys.append(key)
        item.copies.append(int(copy))
    return list(items.values())


def _pictures(
    results: Iterable, problems: dict[str, str]
) -> Iterator[tuple[str, np.ndarray | None]]:
    """(key, picture) of each copy of each photo, in order; None if the photo cannot be read.

    The reason goes into problems, by the photo's own key.
    """
    for item, result in results:
        try:
            pictures = result()
        except PhotoError as error:
            problems[item.source] = str(error)
            pictures = [None] * len(item.keys)
        yield from zip(item.keys, pictures, strict=True)


def _stacked(pictures: list[np.ndarray]) -> np.ndarray:
    """The pictures as one batch, where TensorFlow takes it over without a copy."""
    return np.stack(pictures, out=aligned_empty((len(pictures), *pictures[0].shape)))


def _store(stores: Iterable[FeatureStore], keys: list[str], rows: Iterable[np.ndarray]) -> None:
    for store, row in zip(stores, rows, strict=True):
        new = ~store.has(keys)  # another run or endpoint list may have been here
        if new.any():
            store.append([k for k, n in zip(keys, new, strict=True) if n], row[new])
