"""Writing files so that nobody ever sees half of one, telling files apart, and naming them."""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import os
import re
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows: what a kill leaves behind stays there
    fcntl = None  # type: ignore[assignment]

from graphnets.errors import GraphnetsError, check_path, shown

# Names that Windows keeps for devices, whatever their ending.
RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)", re.IGNORECASE)
# Also as a Path writes it, with one slash; one letter would be a disk of Windows.
ADDRESS = re.compile(r"[A-Za-z][\w+.:-]+:/")
LONGEST_NAME = 200  # bytes of a folder's name; file systems take 255


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary file beside `path` that takes its place when the block ends without an error.

    It is locked while its process lives; one that a killed process left is removed by the next.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{path.name}."
    remove_abandoned(path.parent, prefix, path.suffix)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=path.suffix)
    try:
        _lock(handle)
        yield Path(name)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)  # mkstemp makes it private
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)


@contextmanager
def scratch_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A temporary folder in `parent`; one of this prefix that a killed process left is removed."""
    remove_abandoned(parent, prefix)
    name = tempfile.mkdtemp(dir=parent, prefix=prefix)
    handle = os.open(name, os.O_RDONLY)
    try:
        _lock(handle)
        yield Path(name)
    finally:
        shutil.rmtree(name, ignore_errors=True)
        os.close(handle)


def remove_abandoned(parent: Path, prefix: str, suffix: str = "") -> None:
    """Remove what `tempfile` named so and no living process has locked."""
    names = f"{glob.escape(prefix)}{'[a-z0-9_]' * 8}{glob.escape(suffix)}"
    for path in parent.glob(names) if fcntl else ():
        with contextlib.suppress(OSError):  # another run's, or gone by now
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                # One that was made this moment may not be locked yet.
                if os.fstat(handle).st_mtime < time.time() - 2 and _lock(handle):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            finally:
                os.close(handle)


def _lock(handle: int) -> bool:
    """Lock an open file for as long as it is open; False if another process has it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (OSError, AttributeError):  # a file system, or a platform, without locks
        return False
    return True


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
    check_path("the file", path)
    _refuse_address(path)
    try:
        with open(path, "rb") as file:
            yield file
    except OSError as error:
        raise GraphnetsError(f"{path} cannot be read: {error.strerror}") from None


def _refuse_address(path: str | os.PathLike[str]) -> None:
    if ADDRESS.match(os.fspath(path)):
        raise GraphnetsError(
            f"{shown(path)} is an address; only photos, lists of them and --bottleneck_dir may be "
            "at one, name a file or folder of this machine"
        )


def check_readable(path: str | os.PathLike[str]) -> None:
    """Raise what `reading` would, before the file is needed."""
    if os.path.exists(path) and stat.S_ISFIFO(os.stat(path).st_mode):
        return  # can be opened but once
    with reading(path):
        pass


def check_writable(folder: Path) -> None:
    """Make the folder; GraphnetsError if nothing can be written there."""
    _refuse_address(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        number = errno.ENOTDIR if isinstance(error, FileExistsError) else error.errno
        raise GraphnetsError(
            f"{folder} cannot be written to: {os.strerror(number or 0)}; name another folder"
        ) from None


def check_target(path: str | os.PathLike[str]) -> None:
    """GraphnetsError if no file can be written at `path`; its folder is made."""
    if os.path.isdir(path):
        raise GraphnetsError(f"{path} is a folder; name a file to write")
    check_writable(Path(path).parent)


@contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[None]:
    """GraphnetsError, naming `path`, in place of the OSError that the block ends with."""
    try:
        yield
    except OSError as error:
        raise GraphnetsError(f"{path} cannot be written: {error.strerror or error}") from None


def refuse_existing(saved_model_dir: str | os.PathLike[str]) -> None:
    """Raise GraphnetsError if there is a file or folder where a SavedModel is to be."""
    _refuse_address(saved_model_dir)
    if os.path.lexists(saved_model_dir):
        raise GraphnetsError(
            f"{saved_model_dir} is there already; name a new folder for the SavedModel"
        )


def folder_name(text: str) -> str:
    """A text from anywhere as the name of one visible folder, on any system; "_" if nothing stays.

    What no name may have is replaced by "_"; a long one is cut off.
    """
    name = re.sub(r'[\x00-\x1f\x7f<>:"/\\|?*]', "_", text)
    name = re.sub(r"^\.+", lambda dots: "_" * len(dots[0]), name)
    name = os.fsdecode(os.fsencode(name)[:LONGEST_NAME]).rstrip(". ")
    return f"_{name}" if not name or RESERVED.match(name) else name


def check_apart(
    name: str, folder: str | os.PathLike[str], photos: Iterable[str | os.PathLike[str]], why: str
) -> None:
    """Raise GraphnetsError if a folder to write to is in or around one whose photos are read.

    name: what the folder is called; why: what would come of it.
    """
    for read in photos:
        if os.path.isdir(read) and in_or_around(read, folder):
            raise GraphnetsError(
                f"{name} is {shown(folder)}, in or around {shown(read)}, whose photos are read: "
                f"{why}; name a folder elsewhere"
            )


def in_or_around(one: str | os.PathLike[str], other: str | os.PathLike[str]) -> bool:
    """Whether one folder lies in the other, or is it, links followed."""
    here, there = os.path.realpath(os.fspath(one)), os.path.realpath(os.fspath(other))
    return os.path.commonpath([here, there]) in (here, there)


@contextmanager
def stderr_closed() -> Iterator[None]:
    """What is written to file descriptor 2 goes nowhere, C++'s logging before any setting, too."""
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        sys.stderr.flush()
        os.dup2(saved, 2)
        os.close(saved)
