"""What is read from a run's folder, and what is told of folders that are no run's."""

import json

import pytest

from graphnets.errors import GraphnetsError
from graphnets.report.run import read_run


def test_a_run_has_figures_photos_and_curves(hostile_run):
    run = read_run(hostile_run)
    assert run.comparison is None
    assert run.metrics["test_count"] == (run.photos.split == "testing").sum() > 10
    assert set(run.curves.split) == {"train", "validation"}
    assert run.curves.step.max() == 4
    assert run.photos.label_score.notna().sum() == run.metrics["test_count"]
    assert run.photos.others_score.notna().sum() == (run.photos.problem == "").sum()


def test_an_earlier_version_s_run_has_no_scores_and_no_curves(hostile_run, tmp_path):
    metrics = json.loads((hostile_run / "metrics.json").read_text())
    (tmp_path / "metrics.json").write_text(json.dumps(metrics | {"test_count": 1}))
    lines = ["path,label,key,problem,split,predicted", "a/1.jpg,None,k,,testing,None"]
    (tmp_path / "photos.csv").write_text("\n".join(lines))
    run = read_run(tmp_path)
    assert run.photos.label.tolist() == ["None"]  # text, not a missing value
    assert run.photos.others_score.isna().all() and run.photos.rival.tolist() == [""]
    assert len(run.curves) == 0


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (None, "nowhere is no folder; wanted the --output_dir of a run of retrain or compare"),
        ({}, "neither metrics.json nor compare.json; wanted the --output_dir of a run"),
        ({"metrics.json": "{"}, "metrics.json is no file that a run writes .JSONDecodeError.; run"),
        ({"metrics.json": "[1]"}, "no photos.csv beside its metrics.json"),
        ({"metrics.json": "[1]", "photos.csv": "path"}, "photos.csv is no file that a run writes"),
        ({"compare.json": '{"a": 1}'}, "compare.json has no depths; wanted one that a run wrote"),
        ({"compare.json": "\xff"}, None),
    ],
)
def test_other_folders_are_told(tmp_path, files, message):
    for name, text in (files or {}).items():
        (tmp_path / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(GraphnetsError, match=message or "compare.json is no file"):
        read_run(tmp_path / "nowhere" if files is None else tmp_path)


def test_a_table_of_another_run_is_told(hostile_run, tmp_path):
    (tmp_path / "metrics.json").write_bytes((hostile_run / "metrics.json").read_bytes())
    lines = (hostile_run / "photos.csv").read_bytes().splitlines(keepends=True)
    (tmp_path / "photos.csv").write_bytes(b"".join(lines[:20]))
    with pytest.raises(GraphnetsError, match=r"has \d+ test photos in photos.csv and \d+ in metri"):
        read_run(tmp_path)


def test_figures_of_something_else_are_told(hostile_run, tmp_path):
    (tmp_path / "metrics.json").write_text(json.dumps({"labels": [], "options": {}}))
    (tmp_path / "photos.csv").write_bytes((hostile_run / "photos.csv").read_bytes())
    with pytest.raises(GraphnetsError, match="metrics.json has no per_class, test_count; wanted"):
        read_run(tmp_path)
