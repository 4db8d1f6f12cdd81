"""The command of the benchmarks: its figures by hand, and one quick table."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from graphnets.jobs.compare import Depth
from tests.benchmarks import accuracy, gpu, ours, prepare, watch
from tests.benchmarks.contender import (
    FEATURES,
    IMAGES,
    PROBES,
    LeftOut,
    Started,
    on_batches_faster,
    pictures,
)
from tests.benchmarks.report import print_contenders, rows_of, spread
from tests.benchmarks.turns import Measured

ROOT = Path(__file__).parent.parent


def measured(name, seconds, probe=None, **facts):
    answers = [{"photos": 10, "seconds": s} for s in seconds]
    return Measured(name, facts, answers, probe)


def test_ratios_are_formed_round_by_round():
    ours = measured("ours", [1, 2, 4], np.array([1.0, 2.0]), flops=3e9)
    other = measured("other", [2, 6, 4], np.array([1.0, 1.9]))
    peak = Measured("matmul peak ours", {}, [{"flops_per_second": 60e9}] * 3, None)
    rows = rows_of([ours, other, peak], "ours")
    assert rows[0]["photos_per_second"] == {"median": 5, "min": 2.5, "max": 10}
    assert rows[0]["share_of_peak"] == {"median": 0.25, "min": 0.125, "max": 0.5}
    assert rows[1]["reference_is"] == {"median": 2, "min": 1, "max": 3}
    assert abs(rows[1]["difference"] - 0.05) < 1e-9  # of the largest value
    assert rows[2]["gflops_per_second"]["median"] == 60
    lines = []
    print_contenders(rows, "ours", lines.append)
    assert lines[0].split() == [
        "photos/s", "min..max", "ours", "is", "x", "min..max", "difference"
    ]  # fmt: skip
    assert lines[2].split() == ["other", "2.5", "1.7..5.0", "2.000", "1.000..3.000", "5.0e-02"]


def results(**rows):
    """Results of one table whose rows are {name: {figure: values of the rounds}}."""
    found = [{"name": n} | {k: spread(v) for k, v in row.items()} for n, row in rows.items()]
    machine = {"processor": "P", "cores": 2, "extensions": [], "date": "2026-11-29T01:02:03"}
    return {"machine": machine, "quick": False, "tables": {"alexnet": {"rows": found}}}


def test_what_is_slower_in_all_rounds_is_told():
    old = results(
        a={"photos_per_second": [10, 12]}, b={"photos_per_second": [10, 12]},
        c={"photos_per_second": [10, 12], "share_of_peak": [0.8, 0.9]}, d={"seconds": [5, 6]},
        e={"seconds": [5, 6]}, gone={"seconds": [1, 1]},
    )  # fmt: skip
    new = results(
        a={"photos_per_second": [8, 9]}, b={"photos_per_second": [7, 10.5]},
        c={"photos_per_second": [5, 6], "share_of_peak": [0.8, 0.85]}, d={"seconds": [6.1, 9]},
        e={"seconds": [5.9, 9]}, fresh={"seconds": [9, 9]},
    )  # fmt: skip
    lines = []
    assert watch.tell(old, new, lines.append) == 2
    assert lines == [
        "\nslower than on 2026-11-29, in all rounds: 2",
        "  alexnet, a: photos_per_second 11, now 8.5 (0.77)",
        "  alexnet, d: seconds 5.5, now 7.55 (1.37)",
    ]
    assert watch.tell(old, old, lines.append) == 0
    assert lines[-1] == "\nslower than on 2026-11-29, in all rounds: nothing"


def test_results_of_another_machine_are_not_compared():
    old, machine = results(), results()["machine"]
    watch.check(old, machine, quick=False)
    with pytest.raises(watch.Unfit, match=r"^the old results are of cores 2, these of 4; compare"):
        watch.check(old, machine | {"cores": 4}, quick=False)
    with pytest.raises(watch.Unfit, match="one is --quick"):
        watch.check(old, machine, quick=True)


def run(*arguments, folder):
    return subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


def test_a_table_is_printed_and_written(tmp_path):
    found = run("--only", "startup", "--quick", folder=tmp_path)
    assert found.returncode == 0, found.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["machine"]["cores"] == os.cpu_count()
    assert set(results["tables"]) == {"startup"}
    assert "startup: whole processes" in found.stdout


def test_what_is_no_results_is_told_before_anything_is_measured(tmp_path):
    (tmp_path / "old.json").write_text("{}")
    found = run("--only", "startup", "--quick", "--compare", "old.json", folder=tmp_path)
    assert found.returncode == 1
    assert found.stderr == (
        "error: old.json cannot be read as results (KeyError('machine')); wanted an --output\n"
    )


def test_an_unknown_table_is_an_error_that_lists_those_there_are(tmp_path):
    found = run("--only", "speed", folder=tmp_path)
    assert found.returncode == 2
    assert (
        "no table speed; wanted some of inception-files, alexnet-files, inception" in found.stderr
    )


def test_the_faster_of_several_ways_is_kept():
    def slow(images):
        time.sleep(0.05)
        return images

    images = np.ones((2, 3, 3, 3), np.float32)
    started = on_batches_faster({"slow": slow, "fast": np.negative}, images, 3, {"flops": 1})
    assert started.facts == {"kept": "fast", "flops": 1}
    assert (started.probe == -1).all() and started.turn()["photos"] == 6


def test_other_libraries_run_a_graph_that_gives_our_features(tmp_path):
    path = str(tmp_path / "frozen.pb")
    prepare.frozen("efficientnet_lite0", "random", "block1a", path)
    with tf.Graph().as_default(), tf.Session() as session:
        graph_def = tf.GraphDef.FromString(Path(path).read_bytes())
        images = tf.constant(pictures(PROBES, (224, 224)))
        theirs = session.run(tf.import_graph_def(graph_def, {IMAGES: images}, [f"{FEATURES}:0"]))
    found = ours.graph("efficientnet_lite0", "random", "block1a", batch=PROBES, batches=1)
    assert found.probe.shape == (PROBES, 16)
    np.testing.assert_allclose(theirs[0], found.probe, atol=1e-5 * np.abs(found.probe).max())


def test_the_store_of_a_second_run_lacks_no_photo(photo_folder, tmp_path):
    started = prepare.filled_store("efficientnet_lite0", "random", photo_folder, tmp_path / "store")
    assert started.turn() == {"photos": 60, "missing": 0}


@pytest.fixture
def card(tmp_path, monkeypatch):
    """A machine whose nvidia-smi says that a card works 40, then 60 % of the time."""
    tool = tmp_path / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    said = tmp_path / "said"
    tool.write_text(f"#!/bin/sh\nif [ -e {said} ]; then echo 60; else touch {said}; echo 40; fi\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")


def test_a_gpu_is_watched_while_a_turn_lasts(card):
    def turn():
        time.sleep(1)
        return {"photos": 1, "seconds": 1.0}

    answer = gpu.watched(Started(turn)).turn()
    assert answer["photos"] == 1
    assert 40 < answer["utilisation"] < 60  # the mean of one 40 and some 60
    [row] = rows_of([Measured("graphnets float32", {}, [answer], None)], "graphnets float32")
    lines = []
    print_contenders([row], "graphnets float32", lines.append)
    assert lines[-1].startswith("  graphnets float32: the GPU works 5")


def test_without_nvidia_smi_a_contender_is_left_out(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(LeftOut, match="nvidia-smi is not there"):
        gpu.watched(Started(dict))


@pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="there may be a GPU")
def test_the_gpus_script_says_that_there_is_none():
    found = subprocess.run(
        ["bash", ROOT / "tests" / "benchmarks" / "gpu.sh"], capture_output=True, text=True
    )
    assert found.returncode == 2
    assert found.stderr == "error: no nvidia-smi here, so no GPU to measure\n"


def test_the_accuracy_table_is_of_means_over_the_splits(tmp_path):
    depth = Depth("fc", 5, 0.5, 10.0, 2.0, 1.0, 1, None)
    found = [depth, replace(depth, test_accuracy=0.7, training_seconds=4.0)]
    found.append(replace(depth, test_accuracy=0.9, training_seconds=3.0))
    row = accuracy.row("alexnet", "head alone", found)
    assert row["training_seconds"] == 3 and row["features_seconds"] == 10
    assert row["accuracy"] == {"mean": pytest.approx(0.7), "min": 0.5, "max": 0.9}
    lines = []
    accuracy.shown([row], lines.append)
    assert lines[1].split() == ["alexnet,", "head", "alone", "10.0", "3.0", "70.0%", "50.0%..90.0%"]
    accuracy.plot([row, row | {"depth": "from fc7"}], 20, tmp_path / "plot.svg")
    assert "from fc7" in (tmp_path / "plot.svg").read_text()
