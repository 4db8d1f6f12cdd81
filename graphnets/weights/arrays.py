"""Weight files: reading, checking and writing `{layer: (W, b)}`."""

from __future__ import annotations

import lzma
import os
import shlex
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from graphnets.errors import GraphnetsError
from graphnets.files import whole_file
from graphnets.weights.formats import kind, most_bytes
from graphnets.weights.npz import array_names, read_array
from graphnets.weights.others import from_frossards, refuse_pytorchs
from graphnets.weights.pickles import pickled_weights, write_pickled

Weights = Mapping[str, tuple[np.ndarray, np.ndarray]]

UNREADABLE = (  # what zipfile raises; an encrypted file or another packing is a RuntimeError
    OSError, ValueError, EOFError, MemoryError, RuntimeError, KeyError, struct.error,
    zipfile.BadZipFile, zlib.error, lzma.LZMAError,
)  # fmt: skip
NAMED = 8  # arrays that an error names before it says "..."


def read_weights(path: str | os.PathLike[str]) -> Weights:
    """The weights in an .npz, a .safetensors or a pickled .npy, whatever the file is called.

    .npz and .safetensors have the arrays `layer/W` and `layer/b`, and each is read when it is asked
    for; an .npz may also be Frossard's vgg16_weights.npz. An .npy has a dict {layer: [W, b]} or
    {layer: {"weights": W, "biases": b}} and is read at once; it may be gzip'd. The arrays are
    float32, finite, and may be read-only.

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


class _NamedArrays(Mapping):
    """The weights in a file with the arrays `layer/W` and `layer/b`, each read when asked for."""

    WANTED = "the arrays layer/W and layer/b"

    def __init__(
        self, path: str | os.PathLike[str], names: Sequence[str], read: Callable[[str], Any]
    ) -> None:
        refuse_pytorchs(path, names)
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

    def __contains__(self, layer: object) -> bool:  # Mapping's own would read the layer
        return layer in self._layers

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)


class NpzWeights(_NamedArrays):
    """The weights in an .npz with the arrays `layer/W` and `layer/b`, each read when asked for.

    Or those of Frossard's VGG16, `conv1_1_W` and so on (see `others.from_frossards`).
    Raises GraphnetsError if the file is no such archive, and on reading a layer whose arrays are
    not finite float32. Nothing in the file is run: pickled objects are refused.
    """

    WANTED = "an .npz with the arrays layer/W and layer/b"

    def __init__(self, path: str | os.PathLike[str]) -> None:
        try:
            archive = zipfile.ZipFile(path)
        except FileNotFoundError:
            raise GraphnetsError(f"{path}: there is no such file") from None
        except UNREADABLE:
            raise GraphnetsError(f"{path} is no weight archive; wanted {self.WANTED}") from None
        try:
            names = array_names(archive, most_bytes(path))
        except ValueError as error:
            raise GraphnetsError(f"{path} cannot be read: {error}") from None
        super().__init__(path, *from_frossards(names, partial(read_array, archive)))


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
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    try:
        save_file(_named(weights), path)
    except SafetensorError as error:  # also where the disk is full
        raise OSError(str(error)) from None
