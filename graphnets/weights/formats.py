"""Telling weight files apart by their first bytes, whatever their names are."""

from __future__ import annotations

import gzip
import os
import re
import zlib
from typing import BinaryIO, cast

from graphnets.errors import GraphnetsError

ZIP, HDF5, GZIP = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"\x1f\x8b"
NPY = b"\x93NUMPY"
# Protocols 2 and later begin with \x80; an older pickle of a dict, a list or a global with these.
PICKLE = re.compile(rb"\x80|\(|[}\]]|c[\w.]+\n")
WEB_PAGE = re.compile(rb"(\xef\xbb\xbf)?\s*<[!?a-zA-Z]")


def opened(path: str | os.PathLike[str]) -> BinaryIO:
    """A file open for reading, unpacked on the way if it is gzip'd.

    Raises GraphnetsError if it cannot be opened.
    """
    try:
        file = open(path, "rb")
        if file.read(len(GZIP)) == GZIP:
            file.close()
            return cast(BinaryIO, gzip.open(path))
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
