"""Running photos, or variants of them, through the frozen part of a network, each once."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import pandas as pd

from graphnets.errors import GraphnetsError, check_path, check_seed, shown
from graphnets.features.rows import Rows
from graphnets.features.running import (
    Endpoint,
    Extractor,
    Found,
    copy_key,
    endpoints_of,
    identity_of,
    places_of,
)
from graphnets.features.shards import job_of, run_on
from graphnets.features.store import FeatureStore
from graphnets.networks.network import Network, check_network, endpoint_names
from graphnets.photos.augmentation import Augmentation, check_augmentation, check_copies
from graphnets.photos.images import Progress, check_photos, check_progress, no_progress
from graphnets.workers import cluster

Taken = TypeVar("Taken", np.ndarray, Rows)


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
    keys = [copy_key(key, copy) for key, copy in zip(table.key, numbers, strict=True)]
    return table.assign(copy=numbers, source=table.key, key=keys)


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
        self._folder = bottleneck_dir
        self._pooled, self._maps = endpoints_of(network, self.names, self.maps)
        self._stores = {
            endpoint: FeatureStore(
                bottleneck_dir, identity_of(network, endpoint, self._augmentation, self._seed)
            )
            for endpoint in (*self._pooled, *self._maps.values())
        }

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
            run |= set(zip(missing.path, missing.key, strict=True))
            photos = self._run(missing, places_of(photos), progress, warn).told(photos)
            missing = self.missing(photos)  # copies of a photo that has changed, or is gone
            if run.intersection(zip(missing.path, missing.key, strict=True)):
                raise GraphnetsError(
                    "the feature store does not give back what was written to it; name another "
                    "folder with --bottleneck_dir, which all workers of a cluster see"
                )
        return photos

    def _run(
        self,
        missing: pd.DataFrame,
        places: dict[str, int],
        progress: Progress,
        warn: Callable[[str], object],
    ) -> Found:
        keys = list(missing.key)
        stores = {e: store for e, store in self._stores.items() if not store.has(keys).all()}
        drawn = self._augmentation, self._seed
        workers = cluster()
        if workers:
            job = job_of(self.network, self._folder, list(stores), drawn)
            return run_on(workers, missing, places, job, stores.values(), progress, warn)
        extractor = Extractor(self.network, list(stores), *drawn)
        try:
            return extractor.run(missing, places, stores, progress)
        finally:
            extractor.close()

    def _warn_of_unfit(self, warn: Callable[[str], object]) -> None:
        for store in self._stores.values():
            if store.unfit:
                warn(
                    f"{store.unfit} rows in {shown(store.place)} have no checksum that "
                    "fits: they are damaged, or an older version wrote them; what is wanted of "
                    "them is computed again"
                )

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
