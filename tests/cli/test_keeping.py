"""`predict` of many photos: a table, copies in folders, and what is said of them."""

import csv
import functools
import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from tiny import a_head, features_by_hand, pixels, saved

from graphnets.classifier.predict import Classifier
from graphnets.cli.commands import main
from graphnets.training.unknown import learnt


@pytest.fixture(scope="module")
def flags(tmp_path_factory, exported):
    head = a_head()  # as it is it calls all photos ants
    head = head._replace(biases=head.biases - np.median(head.logits_of(features()), axis=0))
    return exported(tmp_path_factory.mktemp("own"), head)


opened = functools.cache(Classifier)


@pytest.fixture(autouse=True)
def opened_once(monkeypatch):
    """Loading a graph takes longer than all that is tested here."""
    monkeypatch.setattr("graphnets.classifier.predict.Classifier", opened)


def drawn(number):
    return pixels(number) // (1 + number % 3 * 4)


def features():
    """Those of the photos in `here`, float32 (20, 6)."""
    rows = [features_by_hand(drawn(number))["conv2"] for number in range(20)]
    return np.stack(rows).astype(np.float32)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The folder new_photos, of 20 photos, one that is none, and two of one name."""
    for number in range(20):
        place = tmp_path / "new_photos" / ("more" if number == 19 else "")
        place.mkdir(parents=True, exist_ok=True)
        saved(place / f"{min(number, 18):02d}.png", drawn(number))
    (tmp_path / "new_photos" / "broken.png").write_text("no picture")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_tables_say_what_the_lines_say(predict, here):
    lines = predict("--json", "new_photos").stdout
    expected = [json.loads(line) for line in lines.splitlines()]
    for ending in ("jsonl", "csv", "parquet"):
        done = predict("--output", f"out.{ending}", "new_photos")
        assert f"out.{ending}: 21 rows\n" in done.stdout
    assert (here / "out.jsonl").read_text() == lines
    with open("out.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    frame = pd.read_parquet("out.parquet")
    assert len(expected) == len(rows) == len(frame) == 21
    for found, row, typed in zip(expected, rows, frame.itertuples(), strict=True):
        assert row["path"] == typed.path == found["path"]
        if "problem" in found:
            assert row["problem"] == typed.problem == found["problem"] and not row["label_1"]
            continue
        assert row["label"] == typed.label == found["label"]
        assert float(row["score"]) == found["score"] == np.float32(typed.score)
        assert [row[f"label_{n}"] for n in (1, 2, 3)] == [one["label"] for one in found["top"]]
        assert float(row["score_3"]) == found["top"][2]["score"] == typed.score_3
        assert "label_4" not in row


def test_the_summary_counts_labels_and_names_what_was_left_out(predict, here):
    done = predict("--output", "out.csv", "--top_k", 1, "new_photos")
    counts = pd.read_csv("out.csv").label.value_counts()
    assert len(counts) > 1
    expected = "".join(f"  {label:3s}  {count:6d}\n" for label, count in counts.items())
    assert done.stdout == f"20 photos classified, 1 left out\n{expected}out.csv: 21 rows\n"
    assert done.stderr.startswith("new_photos/broken.png: left out, not a JPEG, PNG")
    for number in range(9):
        (here / "new_photos" / f"b{number}").write_text("none")
    done = predict("--output", "out.csv", "--top_k", 1, "new_photos")
    assert done.stderr.count(": left out, ") == 5
    assert done.stderr.endswith("and 5 more left out: the table says why\n")
    done = predict("--copy_to", "sorted", "--top_k", 1, "new_photos")
    assert done.stderr.count(": left out, ") == 10


def test_copies_lie_by_label_and_a_second_run_makes_none(predict, here):
    lines = predict("--json", "new_photos").stdout.splitlines()
    found = [one for one in map(json.loads, lines) if "label" in one]
    least = sorted(one["score"] for one in found)[10]
    expected = {
        (one["label"] if one["score"] >= least else "unsure", (here / one["path"]).read_bytes())
        for one in found
    }
    assert {label for label, _ in expected} > {"unsure"}
    for said in ("20 copies in folders by label", "0 copies in folders by label, 20 were there al"):
        flags = "--copy_to", "sorted", "--min_score", least, "--output", "o.csv"
        assert f"sorted: {said}" in predict(*flags, "new_photos").stdout
    copies = [(path.parent.name, path.read_bytes()) for path in (here / "sorted").rglob("*.png")]
    assert len(copies) == 20 and set(copies) == expected


def test_json_lines_alone_stand_on_the_output_while_photos_are_copied(predict, here):
    plain = predict("--json", "new_photos").stdout
    done = predict("--json", "--copy_to", "sorted", "new_photos")
    assert done.stdout == plain and "20 photos classified, 1 left out" in done.stderr


def test_several_labels_are_in_a_column_of_their_own_and_in_several_folders(
    exported, here, tmp_path
):
    head = a_head()._replace(independent=True)
    thresholds = np.quantile(head.probabilities(features()), 0.8, axis=0)  # 4 of 20 have each
    flags = exported(tmp_path, head._replace(thresholds=thresholds))
    lines = CliRunner().invoke(main, ["predict", *flags, "--json", "new_photos"]).stdout
    command = ["predict", *flags, "--output", "o.csv", "--copy_to", "sorted", "new_photos"]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    with open("o.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if not row["problem"]]
    expected = [one for one in map(json.loads, lines.splitlines()) if "labels" in one]
    named = [[label["label"] for label in one["labels"]] for one in expected]
    assert [row["labels"] for row in rows] == ["|".join(labels) for labels in named]
    assert len({len(labels) for labels in named}) > 1 and [] in named
    copies = {(path.parent.name, path.read_bytes()) for path in (here / "sorted").rglob("*.png")}
    assert copies == {
        (label, (here / one["path"]).read_bytes())
        for one, labels in zip(expected, named, strict=True)
        for label in labels or ["none"]
    }
    assert f"(none)  {sum(not labels for labels in named):6d}\n" in done.stdout


def test_photos_of_no_class_have_a_folder_and_no_label(exported, here, tmp_path):
    head, x = a_head(), features()
    found = learnt((x, np.arange(20) % 3), (x, head.probabilities(x)), 0.3, None)
    flags = exported(tmp_path, head._replace(unknown=found))
    command = ["predict", *flags, "--output", "o.parquet", "--copy_to", "sorted", "new_photos"]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    frame = pd.read_parquet("o.parquet")
    unknown = frame[frame.unknown.eq(True)]
    assert 0 < len(unknown) < 20 and unknown.label.isna().all() and unknown.label_1.notna().all()
    assert f"(unknown)  {len(unknown):6d}\n" in done.stdout
    assert len(list((here / "sorted" / "unknown").iterdir())) == len(unknown)


def test_frames_of_videos_are_in_the_table_and_not_copied(predict, here):
    pytest.importorskip("av")
    from videos import write_video

    write_video(here / "a.mkv")
    done = predict("--output", "o.csv", "--copy_to", "sorted", "a.mkv", "new_photos/00.png")
    assert "sorted: 1 copies in folders by label, 3 frames of videos are no files" in done.stdout
    assert list(pd.read_csv("o.csv").time[:3]) == [0, 1, 2]


@pytest.mark.parametrize("broken_off", [KeyboardInterrupt, None])
def test_a_run_that_breaks_off_says_what_is_left_of_it(predict, here, monkeypatch, broken_off):
    whole = Classifier.predict

    def half(self, *arguments):
        for number, found in enumerate(whole(self, *arguments)):
            if number == 7:
                if broken_off is None:
                    os.remove(here / "new_photos" / "00.png")
                    found = self.scores("new_photos/00.png")
                raise broken_off
            yield found

    monkeypatch.setattr(Classifier, "predict", half)
    done = predict(
        "--output", "o.csv", "--copy_to", "sorted", "new_photos", expect=130 if broken_off else 1
    )
    assert done.stderr.startswith(
        "o.csv is not written, the run broke off; its 7 rows so far are in o.part.csv\n"
        "7 photos have been copied to sorted and stay\n"
    )
    assert not os.path.exists("o.csv") and len(pd.read_csv("o.part.csv")) == 7
    if broken_off:
        assert done.stderr.endswith("stopped by SIGINT\n")


def test_nothing_to_classify_is_an_error_all_the_same(predict, here):
    done = predict("--output", "o.csv", "new_photos/broken.png", expect=1)
    assert "Error: no photo could be classified; wanted readable pictures" in done.stderr
    assert len(pd.read_csv("o.csv")) == 1


@pytest.mark.parametrize(
    "arguments, status, message",
    [
        (["--output", "o.xlsx"], 1, "wanted a file that ends in .csv, .jsonl or .parquet"),
        (["--output", ""], 1, "the table is to be ''; wanted a file that ends in"),
        (["--copy_to", ""], 1, "the folder for copies is '', wanted the path of a folder"),
        (["--copy_to", "new_photos/x"], 1, "in or around new_photos, whose photos are read"),
        (["--min_score", "0.5"], 2, "--min_score is for the folders of --copy_to; name one"),
        (["--min_score", "nan", "--copy_to", "x"], 2, "--min_score is nan, wanted 0 to 1"),
        (["--json", "--output", "o.csv"], 2, "--json prints what --output FILE.jsonl writes"),
    ],
)
def test_wrong_flags_are_told_before_anything_slow_is_imported(
    flags, here, arguments, status, message
):
    code = (
        "import sys, graphnets.cli.commands\n"
        "try: graphnets.cli.commands.main(sys.argv[1:])\n"
        "finally: print([m for m in ('tensorflow', 'numpy', 'pandas') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code, "predict", *flags, *arguments, "new_photos"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (status, "[]\n")
    assert message in done.stderr and "Traceback" not in done.stderr
