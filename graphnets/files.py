"""Writing files so that nobody ever sees half of one, telling files apart, and naming them."""

from __future__ import annotations

import contextlib
import errno
import functools
import glob
import hashlib
import os
import platform
import re
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
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
MARK = 4  # hex digits in a temporary name, which tell the machine
YOUNG = 2  # seconds


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary file beside `path` that takes its place when the block ends without an error.

    It is locked while its process lives; one that a killed process left is removed by the next.
    Where files cannot be locked, as on some network's disks, it stays.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{path.name}."
    remove_abandoned(path.parent, prefix, path.suffix)
    prefix += _machine()
    handle, name = _locked(
        lambda: tempfile.mkstemp(suffix=path.suffix, prefix=prefix, dir=path.parent)
    )
    try:
        yield Path(name)
        publish(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)


def publish(temporary: str | os.PathLike[str], path: str | os.PathLike[str]) -> None:
    """Give a temporary file in the same folder its name, and the permissions of any new file."""
    mask = os.umask(0)
    os.umask(mask)
    with contextlib.suppress(OSError):  # not every file system has permissions
        os.chmod(temporary, 0o666 & ~mask)  # mkstemp makes it private
    os.replace(temporary, path)


@contextmanager
def scratch_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A temporary folder in `parent`; one of this prefix that a killed process left is removed."""
    remove_abandoned(parent, prefix)
    handle, name = _locked(lambda: _opened_folder(parent, prefix + _machine()))
    try:
        yield Path(name)
    finally:
        shutil.rmtree(name, ignore_errors=True)
        os.close(handle)


def remove_abandoned(parent: Path, prefix: str, suffix: str = "") -> None:
    """Remove what `whole_file` or `scratch_folder` left there, and no living process has locked."""
    names = re.compile(
        rf"{re.escape(prefix)}([0-9a-f]{{{MARK}}})?[a-z0-9_]{{8}}{re.escape(suffix)}"
    )
    for path in parent.glob(f"{glob.escape(prefix)}*"):
        if match := names.fullmatch(path.name):
            remove_unlocked(path, 0 if match[1] == _machine() else YOUNG)


def remove_unlocked(path: Path, age: float = YOUNG, *first: Path) -> None:
    """Remove a file or folder that no living process has locked, after the files `first`.

    Nor one that changed in the last `age` seconds: it may be another machine's, whose locks are
    not seen everywhere, or not locked yet.
    """
    if not fcntl:
        return
    with contextlib.suppress(OSError):  # another run's, or gone by now
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            old = not age or os.fstat(handle).st_mtime < time.time() - age
            if old and lock(handle):
                for one in first:
                    one.unlink(missing_ok=True)
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        finally:
            os.close(handle)


@functools.cache
def _machine() -> str:
    """Hex digits that differ from machine to machine: they mark what locks can be trusted for."""
    try:
        name = Path("/proc/sys/kernel/random/boot_id").read_text()
    except OSError:
        name = platform.node()
    return hashlib.sha256(name.encode()).hexdigest()[:MARK]


def _locked(make: Callable[[], tuple[int, str]]) -> tuple[int, str]:
    """What `make` makes, open and locked: another process may remove it before it is locked."""
    while True:
        handle, name = make()
        lock(handle, wait=True)
        if os.path.exists(name):
            return handle, name
        os.close(handle)


def _opened_folder(parent: Path, prefix: str) -> tuple[int, str]:
    while True:
        name = tempfile.mkdtemp(prefix=prefix, dir=parent)
        with contextlib.suppress(FileNotFoundError):
            return os.open(name, os.O_RDONLY), name


def lock(handle: int, wait: bool = False) -> bool:
    """Lock an open file for as long as it is open; False if another process has it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except (OSError, AttributeError):  # a file system, or a platform, without locks
        return False
    return True


def move_new(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Move a file, or a link itself, to a name that is free; FileExistsError if it is not.

    In one step where the file system has hard links; OSError as `os.replace` raises it.
    """
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        if not os.path.samestat(os.lstat(source), os.lstat(target)):  # as a kill would leave it
            raise
    except OSError:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL))  # the name is taken before the move
        try:
            os.replace(source, target)
        except BaseException:
            os.unlink(target)
            raise
        return
    os.unlink(source)


def write_whole(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file in one go, replacing what was there."""
    with whole_file(path) as temporary:
        temporary.write_bytes(data)


def sha256(path: str | os.PathLike[str], most: int | None = None) -> str:
    """The SHA-256 of a file's bytes, in hex; the file is never in memory whole.

    most: bytes to read, of what may have no end.
    """
    digest = hashlib.sha256()
    left = sys.maxsize if most is None else most
    with open(path, "rb") as file:
        while block := file.read(min(1 << 20, left)):
            digest.update(block)
            left -= len(block)
    return digest.hexdigest()


def held(status: os.stat_result) -> int:
    """The bytes of a file that lie on the disk; the holes of a sparse one, which are zeros, do not.

    All of them where a file system does not tell.
    """
    on_disk = 512 * getattr(status, "st_blocks", 0)
    return min(status.st_size, on_disk) or status.st_size


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


def temporary_folder() -> str:
    """Where temporary files go, also where none can be written now."""
    try:
        return tempfile.gettempdir()
    except FileNotFoundError:
        return os.environ.get("TMPDIR") or "/tmp"


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
