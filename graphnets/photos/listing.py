"""A folder, or a table, of photos becomes the table that everything else goes by."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pandas as pd

from graphnets import storage
from graphnets.errors import GraphnetsError, PhotoError, check_flag, check_kind, check_path, shown
from graphnets.files import sha256
from graphnets.photos import tables
from graphnets.photos.folders import (
    FEWEST_PHOTOS,
    check_class_count,
    class_files,
    is_table,
    photo_paths,
)
from graphnets.photos.images import (
    LARGE,
    MAX_BYTES,
    NO_FILE,
    Progress,
    check_front,
    check_mark,
    check_progress,
    check_status,
    key_of,
    no_progress,
    plain_text,
)
from graphnets.photos.labels import WHAT_CONFUSES, confused, each_label, united
from graphnets.workers import cluster, unseen

Images = pd.DataFrame | str | os.PathLike
A_FOLDER = "a folder inside a class folder"
NO_FILES = (A_FOLDER, NO_FILE)  # problems of what cannot be a photo
IN_SHARD = 1024  # photos whose files one task of a cluster reads
IMAGES = "the path of a folder with a sub-folder of photos per class, or a table"


def scan(
    images: Images,
    progress: Progress = no_progress,
    image_root: str | os.PathLike[str] | None = None,
    multi_label: bool = False,
    trust_keys: bool = False,
) -> pd.DataFrame:
    """List the photos of a folder that has one sub-folder per class, or of a table.

    images: the folder; a .csv, .tsv or .parquet file, or a DataFrame, with the columns path (or
    Filename) and label (or ClassId), and, where there are any, split, group and weight; or arrays X
    and y in an .npz, features and labels in the traffic-sign course's .p, whose photos are laid out
    as files. image_root: where relative paths begin (None: in the table's folder), or where photos
    out of arrays are laid out (None: in FILE.photos beside the file).
    multi_label: labels of one photo have "|" between, or are those of its copies.
    trust_keys: take the keys that a table has in its column key, and open no photo: one that has
    changed since is taken for what it was wherever its features are stored.

    Returns a table, sorted by label and path, with the columns
      path     the file
      label    the name of its folder, or what the table says, unchanged
      key      the first 128 bits of the SHA-256 of the file's bytes, in hex ("" if unreadable)
      problem  "" for a file to use, else the reason why it is left out
    and given_split, group and weight where a table has split, group and weight.

    Hidden files, and what systems leave beside photos, are passed over. Raises GraphnetsError
    if the folder, the table or its classes cannot serve.

    >>> photos = graphnets.scan("signs")
    >>> photos.label.value_counts().head(2).to_dict()
    {'00_speed_limit_20': 3, '01_speed_limit_30': 3}
    >>> usable = photos[photos.problem == ""]
    """
    photos = listed(images, progress, image_root, multi_label, trust_keys)
    check_classes(photos)
    return photos


@plain_text
def listed(
    images: Images,
    progress: Progress = no_progress,
    image_root: str | os.PathLike[str] | None = None,
    multi_label: bool = False,
    trust_keys: bool = False,
) -> pd.DataFrame:
    """What `scan` returns, whatever its classes are."""
    check_progress(progress)
    check_flag("multi_label", multi_label)
    check_flag("trust_keys", trust_keys)
    photos = _with_keys(_rows(images, image_root, multi_label, trust_keys), progress)
    photos = united(photos) if multi_label else photos
    texts = [name for name in photos if name not in ("weight", "labels")]
    return photos.astype(dict.fromkeys(texts, object))  # of which pandas makes no other type


@plain_text
def loose(folder: str | os.PathLike[str], progress: Progress = no_progress) -> pd.DataFrame:
    """What `scan` returns, of all photos in a folder, at any depth, that have no class.

    label is "". Raises GraphnetsError for what is no folder, and an empty one.
    """
    check_path("unknown_dir", folder, "the path of a folder of photos")
    if not storage.is_folder(folder):
        raise GraphnetsError(f"{shown(folder)} is no folder; wanted one with photos of no class")
    paths = list(photo_paths([folder]))
    if not paths:
        raise GraphnetsError(f"{shown(folder)} has no photos; wanted some of no class")
    columns = {"path": paths, "label": "", "problem": ""}
    return _with_keys(pd.DataFrame(columns, dtype=object), progress)


def _with_keys(photos: pd.DataFrame, progress: Progress) -> pd.DataFrame:
    """The table of `scan` from one with path, label and problem, and a key where it is trusted."""
    unfit = f"its name is {WHAT_CONFUSES}; rename it, or install pandas 3"
    problems = [
        old or unfit * confused(path) for old, path in zip(photos.problem, photos.path, strict=True)
    ]
    photos = photos.assign(problem=pd.Series(problems, photos.index, dtype=object))
    if "key" in photos:
        first = ["path", "label", "key", "problem"]
        return photos[[*first, *photos.columns.difference(first, sort=False)]]
    hashed = _keys(list(photos.path))
    keys = list(progress(hashed, total=len(photos), desc="reading photos"))
    problems = [old or new for old, (_, new) in zip(photos.problem, keys, strict=True)]
    photos = photos.drop(columns="problem")
    photos.insert(2, "key", pd.Series([key for key, _ in keys], dtype=object))
    photos.insert(3, "problem", pd.Series(problems, dtype=object))
    return photos


def _keys(paths: list[str]) -> Iterator[tuple[str, str]]:
    """The key, or the problem, of each file."""
    spread = cluster()
    if spread is None:
        with ThreadPoolExecutor() as pool:
            yield from pool.map(_key, paths)
        return
    done: dict[int, list[tuple[str, str]]] = {}
    due = 0
    named = [storage.absolute(path) for path in paths]
    parts = (named[start : start + IN_SHARD] for start in range(0, len(named), IN_SHARD))
    for number, keys in spread.each(_opened, _shard_keys, None, parts):
        done[number] = keys
        while due in done:
            _check_seen(paths[due * IN_SHARD], done[due])
            yield from done.pop(due)
            due += 1


def _opened(_: None) -> None:
    """There is nothing to open for reading photos."""


def _shard_keys(_: None, paths: list[str]) -> list[tuple[str, str]]:
    """On a worker: see `_keys`."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(_key, paths))


def _check_seen(first: str, keys: list[tuple[str, str]]) -> None:
    """Raise GraphnetsError if a worker has found none of the files that are there."""
    if not any(key for key, _ in keys) and os.access(first, os.R_OK) and _key(first)[0]:
        raise unseen(first, keys[0][1])


def _rows(
    images: Images,
    image_root: str | os.PathLike[str] | None,
    multi_label: bool,
    trust_keys: bool,
) -> pd.DataFrame:
    check_kind("images", images, Images, IMAGES)
    if isinstance(images, pd.DataFrame) or is_table(images):
        photos = tables.listed(images, image_root, multi_label, trust_keys)
        _check_root(photos)
        return photos
    if image_root is not None:
        raise GraphnetsError(
            f"image_root is {shown(image_root)} and {shown(images)} is no table; wanted it for the "
            "relative paths of one"
        )
    if trust_keys:
        raise GraphnetsError(
            f"trust_keys is for tables, and {shown(images)} is a folder; leave it out"
        )
    paths = class_files(images)
    for label in filter(confused, dict.fromkeys(label for label, _ in paths)):
        raise GraphnetsError(
            f"the folder name {shown(label)} is {WHAT_CONFUSES}; rename it, or install pandas 3"
        )
    columns = {"path": [p for _, p in paths], "label": [label for label, _ in paths]}
    return pd.DataFrame({**columns, "problem": ""}, dtype=object)


def _check_root(photos: pd.DataFrame) -> None:
    """Raise GraphnetsError if no file of a table is there: they begin elsewhere."""
    if not any(storage.is_address(path) or os.path.lexists(path) for path in photos.path):
        raise GraphnetsError(
            f"none of the table's {len(photos)} files is there, {shown(photos.path.iloc[0])} the "
            "first; wanted absolute paths, or --image_root with the folder that they begin at"
        )


def _key(path: str) -> tuple[str, str]:
    try:
        if storage.is_address(path):
            return key_of(storage.read(path, MAX_BYTES, check_mark)), ""
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            return "", A_FOLDER
        check_status(status)
        if status.st_size > LARGE:
            with open(path, "rb") as file:
                check_front(file, status.st_size)
        return sha256(path, status.st_size)[:32], ""
    except PhotoError as error:
        return "", str(error)
    except OSError as error:
        if storage.is_address(path) and storage.is_folder(path):
            return "", A_FOLDER
        return "", f"cannot be opened ({error.strerror})"


@plain_text
def check_classes(photos: pd.DataFrame) -> None:
    """Raise GraphnetsError unless 2 classes or more have enough usable photos each.

    That is 3, or 1 where a table gives the split.
    """
    fewest = 1 if "given_split" in photos else FEWEST_PHOTOS
    rows = each_label(photos)
    rows = rows[(rows.label != "") | (rows.problem == "")]  # left out, and of no class
    usable = (rows.problem == "").groupby(rows.label).sum()
    short = [
        f"{shown(label)} has {count} (of {(rows.label == label).sum()} files)"
        for label, count in usable[usable < fewest].items()
    ]
    if short:
        raise GraphnetsError(
            f"each class needs {fewest} readable photo{'s' if fewest > 1 else ''} or more, but "
            f"{'; '.join(short)}: add photos or take the folder away"
        )
    check_class_count(len(usable))
