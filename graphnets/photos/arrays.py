"""Photos that come as arrays, X and y in one file, laid out as files of their own."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from graphnets.errors import GraphnetsError, shown
from graphnets.files import check_readable, check_writable, write_whole, writing
from graphnets.weights.formats import LARGEST
from graphnets.weights.npz import array_names, fits, npy_header
from graphnets.weights.pickles import pickled_arrays, refusing

NAMES = {"X": ("x", "features", "images"), "y": ("y", "labels")}  # the second are the course's
WANTED = (
    "wanted X, uint8 (n, height, width) or (n, height, width, 3), and y, (n,), or the traffic-sign "
    "course's features and labels"
)
PACKED = 8  # what photos may unpack to, in sizes of the file


def unpacked(path: Path, folder: Path) -> pd.DataFrame:
    """Write the photos of an .npz or a pickle as LABEL/00000.png below folder; path and label.

    The number is the photo's place in the arrays. A file that is there with these very bytes is
    left alone. Nothing in the file is run. Raises GraphnetsError if it does not hold X and y.
    """
    name = shown(path)
    check_readable(path)
    with refusing(path, "file of arrays", WANTED):
        found = _npz(path) if path.suffix.lower() == ".npz" else pickled_arrays(path)
    X, y = (_named(found, role, name) for role in NAMES)
    X, labels = _pictures(X, name), _labels(y, len(X), name)
    check_writable(folder)
    paths = []
    for number, (picture, label) in enumerate(zip(X, labels, strict=True)):
        paths.append(os.path.join(label, f"{number:05d}.png"))
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "PNG")
        target = folder / paths[-1]
        with writing(target):
            if not target.exists() or target.read_bytes() != file.getvalue():
                target.parent.mkdir(exist_ok=True)
                write_whole(target, file.getvalue())
    return pd.DataFrame({"path": paths, "label": labels}, dtype=object)


def _npz(path: Path) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(path) as archive:
        names = array_names(archive, LARGEST + PACKED * os.path.getsize(path))
        wanted = {name for known in NAMES.values() for name in known}
        return {name: _member(archive, name) for name in names if name.lower() in wanted}


def _member(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    info = archive.getinfo(f"{name}.npy")
    with archive.open(info) as file:
        shape, _, dtype = npy_header(file)
        if dtype.hasobject:
            raise ValueError("Object arrays cannot be loaded without running them")
        if not fits(shape, dtype.itemsize, info.file_size - file.tell()):
            raise ValueError(f"an array of the shape {shape} has other bytes than it says")
    with archive.open(info) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _named(found: dict[str, np.ndarray], role: str, name: str) -> np.ndarray:
    for known in NAMES[role]:
        for key, array in found.items():
            if key.lower() == known:
                return array
    there = ", ".join(map(shown, found)) or "none"
    raise GraphnetsError(f"{name} has no {role} among the arrays {there}; {WANTED}")


def _pictures(X: np.ndarray, name: str) -> np.ndarray:
    sound = X.dtype == np.uint8 and X.ndim in (3, 4) and (X.ndim == 3 or X.shape[3] in (1, 3))
    if not sound or not all(X.shape):
        raise GraphnetsError(f"{name}: X is {X.dtype} {X.shape}; {WANTED}")
    return X[..., 0] if X.shape[3:] == (1,) else X


def _labels(y: np.ndarray, count: int, name: str) -> list[str]:
    if y.shape == (count, 1):
        y = y[:, 0]
    if y.shape != (count,) or y.dtype.kind not in "iuUS":
        raise GraphnetsError(
            f"{name}: y is {y.dtype} {y.shape} for {count} photos; wanted whole numbers or names, "
            "one a photo"
        )
    labels = [v.decode("utf-8", "surrogateescape") if isinstance(v, bytes) else str(v) for v in y]
    for label in labels:
        # It becomes a folder's name, and comes out of a stranger's file.
        if label in ("", ".", "..") or set(label) & set("/\\\0") or label.splitlines() != [label]:
            raise GraphnetsError(f"{name}: y has {label!r}; wanted names that a folder can have")
    return labels
