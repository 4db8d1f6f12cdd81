"""Predictions as JSON, and in tables that are written a row at a time: .csv, .jsonl, .parquet.

Neither TensorFlow nor NumPy here.
"""

from __future__ import annotations

import contextlib
import csv
import importlib.util
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from graphnets.errors import GraphnetsError, shown
from graphnets.files import check_target, publish, whole_file, writing
from graphnets.photos.folders import BETWEEN

if TYPE_CHECKING:
    from graphnets.classifier.predictions import Prediction

ENDINGS = (".csv", ".jsonl", ".parquet")
BLOCK = 1 << 16  # bytes of rows of text that are written at a time
GROUP = 10_000  # rows of a Parquet file that are in memory at a time
# What spreadsheets take for the beginning of a formula, in East Asian widths, too (OWASP).
FORMULA = tuple("=+-@\t\r\n＝＋－＠")


def check_table(path: str | os.PathLike[str]) -> None:
    """Raise GraphnetsError unless a table of predictions can be written at `path`."""
    ending = _ending(path)
    if ending not in ENDINGS:
        raise GraphnetsError(
            f"the table is to be {shown(path)!r}; wanted a file that ends in .csv, .jsonl or "
            ".parquet"
        )
    if ending == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise GraphnetsError(
            f"{shown(path)}: parquet files need pyarrow, which is not installed; `pip install "
            "'graphnets[parquet]'`, or name a .csv or .jsonl"
        )
    check_target(path)


def as_json(prediction: Prediction) -> dict[str, Any]:
    """A prediction as an object for JSON: path, time of a frame, and what was found.

    Of one label: label, score, top; of several: labels, top; unknown where the graph tells it;
    of what could not be read: problem alone.
    """
    time = {} if prediction.time is None else {"time": prediction.time}
    return {"path": prediction.path, **time, **prediction.found()}


class Says(NamedTuple):
    """What a classifier says of each photo: how many of its likeliest classes, and by its graph.

    several: labels from thresholds on, not one; unknown: whether it is of no class.
    """

    top: int
    several: bool = False
    unknown: bool = False

    @property
    def columns(self) -> dict[str, str]:
        """{column of a table: "text", "number", "score" or "flag"}."""
        named = {"labels": "text"} if self.several else {"label": "text", "score": "score"}
        flag = {"unknown": "flag"} if self.unknown else {}
        places = {
            f"{name}_{number}": kind
            for number in range(1, self.top + 1)
            for name, kind in (("label", "text"), ("score", "score"))
        }
        return {"path": "text", "time": "number", **named, **flag, "problem": "text", **places}


class Rows(Protocol):
    """A table at work."""

    def add(self, prediction: Prediction) -> None:
        """Write a row."""

    def close(self) -> None:
        """Write what is in memory yet; no rows follow."""

    def broken_off(self) -> int:
        """Close as far as there is room; how many rows the file has then, 0 of one without end."""


class Table:
    """What `new_table` gives: `add` a prediction; `count` of them are in it.

    kept: where the rows are that a run which broke off has written; None of a whole table.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.count = 0
        self.kept: Path | None = None

    def add(self, prediction: Prediction) -> None:
        """Write its row."""
        self._rows.add(prediction)
        self.count += 1


@contextmanager
def new_table(path: str | os.PathLike[str], says: Says, keep_rows: bool = True) -> Iterator[Table]:
    """A table that takes its place at `path`, whole, when the block ends without an error.

    A block that a signal, a full disk or a GraphnetsError ends leaves the rows so far beside it,
    unless they are not to be kept: of a.csv in a.part.csv, which the next whole table removes. What
    was at `path` stays then. Of a full disk these are the rows that were written, none of a
    .parquet, whose end is missing. Memory does not grow with the rows.
    """
    path = Path(path)
    part = path.with_name(f"{path.stem}.part{path.suffix}")
    with writing(path), whole_file(path) as temporary:
        rows = WRITERS[_ending(path)](temporary, says)
        table = Table(rows)
        try:
            yield table
            rows.close()
        except BaseException as error:
            table.count = rows.broken_off()
            stopped = isinstance(error, KeyboardInterrupt | GraphnetsError | OSError)
            if keep_rows and table.count and stopped:
                publish(temporary, part)  # a copy would need room
                table.kept = part
            raise
    if keep_rows:
        part.unlink(missing_ok=True)


def _ending(path: str | os.PathLike[str]) -> str:
    return os.path.splitext(path)[1].lower()


def _row(prediction: Prediction) -> dict[str, Any]:
    """{column: value} of all that a prediction tells."""
    found = as_json(prediction)
    if "labels" in found:
        found["labels"] = BETWEEN.join(one["label"] for one in found["labels"])
    for number, one in enumerate(found.pop("top", []), 1):
        found[f"label_{number}"], found[f"score_{number}"] = one["label"], one["score"]
    return found


class _Lines:
    """Text of whole rows: what is cut off by a full disk is taken away again."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "wb", buffering=0)  # noqa: SIM115
        self._held: list[bytes] = []
        self._size = self._end = self._rows = 0  # of what is held; of what is written

    def write(self, row: str) -> None:
        """Add a row, or the line above the first."""
        self._held.append(row.encode("utf-8", "surrogateescape"))
        self._size += len(self._held[-1])
        if self._size >= BLOCK:
            self._write()

    def _write(self) -> None:
        left = memoryview(b"".join(self._held))
        while left:
            left = left[self._file.write(left) :]
        self._end, self._rows = self._end + self._size, self._rows + len(self._held)
        self._held, self._size = [], 0

    def close(self) -> None:
        self._write()
        self._file.close()

    def broken_off(self) -> int:
        try:
            self._file.seek(self._end)
            self._file.truncate()
            with contextlib.suppress(OSError):  # what is held has no room
                self._write()
            self._file.truncate(self._end)
        except (OSError, ValueError):  # ValueError: it has been closed, with an error
            return 0
        finally:
            self._file.close()
        return self._rows


class _Csv(_Lines):
    """RFC 4180; names that are no UTF-8 keep their bytes."""

    def __init__(self, path: Path, says: Says) -> None:
        super().__init__(path)
        self._writer = csv.DictWriter(self, list(says.columns))
        self._writer.writeheader()

    def add(self, prediction: Prediction) -> None:
        row = _row(prediction)
        for name, value in row.items():
            if isinstance(value, bool):
                row[name] = str(value).lower()
            elif isinstance(value, str):
                row[name] = _no_formula(value, name == "path")
        self._writer.writerow(row)

    def broken_off(self) -> int:
        return max(0, super().broken_off() - 1)  # without the header


def _no_formula(text: str, is_path: bool) -> str:
    """A text that a spreadsheet shows and does not run: the same file's path, or behind a '."""
    if not text.startswith(FORMULA) or _is_number(text):
        return text
    return os.path.join(os.curdir, text) if is_path else f"'{text}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


class _JsonLines(_Lines):
    def __init__(self, path: Path, says: Says) -> None:
        super().__init__(path)

    def add(self, prediction: Prediction) -> None:
        self.write(f"{json.dumps(as_json(prediction))}\n")


def escaped(text: str) -> str:
    """A text as Parquet takes it: what is no UTF-8 becomes \\udcff."""
    return text.encode(errors="backslashreplace").decode()


class _Parquet:
    """Columns with types; names that are no UTF-8 are escaped, as the format holds none."""

    def __init__(self, path: Path, says: Says) -> None:
        import pyarrow
        from pyarrow import parquet

        types = {
            "text": pyarrow.string(),
            "number": pyarrow.float64(),
            "score": pyarrow.float32(),
            "flag": pyarrow.bool_(),
        }
        self._schema = pyarrow.schema([(name, types[kind]) for name, kind in says.columns.items()])
        self._writer = parquet.ParquetWriter(path, self._schema)
        self._rows: list[dict[str, Any]] = []
        self._count = 0

    def add(self, prediction: Prediction) -> None:
        self._count += 1
        self._rows.append(
            {
                name: escaped(value) if isinstance(value, str) else value
                for name, value in _row(prediction).items()
            }
        )
        if len(self._rows) == GROUP:
            self._write()

    def _write(self) -> None:
        import pyarrow

        rows, self._rows = self._rows, []
        try:
            self._writer.write_table(pyarrow.Table.from_pylist(rows, self._schema))
        except Exception:
            self._count = 0  # what was written of them cannot be taken back
            raise

    def close(self) -> None:
        if self._rows:
            self._write()
        self._writer.close()

    def broken_off(self) -> int:
        try:
            self.close()
        except (OSError, ValueError):  # ValueError: it has been closed with an error
            return 0
        return self._count


WRITERS: dict[str, Callable[[Path, Says], Rows]] = dict(
    zip(ENDINGS, (_Csv, _JsonLines, _Parquet), strict=True)
)
