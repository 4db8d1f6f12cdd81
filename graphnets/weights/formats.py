"""Telling weight files apart by their first bytes, whatever their names are."""

from __future__ import annotations

import gzip
import io
import os
import re
import zlib
from typing import Any, BinaryIO, cast

from graphnets.errors import GraphnetsError, check_path
from graphnets.files import held

ZIP, HDF5, GZIP = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"\x1f\x8b"
NPY = b"\x93NUMPY"
# Protocols 2 and later begin with \x80; an older pickle of a dict, a list or a global with these.
PICKLE = re.compile(rb"\x80|\(|[}\]]|c[\w.]+\n")
LARGEST = 1 << 30  # bytes that a packed file unpacks to; VGG16's weights have 553 million
PACKED = 100  # times that its bytes may become more; those of trained weights hardly do
ROOM = 64 << 20  # bytes that the smallest may unpack to
WEB_PAGE = re.compile(rb"(\xef\xbb\xbf)?\s*<[!?a-zA-Z]")


def most_bytes(path: str | os.PathLike[str]) -> int:
    """What the file may want of memory: more is a file made to take it all."""
    status = os.stat(path)
    return held(status) + min(LARGEST, ROOM + PACKED * status.st_size)


class _Unpacked(io.RawIOBase):
    """What a gzip'd file holds. Raises ValueError where it goes on after `most_bytes`."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._file, self._most = gzip.open(path), most_bytes(path)

    def readinto(self, buffer: Any) -> int:
        self._check(self._file.tell())
        return self._file.readinto(buffer)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        target = offset + (self._file.tell() if whence == os.SEEK_CUR else 0)
        self._check(target)
        return self._file.seek(target)

    def _check(self, place: int) -> None:
        if place > self._most:
            raise ValueError(f"it unpacks to more than {self._most:,} bytes")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()


def opened(path: str | os.PathLike[str]) -> BinaryIO:
    """A file open for reading, unpacked on the way if it is gzip'd.

    Raises GraphnetsError if it cannot be opened, or is almost all holes; reading raises
    ValueError where a gzip'd file unpacks to more than `most_bytes`.
    """
    check_path("the file", path)
    try:
        file = open(path, "rb")
        status = os.fstat(file.fileno())
        size = status.st_size
        if size > held(status) + LARGEST:  # just written, it may lie nowhere yet
            file.close()
            raise GraphnetsError(f"{path} has {size:,} bytes, most of which are holes in the file")
        if file.read(len(GZIP)) == GZIP:
            file.close()
            return cast(BinaryIO, io.BufferedReader(_Unpacked(path)))
        file.seek(0)
        return file
    except FileNotFoundError:
        raise GraphnetsError(f"{path}: there is no such file") from None
    except OSError as error:
        raise GraphnetsError(f"{path} cannot be read: {error.strerror or error}") from None


def kind(path: str | os.PathLike[str]) -> str:
    """What a file is: "zip", "hdf5", "safetensors", "npy", "pickle", or "" for anything else.

    Of a gzip'd file it is what the file holds. Raises GraphnetsError if it cannot be read, and if
    a web page was saved where weights were meant.
    """
    with opened(path) as file:
        try:
            start = file.read(256)
        except (OSError, EOFError, zlib.error) as error:
            raise GraphnetsError(f"{path} cannot be read: {error}") from None
    for magic, name in {ZIP: "zip", HDF5: "hdf5", NPY: "npy"}.items():
        if start.startswith(magic):
            return name
    # JSON, behind its length in eight bytes
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") < 1 << 40:
        return "safetensors"
    if WEB_PAGE.match(start):
        raise GraphnetsError(f"{path} is a web page, not weights: download the file itself")
    return "pickle" if PICKLE.match(start) else ""
