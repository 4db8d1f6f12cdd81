"""Photos ahead of the network that takes them, and batches through it, in threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from functools import partial
from itertools import islice
from numbers import Integral
from typing import NamedTuple, TypeVar

import numpy as np
import pandas as pd
import tensorflow.compat.v1 as tf

from graphnets.errors import GraphnetsError, PhotoError, check_seed, refused
from graphnets.photos import augment, images, jpeg
from graphnets.photos.augmentation import Augmentation, check_augmentation, check_copies
from graphnets.photos.threads import kept_pool
from graphnets.sessions import Session

BATCH = 16  # photos a run; 16 to 64 measured the same. Another number is another store.LAYOUT
OPEN = 4  # batches that `placed` fills at a time
READS = "/device:CPU:0"  # a GPU would have each photo carried there and back
RUNS = 2  # at a time: where one waits for a core, the other works (a seventh faster than one)

Photo = TypeVar("Photo")


class Item(NamedTuple):
    """A photo to read once: its own key, and the keys and numbers of its copies (plain: 0).

    data: all bytes of its file, where they are in hand.
    """

    path: str
    source: str
    keys: list[str]
    copies: list[int]
    data: bytes | None = None

    @property
    def photo(self) -> str | bytes:
        """What a reader takes."""
        return self.path if self.data is None else self.data


def photo_reader(session: tf.Session, size: tuple[int, int]) -> Callable[[str | bytes], np.ndarray]:
    """A function from a file's path, or its bytes, to the network's input, float32 (1, *size, 3).

    It may be called from several threads, and raises PhotoError if the file cannot be read.
    """
    return _decoder(session, lambda image: jpeg.resize(image, size))


def pixel_reader(session: tf.Session) -> Callable[[str | bytes], np.ndarray]:
    """A function from a file's path, or its bytes, to its picture, uint8 (height, width, 3).

    It may be called from several threads, and raises PhotoError if the file cannot be read.
    """
    return _decoder(session, lambda image: image)


def variant_reader(
    session: tf.Session, size: tuple[int, int], augmentation: Augmentation, seed: int
) -> Callable[[Item], np.ndarray]:
    """A function from a photo to its variants, float32 (len(copies), *size, 3).

    It may be called from several threads, and raises PhotoError if the file cannot be read.
    """
    decoded = pixel_reader(session)
    with tf.device(READS):
        photo = tf.placeholder(tf.uint8, [None, None, 3])
        transform, brightness = tf.placeholder(tf.float32, [2, 3]), tf.placeholder(tf.float32, [])
        variant = augment.apply(photo, transform, brightness, size)

    def read(item: Item) -> np.ndarray:
        pixels = decoded(item.photo)  # once for all its variants
        drawn = [augment.draw(augmentation, size, seed, item.source, copy) for copy in item.copies]
        feeds = [{photo: pixels, transform: d.transform, brightness: d.brightness} for d in drawn]
        return np.concatenate([session.run(variant, feed) for feed in feeds])

    return read


def variants(
    photos: pd.DataFrame,
    augmentation: Augmentation,
    size: tuple[int, int],
    copies: int,
    seed: int = 0,
) -> np.ndarray:
    """The variants of photos that training sees, to look at, or to go on with.

    photos: of `graphnets.scan`. They are drawn as `graphnets.Bottlenecks` draws those whose
    features it stores: by the photo, the number of the copy, from 1, and the seed.
    Returns float32 (photos, copies, *size, 3), RGB, 0 to 255, which all have to fit in memory.
    Raises GraphnetsError for another table, a size that is none, copies below 1, and for a photo
    that cannot be read, with its path.

    >>> photos = graphnets.scan("signs").head(2)
    >>> graphnets.variants(photos, graphnets.PHOTO_AUGMENTATION, (64, 64), copies=4).shape
    (2, 4, 64, 64, 3)
    """
    images.check_photos(photos, "path", "key")
    check_augmentation(augmentation)
    _check_size(size)
    check_copies(copies)
    check_seed(seed)
    found = np.empty((len(photos), copies, *size, 3), np.float32)
    with tf.Graph().as_default(), Session() as session:
        read = variant_reader(session, size, augmentation, seed)
        for row, path, key in zip(found, photos.path, photos.key, strict=True):
            try:
                row[...] = read(Item(path, key, [], list(range(1, copies + 1))))
            except PhotoError as error:
                raise GraphnetsError(f"{path}: {error}; leave that photo out") from None
    return found


def _check_size(size: object) -> None:
    sides = size if isinstance(size, tuple | list) else ()
    if len(sides) != 2 or not all(isinstance(n, Integral) and int(n) > 0 for n in sides):
        raise refused("size", size, "the height and width in pixels, such as (224, 224)")


def _decoder(
    session: tf.Session, then: Callable[[tf.Tensor], tf.Tensor]
) -> Callable[[str | bytes], np.ndarray]:
    """A function from a file's path, or its bytes, to what `then` makes of its picture."""
    with tf.device(READS):
        contents, picture = tf.placeholder(tf.string, []), tf.placeholder(tf.uint8, [None, None, 3])
        plain, upright = (
            session.make_callable(then(jpeg.decode(contents, turn)), [contents])
            for turn in (False, True)
        )
        of_pixels = session.make_callable(then(picture), [picture])

    def decoded(photo: str | bytes) -> np.ndarray:
        if not isinstance(photo, bytes):
            with images.opened(photo) as data:
                return decoded(data)
        if photo[: len(images.JPEG)] != images.JPEG:
            return of_pixels(images.pixels(photo))
        data = images.contents(photo)
        run = upright if jpeg.may_be_turned(data) else plain
        try:
            # As NumPy's own kind of bytes, the file would lose the zeros at its end.
            return run(np.array(data, object))
        except tf.errors.InvalidArgumentError:
            raise PhotoError("damaged or cut off") from None

    return decoded


def batched(photos: Iterable) -> Iterator[list]:
    """The photos, BATCH at a time; the last ones may be fewer."""
    return several(photos, BATCH)


def several(items: Iterable[Photo], count: int) -> Iterator[list[Photo]]:
    """The items, `count` at a time; the last ones may be fewer."""
    items = iter(items)
    return iter(lambda: list(islice(items, count)), [])


def placed(photos: Iterable[tuple[int, Photo]]) -> Iterator[dict[int, Photo]]:
    """Batches {place: photo} of (place, photo); places that nothing comes for stay free."""
    batches: list[dict[int, Photo]] = []
    for place, photo in photos:
        batch = next((b for b in batches if place not in b), None)
        if batch is None:
            batch = {}
            batches.append(batch)
        batch[place] = photo
        if len(batches[0]) == BATCH or len(batches) > OPEN:
            yield batches.pop(0)
    yield from batches


def in_runs(batches: Iterable, run: Callable) -> Iterator[Callable]:
    """What `run` makes of each of the batches, in order, RUNS of them at a time.

    As functions that return or raise it. The next batch is taken while those before it run, but
    for the first: two first runs would both have TensorFlow optimize the graph.
    """
    batches = iter(batches)
    for first in islice(batches, 1):
        yield partial(run, first)
    for _, result in ahead(batches, run, RUNS + 1, RUNS):
        yield result


def ahead(
    items: Iterable, work: Callable, in_hand: int | None = None, threads: int | None = None
) -> Iterator[tuple]:
    """(item, function that returns or raises the result) in order, threads working ahead.

    Each function is to be called once: it does not keep what it gave. At most `in_hand` items
    (None: two batches) are waiting at a time, so that memory does not grow with the photos.
    threads: at work at a time (None: some more than there are cores).
    """
    in_hand = in_hand or 2 * BATCH
    with kept_pool(threads) as submit:
        waiting: deque[tuple[object, Future]] = deque()
        for item in items:
            waiting.append((item, submit(work, item)))
            if len(waiting) >= in_hand:
                yield _taken(waiting)
        while waiting:
            yield _taken(waiting)


def _taken(waiting: deque[tuple[object, Future]]) -> tuple[object, Callable]:
    """The first that is waiting, and what gives its result, once.

    An error leads, by the frames that it went through, to this function; if that led back to the
    error by its future, a whole batch of pictures would wait for the garbage collector.
    """
    item, future = waiting.popleft()
    held = [future]
    return item, lambda: held.pop().result()
