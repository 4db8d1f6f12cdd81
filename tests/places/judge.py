"""Whether what a command left on a small disk is as it should be."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np

from tests.places.commands import COMMANDS, PHOTOS, Command, call
from tests.places.disks import ROOMY, Ended, Limit, disk, ended, used

REASONS = (
    "No space left on device", "Read-only file system", "File too large", "Permission denied",
    "ENOSPC",
)  # fmt: skip
TEMPORARY = re.compile(
    r"(^|/)\.[^/]*?\.?[a-z0-9_]{8}(\.\w+)?(/|$)|_temp|\.tmp|tempstate|/\.graphnets-"
)


def kinds_of(name: str) -> tuple[str, ...]:
    """What a command's disk may be short of; a shell opens what is printed to."""
    return ("pages", "files") if COMMANDS[name].stdout else ("pages", "files", "writes")


def content(folder: Path) -> dict[str, bytes]:
    """{name: bytes} of all files below, but for those of logs, which are told apart by time."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class Trial:
    """One command, run on disks of different limits."""

    def __init__(self, name: str, world: Path, place: Path) -> None:
        self.name, self._world, self._place = name, world, place
        self._command: Command = COMMANDS[name]
        self.needs = {"pages": 0, "files": 0}
        with disk(place) as limited:
            limited(ROOMY)
            self._command.prepare(world, place)
            self._before_use = used(place)
            self._before = content(place)
            first = self._run(ROOMY)
            if first.status not in self._fine:
                raise RuntimeError(f"{name}: {first}")
            self._reference = content(place)
            self._aside = self._elsewhere()

    @property
    def _fine(self) -> tuple[int, ...]:
        return (0, 1) if self._command.words.startswith("check") else (0,)

    def _run(self, limit: Limit) -> Ended:
        stdout = self._place / self._command.stdout if self._command.stdout else None
        names = {"world": self._world, "disk": self._place}

        def work() -> None:
            import os

            for name, value in self._command.environment:
                os.environ[name] = value.format(**names)
            call(self._command.words, self._world, self._place)

        return ended(work, limit, stdout)

    def _elsewhere(self) -> dict[str, bytes]:
        """What is in the world that the command changes."""
        return content(self._world / "moving") if (self._world / "moving").exists() else {}

    def faults(self, limit: Limit) -> tuple[bool, list[str]]:
        """Whether the command did its job within the limit, and what is not as it should be."""
        for name in ("bucket", "store", "logs"):
            if name in self._command.words.replace("{disk}/", ""):
                shutil.rmtree(self._world / name, ignore_errors=True)
        with disk(self._place) as limited:
            limited(ROOMY)
            self._command.prepare(self._world, self._place)
            before = self._elsewhere()
            try:
                limited(self._more(limit))
            except RuntimeError:
                return False, []
            found = self._run(limit)
            if found.status in self._fine and not self._unsaid(found):
                return True, self._of_success()
            faults = self._of_words(found) + self._of_files(content(self._place))
            faults += self._of_moved(before)
            limited(ROOMY)
            return False, faults + self._of_another_try()

    def _more(self, limit: Limit) -> Limit:
        """The limit with what lies there before."""
        pages, files = self._before_use
        more = {"pages": pages, "files": files}.get(limit.kind, 0)
        return limit._replace(count=limit.count + more)

    def _unsaid(self, found: Ended) -> bool:
        return "warning" in found.errors + found.out and any(r in found.out for r in REASONS)

    def _of_words(self, found: Ended) -> list[str]:
        """What is wrong with how it said it."""
        errors = [line for line in found.errors.splitlines() if line.startswith("Error: ")]
        if self._unsaid(found):
            return []
        faults = []
        wanted = 2 if self._command.words.startswith("check") else 1
        if found.status != wanted:
            faults.append(f"status {found.status}")
        if "Traceback" in found.errors or "Exception ignored" in found.errors:
            faults.append("a traceback: " + found.errors.strip().splitlines()[-1][:300])
        elif len(errors) != 1:
            faults.append(f"{len(errors)} sentences: {found.errors[-300:]}")
        elif not any(reason in errors[0] for reason in REASONS):
            faults.append(f"no reason: {errors[0][:300]}")
        elif len(errors[0]) > 400 or "\\n" in errors[0]:
            faults.append(f"no sentence: {errors[0][:300]}")
        elif str(self._place) not in errors[0] and "the standard output" not in errors[0]:
            faults.append(f"no file: {errors[0][:300]}")
        return faults

    def _of_files(self, found: dict[str, bytes]) -> list[str]:
        """What is not whole, left over, or gone."""
        faults = [f"gone: {name}" for name in self._before if name not in found]
        if self._command.words.startswith("check"):
            faults = []
        for name, data in found.items():
            if data in (self._before.get(name), self._reference.get(name)):
                continue
            if name == self._command.stdout:
                continue  # printed as far as there was room
            if TEMPORARY.search(name):
                faults.append(f"left over: {name}")
            elif not _whole(name, data, self._place):
                faults.append(f"not whole: {name}, {len(data)} bytes")
        return faults

    def _of_moved(self, before: dict[str, bytes]) -> list[str]:
        """Files that were to be moved are here or there, and those there are in the list."""
        if "--move_to" not in self._command.words:
            return []
        faults = []
        there = self._place / "aside"
        here = content(self._place / "doubles") | self._elsewhere()
        all_files = sorted([*here.values(), *(
            data for name, data in content(there).items() if name != "moved.csv")])  # fmt: skip
        expected = sorted((before or {n: d for n, d in self._before.items()
                                      if n.startswith("doubles/")}).values())  # fmt: skip
        if all_files != expected:
            faults.append(f"{len(expected)} files have become {len(all_files)}")
        listed = (there / "moved.csv").read_text() if (there / "moved.csv").exists() else ""
        for name in content(there):
            if name != "moved.csv" and str(there / name) not in listed:
                faults.append(f"moved, not listed: {name}")
        return faults

    def _of_success(self) -> list[str]:
        found = content(self._place)
        wanted = {name for name in self._reference if _named(name)}
        lacking = sorted(wanted - {name for name in found})
        return [f"lacks {name}" for name in lacking] + self._of_files(found)

    def _of_another_try(self) -> list[str]:
        if "--saved_model_dir" in self._command.words:  # one that is there is never replaced
            shutil.rmtree(self._place / "saved", ignore_errors=True)
        found = self._run(ROOMY)
        if found.status not in self._fine:
            return [f"again: status {found.status}, {found.errors[-300:]}"]
        faults = [f"again: {fault}" for fault in self._of_success()]
        for meta in self._place.rglob("store.json"):  # none of the first try's was lost
            keys = b"".join(path.read_bytes() for path in sorted(meta.parent.glob("*.keys")))
            different = {keys[place : place + 16] for place in range(0, len(keys), 16)}
            if len(keys) != 16 * PHOTOS or len(different) != PHOTOS:
                faults.append(f"again: {len(keys) / 16} rows of {len(different)} photos are stored")
        return faults


def _named(name: str) -> bool:
    """Whether a file has the same name in each run."""
    return not re.search(r"logs/|[0-9a-f]{32}|checkpoints/|\.lock", name)


def _whole(name: str, data: bytes, place: Path) -> bool:
    """Whether a file that differs from run to run has all that it is to have."""
    if name.endswith(".json"):
        try:
            return isinstance(json.loads(data), dict)
        except ValueError:
            return False
    if name.endswith(".html"):
        return data.rstrip().endswith(b"</html>")
    if name.endswith(".csv"):
        return data.endswith(b"\n")
    if name.endswith(".png"):
        return data.endswith(b"IEND\xaeB`\x82")
    if re.search(r"[0-9a-f]{32}\.(features|sums|keys)$", name):
        return _in_step(place / name)
    if name.endswith((".latest", ".lock", ".pending")):
        return True
    if "/logs/" in f"/{name}":
        return "tfevents" not in name or _records(data)
    if name.endswith("saved_model.pb"):
        return _parses(data)
    if name.endswith(".onnx"):  # tf2onnx counts its names on from the export before
        return _checks(data)
    if re.search(r"/training-\d+\.(index|data-00000-of-00001)$", name):
        return _loads(place / name)
    return False


def _parses(data: bytes) -> bool:
    """Whether it is a SavedModel, to its end."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    try:
        return len(SavedModel.FromString(data).meta_graphs) == 1
    except Exception:
        return False


def _checks(data: bytes) -> bool:
    """Whether it is a model of ONNX, to its end."""
    import onnx

    try:
        onnx.checker.check_model(data)
    except Exception:
        return False
    return True


def _in_step(path: Path) -> bool:
    """Whether the three files of a writer have as many rows, not one of them cut."""
    meta = json.loads((path.parent / "store.json").read_text())
    sizes = {".features": 4 * meta["width"], ".sums": 8, ".keys": 16}
    rows = set()
    for ending, size in sizes.items():
        file = path.with_suffix(ending)
        rows.add(divmod(file.stat().st_size if file.exists() else 0, size))
    return len(rows) == 1 and not rows.pop()[1]


def _records(data: bytes) -> bool:
    """Whether a file of TensorFlow's records ends where a record does."""
    place = 0
    while place < len(data):
        if place + 12 > len(data):
            return False
        place += 16 + int(np.frombuffer(data[place : place + 8], "<u8")[0])
    return place == len(data)


def _loads(path: Path) -> bool:
    import tensorflow.compat.v1 as tf

    try:
        reader = tf.train.load_checkpoint(str(path).partition(".index")[0].partition(".data")[0])
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    except Exception:
        return False
    return True
