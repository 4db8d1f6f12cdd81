"""Weight files: reading, checking and writing `{layer: (W, b)}`, and where they lie."""

from __future__ import annotations

import math
import os
import shlex
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from graphnets.errors import GraphnetsError
from graphnets.files import whole_file
from graphnets.weights.formats import kind
from graphnets.weights.pickles import pickled_weights, write_pickled

ALIGNMENT = 64  # bytes, of TensorFlow's buffers
Weights = Mapping[str, tuple[np.ndarray, np.ndarray]]

UNREADABLE = (  # a huge shape takes too much memory; an encrypted file is a RuntimeError
    OSError, ValueError, EOFError, MemoryError, RuntimeError, zipfile.BadZipFile, zlib.error
)  # fmt: skip
NAMED = 8  # arrays that an error names before it says "..."
RANDOM = "random"  # in place of a file's name: weights drawn from a seed
FILES = {
    "inception_v3": "classify_image_graph_def.pb",
    "vgg16": "vgg16.npz",
    "alexnet": "bvlc_alexnet.npz",
    "alexnet_caffe": "bvlc_alexnet.npz",  # the same weights, read in another way
}


def model_dir() -> Path:
    """Where weight files lie unless told otherwise: $GRAPHNETS_MODEL_DIR or the user's cache."""
    import platformdirs

    return Path(os.environ.get("GRAPHNETS_MODEL_DIR") or platformdirs.user_cache_dir("graphnets"))


def fetched_as(architecture: str) -> str:
    """The name under which `graphnets fetch` knows the architecture's file."""
    return next(name for name, file in FILES.items() if file == FILES[architecture])


def fetch_command(architecture: str, folder: str | os.PathLike[str] | None = None) -> str:
    """What to type to get the architecture's weights into the folder (None: the usual one)."""
    usual = folder is None or Path(folder) == model_dir()
    option = "" if usual else f" --model_dir {shlex.quote(str(folder))}"
    return f"graphnets fetch {fetched_as(architecture)}{option}"


def default_file(architecture: str, folder: str | os.PathLike[str] | None = None) -> Path:
    """Where `graphnets fetch` puts the architecture's weights.

    Raises GraphnetsError with the command to run if they are not there.
    """
    path = Path(folder or model_dir()) / FILES[architecture]
    if not path.exists():
        raise GraphnetsError(
            f"the weights of {architecture} are not at {path}; get them with "
            f"`{fetch_command(architecture, folder)}`"
        )
    return path


def read_weights(path: str | os.PathLike[str]) -> Weights:
    """The weights in an .npz, a .safetensors or a pickled .npy, whatever the file is called.

    .npz and .safetensors have the arrays `layer/W` and `layer/b`, and each is read when it is asked
    for. An .npy has a dict {layer: [W, b]} or {layer: {"weights": W, "biases": b}} and is read at
    once; it may be gzip'd. The arrays are float32, finite, and may be read-only.

    Nothing in the file is run. Raises GraphnetsError if it is not that.
    """
    found = kind(path)
    if found == "zip":
        return NpzWeights(path)
    if found == "safetensors":
        return SafetensorsWeights(path)
    if found in ("npy", "pickle"):
        return checked(path, pickled_weights(path))
    hint = ""
    if found == "hdf5" or Path(path).suffix in (".caffemodel", ".h5", ".onnx"):
        hint = f"; make one of it with `graphnets convert {shlex.quote(str(path))} weights.npz`"
    raise GraphnetsError(f"{path} is no .npz, .npy or .safetensors of weights{hint}")


def write_weights(path: str | os.PathLike[str], weights: Weights) -> None:
    """Write weights as `read_weights` reads them, in the format of the path's suffix.

    .npz: arrays `layer/W` and `layer/b`; .safetensors: the same; .npy: the pickled dict {layer:
    [W, b]} that older code loads, `np.load(path, encoding="latin1", allow_pickle=True).item()`.
    The same weights give the same bytes, and the file appears only when it is whole.

    Raises GraphnetsError for another suffix, for arrays that are not finite float32, and if the
    file cannot be written.
    """
    write = writer(path)
    try:
        with whole_file(path) as temporary:
            write(temporary, checked(path, weights))
    except OSError as error:
        raise GraphnetsError(f"{path} cannot be written: {error.strerror or error}") from None


def writer(path: str | os.PathLike[str]) -> Callable[[Path, Weights], None]:
    """What writes the format of the path's suffix; GraphnetsError if there is none."""
    writers = {".npz": write_npz, ".safetensors": write_safetensors, ".npy": write_pickled}
    found = writers.get(Path(path).suffix.lower())
    if found is None:
        wanted = ", ".join(writers)
        raise GraphnetsError(f"{path} has no suffix of a weight format; wanted one of {wanted}")
    return found


def checked(path: str | os.PathLike[str], weights: Weights) -> dict:
    """All of the weights as a dict; GraphnetsError, naming `path`, unless they are sound.

    Sound are pairs of finite float32 arrays.
    """
    found = {}
    for layer, pair in weights.items():
        if len(pair) != 2:
            raise GraphnetsError(f"{path}: {layer} has {len(pair)} arrays, wanted W and b")
        for role, array in zip("Wb", pair, strict=True):
            check_array(path, f"{layer}/{role}", np.asarray(array))
        found[layer] = (np.asarray(pair[0]), np.asarray(pair[1]))
    return found


def check_array(path: str | os.PathLike[str], name: str, array: np.ndarray) -> None:
    """Raise GraphnetsError unless the array is finite float32."""
    if array.dtype != np.float32:
        raise GraphnetsError(f"{path}: {name} is {array.dtype}; wanted float32")
    if not np.isfinite(array).all():
        raise GraphnetsError(f"{path}: {name} holds NaN or infinite numbers; wanted finite ones")


def aligned_empty(shape: Sequence[int]) -> np.ndarray:
    """An uninitialised float32 array that TensorFlow takes over without a copy."""
    size = 4 * math.prod(shape)
    buffer = np.empty(size + ALIGNMENT, np.uint8)
    start = -buffer.ctypes.data % ALIGNMENT
    return buffer[start : start + size].view(np.float32).reshape(shape)


class _NamedArrays(Mapping):
    """The weights in a file with the arrays `layer/W` and `layer/b`, each read when asked for."""

    WANTED = "the arrays layer/W and layer/b"

    def __init__(
        self, path: str | os.PathLike[str], names: Sequence[str], read: Callable[[str], Any]
    ) -> None:
        self._path, self._read = path, read
        self._layers = list(dict.fromkeys(name.rpartition("/")[0] for name in names))
        expected = {f"{layer}/{role}" for layer in self._layers for role in "Wb"}
        if not names or set(names) != expected:
            odd = sorted(expected.symmetric_difference(names)) or ["nothing"]
            more = ", ..." if len(odd) > NAMED else ""
            raise GraphnetsError(
                f"{path}: {', '.join(odd[:NAMED])}{more} is missing or out of place; "
                f"wanted {self.WANTED}"
            )

    def __getitem__(self, layer: str) -> tuple[np.ndarray, np.ndarray]:
        if layer not in self._layers:
            raise KeyError(layer)
        return self._array(f"{layer}/W"), self._array(f"{layer}/b")

    def _array(self, name: str) -> np.ndarray:
        try:
            array = np.asarray(self._read(name))  # a zip's member that is no .npy comes as bytes
        except UNREADABLE as error:
            raise GraphnetsError(f"{self._path}: {name} cannot be read ({error})") from None
        check_array(self._path, name, array)
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)


class NpzWeights(_NamedArrays):
    """The weights in an .npz with the arrays `layer/W` and `layer/b`, each read when asked for.

    Raises GraphnetsError if the file is no such archive, and on reading a layer whose arrays are
    not finite float32. Nothing in the file is run: pickled objects are refused.
    """

    WANTED = "an .npz with the arrays layer/W and layer/b"

    def __init__(self, path: str | os.PathLike[str]) -> None:
        try:
            arrays = np.load(path, allow_pickle=False)
            names = arrays.files
        except FileNotFoundError:
            raise GraphnetsError(f"{path}: there is no such file") from None
        except (*UNREADABLE, AttributeError):
            raise GraphnetsError(f"{path} is no weight archive; wanted {self.WANTED}") from None
        super().__init__(path, names, partial(_npz_array, arrays))


class SafetensorsWeights(_NamedArrays):
    """The weights in a .safetensors with the tensors `layer/W` and `layer/b`, read when asked for.

    Raises GraphnetsError as `NpzWeights` does.
    """

    WANTED = "a .safetensors with the tensors layer/W and layer/b"

    def __init__(self, path: str | os.PathLike[str]) -> None:
        import safetensors

        def read(name: str) -> np.ndarray:
            try:  # opened anew, because what has been read stays mapped until it is closed
                with safetensors.safe_open(path, framework="numpy") as file:
                    return file.get_tensor(name)
            except (safetensors.SafetensorError, TypeError, AttributeError) as error:
                raise ValueError(str(error)) from None  # a type that NumPy does not have

        try:
            with safetensors.safe_open(path, framework="numpy") as file:
                names = list(file.keys())
        except FileNotFoundError:
            raise GraphnetsError(f"{path}: there is no such file") from None
        except (safetensors.SafetensorError, OSError) as error:
            raise GraphnetsError(f"{path} cannot be read ({error}); wanted {self.WANTED}") from None
        super().__init__(path, names, read)


def _npz_array(arrays: Any, name: str) -> np.ndarray:
    """One array of an open .npz; float32, the usual case, is in memory once only."""
    if f"{name}.npy" not in arrays.zip.namelist():
        return arrays[name]
    with arrays.zip.open(f"{name}.npy") as file:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            return arrays[name]
        shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
        if dtype != np.dtype("<f4") or fortran_order:
            return arrays[name]
        found = aligned_empty(shape)
        rest = found.reshape(-1).view(np.uint8).data
        while rest:
            count = file.readinto(rest[: 1 << 20])
            if not count:
                raise EOFError("cut off")
            rest = rest[count:]
        return found


def _named(weights: Weights) -> dict[str, np.ndarray]:
    """The arrays as `layer/W` and `layer/b`, their values in C's order."""
    return {
        f"{layer}/{role}": np.asarray(array, order="C")
        for layer, pair in weights.items()
        for role, array in zip("Wb", pair, strict=True)
    }


def write_npz(path: str | os.PathLike[str], weights: Weights) -> None:
    """Write weights as `NpzWeights` reads them; the same weights give the same bytes."""
    with open(path, "wb") as file:
        np.savez(file, **_named(weights))  # type: ignore[arg-type]


def write_safetensors(path: str | os.PathLike[str], weights: Weights) -> None:
    """Write weights as `SafetensorsWeights` reads them; the same weights give the same bytes."""
    from safetensors.numpy import save_file

    save_file(_named(weights), path)


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
        W = random.standard_normal(dtype=np.float32, out=aligned_empty(shape_w))
        W *= np.float32(deviation)
        return W, np.zeros(shape_b, np.float32)

    def __iter__(self) -> Iterator[str]:
        return iter(self._shapes)

    def __len__(self) -> int:
        return len(self._shapes)
