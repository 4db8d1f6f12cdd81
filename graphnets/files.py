"""Writing files so that nobody ever sees half of one, telling files apart, and naming them."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from graphnets.errors import GraphnetsError


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary file beside `path` that takes its place when the block ends without an error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(handle)
    try:
        yield Path(name)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)  # mkstemp makes it private
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_whole(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file in one go, replacing what was there."""
    with whole_file(path) as temporary:
        temporary.write_bytes(data)


def sha256(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file's bytes, in hex; the file is never in memory whole."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def reading(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file open for reading; GraphnetsError if it cannot be opened or read."""
    try:
        with open(path, "rb") as file:
            yield file
    except OSError as error:
        raise GraphnetsError(f"{shown(path)} cannot be read: {error.strerror}") from None


def check_readable(path: str | os.PathLike[str]) -> None:
    """Raise what `reading` would, before the file is needed."""
    if os.path.exists(path) and stat.S_ISFIFO(os.stat(path).st_mode):
        return  # can be opened but once
    with reading(path):
        pass


def check_writable(folder: Path) -> None:
    """Make the folder; GraphnetsError if nothing can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise GraphnetsError(
            f"{shown(folder)} cannot be written to: {error.strerror}; name another folder"
        ) from None


def refuse_existing(saved_model_dir: str | os.PathLike[str]) -> None:
    """Raise GraphnetsError if the folder for a SavedModel is there already."""
    if Path(saved_model_dir).exists():
        raise GraphnetsError(
            f"{saved_model_dir} is there already; name a new folder for the SavedModel"
        )


def shown(text: object) -> str:
    """Text that came with a file, safe to print: control and undecodable characters escaped."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode()
        for c in str(text)
    )
