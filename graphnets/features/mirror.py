"""A feature store at an address, kept on this disk, too: object storage maps and appends nothing.

The address is the truth: what is no longer there is removed here. A file that was written here and
is not there yet has a mark beside it, `ID.pending`, locked while its run writes; what a run could
not upload, the next one does. `.keys` go last, in both directions.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from graphnets import storage
from graphnets.errors import GraphnetsError
from graphnets.files import check_writable, whole_file, writing

try:
    import fcntl
except ImportError:  # Windows: processes do not wait for each other
    fcntl = None  # type: ignore[assignment]

META = "store.json"
ENDINGS = (".features", ".sums", ".keys")  # in the order of being written
PENDING = ".pending"
NAME = re.compile(r"(\w[\w-]*)(\.features|\.sums|\.keys)", re.ASCII)  # names come from strangers


def check_bottleneck_dir(folder: str | os.PathLike[str]) -> None:
    """Raise GraphnetsError unless features can be written to a folder or address."""
    if storage.is_address(folder):
        storage.check_can_write(os.fspath(folder))
    else:
        check_writable(Path(folder))


class Mirror:
    """The files of the store `name` at an address, in the user's cache.

    address: of the store. folder: where its files lie here. prefix: of the names that are wanted.
    """

    def __init__(self, bottleneck_dir: str, name: str, prefix: str) -> None:
        import platformdirs

        self.address = storage.join(bottleneck_dir, name)
        digest = hashlib.sha256(bottleneck_dir.rstrip("/").encode()).hexdigest()[:16]
        self.folder = Path(platformdirs.user_cache_dir("graphnets")) / "stores" / digest / name
        self._prefix = prefix
        self._writing: tuple[str, int] | None = None

    def refresh(self) -> None:
        """Upload what earlier runs could not, and fetch what is new at the address.

        Raises StorageError where it does not answer, GraphnetsError where this disk has no room.
        """
        with writing(self.folder), self._alone():
            for mark in sorted(self.folder.glob(f"{self._prefix}*{PENDING}")):
                self._upload_left(mark)
            before = self._here()  # before the listing: a file may get there in between
            sizes = self._there()
            self._remove_gone(before, sizes)
            self._fetch(sizes)

    def begin(self, name: str) -> None:
        """Mark the files of this name, which are about to be written."""
        handle = os.open(self.folder / f"{name}{PENDING}", os.O_CREAT | os.O_RDWR, 0o666)
        _lock(handle)
        self._writing = name, handle

    def upload(self) -> None:
        """Bring what was written since `begin` to the address; what cannot be stays for later."""
        if self._writing is None:
            return
        (name, handle), self._writing = self._writing, None
        try:
            self._upload(name)
        except GraphnetsError as error:
            raise storage.StorageError(
                f"{error}; the features lie in {self.folder} and are uploaded by the next run"
            ) from None
        finally:
            os.close(handle)

    def _upload(self, name: str) -> None:
        if not all((self.folder / f"{name}{ending}").exists() for ending in ENDINGS):
            (self.folder / f"{name}{PENDING}").unlink(missing_ok=True)  # there was never a row
            return
        with _of_this_store(self.address):
            storage.upload(self.folder / META, storage.join(self.address, META))
            for ending in ENDINGS:
                file = f"{name}{ending}"
                storage.upload(self.folder / file, storage.join(self.address, file))
        (self.folder / f"{name}{PENDING}").unlink(missing_ok=True)

    def _upload_left(self, mark: Path) -> None:
        with contextlib.suppress(FileNotFoundError):  # its run has just uploaded it
            handle = os.open(mark, os.O_RDWR)
            try:
                if _lock(handle) and mark.exists():
                    self._upload(mark.stem)
            finally:
                os.close(handle)

    def _here(self) -> set[str]:
        """The names of files that were at the address when last looked."""
        names = {path.name for path in self.folder.glob(f"{self._prefix}*")}
        found = {name: match[1] for name in names if (match := NAME.fullmatch(name))}
        return {name for name, stem in found.items() if f"{stem}{PENDING}" not in names}

    def _there(self) -> dict[str, int]:
        """{name: bytes} of the files at the address whose rows and keys are both there."""
        try:
            found = storage.entries(self.address)
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                return {}
            raise storage.StorageError(
                f"the feature store {self.address} cannot be read: {error.strerror}"
            ) from None
        sizes = {one.name: one.size for one in found if not one.is_folder}
        matches = [match for name in sizes if (match := NAME.fullmatch(name))]
        wanted = {
            match[0]: sizes[match[0]]
            for match in matches
            if match[0].startswith(self._prefix)
            and {f"{match[1]}.keys", f"{match[1]}.features"} <= sizes.keys()
        }
        return wanted | ({META: sizes[META]} if META in sizes else {})

    def _remove_gone(self, before: set[str], sizes: dict[str, int]) -> None:
        for name in sorted(before - sizes.keys(), key=lambda name: not name.endswith(".keys")):
            (self.folder / name).unlink(missing_ok=True)
        if META not in sizes and not any(self.folder.glob(f"*{PENDING}")):
            (self.folder / META).unlink(missing_ok=True)

    def _fetch(self, sizes: dict[str, int]) -> None:
        missing = [name for name, size in sizes.items() if self._size(name) != size]
        missing = [n for n in missing if not (self.folder / f"{Path(n).stem}{PENDING}").exists()]
        keys = [name for name in missing if name.endswith(".keys")]
        others = [name for name in missing if not name.endswith(".keys")]
        with ThreadPoolExecutor() as pool:
            for part in (others, keys):
                list(pool.map(lambda name: self._fetch_one(name, sizes[name]), part))

    def _fetch_one(self, name: str, size: int) -> None:
        address = storage.join(self.address, name)
        with writing(self.folder / name), whole_file(self.folder / name) as temporary:
            with _of_this_store(self.address, here=storage.FULL):
                storage.fetch(address, temporary)
            found = temporary.stat().st_size
            if found != size:
                raise storage.StorageError(
                    f"{address} came with {found} bytes, and {size} were listed; give the command "
                    "again"
                )

    def _size(self, name: str) -> int:
        try:
            return (self.folder / name).stat().st_size
        except FileNotFoundError:
            return -1

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Others that share the mirror wait meanwhile, and need not fetch what this one does."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / ".lock", "wb") as file:
            with contextlib.suppress(OSError, AttributeError):  # without locks it is done twice
                fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _lock(handle: int) -> bool:
    """Whether no other run has the mark; it is this one's while it is open."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (OSError, AttributeError):  # no locks here: uploading twice does no harm
        return True
    return True


@contextmanager
def _of_this_store(address: str, here: Sequence[int] = ()) -> Iterator[None]:
    """StorageError in place of OSError, but for numbers that are of this disk."""
    try:
        yield
    except OSError as error:
        if error.errno in here:
            raise
        raise storage.StorageError(
            f"the feature store {address} cannot be used: {error.strerror or error}"
        ) from None
