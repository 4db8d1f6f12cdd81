"""Photos copied into a folder for each label; nothing that is there is overwritten.

Neither TensorFlow nor NumPy here.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from graphnets import storage
from graphnets.errors import GraphnetsError
from graphnets.files import (
    check_apart,
    check_writable,
    folder_name,
    move_new,
    scratch_folder,
    writing,
)

if TYPE_CHECKING:
    from graphnets.classifier.predictions import Prediction

UNSURE, UNKNOWN, NONE = "unsure", "unknown", "none"  # folders beside those of labels
PREFIX = ".graphnets-sorting-"
LONGEST = 255  # bytes of a file's name


def check_sorting(folder: str | os.PathLike[str], photos: Iterable[str | os.PathLike[str]]) -> None:
    """Raise GraphnetsError unless copies can be made in a folder apart from those of the photos."""
    if not os.fspath(folder):
        raise GraphnetsError("the folder for copies is '', wanted the path of a folder")
    check_apart("the folder for copies", folder, photos, "they would be read again")
    check_writable(Path(folder))


class Sorter:
    """Copies classified photos to `folder`/label; use it as what `sorting` gives.

    copied, there: how many copies were made, and how many were there already, byte for byte.
    failed: (path, reason) of photos that could not be read. frames: those of videos, of which there
    is no file to copy.
    """

    def __init__(
        self, folder: Path, labels: Sequence[str], scratch: Path, least: float | None
    ) -> None:
        self._folder, self._scratch, self._least = folder, scratch, least
        self._names = folder_names(labels)
        self._sound: set[str] = set()
        self.copied = self.there = self.frames = 0
        self.failed: list[tuple[str, str]] = []
        for name in self._names.values():
            self._check(name)

    def add(self, prediction: Prediction) -> None:
        """Copy a photo to the folders of its labels: one of several, or of those from `least` on.

        Raises GraphnetsError where a copy cannot be written.
        """
        if prediction.problem:
            return
        if prediction.time is not None:
            self.frames += 1
            return
        for key in self._keys(prediction):
            self._copy(prediction.path, self._names[key])

    def _keys(self, prediction: Prediction) -> list[tuple[str, bool]]:
        if prediction.unknown:
            return [(UNKNOWN, False)]
        named = prediction.top[:1] if prediction.labels is None else prediction.labels
        if not named:
            return [(NONE, False)]
        sure = [label for label, score in named if self._least is None or score >= self._least]
        return [(label, True) for label in dict.fromkeys(sure)] or [(UNSURE, False)]

    def _check(self, name: str) -> None:
        """Raise GraphnetsError if what has the name leads elsewhere, or is no folder."""
        path = self._folder / name
        if path.is_symlink() or (path.exists() and not path.is_dir()):
            raise GraphnetsError(
                f"{path} is {'a link' if path.is_symlink() else 'a file'}, wanted a folder or "
                "nothing: take it away, or name another folder for the copies"
            )

    def _copy(self, path: str, name: str) -> None:
        try:
            source, times = _source(path)
        except OSError as error:
            self.failed.append((path, error.strerror or str(error)))
            return
        with source, writing(self._folder / name):
            if name not in self._sound:
                (self._folder / name).mkdir(exist_ok=True)
                self._check(name)
                self._sound.add(name)
            held = self._scratch / "photo"
            with open(held, "wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
            if times:
                with contextlib.suppress(OSError):  # a time that this file system cannot keep
                    os.utime(held, ns=(times.st_atime_ns, times.st_mtime_ns))
            self._place(held, self._folder / name, os.path.basename(path))

    def _place(self, held: Path, folder: Path, name: str) -> None:
        """Give a file a name that is free, unless it is there already."""
        for target in map(folder.joinpath, numbered(name)):
            try:
                move_new(held, target)
            except FileExistsError:
                if _same(held, target):
                    self.there += 1
                    return
                continue
            self.copied += 1
            return


@contextmanager
def sorting(
    folder: str | os.PathLike[str], labels: Sequence[str], least: float | None = None
) -> Iterator[Sorter]:
    """Sorts photos while the block runs; what is copied stays, whatever ends it.

    labels: of the classifier. least: the score below which a photo goes to `unsure`, 0 to 1. Photos
    of no class go to `unknown`, those without a label, of a graph that gives several, to `none`.
    Raises GraphnetsError where a link or a file has the name of a label's folder.
    """
    folder = Path(folder)
    with contextlib.ExitStack() as stack:
        with writing(folder):
            scratch = stack.enter_context(scratch_folder(folder, PREFIX))
        yield Sorter(folder, labels, scratch, least)


def folder_names(labels: Sequence[str]) -> dict[tuple[str, bool], str]:
    """The folder's name of each (label, True), and of (UNSURE, False) and the like: all different.

    Also where upper and lower case are one. Labels that are names already keep theirs.
    """
    keys = [
        (label, True)
        for label in sorted(dict.fromkeys(labels), key=lambda one: folder_name(one) != one)
    ]
    taken: Counter[str] = Counter()
    found = {}
    for key in [*keys, *((name, False) for name in (UNSURE, UNKNOWN, NONE))]:
        plain = folder_name(key[0])
        name = plain
        while name.casefold() in taken:
            taken[plain.casefold()] += 1
            name = f"{plain} ({taken[plain.casefold()]})"
        taken[name.casefold()] += 1
        found[key] = name
    return found


def numbered(name: str) -> Iterator[str]:
    """a.jpg, a (2).jpg, a (3).jpg ...; the stem of a long name is cut off."""
    yield name
    stem, ending = os.path.splitext(name)
    for number in count(2):
        tail = os.fsencode(f" ({number}){ending}")
        yield os.fsdecode(os.fsencode(stem)[: max(0, LONGEST - len(tail))] + tail)


def _source(path: str) -> tuple[BinaryIO, os.stat_result | None]:
    """A photo's file, open, and its times; at an address it has none."""
    if storage.is_address(path):
        return io.BytesIO(storage.read(path)), None
    file = open(path, "rb")  # noqa: SIM115
    return file, os.fstat(file.fileno())


def _same(one: Path, other: Path) -> bool:
    """Whether two files have the same bytes."""
    # Not by filecmp, which remembers names with size and time, and `one` has many photos' name.
    try:
        if not other.is_file() or one.stat().st_size != other.stat().st_size:
            return False
        with open(one, "rb") as left, open(other, "rb") as right:
            while block := left.read(1 << 20):
                if block != right.read(1 << 20):
                    return False
        return True
    except OSError:  # what cannot be read is another
        return False
