"""The command of the benchmarks: its figures by hand, and one quick table."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.benchmarks.report import print_contenders, rows_of
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


def test_an_unknown_table_is_an_error_that_lists_those_there_are(tmp_path):
    found = run("--only", "speed", folder=tmp_path)
    assert found.returncode == 2
    assert (
        "no table speed; wanted some of inception-files, alexnet-files, inception" in found.stderr
    )
