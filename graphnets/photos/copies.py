"""Photos that show the same picture: byte for byte, or saved again, resized, brightened, mirrored.

Cropped, turned and recoloured copies are not found.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from PIL import Image

from graphnets.errors import GraphnetsError

BITS = 64  # of a perceptual hash
# Of 450,000 pairs of different flowers none came nearer than 12 bits or 0.921; of copies saved
# at quality 10, at half the size or a tenth brighter none was beyond 6 bits or below 0.982.
MOST_BITS = 10  # that differ in copies
LEAST_LIKENESS = 0.95  # correlation of small copies in colour, each colour less its mean
FLAT = 3.0  # standard deviation of each colour, of 255, below which there is nothing to compare
MOST_LIGHTER = 50  # mean of pixels, of 255, that copies differ in
CELLS = 4_000_000  # distances at a time
MOST_EACH = 200  # candidates for copies of one photo: films have thousands of frames alike
CHUNK = 1024  # candidates compared at a time


def check_imagehash() -> None:
    """Raise GraphnetsError unless near copies can be looked for."""
    try:
        import imagehash  # noqa: F401
    except ImportError:
        raise GraphnetsError(
            "near copies are looked for with imagehash, which is not installed; "
            "`pip install 'graphnets[check]'`, or go without them (--no_near_copies)"
        ) from None


def prints(grey: np.ndarray) -> np.ndarray:
    """bool (2, 64): the perceptual hashes of a picture and of its mirror image.

    grey: uint8 (32, 32), as in a `graphnets.photos.look.Look`.
    """
    import imagehash

    sides = (grey, grey[:, ::-1])
    return np.stack([imagehash.phash(Image.fromarray(side)).hash.ravel() for side in sides])


def exact_pairs(keys: pd.Series) -> pd.DataFrame:
    """The first of those that have a key, with each other one: places `first`, `second`, int."""
    places = pd.Series(np.arange(len(keys)))
    first = places.groupby(keys.to_numpy()).transform("min")
    again = (first != places).to_numpy()
    return pd.DataFrame({"first": first[again], "second": places[again]}).reset_index(drop=True)


def near_pairs(hashes: np.ndarray, colours: np.ndarray) -> pd.DataFrame:
    """Pairs of near copies: places `first` < `second`, int, and `mirrored`, bool.

    hashes: bool (n, 2, 64), of `prints`. colours: uint8 (n, 16, 16, 3), as in a `Look`.
    Pictures with next to nothing on them are never copies. 10,000 photos take about a second, and
    time grows with their square.
    """
    found = [np.empty((0, 3), int)]
    clear = np.flatnonzero(_spread(colours) >= FLAT)
    for first, second, mirrored in _candidates(hashes[clear]):
        first, second = clear[first], clear[second]
        for start in range(0, len(first), CHUNK):
            ones, others = first[start : start + CHUNK], second[start : start + CHUNK]
            pictures = colours[others, :, ::-1] if mirrored else colours[others]
            alike = _alike(colours[ones], pictures)
            pairs = np.stack([ones, others, np.full(len(ones), mirrored)], 1)
            found.append(pairs[alike])
    pairs = pd.DataFrame(np.concatenate(found), columns=["first", "second", "mirrored"])
    pairs = pairs.sort_values(["first", "second", "mirrored"], ignore_index=True)
    pairs = pairs.drop_duplicates(["first", "second"], ignore_index=True)
    return pairs.astype({"mirrored": bool})


def _spread(pictures: np.ndarray) -> np.ndarray:
    """The standard deviation of each one's colours, without all in memory as floats."""
    chunks = [pictures[i : i + CHUNK] for i in range(0, len(pictures), CHUNK)]
    return np.concatenate([np.empty(0), *(chunk.std((1, 2)).mean(1) for chunk in chunks)])


def _candidates(hashes: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, bool]]:
    """(places, places of later ones whose hash is near, mirrored), in blocks."""
    signs = np.where(hashes, np.float32(1), np.float32(-1))  # whose product counts equal bits
    plain, mirrored = signs[:, 0], signs[:, 1]
    rows = max(1, CELLS // max(1, len(signs)))
    for start in range(0, len(signs), rows):
        block = plain[start : start + rows]
        for others, flag in ((plain, False), (mirrored, True)):
            distance = (BITS - block @ others[start:].T) / 2
            first, second = np.nonzero(np.triu(distance <= MOST_BITS, 1))
            order = np.lexsort((distance[first, second], first))  # the nearest of each first
            first, second = first[order], second[order]
            rank = np.arange(len(first)) - np.searchsorted(first, first)
            kept = rank < MOST_EACH
            yield first[kept] + start, second[kept] + start, flag


def _alike(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """bool (n,): whether pictures (n, 16, 16, 3) correlate, and are about as light."""
    a, b = (x.reshape(len(x), -1, 3).astype(np.float32) for x in (ones, others))
    # einsum is ten times as fast as mean along such an axis.
    means_a, means_b = (np.einsum("nij->nj", x) / x.shape[1] for x in (a, b))
    a -= means_a[:, np.newaxis]
    b -= means_b[:, np.newaxis]
    both, of_a, of_b = (np.einsum("nij,nij->n", x, y) for x, y in ((a, b), (a, a), (b, b)))
    likeness = both / np.maximum(np.sqrt(of_a * of_b), 1e-6)
    lighter = abs(means_a - means_b).max(1)
    return (likeness >= LEAST_LIKENESS) & (lighter <= MOST_LIGHTER)


def groups(pairs: pd.DataFrame) -> list[list[int]]:
    """The places in `pairs`, together where a chain of pairs leads from one to the other."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    places, ends = np.unique(pairs[["first", "second"]], return_inverse=True)
    first, second = ends.reshape(-1, 2).T
    links = coo_matrix((np.ones(len(first)), (first, second)), (len(places), len(places)))
    count, number = connected_components(links, directed=False) if len(places) else (0, [])
    return [places[number == group].tolist() for group in range(count)]
