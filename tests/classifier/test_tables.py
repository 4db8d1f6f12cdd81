"""Tables of predictions, read back by Python's csv, pandas and pyarrow."""

import csv
import json
import os
import resource
import sys

import pandas as pd
import pytest

from graphnets.classifier.predictions import Prediction
from graphnets.classifier.tables import Says, as_json, check_table, new_table
from graphnets.errors import GraphnetsError

ONE = Says(2)
SEVERAL = Says(2, several=True)
ROSE = [("rose, wild", 0.75), ("tulip", 0.25)]
NO_TEXT = os.fsdecode(b"caf\xe9.jpg")
STRANGE = 'a"b,\r\n;c.jpg'
FOUND = [
    Prediction("a.jpg", ROSE),
    Prediction("broken.jpg", [], "damaged or cut off"),
    Prediction("b.mp4", ROSE, time=0.5),
    Prediction(STRANGE, ROSE),
    Prediction(NO_TEXT, ROSE),
]


def written(path, says, predictions):
    with new_table(path, says) as table:
        for prediction in predictions:
            table.add(prediction)
    return path


def rows_of(path):
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def test_a_csv_has_a_row_a_photo_as_rfc_4180_has_it(tmp_path):
    path = written(tmp_path / "t.csv", ONE, FOUND)
    lines = path.read_bytes().split(b"\r\n")
    assert lines[0] == b"path,time,label,score,problem,label_1,score_1,label_2,score_2"
    assert lines[1] == b'a.jpg,,"rose, wild",0.75,,"rose, wild",0.75,tulip,0.25'
    assert lines[2] == b"broken.jpg,,,,damaged or cut off,,,,"
    assert lines[3].startswith(b"b.mp4,0.5,")
    assert b"caf\xe9.jpg" in path.read_bytes()
    assert [row["path"] for row in rows_of(path)] == [one.path for one in FOUND]


def test_unknown_and_several_labels_have_columns_of_their_own(tmp_path):
    unknown = [Prediction("a", ROSE, unknown=True), Prediction("b", ROSE, unknown=False)]
    rows = rows_of(written(tmp_path / "u.csv", Says(1, unknown=True), unknown_top(unknown)))
    assert [(row["label"], row["score"], row["unknown"]) for row in rows] == [
        ("", "", "true"), ("rose, wild", "0.75", "false"),
    ]  # fmt: skip
    assert [row["label_1"] for row in rows] == ["rose, wild"] * 2
    several = [Prediction("a", ROSE, labels=ROSE), Prediction("b", ROSE, labels=[])]
    rows = rows_of(written(tmp_path / "s.csv", SEVERAL, several))
    assert [row["labels"] for row in rows] == ["rose, wild|tulip", ""]
    assert "label" not in rows[0] and rows[1]["label_2"] == "tulip"


def unknown_top(predictions):
    return [Prediction(one.path, one.top[:1], unknown=one.unknown) for one in predictions]


def test_a_table_of_one_label_is_a_table_of_photos_again(tmp_path):
    from graphnets.photos.tables import listed

    found = listed(written(tmp_path / "t.csv", ONE, FOUND[:2]))
    assert list(found.label) == ["", "rose, wild"]
    assert list(found.problem) == ["damaged or cut off", ""]
    several = [Prediction("a", ROSE, labels=[("tulip", 0.9), ("car", 0.8)])]
    found = listed(written(tmp_path / "s.parquet", SEVERAL, several), multi_label=True)
    assert list(found.label) == ["car|tulip"]


@pytest.mark.parametrize(
    "name", ["=cmd|' /C calc'!A0.jpg", "+1.jpg", "-x.jpg", "@x", "\tx", "＝1+1"]
)
def test_no_cell_of_a_csv_begins_a_formula(tmp_path, name):
    path = written(tmp_path / "t.csv", Says(1), [Prediction(name, [(name, 0.5)])])
    [row] = rows_of(path)
    assert row["path"] == f"./{name}" and row["label"] == row["label_1"] == f"'{name}"
    path = written(tmp_path / "t.jsonl", Says(1), [Prediction(name, [(name, 0.5)])])
    assert json.loads(path.read_text())["label"] == name


def test_numbers_are_labels_and_no_formulas(tmp_path):
    [row] = rows_of(written(tmp_path / "t.csv", Says(1), [Prediction("a", [("-1", 1.0)])]))
    assert row["label"] == "-1"


def test_json_lines_are_what_the_command_prints(tmp_path):
    path = written(tmp_path / "t.jsonl", ONE, FOUND)
    lines = path.read_text("ascii").split("\n")
    assert lines == [*(json.dumps(as_json(one)) for one in FOUND), ""]
    assert json.loads(lines[4])["path"] == NO_TEXT


def test_parquet_has_typed_columns_in_groups_of_rows(tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr("graphnets.classifier.tables.GROUP", 2)
    path = written(tmp_path / "T.PARQUET", Says(2, unknown=True), FOUND)
    file = parquet.ParquetFile(path)
    assert [file.metadata.row_group(n).num_rows for n in range(3)] == [2, 2, 1]
    assert {field.name: str(field.type) for field in file.schema_arrow} == {
        "path": "string", "time": "double", "label": "string", "score": "float",
        "unknown": "bool", "problem": "string", "label_1": "string", "score_1": "float",
        "label_2": "string", "score_2": "float",
    }  # fmt: skip
    found = file.read().to_pylist()
    assert [row["path"] for row in found] == [*(one.path for one in FOUND[:4]), "caf\\udce9.jpg"]
    assert (found[0]["label"], found[0]["score"], found[0]["time"]) == ("rose, wild", 0.75, None)
    assert (found[1]["problem"], found[1]["label"]) == ("damaged or cut off", None)
    assert found[2]["time"] == 0.5


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_table_without_rows_can_be_read(tmp_path, ending):
    path = written(tmp_path / f"t.{ending}", ONE, [])
    assert path.read_bytes() == b"" if ending == "jsonl" else True
    if ending == "csv":
        assert list(pd.read_csv(path).columns) == list(ONE.columns)
    if ending == "parquet":
        assert list(pd.read_parquet(path).columns) == list(ONE.columns)


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, GraphnetsError("the graph fails")])
def test_a_run_that_breaks_off_leaves_its_rows_beside_and_the_table_as_it_was(
    tmp_path, ending, error
):
    path = tmp_path / f"t.{ending}"
    path.write_text("before")
    with pytest.raises((KeyboardInterrupt, GraphnetsError)):
        with new_table(path, ONE) as table:
            table.add(FOUND[0])
            table.add(FOUND[1])
            raise error
    assert path.read_text() == "before"
    assert sorted(os.listdir(tmp_path)) == [f"t.{ending}", f"t.part.{ending}"]
    assert table.kept == tmp_path / f"t.part.{ending}"
    if ending == "csv":
        assert [row["path"] for row in rows_of(table.kept)] == ["a.jpg", "broken.jpg"]
    elif ending == "jsonl":
        assert len(table.kept.read_text().splitlines()) == 2
    else:
        assert list(pd.read_parquet(table.kept).path) == ["a.jpg", "broken.jpg"]


def test_a_run_that_breaks_off_at_once_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), new_table(tmp_path / "t.csv", ONE) as table:
        raise KeyboardInterrupt
    assert table.kept is None and os.listdir(tmp_path) == []


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_of_a_full_disk_the_whole_rows_stay(tmp_path, ending, monkeypatch):
    monkeypatch.setattr("graphnets.classifier.tables.GROUP", 100)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    path = tmp_path / f"t.{ending}"
    path.write_text("before")
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(GraphnetsError, match=f"t.{ending} cannot be written: .*File too larg"):
            with new_table(path, ONE) as table:
                for number in range(100_000):
                    table.add(Prediction(f"{number:090d}\n.jpg", ROSE))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_text() == "before"
    if ending == "parquet":
        assert os.listdir(tmp_path) == ["t.parquet"] and table.kept is None
        return
    read = {"csv": rows_of, "jsonl": lambda path: map(json.loads, path.read_text().splitlines())}
    names = [row["path"] for row in read[ending](table.kept)]
    assert names == [f"{number:090d}\n.jpg" for number in range(table.count)]
    assert table.count > 250 and os.stat(table.kept).st_mode & 0o444
    assert sorted(os.listdir(tmp_path)) == [f"t.{ending}", f"t.part.{ending}"]


def test_a_full_disk_is_told_in_a_sentence(tmp_path):
    with pytest.raises(GraphnetsError, match="t.csv cannot be written: No space left"):
        with new_table(tmp_path / "t.csv", ONE) as table:
            table._rows._file.close()
            table._rows._file = open("/dev/full", "wb", buffering=0)
            for _ in range(1000):
                table.add(FOUND[0])
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "name, message",
    [
        ("t.xlsx", "wanted a file that ends in .csv, .jsonl or .parquet"),
        ("", "the table is to be ''; wanted a file that ends in .csv"),
        ("csv", "the table is to be 'csv'; wanted"),
        ("folder.csv", "folder.csv is a folder; name a file to write"),
        ("file/t.csv", "file cannot be written to: Not a directory; name another folder"),
    ],
)
def test_what_cannot_be_a_table_is_told_before(tmp_path, monkeypatch, name, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(GraphnetsError) as caught:
        check_table(name)
    assert message in str(caught.value)


def test_a_missing_pyarrow_is_named_with_what_brings_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(GraphnetsError) as caught:
        check_table(tmp_path / "t.parquet")
    assert str(caught.value) == (
        f"{tmp_path}/t.parquet: parquet files need pyarrow, which is not installed; `pip install "
        "'graphnets[parquet]'`, or name a .csv or .jsonl"
    )


def test_a_whole_table_takes_away_what_a_run_left_that_broke_off(tmp_path):
    with pytest.raises(KeyboardInterrupt), new_table(tmp_path / "t.csv", ONE) as table:
        table.add(FOUND[0])
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == ["t.part.csv"]
    with new_table(tmp_path / "t.csv", ONE, keep_rows=False) as table:
        table.add(FOUND[0])
    assert sorted(os.listdir(tmp_path)) == ["t.csv", "t.part.csv"]
    written(tmp_path / "t.csv", ONE, FOUND)
    assert os.listdir(tmp_path) == ["t.csv"]
