"""Several processes that extract at once into one store."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np

from tests.places.commands import NETWORK, PHOTOS, call
from tests.places.disks import ended


def faults_together(world: Path, place: Path, count: int, overlap: float) -> list[str]:
    """What is wrong with what `count` processes find that share the store and some photos.

    overlap: the share of a process's photos that all of them have.
    """
    lists = _lists(world, count, overlap)
    store = place / "store"
    shutil.rmtree(store, ignore_errors=True)
    words = f"extract {NETWORK} --bottleneck_dir {store} --images {{world}}/{{name}}.csv"
    children = []
    for name in lists:
        child = os.fork()
        if not child:
            text = words.replace("{name}", name) + f" --output {{world}}/{name}.npz"
            os._exit(_said(ended(lambda text=text: call(text, world, place))))
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    faults = [f"status {code} of {name}" for name, code in zip(lists, codes, strict=True) if code]
    if faults:
        return faults
    for name, paths in lists.items():
        alone = world / "alone"
        shutil.rmtree(alone, ignore_errors=True)
        text = f"extract {NETWORK} --bottleneck_dir {alone} --images {{world}}/{name}.csv"
        ended(lambda text=text: call(f"{text} --output {{world}}/alone.npz", world, place))
        found, wanted = (np.load(world / f"{one}.npz") for one in (name, "alone"))
        if list(found["paths"]) != list(wanted["paths"]) or len(found["paths"]) != len(paths):
            faults.append(f"{name}: other photos")
        # A place in a batch is worth some 1e-6 of the largest value, see `Bottlenecks`.
        most = 0 if overlap == 1 else 1e-5 * np.abs(wanted["features"]).max()
        if np.abs(found["features"] - wanted["features"]).max() > most:
            faults.append(f"{name}: other features than of one process")
    return faults + _of_rows(store, count, len(set().union(*lists.values())))


def _said(found) -> int:
    if found.status:
        print(found.errors[-300:], flush=True)
    return found.status


def _of_rows(store: Path, count: int, photos: int) -> list[str]:
    """A photo may be stored once a process, as nobody waits for another, and never more often."""
    keys = b"".join(path.read_bytes() for path in store.rglob("*.keys"))
    rows = [keys[place : place + 16] for place in range(0, len(keys), 16)]
    most = max(map(rows.count, rows), default=0)
    if len(set(rows)) != photos or most > count:
        return [f"{len(rows)} rows of {len(set(rows))} photos, one {most} times"]
    return []


def _lists(world: Path, count: int, overlap: float) -> dict[str, set[str]]:
    """{name: photos} of tables that are written as name.csv."""
    photos = sorted(
        path.relative_to(world).as_posix() for path in (world / "photos").rglob("*.jpg")
    )
    assert len(photos) == PHOTOS
    shared = photos[: round(overlap * PHOTOS)]
    rest, lists = photos[len(shared) :], {}
    for number in range(count):
        own = {*shared, *rest[number::count]}
        lists[f"list{number}"] = own
        # Of a given split, as a list may have a photo or two of a class.
        rows = [f"{path},{path.split('/')[1]},training" for path in sorted(own)]
        Path(world, f"list{number}.csv").write_text("\n".join(["path,label,split", *rows]) + "\n")
    return lists
