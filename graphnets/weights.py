"""Weight files: reading, checking and writing `{layer: (W, b)}`, and where they lie."""

from __future__ import annotations

import os
import shlex
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from graphnets.errors import GraphnetsError

Weights = Mapping[str, tuple[np.ndarray, np.ndarray]]

UNREADABLE = (  # a huge shape takes too much memory; an encrypted file is a RuntimeError
    OSError, ValueError, EOFError, MemoryError, RuntimeError, zipfile.BadZipFile, zlib.error
)  # fmt: skip
FILES = {"inception_v3": "classify_image_graph_def.pb", "vgg16": "vgg16.npz"}


def model_dir() -> Path:
    """Where weight files lie unless told otherwise: $GRAPHNETS_MODEL_DIR or the user's cache."""
    import platformdirs

    return Path(os.environ.get("GRAPHNETS_MODEL_DIR") or platformdirs.user_cache_dir("graphnets"))


def default_file(architecture: str, folder: str | os.PathLike[str] | None = None) -> Path:
    """Where `graphnets fetch` puts the architecture's weights.

    Raises GraphnetsError with the command to run if they are not there.
    """
    path = Path(folder or model_dir()) / FILES[architecture]
    if not path.exists():
        option = f" --model_dir {shlex.quote(str(folder))}" if folder else ""
        raise GraphnetsError(
            f"the weights of {architecture} are not at {path}; get them with "
            f"`graphnets fetch {architecture}{option}`"
        )
    return path


class NpzWeights(Mapping):
    """The weights in an .npz with the arrays `layer/W` and `layer/b`, each read when asked for.

    Raises GraphnetsError if the file is no such archive, and on reading a layer whose arrays are
    not finite float32. Nothing in the file is run: pickled objects are refused.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path
        wanted = "wanted an .npz with the arrays layer/W and layer/b"
        try:
            self._arrays = np.load(path, allow_pickle=False)
            names = self._arrays.files
        except FileNotFoundError:
            raise GraphnetsError(f"{path}: there is no such file") from None
        except (*UNREADABLE, AttributeError):
            raise GraphnetsError(f"{path} is no weight archive; {wanted}") from None
        self._layers = list(dict.fromkeys(name.rpartition("/")[0] for name in names))
        expected = {f"{layer}/{role}" for layer in self._layers for role in "Wb"}
        if not names or set(names) != expected:
            odd = ", ".join(sorted(expected.symmetric_difference(names))) or "nothing"
            raise GraphnetsError(f"{path}: {odd} is missing or out of place; {wanted}")

    def __getitem__(self, layer: str) -> tuple[np.ndarray, np.ndarray]:
        if layer not in self._layers:
            raise KeyError(layer)
        return self._array(f"{layer}/W"), self._array(f"{layer}/b")

    def _array(self, name: str) -> np.ndarray:
        try:
            value = np.asarray(self._arrays[name])  # a member that is no .npy comes as bytes
        except UNREADABLE as error:
            raise GraphnetsError(f"{self._path}: {name} cannot be read ({error})") from None
        if value.dtype != np.float32 or not np.isfinite(value).all():
            raise GraphnetsError(
                f"{self._path}: {name} is {value.dtype} or not finite; wanted finite float32"
            )
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)


def write_npz(path: str | os.PathLike[str], weights: Weights) -> None:
    """Write weights as `NpzWeights` reads them; the same weights give the same bytes."""
    arrays = {
        f"{layer}/{role}": array
        for layer, pair in weights.items()
        for role, array in zip("Wb", pair, strict=True)
    }
    np.savez(path, **arrays)  # type: ignore[arg-type]


class RandomWeights(Mapping):
    """Seeded weights for a network without a file: W is He-normal, b is 0.

    shapes: {layer: (shape of W, shape of b)}. A layer's values depend on the seed and on its place
    in `shapes` alone, and are drawn when asked for.
    """

    def __init__(self, shapes: Mapping[str, Sequence[tuple[int, ...]]], seed: int = 0) -> None:
        self._shapes = dict(shapes)
        self._seed = seed

    def __getitem__(self, layer: str) -> tuple[np.ndarray, np.ndarray]:
        shape_w, shape_b = self._shapes[layer]
        random = np.random.default_rng([self._seed, list(self._shapes).index(layer)])
        # He et al. 2015, arXiv 1502.01852: keeps the scale of activations through ReLUs.
        deviation = np.sqrt(2 / np.prod(shape_w[:-1]))
        W = random.standard_normal(shape_w, np.float32) * np.float32(deviation)
        return W, np.zeros(shape_b, np.float32)

    def __iter__(self) -> Iterator[str]:
        return iter(self._shapes)

    def __len__(self) -> int:
        return len(self._shapes)
