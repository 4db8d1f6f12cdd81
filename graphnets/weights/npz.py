"""The arrays in an .npz, read without trust in the sizes that it declares."""

from __future__ import annotations

import io
import math
import warnings
import zipfile
from collections.abc import Sequence
from typing import IO

import numpy as np

from graphnets.weights.formats import NPY
from graphnets.weights.memory import aligned_empty

LONGEST_HEADER = 10_000  # bytes, NumPy's own limit; an array of float32 has 118
MOST_DIMENSIONS = 32  # of NumPy 1


def array_names(archive: zipfile.ZipFile, most: int) -> list[str]:
    """The names of the members without .npy; ValueError if all unpack to over `most` bytes."""
    size = sum(member.file_size for member in archive.infolist())
    if size > most:
        raise ValueError(f"it unpacks to {size:,} bytes, wanted at most {most:,}")
    return [name.removesuffix(".npy") for name in archive.namelist()]


def read_array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """An array of the archive; if it is not float32, only its type, without values.

    A member that is no .npy is one value of bytes. Raises ValueError, and what zipfile raises, for
    one that is damaged; nothing is unpickled.
    """
    names = archive.namelist()
    info = archive.getinfo(f"{name}.npy" if f"{name}.npy" in names else name)
    with archive.open(info) as file:
        if not file.peek(len(NPY)).startswith(NPY):  # type: ignore[attr-defined]
            return np.asarray(file.read())
        shape, fortran_order, dtype = npy_header(file)
        if dtype.hasobject:
            raise ValueError("Object arrays cannot be loaded without running them")
        if dtype != np.dtype("<f4"):
            return np.empty(0, dtype)
        size = info.file_size - file.tell()
        if not fits(shape, 4, size):
            raise ValueError(f"an array of the shape {shape} has {size} bytes")
        return _filled(file, shape[::-1]).T if fortran_order else _filled(file, shape)


def npy_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """(shape, whether in Fortran's order, type) from the start of an .npy; ValueError if none."""
    start = file.read(len(NPY) + 2)
    readers = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
    version = start[len(NPY)] if start.startswith(NPY) and len(start) > len(NPY) else 0
    if version not in readers:
        raise ValueError("it has no header of NumPy's format 1 or 2")
    length = file.read(2 * version)
    size = int.from_bytes(length, "little")
    if size > LONGEST_HEADER:
        raise ValueError(f"it has a header of {size:,} bytes")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Python 2's numbers
            return readers[version](io.BytesIO(length + file.read(size)))
    except Exception as error:  # the header is Python's text, which can be wrong in every way
        raise ValueError(f"its header cannot be understood: {error}"[:200]) from None


def fits(shape: Sequence[int], itemsize: int, size: int) -> bool:
    """Whether an array of the shape, which a file declares, takes `size` bytes."""
    if len(shape) > MOST_DIMENSIONS or min(shape, default=0) < 0:
        return False
    return itemsize * math.prod(shape) == size


def _filled(file: IO[bytes], shape: Sequence[int]) -> np.ndarray:
    """float32 out of the file, which is in memory once only."""
    found = aligned_empty(shape)
    rest = found.reshape(-1).view(np.uint8).data
    while rest:
        count = file.readinto(rest[: 1 << 20])  # type: ignore[attr-defined]
        if not count:
            raise EOFError("cut off")
        rest = rest[count:]
    return found
