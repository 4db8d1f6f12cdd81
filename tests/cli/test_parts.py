"""`predict --parts`: what is said, what is refused, and a run that is killed."""

import functools
import os
import signal
import subprocess
import sys

import pytest
from tiny import pixels, saved

from graphnets.classifier.predict import Classifier

KILLED = """
import os, signal, sys
from graphnets.classifier.tables import Table
from graphnets.cli.commands import main

add, left = Table.add, iter(range(20))

def ending(self, prediction):
    add(self, prediction)
    if next(left, None) is None:
        os.kill(os.getpid(), signal.Signals[sys.argv[1]])

Table.add = ending
main(sys.argv[2:])
"""


opened = functools.cache(Classifier)


@pytest.fixture(autouse=True)
def opened_once(monkeypatch):
    """Loading a graph takes longer than all that is tested here."""
    monkeypatch.setattr("graphnets.classifier.predict.Classifier", opened)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The folder new_photos: 40 photos, and two files that are none."""
    (tmp_path / "new_photos").mkdir()
    for number in range(40):
        saved(tmp_path / "new_photos" / f"{number:02d}.png", pixels(number))
    for name in ("00 broken.png", "39 broken.png"):
        (tmp_path / "new_photos" / name).write_text("no picture")
    monkeypatch.chdir(tmp_path)
    return tmp_path


SMALL = "--parts", "out", "--part_size", 16, "new_photos"


def together(folder, name="part-*"):
    return b"".join(path.read_bytes() for path in sorted(folder.glob(name)))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_is_ended_goes_on_and_gives_what_output_gives(predict, flags, here, number):
    command = [sys.executable, "-c", KILLED, number.name, "predict", *flags, *map(str, SMALL)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    out = here / "out"
    visible = {"parts.json", "part-00000.jsonl", "problems-00000.jsonl"}
    hidden = [path for path in out.iterdir() if path.name.startswith(".")]
    assert {path.name for path in out.iterdir()} == visible | {path.name for path in hidden}
    if number == signal.SIGKILL:
        assert done.returncode == -number and len(hidden) == 1
        os.utime(hidden[0], (0, 0))
    else:
        assert done.returncode == 143 and not hidden
        assert done.stderr.endswith(
            "1 of 3 parts are whole in out; the same command goes on from there\n"
            "stopped by SIGTERM\n"
        )
    plain = predict("--output", "one.jsonl", "new_photos")
    done = predict(*SMALL)
    assert done.stderr == (
        "1 of 3 parts were there already\n"
        "2 left out: out/problems-00000.jsonl and 1 more files say why\n"
    )
    assert done.stdout == plain.stdout.replace("one.jsonl: 42 rows", "out: 3 parts")
    lines = (here / "one.jsonl").read_bytes().splitlines(keepends=True)
    assert together(out) == b"".join(line for line in lines if b'"problem"' not in line)
    assert together(out, "problems-*") == b"".join(line for line in lines if b'"problem"' in line)
    assert not [path for path in out.iterdir() if path.name.startswith(".")]


def test_another_job_is_told_and_replaced_where_that_is_said(predict, here):
    predict(*SMALL)
    done = predict(*SMALL, "--top_k", 1, expect=1)
    assert done.stderr == (
        "Error: out has parts of another job, which differs in top_k; name another folder, or say "
        "--no_resume to have those parts replaced\n"
    )
    assert "were there already" not in predict(*SMALL, "--top_k", 1, "--no_resume").stderr
    predict(*SMALL, "--part_format", "parquet", "--no_resume")
    assert (
        len(list((here / "out").glob("part-*.parquet"))) == 3 == len(list(here.glob("out/part*-*")))
    )


def test_nothing_to_classify_is_an_error_all_the_same(predict, here):
    for _ in range(2):
        done = predict("--parts", "out", "new_photos/00 broken.png", expect=1)
        assert "Error: no photo could be classified; wanted readable pictures" in done.stderr
        assert "1 left out: out/problems-00000.jsonl says why\n" in done.stderr
    (here / "empty").mkdir()
    done = predict("--parts", "none", "empty", expect=1)
    assert done.stderr == "Error: no photo could be classified; wanted readable pictures\n"


@pytest.mark.parametrize(
    "arguments, status, message",
    [
        (["--parts", "o", "--output", "o.csv"], 2, "--parts writes what --output would, in many"),
        (["--parts", "o", "--json"], 2, "--parts writes what --json would, in many files; leave"),
        (["--parts", "o", "--copy_to", "c"], 2, "--copy_to does not go with --parts, whose runs"),
        (["--part_size", "32"], 2, "--part_size is for --parts; name a folder"),
        (["--part_format", "jsonl"], 2, "--part_format is for --parts; name a folder"),
        (["--no_resume"], 2, "--no_resume is for --parts; name a folder"),
        (["--parts", "o", "--part_size", "24"], 1, "part_size is 24, wanted a multiple of 16"),
        (["--parts", "o", "--part_size", "0"], 1, "part_size is 0, wanted 16 or more"),
        (["--parts", ""], 1, "the folder for parts is '', wanted the path of a folder"),
        (
            ["--parts", "new_photos/x"],
            1,
            "in or around new_photos, whose photos are read: they wou",
        ),
        (["--parts", "other"], 1, "other has no parts.json and holds b.txt; name a new folder for"),
        (["--parts", "o", "a.mp4"], 1, "a.mp4 is a video, and parts are of photos alone; leave it"),
    ],
)
def test_wrong_flags_are_told_before_anything_slow_is_imported(
    flags, here, arguments, status, message
):
    (here / "other").mkdir()
    (here / "other" / "b.txt").write_text("mine")
    code = (
        "import sys, graphnets.cli.commands\n"
        "try: graphnets.cli.commands.main(sys.argv[1:])\n"
        "finally: print([m for m in ('tensorflow', 'numpy', 'pandas') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code, "predict", *flags, *arguments, "new_photos"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (status, "[]\n")
    assert message in done.stderr and "Traceback" not in done.stderr
