"""One file out of a stranger's .tgz, without unpacking the rest."""

from __future__ import annotations

import re
import tarfile
import zlib
from pathlib import Path
from typing import BinaryIO, cast

from graphnets.errors import GraphnetsError
from graphnets.weights.formats import opened

LARGEST = 1 << 28  # bytes of a graph; Inception's has 96 million
LONGEST_HEADER = 1 << 20  # bytes
TAR, TAR_PLACE = b"ustar", 257  # of a tar file's first bytes


def is_tar(path: Path) -> bool:
    """Whether a file, or what a gzip'd one holds, is a tar archive."""
    with opened(path) as file:
        try:
            return file.read(TAR_PLACE + len(TAR))[TAR_PLACE:] == TAR
        except (OSError, EOFError, zlib.error):
            return False


class _Careful:
    """A file of which no more than `most` bytes are read at a time: a header may say any number."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.most = file, LONGEST_HEADER
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        """Raises ValueError for a larger size."""
        if not 0 <= size <= self.most:
            raise ValueError(f"it has a header of {size:,} bytes")
        return self._file.read(size)


def _opened_tar(file: _Careful) -> tarfile.TarFile:
    return tarfile.open(fileobj=cast(BinaryIO, file), mode="r:")


def member(path: Path, what: str, pattern: str = "") -> bytes:
    """The first file in an archive that is called `what`, or whose name the pattern matches.

    Raises GraphnetsError if there is none.
    """
    names = re.compile(pattern or re.escape(what))
    try:
        with (
            opened(path) as raw,
            _opened_tar(file := _Careful(raw)) as archive,
        ):
            while (found := archive.next()) and not names.fullmatch(found.name):
                archive.members = []  # type: ignore[attr-defined]  # or a million are kept
            if found is None:
                raise ValueError("it has another content")
            content = archive.extractfile(found) if found.isreg() else None
            if content is None:
                raise ValueError("it is no regular file")
            if found.size > LARGEST:
                raise ValueError(f"it has {found.size:,} bytes, wanted {LARGEST:,} at most")
            file.most = LARGEST
            return content.read()
    except (tarfile.TarError, ValueError, EOFError, OSError, MemoryError, zlib.error) as error:
        raise GraphnetsError(f"the archive has no readable {what} ({error})") from None
