"""Lists of photos: a .csv, .tsv or .parquet file, arrays, or a DataFrame, in place of a folder."""

from __future__ import annotations

import codecs
import csv
import io
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from graphnets import storage
from graphnets.errors import GraphnetsError, check_path, shown
from graphnets.files import check_readable, reading
from graphnets.photos import arrays
from graphnets.photos.folders import ARRAYS, BETWEEN, NAMED_TABLES, SPLITS, TEXTS
from graphnets.photos.labels import WHAT_CONFUSES, confused, joined

COLUMNS = {  # by what is in use: pandas', retrain.py's users', GTSRB's, Kaggle's names
    "path": ("path", "filename", "file", "image"),
    "label": ("label", "labels", "classid", "class"),
    "split": ("split",),
    "group": ("group",),
    "weight": ("weight",),
    "key": ("key",),
    "problem": ("problem",),  # of a photos.csv: why an earlier run left the row out
}
SPLIT_NAMES = {
    **{name: name for name in SPLITS},
    "train": "training", "val": "validation", "valid": "validation", "test": "testing",
}  # fmt: skip
NAMED = 3  # faults in an error


class Listed(NamedTuple):
    """A table as it was read: texts in the columns of COLUMNS that it has, and each row's number.

    name: what errors call it; unit: what its rows are called; root: of relative paths.
    """

    name: str
    unit: str
    root: str | os.PathLike[str]
    rows: pd.DataFrame
    numbers: Sequence[int]


def listed(
    images: pd.DataFrame | str | os.PathLike[str],
    image_root: str | os.PathLike[str] | None = None,
    multi_label: bool = False,
    trust_keys: bool = False,
) -> pd.DataFrame:
    """The rows of a table of photos, checked, sorted by label and path.

    Returns the columns path (below image_root, else below the table's folder), label and problem,
    and, if the table has them, given_split ("training", "validation", "testing"), group and weight
    (float64), and with trust_keys the key. Of rows that are there twice the later one has a
    problem. Raises GraphnetsError, naming rows, for a table that cannot serve.
    """
    if image_root is not None:
        check_path("image_root", image_root, "the folder that relative paths begin at")
    table = _read(images, image_root)
    rows = table.rows.copy()
    if not trust_keys:
        rows = rows.drop(columns="key", errors="ignore")
    elif "key" not in rows:
        raise GraphnetsError(
            f"{table.name} has no column key to trust; wanted that of a photos.csv, or leave "
            "trust_keys out"
        )
    if "problem" not in rows:
        rows["problem"] = ""
    faults = _Faults(table)
    _check_texts(rows, faults, multi_label)
    if "key" in rows:
        sound = rows.key.str.fullmatch("[0-9a-f]{32}")
        faults.add(~sound & (rows.problem == ""), "no key of 32 hex digits", rows.key)
        rows["key"] = rows.key.where(sound, "")
    if "split" in rows:
        rows["split"] = rows.split.str.strip().str.lower()
        used = (rows.split != "") | (rows.problem == "")
        faults.add(used & ~rows.split.isin([*SPLIT_NAMES]), "no split of the three", rows.split)
        rows["split"] = rows.split.map(SPLIT_NAMES).fillna("")
    if "weight" in rows:
        rows["weight"] = rows.weight.map(_number)
        sound = np.isfinite(rows.weight.to_numpy(float)) & (rows.weight.to_numpy(float) >= 0)
        faults.add(~sound, "no weight from 0", table.rows.weight)
    rows["path"] = [_placed(table.root, path) for path in rows.path]
    _leave_out_repeated(rows, table, faults)
    faults.check()
    rows = rows.rename(columns={"split": "given_split"})
    return rows.sort_values(["label", "path"], kind="stable", ignore_index=True)


def _check_texts(rows: pd.DataFrame, faults: _Faults, multi_label: bool) -> None:
    faults.add(rows.path == "", "no path")
    if not multi_label:
        faults.add((rows.label.str.strip() == "") & (rows.problem == ""), "no label")
    broken = rows.label.map(lambda label: label.splitlines() not in ([label], []))
    faults.add(broken, "a line break in its label", rows.label)
    faults.add(rows.label.map(confused), f"a label that is {WHAT_CONFUSES}", rows.label)
    if multi_label:
        bare = rows.label.str.strip().str.replace(r"\s*\|\s*", BETWEEN, regex=True)
        rows["label"] = bare.map(lambda label: joined([label]))
    bare = rows.label.str.strip()
    alike = rows.label.groupby(bare).transform("nunique") > 1
    faults.add(alike & (rows.label != bare), "white space around a label of other rows", rows.label)


def _leave_out_repeated(rows: pd.DataFrame, table: Listed, faults: _Faults) -> None:
    """A row that says the same as one before it is left out; one that contradicts it is a fault."""
    usable = rows[(rows.problem == "") & ~rows.path.map(confused)]
    first = usable.groupby(["path", "label"], sort=False).cumcount() == 0
    if first.all():
        return
    before = usable[first].reset_index().set_index(["path", "label"])["index"]
    for place in usable.index[~first]:
        original = before[rows.path[place], rows.label[place]]
        number = table.numbers[original]
        if rows.loc[place].equals(rows.loc[original]):
            rows.loc[place, "problem"] = f"the same row as {table.unit} {number}"
        else:
            faults.add(rows.index == place, f"the photo of {table.unit} {number} and other columns")


class _Faults:
    """What is wrong with rows, gathered to be told at once."""

    def __init__(self, table: Listed) -> None:
        self._table = table
        self._found: list[str] = []

    def add(
        self, wrong: pd.Series | np.ndarray, what: str, values: pd.Series | None = None
    ) -> None:
        """The rows where `wrong` is true have `what`, got from `values`."""
        for place in np.flatnonzero(np.asarray(wrong, bool)).tolist():
            got = "" if values is None or not values.iloc[place] else f" ({values.iloc[place]!r})"
            self._found.append(f"{self._table.unit} {self._table.numbers[place]} has {what}{got}")

    def check(self) -> None:
        """Raise GraphnetsError if there are any."""
        if self._found:
            more = len(self._found) - NAMED
            told = "; ".join(self._found[:NAMED]) + (f"; and {more} more" if more > 0 else "")
            raise GraphnetsError(
                f"{self._table.name}: {told}; wanted a path and a label, a split of "
                f"{', '.join(SPLITS)} if there is one, a weight from 0 if there is one: mend the "
                "rows, or take them out"
            )


def _read(
    images: pd.DataFrame | str | os.PathLike[str], image_root: str | os.PathLike[str] | None
) -> Listed:
    if isinstance(images, pd.DataFrame):
        rows = _of_frame(images, "the table")
        return Listed("the table", "row", image_root or ".", rows, range(len(rows)))
    name = shown(images)
    path = os.fspath(images) if storage.is_address(images) else Path(images)
    root = image_root or os.path.dirname(images)
    ending = os.path.splitext(path)[1].lower()
    if ending in TEXTS:
        header, lines = _lines(path, name)
        rows = _chosen(header, name, [line for _, line in lines])
        return Listed(name, "line", root, rows, [number for number, _ in lines])
    if ending in ARRAYS:
        if isinstance(path, str) or storage.is_address(image_root):
            raise GraphnetsError(
                f"{name} has arrays, which are laid out as files: copy it to this machine, and "
                "name a local --image_root"
            )
        folder = Path(image_root or path.with_name(f"{path.name}.photos"))
        frame = arrays.unpacked(path, folder)
        return Listed(name, "row", folder, frame, range(len(frame)))
    rows = _of_frame(_parquet(path, name), name)
    return Listed(name, "row", root, rows, range(len(rows)))


def _parquet(path: str | Path, name: str) -> pd.DataFrame:
    if isinstance(path, Path):
        check_readable(path)
    source = path if isinstance(path, Path) else io.BytesIO(_contents(path))
    try:
        return pd.read_parquet(source)
    except ImportError:
        raise GraphnetsError(
            f"{name}: parquet files need pyarrow, which is not installed; `pip install pyarrow`, "
            "or save the table as .csv"
        ) from None
    except Exception as error:  # a damaged file makes the reader raise almost anything
        reason = " ".join(f"{error}"[:200].split())
        raise GraphnetsError(
            f"{name} is no parquet file ({reason}); wanted {NAMED_TABLES}"
        ) from None


def _contents(path: str | Path) -> bytes:
    if isinstance(path, Path):
        with reading(path) as file:
            return file.read()
    try:
        return storage.read(path)
    except OSError as error:
        raise GraphnetsError(f"{path} cannot be read: {error.strerror}") from None


def _lines(path: str | Path, name: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header, and the number and values of each line that has any."""
    data = _contents(path)
    utf16 = data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # what Excel calls Unicode
    try:
        text = data.decode("utf-16") if utf16 else data.decode("utf-8-sig", "surrogateescape")
        between = "\t" if os.path.splitext(path)[1].lower() == ".tsv" else _between(text)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=between, strict=True)
        lines = [(reader.line_num, line) for line in reader if any(line)]
    except (csv.Error, UnicodeDecodeError) as error:
        raise GraphnetsError(
            f"{name} is no table of text ({error}); wanted {NAMED_TABLES}"
        ) from None
    if not lines:
        raise GraphnetsError(f"{name} is empty; wanted {NAMED_TABLES}")
    (_, header), *rows = lines
    for number, line in rows:
        if len(line) != len(header):
            raise GraphnetsError(
                f"{name}: line {number} has {len(line)} values, wanted {len(header)} as the header "
                "has; put those with a separator in them in quotes"
            )
    return header, rows


def _between(text: str) -> str:
    """What separates the values: the header has the most columns that are known with it."""
    header = text.partition("\n")[0]
    return max(",;\t", key=lambda between: len(_roles(header.strip().split(between))))


def _roles(header: Sequence[str]) -> dict[str, int]:
    """{column of COLUMNS: its place in the header}; of several names the first in COLUMNS."""
    names = [str(name).strip().strip('"').lower() for name in header]
    found = {}
    for role, known in COLUMNS.items():
        places = [names.index(name) for name in known if name in names]
        if places:
            found[role] = places[0]
    return found


def _chosen(header: Sequence[str], name: str, lines: Sequence[Sequence[object]]) -> pd.DataFrame:
    """The known columns; GraphnetsError unless path and label are among them, and rows."""
    roles = _roles(header)
    for needed in ("path", "label"):
        if needed not in roles:
            there = ", ".join(map(shown, header)) or "none"
            raise GraphnetsError(
                f"{name} has no column {needed!r} among {there}; wanted path (or Filename) and "
                "label (or ClassId), and, if you have them, split, group and weight"
            )
    if not lines:
        raise GraphnetsError(f"{name} has no rows; wanted one a photo")
    columns = {role: [line[place] for line in lines] for role, place in roles.items()}
    return pd.DataFrame(columns, dtype=object)


def _of_frame(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    roles = _roles(list(frame.columns))
    columns = [[_text(value) for value in frame.iloc[:, place]] for place in roles.values()]
    rows = list(zip(*columns, strict=True))
    if len(roles) < 2 or not rows:
        return _chosen(list(frame.columns), name, rows)
    return _chosen(list(roles), name, rows)


def _text(value: object) -> str:
    """A value of a typed column as a .csv has it: nothing for what is missing, 3 for 3.0."""
    if isinstance(value, str | os.PathLike):
        return os.fspath(value)
    if value is None or value is pd.NA or value is pd.NaT:
        return ""
    if isinstance(value, float | np.floating):
        if math.isnan(value):
            return ""
        return str(int(value)) if float(value).is_integer() else repr(float(value))
    return str(value)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _placed(root: str | os.PathLike[str], path: str) -> str:
    """The file that a row names; a list written on Windows may have its kind of slashes."""
    if storage.is_address(path):
        return path
    found = os.path.join(root, path)
    if storage.is_address(found):
        return found
    if "\\" in path and not os.path.lexists(found):
        return os.path.join(root, path.replace("\\", "/"))
    return found
