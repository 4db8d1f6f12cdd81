"""Pickled weights (`.npy` files of a dict), read without running them.

A pickle names functions to be called. Here every name stands for a class of this module, none of
which does more than to keep what it is given, and a name that is not among `names` is refused.
"""

from __future__ import annotations

import os
import pickle
import pickletools
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np

from graphnets.errors import GraphnetsError
from graphnets.weights.formats import NPY, opened
from graphnets.weights.npz import fits, npy_header

WANTED = "wanted a dict {layer: [W, b]} or {layer: {'weights': W, 'biases': b}} of arrays"
MOST_STEPS = 50_000  # VGG16 has under 2,000; tuples nested twice as deep as that crash Python
LONGEST_SHARED = 10_000  # bytes of a text used twice: each use could make a copy
SHAREABLE = re.compile("GLOBAL|STRING|UNICODE|BYTE|REDUCE|LIST|DICT")
OPCODES = {opcode.code: opcode for opcode in pickletools.opcodes}
LENGTHS = {  # bytes of the number that tells how long a step's bytes or text are
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}

Pairs = dict[str, tuple[np.ndarray, np.ndarray]]


def pickled_weights(path: str | os.PathLike[str]) -> Pairs:
    """{layer: (W, b)} from a pickled dict, in an .npy file or bare, gzip'd or not.

    The layers are [W, b], (W, b) or {"weights": W, "biases": b}; the file may be Python 2's or 3's,
    of any protocol. The arrays are of the file's dtypes, and read-only: they lie in the bytes that
    were read. Nothing in the file is run. Raises GraphnetsError if it is not that.
    """
    with opened(path) as file, refusing(path, "pickle of weights", WANTED):
        found = _load(file)
    if not isinstance(found, dict) or not found:
        raise GraphnetsError(f"{path} holds {_described(found)}; {WANTED}")
    return dict(_pair(path, name, value) for name, value in found.items())


def pickled_arrays(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """{name: array} of the arrays of numbers in a pickled dict, gzip'd or not; the rest is left.

    The file may be Python 2's or 3's. Nothing in it is run. Raises what `refusing` is there for.
    """
    with opened(path) as file:
        found = _load(file)
    if not isinstance(found, dict):
        raise ValueError(f"it holds {_described(found)}")
    return {
        _text(name): array.value
        for name, array in found.items()
        if isinstance(name, str | bytes)
        and isinstance(array, _Array)
        and isinstance(array.value, np.ndarray)
    }


@contextmanager
def refusing(source: str | os.PathLike[str], what: str, wanted: str) -> Iterator[None]:
    """GraphnetsError in place of all that reading a pickle can raise: it is no `what`."""
    try:
        yield
    except UnknownName as error:
        raise GraphnetsError(
            f"{source} is a pickle that would run {error}, which is never done; {wanted}"
        ) from None
    except MemoryError:
        raise GraphnetsError(f"{source} asks for more memory than there is; {wanted}") from None
    except Exception as error:  # a pickle can be wrong in every way
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        reason = " ".join(f"{kind}{error}"[:200].split())
        raise GraphnetsError(f"{source} is no {what} ({reason}); {wanted}") from None


def write_pickled(path: str | os.PathLike[str], weights: Mapping[str, Iterable]) -> None:
    """Write {layer: (W, b)}, float32, as the .npy of a dict {layer: [W, b]}.

    `np.load(path, encoding="latin1", allow_pickle=True).item()` reads it with every NumPy: what
    NumPy 2 pickles itself names modules that NumPy 1.25 and older do not have.
    """
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "|O", "fortran_order": False, "shape": ()}
        )
        file.write(pickle.PROTO + b"\x03" + _array_start((), "O8"))
        file.write(pickle.EMPTY_LIST + pickle.EMPTY_DICT)
        for name, pair in weights.items():
            file.write(_text_opcode(name) + pickle.EMPTY_LIST)
            for array in pair:
                array = np.asarray(array, "<f4", order="C")
                file.write(_array_start(array.shape, "f4"))
                file.write(pickle.BINBYTES + array.nbytes.to_bytes(4, "little"))
                file.write(array.reshape(-1).view(np.uint8).data)
                file.write(pickle.TUPLE + pickle.BUILD + pickle.APPEND)
            file.write(pickle.SETITEM)
        file.write(pickle.APPEND + pickle.TUPLE + pickle.BUILD + pickle.STOP)


def _array_start(shape: tuple[int, ...], code: str) -> bytes:
    """An array as every NumPy pickles it, up to its values, TUPLE and BUILD.

    code: "f4", or "O8" for an array of objects.
    """
    order, flags = ("|", 63) if code == "O8" else ("<", 0)  # 63: objects are references, and more
    zero, minus_one = pickle.BININT1 + b"\0", pickle.BININT + b"\xff" * 4
    dtype = (
        pickle.GLOBAL + b"numpy\ndtype\n" + _text_opcode(code)
        + pickle.NEWFALSE + pickle.NEWTRUE + pickle.TUPLE3 + pickle.REDUCE
        + pickle.MARK + pickle.BININT1 + b"\3" + _text_opcode(order) + 3 * pickle.NONE
        + 2 * minus_one + pickle.BININT1 + bytes([flags]) + pickle.TUPLE + pickle.BUILD
    )  # fmt: skip
    sizes = b"".join(pickle.BININT + size.to_bytes(4, "little") for size in shape)
    return (
        pickle.GLOBAL + b"numpy.core.multiarray\n_reconstruct\n"
        + pickle.GLOBAL + b"numpy\nndarray\n" + zero + pickle.TUPLE1
        + pickle.SHORT_BINBYTES + b"\1b" + pickle.TUPLE3 + pickle.REDUCE
        + pickle.MARK + pickle.BININT1 + b"\1" + pickle.MARK + sizes + pickle.TUPLE
        + dtype + pickle.NEWFALSE
    )  # fmt: skip


def _text_opcode(text: str) -> bytes:
    data = text.encode()
    return pickle.BINUNICODE + len(data).to_bytes(4, "little") + data


def _pair(path: object, key: object, value: object) -> tuple[str, tuple[np.ndarray, np.ndarray]]:
    """The entry `key: value` of the dict as (layer, (W, b))."""
    layer = _text(key) if isinstance(key, (str, bytes)) else None
    if not layer or not layer.isprintable():
        raise GraphnetsError(f"{path} names a layer {_described(key)}; {WANTED}")
    if isinstance(value, dict):
        roles = {_text(role) if isinstance(role, bytes) else role: value[role] for role in value}
        if set(roles) != {"weights", "biases"}:
            names = ", ".join(map(_described, roles)) or "nothing"
            raise GraphnetsError(f"{path}: {layer} is a dict of {names:.100}; {WANTED}")
        value = [roles["weights"], roles["biases"]]
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise GraphnetsError(f"{path}: {layer} is {_described(value)}; {WANTED}")
    for role, array in zip("Wb", value, strict=True):
        if not isinstance(array, _Array) or not isinstance(array.value, np.ndarray):
            raise GraphnetsError(f"{path}: {layer}/{role} is {_described(array)}; {WANTED}")
    return layer, (value[0].value, value[1].value)


def _described(value: object) -> str:
    """What an error calls a thing that is no layer; never its whole text, which may be long."""
    if isinstance(value, _Array):
        return f"an array of the type {value.type}"
    if isinstance(value, (list, tuple, dict)):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, (str, bytes)):
        return repr(value[:40])
    return "a number" if isinstance(value, (int, float)) else "nothing"


def _load(file: BinaryIO) -> object:
    """What the file holds, its arrays as _Array."""
    start = file.tell()
    is_npy = file.read(len(NPY)) == NPY
    file.seek(start)
    if is_npy:
        shape, _, dtype = npy_header(file)
        if not dtype.hasobject or shape != ():
            raise ValueError(f"it is one array, {dtype} {shape}")
        start = file.tell()
    check_steps(file)
    file.seek(start)
    # As bytes, Python 2's strings, arrays' values among them, need not be decoded and encoded.
    found = _Weights(file, encoding="bytes").load()
    if isinstance(found, _Array) and isinstance(found.value, list) and len(found.value) == 1:
        return found.value[0]  # the array of one object that np.save makes of a dict
    return found


def check_steps(file: BinaryIO) -> None:
    """Raise ValueError for a pickle whose reading could take all memory, crash Python or not end.

    The last is what a tuple of tuples does that are all one, as the key of a dict.
    """
    made: dict[int, str] = {}  # what made the things that the pickle numbers, to name them again
    last, length = "", 0
    for count, (name, number, size) in enumerate(_steps(file)):
        if count > MOST_STEPS:
            raise ValueError(f"it has over {MOST_STEPS} steps")
        if name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            index = len(made) if name == "MEMOIZE" else number
            if not 0 <= index <= count:
                raise ValueError(f"it numbers a thing {index}")
            made[index] = last if length <= LONGEST_SHARED else ""
            continue
        again = name in ("GET", "BINGET", "LONG_BINGET")
        if name == "DUP" or again and not SHAREABLE.search(made.get(number, "")):
            raise ValueError("it uses a thing twice that is no array, list, dict or text")
        last, length = name, size


def _steps(file: BinaryIO) -> Iterator[tuple[str, int, int]]:
    """The opcodes of a pickle, the numbers they have, and the length of the bytes and texts.

    Those are skipped.
    """
    # pickletools.genops would read them, and fails at what Python 2 writes with protocol 0.
    while code := file.read(1):
        opcode = OPCODES.get(code.decode("latin1"))
        if opcode is None:
            raise ValueError(f"it has a step {code!r}, which there is not")
        size = opcode.arg.n if opcode.arg else 0
        number = length = 0
        if size == pickletools.UP_TO_NEWLINE:
            line = file.readline()
            number = int(line) if opcode.name in ("PUT", "GET") else 0
            length = len(line)
            if opcode.name in ("GLOBAL", "INST"):  # module and name
                file.readline()
        elif size < 0:
            length = int.from_bytes(file.read(LENGTHS[size]), "little")
            file.seek(length, os.SEEK_CUR)
        else:
            number = int.from_bytes(file.read(size), "little")
        yield opcode.name, number, length
        if opcode.name == "STOP":
            return
    raise ValueError("it ends too early")


class UnknownName(pickle.UnpicklingError):
    """A pickle names what it may not."""


class Unpickler(pickle.Unpickler):
    """Makes what `names` has of the names in a pickle, and refuses all others."""

    names: dict[str, Any]

    def find_class(self, module: str, name: str) -> Any:
        """What stands for a name; raises UnknownName for one that does not."""
        found = self.names.get(f"{module}.{name}")
        if found is None:
            raise UnknownName(repr(f"{module}.{name}"[:100]))
        return found


class _StandIn:
    """What a name in the pickle stands for. The pickle can set nothing on it nor on its objects."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        raise ValueError(f"{type(self).__name__} has no state")


class _DType(_StandIn):
    """numpy.dtype: a type of numbers, or of objects."""

    __slots__ = ("name",)

    def __init__(self, code: str | bytes, align: object = False, copy: object = False) -> None:
        self.name = "|" + _text(code)

    def __setstate__(self, state: Any) -> None:
        _, order, *parts = state[:5]
        if parts != [None, None, None]:
            raise ValueError("an array is of a structured type")
        self.name = _text(order) + self.name[1:]


class _Array(_StandIn):
    """numpy.ndarray: `value` is an array if its type is one of numbers, or else what it holds."""

    __slots__ = ("type", "value")

    def __init__(self) -> None:
        self.type, self.value = "unknown", None

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, data = state
        self._set(shape, dtype, "F" if fortran else "C", data)

    def _set(self, shape: Any, dtype: Any, order: Any, data: Any) -> None:
        if type(dtype) is not _DType:
            raise ValueError("an array has no type")
        self.type = dtype.name[:40]
        if not re.fullmatch(r"[<>|][biufc]\d{1,2}", self.type):
            self.value = data
            return
        if type(shape) is not tuple or not all(type(n) is int and 0 <= n < 1 << 40 for n in shape):
            raise ValueError("an array has no shape")
        is_bytes = isinstance(data, bytes | bytearray)
        if not is_bytes or not fits(shape, np.dtype(self.type).itemsize, len(data)):
            got = f"{len(data)} bytes" if is_bytes else "no bytes"
            raise ValueError(f"an array of the shape {shape} has {got}")
        self.value = np.ndarray(shape, self.type, data, order="F" if order == "F" else "C")


class _Reconstruct(_StandIn):
    """numpy.core.multiarray._reconstruct: an array yet to be filled."""

    __slots__ = ()

    def __new__(cls, kind: object, shape: object, code: object) -> Any:
        if kind is not _Array:
            raise ValueError("an array is of a class of its own")
        return _Array()


class _FromBuffer(_StandIn):
    """numpy._core.numeric._frombuffer: an array as protocol 5 has it."""

    __slots__ = ()

    def __new__(cls, data: object, dtype: object, shape: object, order: object) -> Any:
        array = _Array()
        array._set(shape, dtype, order, data)
        return array


class _Encode(_StandIn):
    """_codecs.encode: how Python 3 writes bytes for Python 2."""

    __slots__ = ()

    def __new__(cls, text: object, encoding: object) -> Any:
        if not isinstance(text, str) or encoding not in ("latin1", b"latin1"):
            raise ValueError("it encodes something other than latin1")
        return text.encode("latin1")


class _Weights(Unpickler):
    names = {
        "numpy.ndarray": _Array,
        "numpy.dtype": _DType,
        "_codecs.encode": _Encode,
        **{f"numpy.{core}.multiarray._reconstruct": _Reconstruct for core in ("core", "_core")},
        **{f"numpy.{core}.numeric._frombuffer": _FromBuffer for core in ("core", "_core")},
    }


def _text(value: str | bytes) -> str:
    """Python 2's strings are bytes here."""
    if isinstance(value, str):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin1")
