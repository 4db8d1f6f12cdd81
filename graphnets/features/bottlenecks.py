"""Running photos, or variants of them, through the frozen part of a network, each once."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np
import pandas as pd
import tensorflow.compat.v1 as tf

from graphnets.errors import GraphnetsError, PhotoError, check_path, check_seed, shown
from graphnets.features.rows import Rows
from graphnets.features.store import FeatureStore
from graphnets.networks.network import Network, check_network, endpoint_names, features
from graphnets.networks.precision import FLOAT32, onednn
from graphnets.photos import images, jpeg
from graphnets.photos.augmentation import Augmentation, check_augmentation, check_copies
from graphnets.photos.images import Progress, check_photos, check_progress, no_progress
from graphnets.photos.reading import (
    BATCH,
    Item,
    ahead,
    in_runs,
    photo_reader,
    placed,
    variant_reader,
)
from graphnets.weights.memory import aligned_empty


def with_copies(photos: pd.DataFrame, copies: int) -> pd.DataFrame:
    """Each photo `copies` times, for a `Bottlenecks` with an augmentation.

    Returns the table with the columns `copy` (1 to copies), `source` (the photo's key) and
    another `key`, which tells the copies apart. Raises GraphnetsError unless copies is 1 or more,
    for another table, and for one of copies.

    >>> graphnets.with_copies(graphnets.scan("signs").head(2), 3)["copy"].tolist()
    [1, 2, 3, 1, 2, 3]
    """
    check_copies(copies)
    check_photos(photos, "path", "key")
    if "copy" in photos:
        raise GraphnetsError("got photos that are copies already; wanted those of graphnets.scan")
    table = photos.iloc[np.repeat(np.arange(len(photos)), copies)].reset_index(drop=True)
    numbers = np.tile(np.arange(1, copies + 1), len(photos))
    keys = [_copy_key(key, copy) for key, copy in zip(table.key, numbers, strict=True)]
    return table.assign(copy=numbers, source=table.key, key=keys)


def _copy_key(source: str, copy: int) -> str:
    """The key of a photo's copy; the photo itself is 0."""
    return images.key_of(f"{source} {copy}".encode()) if copy else source


Batch = dict[int, tuple[str, np.ndarray]]  # {place: (key, picture)}
Taken = TypeVar("Taken", np.ndarray, Rows)


class Endpoint(NamedTuple):
    """What one store holds: an endpoint averaged over the picture, or the whole map."""

    name: str
    whole: bool


class Bottlenecks:
    """The features of photos at some endpoints of a network, kept in one store per endpoint.

    What the network computes in another precision than float32, or without oneDNN, is stored by
    itself.

    Photos run in batches of BATCH. A photo's place in its batch follows from its position among all
    that `add` was given, sorted by path, and not from which of them are stored or cannot be read;
    places that stay free are zeros. So the same photos give the same bits on the same machine
    (processor, number of cores, TensorFlow). At another place they may differ by some 1e-6 of an
    endpoint's largest value: for photos that were added with others, or in several calls.

    endpoint: names with commas between, or a sequence of them, None for the network's default;
    they are stored averaged over the picture, and `read` returns them. maps: the names of endpoints
    that are stored whole, for `rows`. One pass over the photos fills all stores.

    augmentation: if it is on, photos are those of `with_copies`, and what is stored is that of
    the variants drawn with the seed.

    Raises GraphnetsError for a network that is none, endpoints that it does not have, and a folder
    that cannot serve.

    >>> network = graphnets.open_network("efficientnet_lite0", "random")
    >>> store = graphnets.Bottlenecks(network, "block3b", "features")
    >>> photos = store.add(graphnets.scan("signs").head(4))
    >>> store.read(photos).shape
    (4, 40)
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
        check_network(network)
        check_path("bottleneck_dir", bottleneck_dir)
        check_seed(seed)
        if augmentation is not None:
            check_augmentation(augmentation)
        self.network = network
        self.names = endpoint_names(network, endpoint)
        self.maps = endpoint_names(network, maps or ())
        network.cut([*self.names, *self.maps], False)  # raises for an endpoint that is unknown
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
        if not onednn():
            identity["onednn"] = "off"
        if self._augmentation:
            identity["augmentation"] = self._augmentation.describe()
            identity["seed"] = self._seed
        return identity

    def missing(self, photos: pd.DataFrame) -> pd.DataFrame:
        """The usable photos that are not in every store, one for each different content.

        Raises GraphnetsError for another table than that of `graphnets.scan`, for copies without an
        augmentation, and the other way round.
        """
        check_photos(photos, "path", "key", "problem")
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

    def add(
        self,
        photos: pd.DataFrame,
        progress: Progress = no_progress,
        warn: Callable[[str], object] = warnings.warn,
    ) -> pd.DataFrame:
        """Put what is missing into the stores; rows are safe on disk batch by batch.

        `warn` is told, in a line, of stored rows that do not fit their checksums.
        Returns `photos` with the reason in `problem` for each that could not be read, and with
        another `key` for each whose file has changed since: a photo is taken as it is now.
        Raises GraphnetsError as `missing` does.
        """
        check_progress(progress)
        missing = self.missing(photos)
        if len(missing):
            self._warn_of_unfit(warn)
        run: set[tuple[str, str]] = set()
        while len(missing):
            found, run = _Found(_places(photos)), run | set(_files(missing))
            try:
                self._run(missing, found, progress)
            finally:
                for store in self._stores.values():
                    store.close()
            photos = found.told(photos)
            missing = self.missing(photos)  # copies of a photo that has changed, or is gone
            if run.intersection(_files(missing)):
                raise GraphnetsError(
                    "the feature store does not give back what was written to it; name another "
                    "folder with --bottleneck_dir"
                )
        return photos

    def _warn_of_unfit(self, warn: Callable[[str], object]) -> None:
        for store in self._stores.values():
            if store.unfit:
                warn(
                    f"{store.unfit} rows in {shown(store.place)} have no checksum that "
                    "fits: they are damaged, or an older version wrote them; what is wanted of "
                    "them is computed again"
                )

    def _run(self, photos: pd.DataFrame, found: _Found, progress: Progress) -> None:
        keys = list(photos.key)
        stores = {e: store for e, store in self._stores.items() if not store.has(keys).all()}
        with tf.Graph().as_default(), self.network.session() as session:
            read = partial(_read, self._reader(session))
            resized = tf.placeholder(tf.float32, [None, *self.network.size, 3])
            endpoints = self.network.build(resized, list(dict.fromkeys(e.name for e in stores)))
            tensors = [features(e.name, endpoints[e.name], e.whole) for e in stores]
            session.run(tf.global_variables_initializer())
            items = _by_source(photos)
            in_hand = 2 * BATCH // max(len(item.keys) for item in items)
            pictures = found.pictures(ahead(items, read, max(2, in_hand)))
            bar = progress(pictures, total=len(photos), desc="features", unit="photos")
            readable = (
                (place, (key, picture)) for key, place, picture in bar if picture is not None
            )

            def run(batch: Batch) -> tuple[list[str], list[np.ndarray]]:
                values = self.network.run(session, tensors, resized, _stacked(batch))
                return [key for key, _ in batch.values()], [rows[list(batch)] for rows in values]

            for result in in_runs(placed(readable), run):
                _store(stores.values(), *result())

    def _reader(self, session: tf.Session) -> Callable[[Item], np.ndarray]:
        """A function from a photo to its pictures, float32 (k, *size, 3), see `photo_reader`."""
        if self._augmentation:
            return variant_reader(session, self.network.size, self._augmentation, self._seed)
        read = photo_reader(session, self.network.size)
        return lambda item: read(item.photo)

    def read(self, photos: pd.DataFrame) -> np.ndarray:
        """The features of photos that were added: float32 (n, features), endpoints side by side.

        Raises GraphnetsError, naming it, for a photo without features: it was not added, or cannot
        be read, as its `problem` says.
        """
        found = [self._stored(endpoint, photos, FeatureStore.read) for endpoint in self._pooled]
        return np.concatenate([np.empty((len(photos), 0), np.float32), *found], axis=1)

    def each(self, photos: pd.DataFrame) -> list[Rows]:
        """The features of photos that were added, endpoint by endpoint: (n, features).

        They are fetched in parts, `rows[indices]`, from memory if they fit, else from the disk.
        Raises GraphnetsError as `read` does.
        """
        return [self._stored(endpoint, photos, FeatureStore.rows) for endpoint in self._pooled]

    def rows(self, name: str, photos: pd.DataFrame) -> Rows:
        """The values of one of `maps` for photos that were added: (n, height, width, channels).

        They are fetched in parts, `rows[indices]`, from memory if they fit, else from the disk.
        Raises GraphnetsError for a name that is not in `maps`, and as `read` does.
        """
        endpoint = self._maps.get(str(name).removesuffix(":0"))
        if endpoint is None:
            raise GraphnetsError(
                f"no map {name!r} among those stored whole, {', '.join(self.maps) or 'none'}; name "
                "it in `maps`"
            )
        return self._stored(endpoint, photos, FeatureStore.rows)

    def _stored(
        self, endpoint: Endpoint, photos: pd.DataFrame, take: Callable[..., Taken]
    ) -> Taken:
        """What the store gives for each of the photos; GraphnetsError if one has nothing there."""
        check_photos(photos, "key")
        store, keys = self._stores[endpoint], list(photos.key)
        try:
            if "" not in keys:  # a photo that could not be opened has no key
                return take(store, keys)
        except KeyError:
            pass
        lack = [not key or not store.has([key])[0] for key in keys]
        paths = list(photos.path[lack]) if "path" in photos else list(photos.index[lack])
        raise GraphnetsError(
            f"{len(paths)} of {len(keys)} photos have no features at {endpoint.name}, "
            f"{paths[0]} the first; add them, and leave out those that cannot be read: "
            'photos[photos.problem == ""]'
        )


def _files(photos: pd.DataFrame) -> Iterator[tuple[str, str]]:
    return zip(photos.path, photos.key, strict=True)


def _copies(photos: pd.DataFrame) -> Sequence[int]:
    return list(photos["copy"]) if "copy" in photos else [0] * len(photos)


def _places(photos: pd.DataFrame) -> dict[str, int]:
    """{key: place in its batch}: it follows from the list alone, not from what is missing of it."""
    rows = sorted(zip(photos.path, _copies(photos), photos.key, strict=True))
    places: dict[str, int] = {}
    for number, (_, _, key) in enumerate(rows):
        places.setdefault(key, number % BATCH)
    return places


class _Found:
    """What was found out about photos as they were read.

    places: of the keys in their batches. changed: the keys of photos that are not what they were in
    the table. unopened, damaged: why photos are left out, by the file, and by the photo's key.
    """

    def __init__(self, places: dict[str, int]) -> None:
        self._places = places
        self.changed: dict[str, str] = {}
        self.unopened: dict[str, str] = {}
        self.damaged: dict[str, str] = {}

    def pictures(self, results: Iterable) -> Iterator[tuple[str, int, np.ndarray | None]]:
        """(key, place, picture) of each copy of each photo, in order; None if it cannot be read."""
        for item, result in results:
            key, read = result()
            keys, places = item.keys, [self._places[key] for key in item.keys]
            if key and key != item.source:
                self.changed[item.path] = key
                keys = [_copy_key(key, copy) for copy in item.copies]
            if isinstance(read, PhotoError):
                reasons, name = (self.damaged, key) if key else (self.unopened, item.path)
                reasons[name] = str(read)
                read = [None] * len(keys)
            yield from zip(keys, places, read, strict=True)

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
        keys = [_copy_key(key, copy) for key, copy in zip(sources, photos["copy"], strict=True)]
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


def _stacked(batch: Batch) -> np.ndarray:
    """The pictures at their places, where TensorFlow takes them over without a copy; zeros else.

    Always BATCH of them: for fewer other kernels may run, whose rows differ in the last digits.
    """
    [(_, picture), *_] = batch.values()
    fed = aligned_empty((BATCH, *picture.shape))
    for place in range(BATCH):
        fed[place] = batch[place][1] if place in batch else 0
    return fed


def _store(stores: Iterable[FeatureStore], keys: list[str], rows: Iterable[np.ndarray]) -> None:
    for store, row in zip(stores, rows, strict=True):
        new = ~store.has(keys)  # another run or endpoint list may have been here
        if new.any():
            store.append([k for k, n in zip(keys, new, strict=True) if n], row[new])
