"""Weights drawn from a seed, for a network without a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from graphnets.errors import check_seed
from graphnets.weights.memory import aligned_empty

RANDOM = "random"  # in place of a file's name: weights drawn from a seed


class RandomWeights(Mapping):
    """Seeded weights for a network without a file: W is He-normal, b is 0.

    shapes: {layer: (shape of W, shape of b)}. A layer's values depend on the seed and on its place
    in `shapes` alone, and are drawn when asked for. Raises GraphnetsError for a seed below 0.
    """

    def __init__(self, shapes: Mapping[str, Sequence[tuple[int, ...]]], seed: int = 0) -> None:
        check_seed(seed)
        self.shapes = dict(shapes)
        self._seed = seed

    def __getitem__(self, layer: str) -> tuple[np.ndarray, np.ndarray]:
        shape_w, shape_b = self.shapes[layer]
        random = np.random.default_rng([self._seed, list(self.shapes).index(layer)])
        # He et al. 2015, arXiv 1502.01852: keeps the scale of activations through ReLUs.
        deviation = np.sqrt(2 / np.prod(shape_w[:-1]))
        W = random.standard_normal(dtype=np.float32, out=aligned_empty(shape_w))
        W *= np.float32(deviation)
        return W, np.zeros(shape_b, np.float32)

    def __contains__(self, layer: object) -> bool:  # Mapping's own would draw the layer
        return layer in self.shapes

    def __iter__(self) -> Iterator[str]:
        return iter(self.shapes)

    def __len__(self) -> int:
        return len(self.shapes)
