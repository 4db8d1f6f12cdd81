"""Running photos through the frozen part of a network, each photo once."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

import numpy as np
import pandas as pd
import tensorflow.compat.v1 as tf

from graphnets import images, jpeg
from graphnets.errors import GraphnetsError, PhotoError
from graphnets.images import Progress, no_progress
from graphnets.network import Network
from graphnets.store import FeatureStore

BATCH = 32  # photos a run; 16 to 64 measured the same


def endpoint_names(network: Network, endpoint: str | None) -> list[str]:
    """ "conv4_3,conv5_3" -> ["conv4_3", "conv5_3"]; None is the network's default endpoint.

    Tensor names lose their ":0", so that both spellings are one endpoint.
    """
    text = endpoint or network.default_endpoint
    names = [name.strip().removesuffix(":0") for name in text.split(",")]
    if "" in names or len(set(names)) < len(names):
        raise GraphnetsError(
            f"got the endpoint {text!r}; wanted different names, with commas between them"
        )
    return names


def pooled(network: Network, resized: tf.Tensor, names: Sequence[str]) -> list[tf.Tensor]:
    """Add the network to the default graph; each named endpoint as (n, features), float32.

    resized: float32 (n, height, width, 3), RGB, 0 to 255, of the network's size.
    A 4-D endpoint is averaged over height and width.
    Raises GraphnetsError for an unknown endpoint, or one that is not one vector or map a photo.
    """
    endpoints = network.build(resized, names)
    features = []
    for name in names:
        tensor = endpoints[name]
        if tensor.shape.rank == 4:
            tensor = tf.reduce_mean(tensor, [1, 2])
        if tensor.shape.rank != 2 or tensor.dtype != tf.float32:
            raise GraphnetsError(
                f"the endpoint {name!r} is {tensor.dtype.name} {tensor.shape}; wanted float32 "
                "(n, features) or (n, height, width, channels)"
            )
        features.append(tensor)
    return features


class Bottlenecks:
    """The features of photos at some endpoints of a network, kept in one store per endpoint."""

    def __init__(
        self, network: Network, endpoint: str | None, bottleneck_dir: str | os.PathLike
    ) -> None:
        self.network = network
        self.names = endpoint_names(network, endpoint)
        self._stores = [
            FeatureStore(
                bottleneck_dir,
                {
                    "network": network.name,
                    "weights": network.fingerprint,
                    "endpoint": name,
                    "preprocessing": f"{jpeg.PREPROCESSING} {network.size}",
                },
            )
            for name in self.names
        ]

    def missing(self, photos: pd.DataFrame) -> pd.DataFrame:
        """The usable photos that are not in every store, one for each different content."""
        usable = photos[photos.problem == ""].drop_duplicates("key")
        stored = np.ones(len(usable), bool)
        for store in self._stores:
            stored &= store.has(list(usable.key))
        return usable[~stored]

    def add(self, photos: pd.DataFrame, progress: Progress = no_progress) -> pd.DataFrame:
        """Put what is missing into the stores; rows are safe on disk batch by batch.

        Returns `photos` with the reason in `problem` for each that could not be read.
        """
        missing = self.missing(photos)
        problems: dict[str, str] = {}
        if len(missing):
            try:
                self._run(missing, problems, progress)
            finally:
                for store in self._stores:
                    store.close()
        known = zip(photos.problem, photos.key, strict=True)
        return photos.assign(problem=[problem or problems.get(key, "") for problem, key in known])

    def _run(self, photos: pd.DataFrame, problems: dict[str, str], progress: Progress) -> None:
        with tf.Graph().as_default(), tf.Session() as session:
            read = photo_reader(session, self.network.size)
            resized = tf.placeholder(tf.float32, [None, *self.network.size, 3])
            features = pooled(self.network, resized, self.names)
            session.run(tf.global_variables_initializer())
            results = ahead(zip(photos.key, photos.path, strict=True), lambda photo: read(photo[1]))
            bar = progress(results, total=len(photos), desc="features", unit="photos")
            readable = _readable(bar, problems)
            while batch := list(islice(readable, BATCH)):
                keys = [key for key, _ in batch]
                rows = session.run(features, {resized: np.concatenate([x for _, x in batch])})
                for store, row in zip(self._stores, rows, strict=True):
                    new = ~store.has(keys)  # another run or endpoint list may have been here
                    if new.any():
                        store.append([k for k, n in zip(keys, new, strict=True) if n], row[new])

    def read(self, photos: pd.DataFrame) -> np.ndarray:
        """The features of photos that were added: float32 (n, features), endpoints side by side."""
        return np.concatenate([store.read(list(photos.key)) for store in self._stores], axis=1)


def photo_reader(session: tf.Session, size: tuple[int, int]) -> Callable[[str], np.ndarray]:
    """A function from a file's path to the network's input, float32 (1, *size, 3).

    It may be called from several threads, and raises PhotoError if the file cannot be read.
    """
    contents = tf.placeholder(tf.string, [])
    resized = jpeg.resize(jpeg.decode(contents), size)

    def read(path: str) -> np.ndarray:
        data = images.contents(path)
        try:
            return session.run(resized, {contents: data})
        except tf.errors.InvalidArgumentError:
            raise PhotoError("damaged or cut off") from None

    return read


def _readable(results: Iterable, problems: dict[str, str]) -> Iterator[tuple[str, np.ndarray]]:
    """(key, input) of each photo that can be read, in order; the others' reasons by key."""
    for (key, _), result in results:
        try:
            yield key, result()
        except PhotoError as error:
            problems[key] = str(error)


def ahead(items: Iterable, work: Callable) -> Iterator[tuple]:
    """(item, function that returns or raises the result) in order, threads working ahead.

    At most two batches are in hand at a time, so that memory does not grow with the photos.
    """
    with ThreadPoolExecutor() as pool:
        waiting: deque[tuple[object, Future]] = deque()
        try:
            for item in items:
                waiting.append((item, pool.submit(work, item)))
                if len(waiting) >= 2 * BATCH:
                    done, future = waiting.popleft()
                    yield done, future.result
            while waiting:
                done, future = waiting.popleft()
                yield done, future.result
        finally:
            pool.shutdown(cancel_futures=True)
