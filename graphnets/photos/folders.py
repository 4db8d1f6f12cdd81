"""What can be said of a folder or table of photos, and of its splits, before any photo is read.

Neither TensorFlow nor pandas nor NumPy here: the command line is to answer at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from numbers import Real

from graphnets import storage
from graphnets.errors import GraphnetsError, check_kind, check_path, refused, shown

File = str | os.PathLike[str]

FEWEST_PHOTOS = 3  # of a class: one to train, one to validate, one to test
FEW_PHOTOS = 20  # of a class; retrain.py warns below them
SPLITS = ("training", "validation", "testing")
TEXTS = (".csv", ".tsv")
ARRAYS = (".npz", ".p", ".pkl", ".pickle")
TABLES = (*TEXTS, ".parquet", *ARRAYS)
BETWEEN = "|"  # labels of one photo
NAMED_TABLES = "a table: .csv, .tsv or .parquet with the columns path and label, .npz or .p"
VIDEOS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".wmv", ".flv")
NOT_PHOTOS = ("thumbs.db", "desktop.ini")  # what file managers leave behind
NOT_CLASSES = (  # what archives, file managers and disks leave beside photos
    "__macosx", "@eadir", "#recycle", "lost+found", "$recycle.bin", "system volume information",
)  # fmt: skip


def class_files(image_dir: str | os.PathLike[str]) -> list[tuple[str, str]]:
    """(class, path) of what lies in the sub-folders, sorted.

    What is hidden, and what systems leave behind (NOT_PHOTOS, NOT_CLASSES), is passed over.
    Raises GraphnetsError if the folder or one of its classes cannot serve.
    """
    check_path("image_dir", image_dir, "the path of a folder with a sub-folder of photos per class")
    return [(label, path) for label in _classes(image_dir) for path in _files(image_dir, label)]


def each_path(paths: File | Iterable[File]) -> Iterator[File]:
    """The paths one by one, or the only one; GraphnetsError for what is none."""
    if isinstance(paths, str | os.PathLike):
        return iter([paths])
    if isinstance(paths, bytes) or not isinstance(paths, Iterable):
        raise refused("paths", paths, "the path of a photo, or several")
    return map(checked_path, paths)


def checked_path(path: File) -> File:
    """The path; GraphnetsError for what is none."""
    check_path("a photo", path, "its path")
    return path


def photo_paths(arguments: Iterable[File]) -> Iterator[str]:
    """The files named, and those in the folders named, at any depth, sorted; hidden ones not."""
    for argument in arguments:
        if not storage.is_folder(argument):
            yield os.fspath(argument)
            continue
        if storage.is_address(argument):
            yield from _below(os.fspath(argument))
            continue
        for folder, folders, files in os.walk(os.fspath(argument)):
            folders[:] = sorted(name for name in folders if name[0] != ".")
            for name in sorted(files):
                if name[0] != "." and name.lower() not in NOT_PHOTOS:
                    yield os.path.join(folder, name)


def _below(address: str) -> Iterator[str]:
    """What `photo_paths` gives of a folder at an address, in the order of a local one."""
    found = sorted(e for e in _listed(address) if e.name[0] != ".")
    for one in found:
        if not one.is_folder and one.name.lower() not in NOT_PHOTOS:
            yield one.path
    for one in found:
        if one.is_folder:
            yield from _below(one.path)


def is_video(path: str | os.PathLike[str]) -> bool:
    """Whether a path ends as those of videos do."""
    return os.path.splitext(path)[1].lower() in VIDEOS


def is_table(images: str | os.PathLike[str]) -> bool:
    """Whether a path names a table of photos, not a folder."""
    return os.path.splitext(images)[1].lower() in TABLES and (
        storage.is_address(images) or not os.path.isdir(images)
    )


def check_class_count(count: int) -> None:
    """Raise GraphnetsError unless there are classes to tell apart."""
    if count < 2:
        raise GraphnetsError(
            f"found {count} class folders with photos, wanted 2 or more: one sub-folder per "
            "class, named as the class, or two labels in a table"
        )


def check_percentages(testing: float, validation: float) -> None:
    """Raise GraphnetsError if the percentages of a split leave nothing to train on."""
    check_kind("testing_percentage", testing, Real, "a number from 0 to below 100")
    check_kind("validation_percentage", validation, Real, "a number from 0 to below 100")
    sound = testing >= 0 and validation >= 0  # false for a NaN
    if not sound or testing + validation >= 100:
        raise GraphnetsError(
            f"testing {testing} % and validation {validation} % leave "
            "nothing to train on; wanted percentages from 0 whose sum is below 100"
        )


def _classes(image_dir: str | os.PathLike[str]) -> list[str]:
    if not storage.is_folder(image_dir):
        raise GraphnetsError(
            f"{shown(image_dir)} is no folder; wanted one with a sub-folder of photos per class, "
            f"or {NAMED_TABLES}"
        )
    labels = sorted(e.name for e in _visible(image_dir) if e.is_folder)
    for label in labels:
        if label.splitlines() != [label]:  # the labels file has one label a line
            raise GraphnetsError(
                f"the folder name {shown(label)} has a line break; rename it, it becomes a label"
            )
    return labels


def _visible(folder: str | os.PathLike[str]) -> list[storage.Entry]:
    passed_over = (*NOT_PHOTOS, *NOT_CLASSES)
    return [e for e in _listed(folder) if e.name[0] != "." and e.name.lower() not in passed_over]


def _listed(folder: str | os.PathLike[str]) -> list[storage.Entry]:
    try:
        return storage.entries(folder)
    except OSError as error:
        raise GraphnetsError(f"{shown(folder)} cannot be read: {error.strerror}") from None


def _files(image_dir: str | os.PathLike[str], label: str) -> list[str]:
    folder = os.path.join(image_dir, label)
    found = _visible(folder)
    paths = sorted(e.path for e in found)
    if not paths:
        raise GraphnetsError(
            f"the class folder {shown(folder)} has no photos, each class needs {FEWEST_PHOTOS} or "
            "more: add photos or take the folder away"
        )
    if all(e.is_folder for e in found):
        raise GraphnetsError(
            f"{shown(folder)} holds folders, not photos; wanted photos right inside each class "
            f"folder: is {shown(folder)} the folder to name?"
        )
    return paths
