"""Tables of photos: what is read, how columns are called, and which rows are refused."""

import os

import numpy as np
import pandas as pd
import pytest
from world import make_folder

from graphnets.errors import GraphnetsError
from graphnets.photos.listing import scan
from graphnets.photos.splits import split


@pytest.fixture
def folder(tmp_path):
    return make_folder(tmp_path, a=4, b=3)


def names():
    return [f"{label}/{i}.png" for label, count in (("a", 4), ("b", 3)) for i in range(count)]


def lines(header="path,label", **changes):
    """A table of the folder's photos; changes: line number to another line."""
    rows = [header, *(f"{name},{name[0]}" for name in names())]
    for number, line in changes.items():
        rows[int(number.removeprefix("line")) - 1] = line
    return "\n".join(rows) + "\n"


def write(folder, text, name="photos.csv", encoding="utf-8"):
    (folder / name).write_bytes(text.encode(encoding))
    return folder / name


def test_a_table_lists_what_the_folder_lists(folder):
    photos = scan(write(folder, lines()))
    pd.testing.assert_frame_equal(photos, scan_of_classes(folder))


def scan_of_classes(folder):
    """The folder's own list; the table beside the classes is no photo."""
    return scan(folder)


@pytest.mark.parametrize(
    ("name", "text", "encoding"),
    [
        ("t.tsv", lines().replace(",", "\t"), "utf-8"),
        ("t.csv", lines().replace(",", ";"), "utf-8"),
        ("t.csv", lines().replace(",", "\t").replace("\n", "\r\n"), "utf-16"),
        ("T.CSV", "\ufeff" + lines(), "utf-8"),
        ("t.csv", lines("Filename,ClassId"), "utf-8"),
        ("t.csv", lines(' PATH ,"Label"'), "utf-8"),
        ("t.csv", lines(line3="\na/1.png,a", line5='"a/3.png","a"\n\n'), "utf-8"),
        ("t.csv", lines().replace("/", "\\"), "utf-8"),
    ],
)
def test_separators_encodings_names_of_columns_and_empty_lines(folder, name, text, encoding):
    photos = scan(write(folder, text, name, encoding))
    pd.testing.assert_frame_equal(photos, scan_of_classes(folder))


def test_gtsrbs_own_list(folder):
    header = "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\r\n"
    rows = [f"{name};2;2;0;0;1;1;{int(name[0] == 'b')}\r\n" for name in names()]
    photos = scan(write(folder, header + "".join(rows), "GT-final_test.csv"))
    assert list(photos.label) == ["0"] * 4 + ["1"] * 3
    assert list(photos.problem) == [""] * 7


def test_paths_begin_at_the_table_or_at_the_image_root(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    table = write(elsewhere, lines())
    assert list(scan(table, image_root=folder).key) == list(scan(folder).key)
    with pytest.raises(
        GraphnetsError, match=r"^none of the table's 7 files is there, .*a/0.png the f"
    ):
        scan(table)
    with pytest.raises(
        GraphnetsError, match="^image_root is .* is no table; wanted it for the rel"
    ):
        scan(folder, image_root=elsewhere)
    absolute = lines().replace("a/", f"{folder}/a/").replace("\nb/", f"\n{folder}/b/")
    assert list(scan(write(elsewhere, absolute)).key) == list(scan(folder).key)


def test_rows_whose_file_is_missing_are_left_out(folder):
    photos = scan(write(folder, lines(line2="a/gone.png,a")))
    assert list(photos.problem[photos.problem != ""]) == [
        "cannot be opened (No such file or directory)"
    ]


@pytest.mark.parametrize("kind", ["DataFrame", "parquet"])
def test_typed_tables(folder, kind):
    frame = pd.DataFrame(
        {
            "Path": [str(folder / name) for name in names()],
            "ClassId": [float(name[0] == "b") for name in names()],
            "weight": np.float32([1, 2, 3, 4, 0.5, 1, 1]),
            "fold": pd.Categorical(["x"] * 7),
        }
    )
    frame.loc[7] = [None, np.nan, 1, "x"]
    if kind == "parquet":
        frame[:7].to_parquet(folder / "t.parquet")
        photos = scan(folder / "t.parquet")
    else:
        with pytest.raises(
            GraphnetsError, match="^the table: row 7 has no path; row 7 has no label"
        ):
            scan(frame)
        photos = scan(frame[:7])
    assert list(photos.label) == ["0"] * 4 + ["1"] * 3
    assert list(photos.weight) == [1, 2, 3, 4, 0.5, 1, 1]
    assert list(photos.columns) == ["path", "label", "key", "problem", "weight"]


def test_what_a_table_says_of_the_split_is_taken(folder):
    splits = ["train", "Training", "val", "test", "training", " valid ", "testing"]
    text = "label,path,Split\n" + "".join(
        f"{name[0]},{name},{part}\n" for name, part in zip(names(), splits, strict=True)
    )
    photos = split(scan(write(folder, text)), testing_percentage=80)
    assert list(photos.split) == [
        "training", "training", "validation", "testing", "training", "validation", "testing",
    ]  # fmt: skip
    assert list(split(photos).split) == list(photos.split)


def test_the_order_of_the_rows_does_not_matter(folder):
    header, *rows = lines().splitlines()
    turned = scan(write(folder, "\n".join([header, *rows[::-1]])))
    pd.testing.assert_frame_equal(turned, scan(folder))


def test_a_row_that_is_there_twice_is_left_out_once(folder):
    photos = scan(write(folder, lines() + "a/1.png,a\n"))
    twice = photos[photos.path.str.endswith("a/1.png")]
    assert list(twice.problem) == ["", "the same row as line 3"]


def test_a_photos_csv_keeps_what_an_earlier_run_left_out(folder):
    text = "path,label,key,problem,split,predicted\n" + "".join(
        f"{name},{name[0]},00,{'damaged' if name == 'a/3.png' else ''},"
        f"{'' if name == 'a/3.png' else 'training'},\n"
        for name in names()
    )
    photos = split(scan(write(folder, text)))
    assert list(photos.problem) == ["", "", "", "damaged", "", "", ""]
    assert list(photos.split) == ["training"] * 3 + [""] + ["training"] * 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"t.csv is empty; wanted a table"),
        ("path,label\n", "t.csv has no rows; wanted one a photo"),
        ("file_name,kind\na/0.png,a\n", "no column 'path' among file_name, kind; wanted path"),
        ("path,species\na/0.png,a\n", "no column 'label' among path, species; wanted path"),
        (lines(line4="a/2.png,a,b"), "line 4 has 3 values, wanted 2 as the header has; put"),
        (lines(line4="a/2.png,"), "line 4 has no label; wanted a path and a label"),
        (lines(line4=",a", line6="b/0.png,"), "line 4 has no path; line 6 has no label; wanted"),
        (lines(line4='a/2.png,"a\nb"'), r"line 5 has a line break in its label \('a\\nb'\)"),
        (lines(line4='a/2.png,"a'), "is no table of text .unexpected end of data.; wanted a table"),
        (lines(line4="a/2.png,a "), r"line 4 has white space around a label of other rows \('a '"),
        (
            "path,label,split\n" + "".join(f"{n},{n[0]},x{n[2]}\n" for n in names()),
            r"line 2 has no split of the three \('x0'\); .*; and 4 more; wanted",
        ),
        (
            "path,label,weight\n" + "".join(f"{n},{n[0]},-{n[2]}\n" for n in names()),
            r"line 3 has no weight from 0 \('-1'\)",
        ),
        (
            "path,label,group\n" + "".join(f"{n},{n[0]},g\n" for n in names()) + "a/1.png,a,h\n",
            "line 9 has the photo of line 3 and other columns; wanted",
        ),
    ],
)
def test_what_a_table_may_not_be(folder, text, message):
    with pytest.raises(GraphnetsError, match=message):
        scan(write(folder, text, "t.csv"))


def test_files_that_are_no_tables(folder):
    write(folder, "not parquet", "t.parquet")
    with pytest.raises(
        GraphnetsError, match=r"t.parquet is no parquet file \(.*\); wanted a table"
    ):
        scan(folder / "t.parquet")
    with pytest.raises(GraphnetsError, match=r"none.csv cannot be read: No such file"):
        scan(folder / "none.csv")
    with pytest.raises(
        GraphnetsError, match=r"t.xlsx is no folder; wanted .* or a table: .csv, .tsv"
    ):
        scan(folder / "t.xlsx")
    (folder / "t.csv").write_bytes(b"\xff\xfea")
    with pytest.raises(GraphnetsError, match="t.csv is no table of text"):
        scan(folder / "t.csv")


def test_names_that_are_no_text_are_taken(folder):
    os.rename(os.fsencode(folder / "a/1.png"), os.fsencode(folder / "a") + b"/\xe9.png")
    data = lines(line3="a/X.png,a").encode().replace(b"X", b"\xe9")
    (folder / "t.csv").write_bytes(data)
    photos = split(scan(folder / "t.csv"))
    assert set(photos.problem) == {""}
