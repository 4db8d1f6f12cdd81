"""Files at addresses (`s3://bucket/a.jpg`), by fsspec, which is imported for the first of them.

A path without `://` is a local one and never comes near fsspec. What an address is missing or not
allowed is an OSError of that one file, as it is on a disk; a storage that does not answer is a
StorageError, which ends the run.
"""

from __future__ import annotations

import contextlib
import errno
import os
import posixpath
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from graphnets.errors import GraphnetsError, shown

# Others that fsspec knows chain to further ones, start programs or log in somewhere.
READ_ONLY = ("http", "https")
S3 = ("s3", "s3a")
ON_DISKS = ("file", "hdfs")  # have folders, and files that others see half written
PROTOCOLS = (
    *S3, "gs", "gcs", "az", "abfs", "abfss", "hdfs", "memory", "file", *READ_ONLY,
)  # fmt: skip
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)  # of a disk
PIECE = 1 << 20  # bytes that are asked for without knowing how many there are
MOST_BYTES = 4 << 30  # of a file that is read into memory
# S3's codes for keys that are wrong or too old: no photo's own fault.
CREDENTIALS = {
    "ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch",
    "TokenRefreshRequired", "RequestTimeTooSkewed",
}  # fmt: skip
MISSING, FORBIDDEN = (404, 410), (401, 403)  # of HTTP
PROBE = ".graphnets-can-write"


class StorageError(GraphnetsError):
    """A storage does not answer, or cannot be used: no photo's own fault."""


class Entry(NamedTuple):
    """What lies in a folder; size in bytes, 0 where it is not asked for."""

    name: str
    path: str
    is_folder: bool
    size: int = 0


def is_address(path: object) -> bool:
    """Whether a path is an address; a Path is none, as it makes `s3:/` of `s3://`."""
    return isinstance(path, str) and "://" in path


def check_address(address: str) -> None:
    """Raise GraphnetsError unless the address is of a kind that is read, and can be."""
    _system(address)


def check_can_write(address: str) -> None:
    """Raise GraphnetsError unless files can be written below the address; one is, and removed."""
    _refuse_read_only(address)  # by its own name, not the probe's
    probe = join(address, PROBE)
    with _as_storage_errors(address):
        write(probe, b"")
        system, path = _system(probe)
        with contextlib.suppress(Exception):  # those who may write may not remove everywhere
            system.rm_file(path)


def join(address: str, name: str) -> str:
    """The address of what has the name in a folder."""
    return f"{address.rstrip('/')}/{name}" if not address.endswith("://") else f"{address}{name}"


def absolute(path: str) -> str:
    """The path from the root on; an address is one already."""
    return path if is_address(path) else os.path.abspath(path)


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Whether there is a folder; over HTTP there are none."""
    if not is_address(path):
        return os.path.isdir(path)
    try:
        return _info(os.fspath(path))["type"] == "directory"
    except OSError:
        return False


def check_file(address: str) -> None:
    """Raise OSError unless there is a file at the address."""
    _file_size(address)


def entries(folder: str | os.PathLike[str]) -> list[Entry]:
    """What lies in a folder, in no order, by one listing. Raises OSError where there is none.

    Of names that would lead elsewhere ("..", with a slash) none is given.
    """
    if not is_address(folder):
        return [Entry(e.name, e.path, _leads_to_folder(e)) for e in os.scandir(folder)]
    address = os.fspath(folder)
    system, path = _system(address)
    if _protocol(address) in READ_ONLY:
        raise NotADirectoryError(errno.ENOTDIR, "over HTTP no folder can be listed", address)
    with _told(address):
        system.invalidate_cache(path)  # what another run has added is wanted, too
        found = system.ls(path, detail=True)
    root = path.strip("/")
    return [
        Entry(name, join(address, name), one["type"] == "directory", int(one.get("size") or 0))
        for one in found
        if (name := _name_in(one["name"].strip("/"), root))
    ]


def _name_in(found: str, root: str) -> str:
    """The last part of a listed name; "" for what does not lie right in the folder."""
    name = found[len(root) + 1 :] if root else found
    lies_there = posixpath.join(root, name) == found if root else True
    plain = name not in ("", ".", "..") and not {"/", "\\", "\0"} & set(name)
    return name if lies_there and plain else ""


def _leads_to_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def beginning(address: str) -> tuple[bytes, int]:
    """(the first bytes, up to PIECE; how many there are) of a file, mostly by one request.

    Raises OSError where there is no such file, or none for us.
    """
    if _protocol(address) == "file":
        _file_size(address)  # opening a pipe would wait for ever
    data = _part(address, PIECE + 1)
    if len(data) <= PIECE:
        return data, len(data)
    size = _file_size(address)
    return data, max(size, len(data))


def read(
    address: str, most: int = MOST_BYTES, check: Callable[[bytes, int], None] | None = None
) -> bytes:
    """All bytes of a file. Raises OSError where there is none, for us, or it has more than `most`.

    No more than `most` are fetched, whatever the storage says of the size. check: is called with
    what `beginning` gives, and may raise before the rest is fetched.
    """
    data, size = beginning(address)
    if check:
        check(data, size)
    if size > PIECE and size <= most:
        data = _part(address, most + 1)
        size = len(data)
    if size > most:
        raise OSError(errno.EFBIG, f"{size} bytes are too many", address)
    return data


def _part(address: str, count: int) -> bytes:
    system, path = _system(address)
    with _told(address):
        try:
            return bytes(system.cat_file(path, start=0, end=count)[:count])
        except (FileNotFoundError, PermissionError):
            raise
        except Exception:  # of an empty file S3 has no first bytes to give
            if system.info(path).get("size") == 0:
                return b""
            raise


def fetch(address: str, target: str | os.PathLike[str]) -> None:
    """A file's bytes, written to a local path, which should be a temporary one."""
    system, path = _system(address)
    with _told(address):
        system.get_file(path, os.fspath(target))


def write(address: str, data: bytes) -> None:
    """Write a file in one go, replacing what was there."""
    with _whole(address) as (system, path):
        system.pipe_file(path, data)


def upload(source: str | os.PathLike[str], address: str) -> None:
    """A local file, written to an address in one go."""
    with _whole(address) as (system, path):
        system.put_file(os.fspath(source), path)


@contextmanager
def _whole(address: str) -> Iterator[tuple[Any, str]]:
    """Where to write: object storage shows nothing of what is not whole, a disk does."""
    system, path = _system(address)
    _refuse_read_only(address)
    with _told(address):
        if _protocol(address) not in ON_DISKS:
            yield system, path
            return
        system.makedirs(posixpath.dirname(path), exist_ok=True)
        folder, name = posixpath.split(path)
        temporary = posixpath.join(folder, f".{name}.{uuid.uuid4().hex}")
        try:
            yield system, temporary
            system.mv(temporary, path)
        except BaseException:
            with contextlib.suppress(Exception):
                system.rm_file(temporary)
            raise


def _refuse_read_only(address: str) -> None:
    if _protocol(address) in READ_ONLY:
        raise StorageError(f"{shown(address)} can only be read; name another address to write to")


def _info(address: str) -> dict:
    system, path = _system(address)
    with _told(address):
        return system.info(path)


def _file_size(address: str) -> int:
    found = _info(address)
    if found["type"] != "file":
        raise OSError(errno.EISDIR, "not a regular file", address)
    return int(found.get("size") or 0)


def _protocol(address: str) -> str:
    return address.partition("://")[0].lower()


def _system(address: str) -> tuple[Any, str]:
    """fsspec's file system of an address, and the path in it; GraphnetsError if there is none."""
    protocol = _protocol(address)
    if protocol not in PROTOCOLS:
        raise StorageError(
            f"{shown(address)} is an address of a kind that is not read; wanted one that begins "
            f"with {', '.join(PROTOCOLS)}, and ://"
        )
    try:
        import fsspec

        # Not `url_to_fs`, which would follow a chain (`::`) to other protocols.
        kind = fsspec.get_filesystem_class(protocol)
        system = fsspec.filesystem(protocol, **kind._get_kwargs_from_urls(address))
    except ImportError as error:
        hint = f"{error}".rstrip(".") if protocol not in (*S3, "memory", "file") else ""
        install = f"{hint}, " if hint else ""
        raise StorageError(
            f"{shown(address)} is an address, for which a package is missing: {install}"
            "`pip install 'graphnets[remote]'` brings fsspec and s3fs"
        ) from None
    except Exception as error:  # a setting in fsspec's own files
        raise _unreachable(address, error) from None
    return system, kind._strip_protocol(address)


@contextmanager
def _told(address: str) -> Iterator[None]:
    """OSError for what is wrong with one file, StorageError for a storage that does not answer."""
    try:
        yield
    except GraphnetsError:
        raise
    except Exception as error:  # each of fsspec's systems has errors of its own
        number = _own_fault(error)
        if number:
            raise OSError(number, os.strerror(number), address) from None
        raise _unreachable(address, error) from None


def _own_fault(error: Exception) -> int:
    """The error number of what concerns one file alone; 0 for what concerns the storage."""
    status = getattr(error, "status", None)
    if isinstance(error, FileNotFoundError | NotADirectoryError) or status in MISSING:
        return errno.ENOENT
    if isinstance(error, IsADirectoryError):
        return errno.EISDIR
    if isinstance(error, OSError) and error.errno in FULL:
        return error.errno
    response = getattr(error.__cause__, "response", None) or {}
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    if isinstance(error, PermissionError) and code not in CREDENTIALS or status in FORBIDDEN:
        return errno.EACCES
    return 0


def _unreachable(address: str, error: Exception) -> StorageError:
    reason = " ".join(f"{error}"[:300].split()) or "no reason given"
    return StorageError(
        f"{shown(address)} cannot be reached ({type(error).__name__}: {reason}); give the command "
        "again once it can: what was computed is kept"
    )


@contextmanager
def _as_storage_errors(address: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{shown(address)} cannot be written to: {error.strerror}; name another address"
        ) from None
