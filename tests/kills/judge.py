"""Whether what a killed run left is whole, and what the next run left is what it should be."""

from __future__ import annotations

import hashlib
import json
import re
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.kills.process import Ended

STORE, LOGS, CHECKPOINTS = "B", "logs", "checkpoints"  # names of folders that jobs write
STORED = re.compile(r"[0-9a-f]{32}\.(features|sums|keys)|store\.json")
PART = re.compile(r"(.+)\.part(\.\w+)")  # of a table, which a stopped run leaves
EMPTY = "an empty folder"
COUNTED = r"(?<=_while_(?:cond|body))_\d+"  # TensorFlow counts the functions of a process
TIMES = {"seconds", "milliseconds"}
SAYS = (
    r"stopped by (SIGTERM|SIGINT)",
    r"stopped at step \d+ of \w+; the same command with --resume goes on from the checkpoint in .*",
    r".* is not written, the run broke off(; its \d+ rows so far are in .*)?",
    r"\d+ photos have been copied to .* and stay",
    r"\d+ of \d+ parts are whole in .*; the same command goes on from there",
    r"\d+ of \d+ parts were there already",
)


def files(folder: Path) -> dict[str, Path]:
    """All files by their names below the folder, and empty folders, too."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_dir() or not any(path.iterdir()):
            found[path.relative_to(folder).as_posix()] = path
    return found


def state(folder: Path) -> dict[str, Any]:
    """What is compared of a folder: {name: content}, of stores {key: row}, no summaries."""
    found: dict[str, Any] = {}
    for name, path in files(folder).items():
        parts = Path(name).parts
        if parts[0] == STORE and STORED.fullmatch(path.name):
            found.setdefault("/".join(parts[:2]), {}).update(_rows(path))
        elif parts[0] != LOGS and CHECKPOINTS not in parts:
            found[name] = _content(path)
    return found


def _content(path: Path) -> Any:
    if path.is_dir():
        return EMPTY
    data = path.read_bytes()
    try:
        if path.name in ("metrics.json", "export.json"):
            return _timeless(json.loads(data))
        if path.name == "report.html":
            lines = data.decode().splitlines()
            data = "\n".join(line for line in lines if "seconds" not in line).encode()
        if path.name == "saved_model.pb":
            data = re.sub(COUNTED, "", _text(data)).encode()
    except Exception:  # half of a file is compared as it is
        pass
    return hashlib.sha256(data).hexdigest()


def _text(data: bytes) -> str:
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    return str(SavedModel.FromString(data))


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(each) for key, each in value.items() if key not in TIMES}
    return value


def _rows(path: Path) -> dict[str, Any]:
    """{key: row} of the rows of one of a store's files that have keys; of store.json its text."""
    if path.suffix == ".json":
        return {path.name: json.loads(path.read_text())}
    if path.suffix != ".keys":
        return {}
    width = 4 * json.loads(path.with_name("store.json").read_text())["width"]
    keys, rows = path.read_bytes(), path.with_suffix(".features").read_bytes()
    return {
        keys[16 * n : 16 * n + 16].hex(): rows[width * n : width * n + width]
        for n in range(len(keys) // 16)
    }


def half_written(folder: Path, whole: Mapping[str, Any], before: Mapping[str, Any]) -> list[str]:
    """What is wrong with what a kill left: each file is as before or whole, or of a hidden name."""
    found, faults = state(folder), []
    for name, content in found.items():
        if any(part.startswith(".") for part in Path(name).parts) or content == EMPTY:
            continue
        if isinstance(content, dict) and name not in files(folder):
            wrong = [key for key, row in content.items() if whole.get(name, {}).get(key) != row]
            faults += [f"{name} holds another row than the undisturbed run's"] if wrong else []
        elif not PART.fullmatch(name) and content not in _either(name, whole, before):
            faults.append(f"{name} is half-written")
    return faults + [f"{name} is gone" for name in before if name not in found]


def _either(name: str, whole: Mapping[str, Any], before: Mapping[str, Any]) -> list[Any]:
    return [some[name] for some in (whole, before) if name in some]


def left_over(folder: Path, whole: Mapping[str, Any]) -> list[str]:
    """What is wrong with what the next run left: it is what the undisturbed run left."""
    found = state(folder)
    faults = [f"{name} is left over" for name in found if name not in whole]
    for name, content in whole.items():
        if name not in found:
            faults.append(f"{name} is missing")
        elif found[name] != content:
            faults.append(f"{name} is not that of the undisturbed run")
    faults += [
        f"{name} is left over"
        for name, path in files(folder).items()
        if name.startswith(f"{STORE}/") and path.suffix == ".keys" and not path.stat().st_size
    ]
    return faults + _checkpoints(folder) + _summaries(folder)


def _checkpoints(folder: Path) -> list[str]:
    """What is no checkpoint, or cannot be read, in the folders of checkpoints."""
    found = {name: path for name, path in files(folder).items() if CHECKPOINTS in Path(name).parts}
    if not found:
        return []
    from graphnets.training.checkpoints import _is_whole

    faults = []
    for name, path in found.items():
        if path.suffix == ".index":
            if not _is_whole(str(path.with_suffix(""))):
                faults.append(f"{name} is no whole checkpoint")
        elif path.suffix != ".latest" and f"{name.rpartition('.')[0]}.index" not in found:
            faults.append(f"{name} is left over")
    return faults


def _summaries(folder: Path) -> list[str]:
    """What cannot be read of the summaries; a killed run's may end anywhere."""
    paths = sorted((folder / LOGS).rglob("events.*"))
    if not paths:
        return []
    import tensorflow.compat.v1 as tf

    faults = []
    last = max(int(path.relative_to(folder / LOGS).parts[0][3:]) for path in paths)
    for path in paths:
        count = 0
        try:
            for _ in tf.train.summary_iterator(str(path)):
                count += 1
        except tf.errors.DataLossError as error:
            cut = "truncated" in error.message
            if not cut or path.relative_to(folder / LOGS).parts[0] == f"run{last}":
                faults.append(f"{path.relative_to(folder)} cannot be read: {error.message}")
    return faults


def said(ended: Ended, number: int, usual: Sequence[str] = ()) -> list[str]:
    """What is wrong with how a signal ended a run: its status, and one sentence.

    usual: what the undisturbed run says on its stderr.
    """
    if number == signal.SIGKILL:
        return [] if ended.status == -number else [f"exit status {ended.status}"]
    lines = [line for line in ended.errors.splitlines() if line.strip() and line not in usual]
    if ended.status == -number:
        return [f"said {lines[-1]!r}"] if lines else []  # before anything could be said
    faults = [] if ended.status == 128 + number else [f"exit status {ended.status}"]
    faults += [
        f"said {line[:150]!r}" for line in lines if not any(re.fullmatch(one, line) for one in SAYS)
    ][:3]
    if sum(line.startswith("stopped ") for line in lines) != 1:
        faults.append(f"said {len(lines)} lines, wanted one that says what stopped it")
    return faults
