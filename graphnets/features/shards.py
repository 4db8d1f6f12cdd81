"""Shards of photos, each run by itself: on a worker of a cluster, or by another engine."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pandas as pd
import tensorflow as tf

from graphnets import __version__
from graphnets.errors import GraphnetsError, check_kind, check_path, check_whole, shown
from graphnets.features.running import (
    Endpoint,
    Extractor,
    Found,
    endpoints_of,
    identity_of,
    places_of,
)
from graphnets.features.store import FeatureStore
from graphnets.networks.network import Network, endpoint_names
from graphnets.networks.precision import FLOAT32, processor_kind
from graphnets.photos.augmentation import Augmentation
from graphnets.photos.images import Progress, check_photos, no_progress
from graphnets.photos.reading import BATCH
from graphnets.storage import absolute
from graphnets.workers import Workers, check_version, unseen


@dataclass(frozen=True)
class ShardSpec:
    """What a shard needs besides its photos; it is small, and pickles.

    architecture, weights, seed, precision, pictures: see `graphnets.open_network`; weights must be
    a path that each worker sees. endpoint, bottleneck_dir, maps, augmentation, augmentation_seed:
    see `graphnets.Bottlenecks`.

    >>> graphnets.ShardSpec("efficientnet_lite0", "random", bottleneck_dir="features").precision
    'float32'
    """

    architecture: str = "inception_v3"
    weights: str | os.PathLike[str] | None = None
    bottleneck_dir: str | os.PathLike[str] = "bottleneck"
    endpoint: str | Sequence[str] | None = None
    maps: Sequence[str] = ()
    precision: str = FLOAT32
    seed: int = 0
    augmentation: Augmentation | None = None
    augmentation_seed: int = 0
    pictures: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_path("bottleneck_dir", self.bottleneck_dir)


def shards(photos: pd.DataFrame, size: int = Workers.shard) -> Iterator[pd.DataFrame]:
    """Parts of a table of photos, for `extract_shard`: by path, `size` photos or some more each.

    photos: of `graphnets.scan`, all of a job's. A part has the column `place`, where in its batch
    each photo lies: it follows from all photos, so that the parts give the bits that one process
    gives. Those that cannot be used, and further copies of a photo, are in none.
    Raises GraphnetsError for another table, and a size below 1.

    >>> parts = list(graphnets.shards(graphnets.scan("signs"), size=32))
    >>> len(parts), len(parts[0]), parts[0].place.head(3).tolist()
    (5, 32, [0, 1, 2])
    """
    check_photos(photos, "path", "key", "problem")
    check_whole("size", size, 1)
    usable = photos[photos.problem == ""].drop_duplicates("key")
    return _cut(usable, places_of(photos), size)


def extract_shard(spec: ShardSpec, photos: pd.DataFrame) -> pd.DataFrame:
    """Put the features of one shard into the store, those that an earlier try left out.

    photos: one of `shards`. The network is opened once in a process. It may be called in any order,
    on any machine that sees the photos, the weights and the store, and again for the same shard.
    Returns the table with the reason in `problem` for each photo that could not be read, and with
    another `key` for each whose file has changed since. Raises GraphnetsError for another table,
    and as `open_network` does.

    >>> spec = graphnets.ShardSpec("efficientnet_lite0", "random", "features", "stem")
    >>> done = [graphnets.extract_shard(spec, part) for part in graphnets.shards(
    ...     graphnets.scan("signs").head(20), size=16)]
    >>> [len(part) for part in done]
    [16, 4]
    """
    check_kind("spec", spec, ShardSpec, "a graphnets.ShardSpec")
    check_photos(photos, "path", "key", "problem", "place")
    global _kept
    with _one_shard:
        if _kept is None or _kept[0] != spec:
            if _kept:
                _kept[1].close()
            _kept = spec, _Opened(spec)
        return _kept[1].run(photos).told(photos)


_kept: tuple[ShardSpec, _Opened] | None = None  # of this process
_one_shard = threading.Lock()  # engines call from threads, and a shard has threads of its own


class _Opened:
    """A network that is open for the shards of a job."""

    def __init__(self, spec: ShardSpec) -> None:
        from graphnets.zoo.architectures import open_network

        network = open_network(
            spec.architecture, spec.weights, None, spec.seed, spec.precision, **spec.pictures
        )
        drawn = spec.augmentation, spec.augmentation_seed
        pooled, maps = endpoints_of(network, endpoint_names(network, spec.endpoint), spec.maps)
        self._folder = spec.bottleneck_dir
        self._endpoints = list(dict.fromkeys([*pooled, *maps.values()]))
        self.identities = {e: identity_of(network, e, *drawn) for e in self._endpoints}
        self._extractor = Extractor(network, self._endpoints, *drawn)

    def close(self) -> None:
        self._extractor.close()

    def run(self, photos: pd.DataFrame) -> Found:
        places = dict(zip(photos.key, photos.place.map(int), strict=True))
        keys = list(photos.key)
        # What an earlier try of this shard left has its prefix.
        prefix = f"{hashlib.sha256(''.join(keys).encode()).hexdigest()[:16]}-"
        stores = {e: FeatureStore(self._folder, i, prefix) for e, i in self.identities.items()}
        stored = [store.has(keys) for store in stores.values()]
        missing = photos[[not all(every) for every in zip(*stored, strict=True)]]
        if not len(missing):
            return Found()
        return self._extractor.run(missing, places, stores, no_progress)


class Job(NamedTuple):
    """What the shards of a cluster's job share: small, as it goes to each worker."""

    spec: ShardSpec
    version: str
    identities: dict[Endpoint, str]


class _Done(NamedTuple):
    found: Found
    machine: str  # what may move last digits


def _open(job: Job) -> _Opened:
    """Called on a worker. GraphnetsError if its features would not be those of the job."""
    check_version(job.version)
    opened = _Opened(job.spec)
    for endpoint, text in job.identities.items():
        wanted, here = json.loads(text), opened.identities[endpoint]
        different = [n for n in {**wanted, **here} if wanted.get(n) != here.get(n)]
        if different:
            name = different[0]
            raise GraphnetsError(
                f"a worker's features differ in {name}: {shown(here.get(name))}, wanted "
                f"{shown(wanted.get(name))}; give all workers the same weights and settings"
            )
    return opened


def _work(opened: _Opened, photos: pd.DataFrame) -> _Done:
    return _Done(opened.run(photos), f"{processor_kind()}, TensorFlow {tf.version.VERSION}")


def run_on(
    workers: Workers,
    photos: pd.DataFrame,
    places: Mapping[str, int],
    job: Job,
    stores: Iterable[FeatureStore],
    progress: Progress,
    warn: Callable[[str], object],
) -> Found:
    """Let the workers of a cluster put photos into stores, which are read again when it is done.

    places: of each key, where in its batch it lies. Raises GraphnetsError where workers do not see
    the photos, and would compute other features.
    """
    found, machines = Found(), set()
    sent: dict[int, pd.Series] = {}

    def parts() -> Iterator[pd.DataFrame]:
        for number, part in enumerate(_cut(photos, places, workers.shard)):
            sent[number] = part.path
            yield part.assign(path=part.path.map(absolute))

    def each() -> Iterator[str]:
        """A path for each photo that is done, for the bar."""
        for number, done in workers.each(_open, _work, job, parts()):
            machines.add(done.machine)
            paths = sent.pop(number)
            _check_seen(paths, done.found)
            found.add(done.found.named({absolute(path): path for path in paths}))
            yield from paths

    try:
        for _ in progress(each(), total=len(photos), desc="features", unit="photos"):
            pass
    finally:
        for store in stores:
            store.reopen()
    if len(machines) > 1:
        warn(
            f"photos ran on {len(machines)} kinds of machines ({'; '.join(sorted(machines))}): "
            "features differ in the last digits by the machine, another run may give others"
        )
    return found


def job_of(
    network: Network,
    folder: str | os.PathLike[str],
    endpoints: Sequence[Endpoint],
    drawn: tuple[Augmentation | None, int],
) -> Job:
    """What `run_on` needs. GraphnetsError for a network that workers cannot open."""
    if network.opening is None:
        raise GraphnetsError(
            "a cluster's workers open the network by its weight file, and this one has trained "
            "since; wanted one as graphnets.open_network gives it"
        )
    architecture, weights, seed, pictures = network.opening
    spec = ShardSpec(
        architecture,
        weights,
        absolute(os.fspath(folder)),
        [e.name for e in endpoints if not e.whole],
        [e.name for e in endpoints if e.whole],
        network.precision,
        seed,
        *drawn,
        dict(pictures),
    )
    identities = {e: json.dumps(identity_of(network, e, *drawn)) for e in endpoints}
    return Job(spec, __version__, identities)


def _check_seen(paths: pd.Series, found: Found) -> None:
    """Raise GraphnetsError if a worker has found none of the files that are there."""
    first = paths.iloc[0]
    if len(found.unopened) == paths.nunique() and os.access(first, os.R_OK):
        [reason, *_] = found.unopened.values()
        raise unseen(first, reason)


def _cut(photos: pd.DataFrame, places: Mapping[str, int], size: int) -> Iterator[pd.DataFrame]:
    """Photos by path, `size` of them and up to the end of a batch, with their places."""
    photos = photos.assign(place=photos.key.map(places))
    copies = ["copy"] if "copy" in photos else []
    photos = photos.sort_values(["path", *copies], kind="stable")
    photos = photos[["path", "key", "problem", "place", *copies, *(["source"] if copies else [])]]
    place, start = photos.place.to_numpy(), 0
    while start < len(photos):
        end = min(start + size, len(photos))
        while end < len(photos) and place[end] > place[end - 1] and end - start < size + BATCH:
            end += 1
        yield photos.iloc[start:end]
        start = end
