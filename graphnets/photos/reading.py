"""Photos ahead of the network that takes them, and batches through it, in threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.errors import PhotoError
from graphnets.photos import augment, images, jpeg
from graphnets.photos.augmentation import Augmentation

BATCH = 16  # photos a run; 16 to 64 measured the same
RUNS = 2  # at a time: where one waits for a core, the other works (a seventh faster than one)


class Item(NamedTuple):
    """A photo to read once: its own key, and the keys and numbers of its copies (plain: 0)."""

    path: str
    source: str
    keys: list[str]
    copies: list[int]


def photo_reader(session: tf.Session, size: tuple[int, int]) -> Callable[[str], np.ndarray]:
    """A function from a file's path to the network's input, float32 (1, *size, 3).

    It may be called from several threads, and raises PhotoError if the file cannot be read.
    """
    return _decoder(session, lambda image: jpeg.resize(image, size))


def variant_reader(
    session: tf.Session, size: tuple[int, int], augmentation: Augmentation, seed: int
) -> Callable[[Item], np.ndarray]:
    """A function from a photo to its variants, float32 (len(copies), *size, 3).

    It may be called from several threads, and raises PhotoError if the file cannot be read.
    """
    decoded = _decoder(session, lambda image: image)
    photo = tf.placeholder(tf.uint8, [None, None, 3])
    transform, brightness = tf.placeholder(tf.float32, [2, 3]), tf.placeholder(tf.float32, [])
    variant = augment.apply(photo, transform, brightness, size)

    def read(item: Item) -> np.ndarray:
        pixels = decoded(item.path)  # once for all its variants
        drawn = [augment.draw(augmentation, size, seed, item.source, copy) for copy in item.copies]
        feeds = [{photo: pixels, transform: d.transform, brightness: d.brightness} for d in drawn]
        return np.concatenate([session.run(variant, feed) for feed in feeds])

    return read


def _decoder(
    session: tf.Session, then: Callable[[tf.Tensor], tf.Tensor]
) -> Callable[[str], np.ndarray]:
    """A function from a file's path to what `then` makes of its picture."""
    contents = tf.placeholder(tf.string, [])
    plain, upright = (
        session.make_callable(then(jpeg.decode(contents, turn)), [contents])
        for turn in (False, True)
    )

    def decoded(path: str) -> np.ndarray:
        data = images.contents(path)
        run = upright if jpeg.may_be_turned(data) else plain
        try:
            # As NumPy's own kind of bytes, the file would lose the zeros at its end.
            return run(np.array(data, object))
        except tf.errors.InvalidArgumentError:
            raise PhotoError("damaged or cut off") from None

    return decoded


def in_runs(photos: Iterable, run: Callable[[list], object]) -> Iterator[Callable]:
    """What `run` makes of each BATCH of the photos, in order, RUNS of them at a time.

    As functions that return or raise it. The next batch is taken while those before it run, but
    for the first: two first runs would both have TensorFlow optimize the graph.
    """
    photos = iter(photos)
    batches = iter(lambda: list(islice(photos, BATCH)), [])
    for first in islice(batches, 1):
        yield partial(run, first)
    for _, result in ahead(batches, run, RUNS + 1, RUNS):
        yield result


def ahead(
    items: Iterable, work: Callable, in_hand: int | None = None, threads: int | None = None
) -> Iterator[tuple]:
    """(item, function that returns or raises the result) in order, threads working ahead.

    At most `in_hand` items (None: two batches) are waiting at a time, so that memory does not grow
    with the photos. threads: at work at a time (None: some more than there are cores).
    """
    in_hand = in_hand or 2 * BATCH
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[tuple[object, Future]] = deque()
        try:
            for item in items:
                waiting.append((item, pool.submit(work, item)))
                if len(waiting) >= in_hand:
                    done, future = waiting.popleft()
                    yield done, future.result
            while waiting:
                done, future = waiting.popleft()
                yield done, future.result
        except BaseException:  # the consumer has had enough: what has not begun need not be done
            pool.shutdown(cancel_futures=True)
            raise
