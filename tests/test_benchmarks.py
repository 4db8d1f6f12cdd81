"""The command of the benchmarks: its figures by hand, and one quick table."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks import watch
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
