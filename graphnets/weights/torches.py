"""PyTorch's older weight files (.pth before 1.6): pickles and raw numbers one after another.

No torch here, and nothing in the file is run: names in its pickles stand for classes of this
module, as in `pickles`. The layout is that of torch.serialization._legacy_save.
"""

from __future__ import annotations

import io
import math
import os
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from graphnets.weights import pickles
from graphnets.weights.npz import MOST_DIMENSIONS

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
WANTED = "wanted a state dict of tensors, as PyTorch before 1.6 saved it"
NEWER = (
    "is a zip file of PyTorch 1.6 or later; write it again there with `torch.save(state, FILE, "
    "_use_new_zipfile_serialization=False)`"
)


def torch_state(file: BinaryIO, source: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """{name: array} of the tensors in a .pth of the older layout, of the file's types.

    source: its name, for messages. Raises GraphnetsError if it is not that, or not whole.
    """
    with pickles.refusing(source, "file of PyTorch's", WANTED):
        return _state(file)


def _state(file: BinaryIO) -> dict[str, np.ndarray]:
    if _next(file) != MAGIC or _next(file) != PROTOCOL:
        raise ValueError("it does not begin as one")
    if not isinstance(system := _next(file), dict) or not system.get("little_endian", True):
        raise ValueError("its numbers are big-endian")
    tensors, keys = _next(file), _next(file)
    if not isinstance(tensors, dict) or not tensors or not isinstance(keys, list):
        raise ValueError("it holds no dict of tensors")
    for name, tensor in tensors.items():
        if not isinstance(name, str) or not isinstance(tensor, _Tensor):
            raise ValueError(f"{str(name)[:40]!r} is no tensor")
    wanted = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    values = {key: _numbers(file, wanted[key]) for key in keys if key in wanted}
    return {name: _array(name, tensor, values) for name, tensor in tensors.items()}


def _next(file: BinaryIO) -> Any:
    """What the next pickle in the file holds."""
    start = file.tell()
    pickles.check_steps(file)
    size = file.tell() - start
    file.seek(start)
    return _Unpickler(io.BytesIO(file.read(size))).load()


def _numbers(file: BinaryIO, storage: _Storage) -> np.ndarray:
    count = int.from_bytes(file.read(8), "little", signed=True)
    if count != storage.size:
        raise ValueError(f"a storage has {count} numbers and not {storage.size}")
    size = count * storage.dtype.itemsize
    data = file.read(size)
    if len(data) != size:
        raise ValueError("it ends too early")
    return np.frombuffer(data, storage.dtype)


def _array(name: str, tensor: _Tensor, values: dict[str, np.ndarray]) -> np.ndarray:
    """A tensor's numbers, which may lie in another order than that of its dimensions."""
    numbers = values.get(tensor.storage.key)
    count = math.prod(tensor.shape)
    steps = zip(tensor.shape, tensor.strides, strict=True)
    last = tensor.offset + sum((n - 1) * stride for n, stride in steps) if count else 0
    if (
        numbers is None
        or len(tensor.shape) > MOST_DIMENSIONS
        or max(count, last + 1) > len(numbers)
    ):
        raise ValueError(f"{name[:40]} of the shape {tensor.shape} has not as many numbers")
    strides = [stride * numbers.itemsize for stride in tensor.strides]
    start = numbers[tensor.offset :]
    return np.lib.stride_tricks.as_strided(start, tensor.shape, strides, writeable=False)


class _Type(NamedTuple):
    """torch.FloatStorage and the like."""

    dtype: np.dtype


class _Storage(NamedTuple):
    key: str
    dtype: np.dtype
    size: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _rebuilt(storage: Any, offset: Any, shape: Any, strides: Any, *_: object) -> _Tensor:
    """torch._utils._rebuild_tensor_v2."""
    whole = all(type(n) is int and 0 <= n < 1 << 40 for n in (offset, *shape, *strides))
    if type(storage) is not _Storage or not whole or len(shape) != len(strides):
        raise ValueError("a tensor is of another kind")
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


class _Ordered(dict):
    """collections.OrderedDict, whose attributes are of no use here."""

    def __setstate__(self, state: object) -> None:
        pass


class _Unpickler(pickles.Unpickler):
    names = {
        "collections.OrderedDict": _Ordered,
        "torch._utils._rebuild_tensor_v2": _rebuilt,
        "torch.FloatStorage": _Type(np.dtype("<f4")),
        "torch.LongStorage": _Type(np.dtype("<i8")),
    }

    def persistent_load(self, found: Any) -> _Storage:
        """What a tensor's storage is known by: its type, key and size."""
        kind, numbers, key, _, count, *view = found
        known = kind == "storage" and type(numbers) is _Type and type(key) is str
        if not known or type(count) is not int or not 0 <= count < 1 << 40 or any(view):
            raise ValueError("a storage is of another kind")
        return _Storage(key, numbers.dtype, count)
