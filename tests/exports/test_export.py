"""A run's classifier for other runtimes, from the folder to what lies there in the end."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from runs import LIMITS, unknown, write_run
from tiny import LABELS, a_head, by_hand, pixels, resized_by_hand, saved

import graphnets
from graphnets.errors import GraphnetsError
from graphnets.exports import tfjs
from graphnets.exports.export import export_classifier
from graphnets.exports.options import ExportOptions

PYTHON = ["tflite", "onnx", "saved_model"]
MODELS = ["classifier_float32.tflite", "classifier.onnx", "model"]
QUICK = ExportOptions(precisions=("float32",))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    head = a_head()._replace(unknown=unknown())
    folder = write_run(tmp_path_factory.mktemp("exported") / "run", head)
    lines: list[str] = []
    return folder, export_classifier(folder, PYTHON, QUICK, say=lines.append), lines


def test_each_format_has_a_folder_with_all_that_it_needs(exported):
    folder, exports, lines = exported
    assert [one.folder for one in exports] == [folder / "export" / name for name in PYTHON]
    for one, model in zip(exports, MODELS, strict=True):
        names = {path.name for path in one.folder.iterdir()}
        assert names == {model, "preprocessing.json", "export.json", "classify.py"}
        assert json.loads((one.folder / "export.json").read_text()) == one.figures
    assert sorted(path.name for path in (folder / "export").iterdir()) == sorted(PYTHON)
    assert "tflite: converting to float32" in lines and "onnx: converting" in lines


def test_each_is_compared_with_the_graph_on_the_test_photos(exported):
    _, exports, _ = exported
    names = [["float32"], ["float32"], ["serving_default", "photos", "pictures"]]
    for one, expected in zip(exports, names, strict=True):
        assert list(one.figures["compared"]) == list(one.figures["bytes"]) == expected
        for name in expected:
            row = one.figures["compared"][name]
            assert row["photos"] == row["same_labels"] == row["same_unknown"] == 4
            assert row["largest_difference"] < 1e-5
            assert row["accuracy"] == one.figures["graph"]["graph"]["accuracy"]
            assert one.figures["bytes"][name] > 1000
        assert one.figures["not_compared"] is None
        assert one.figures["versions"]["graphnets"] == graphnets.__version__


def test_how_pictures_go_in_is_written_down(exported):
    folder, _, _ = exported
    about = json.loads((folder / "export" / "tflite" / "preprocessing.json").read_text())
    assert about["files"] == ["classifier_float32.tflite"] and about["labels"] == LABELS
    assert about["input"] == {
        "name": "image", "dtype": "uint8", "shape": [1, None, None, 3], "channels": "RGB",
        "range": [0, 255],
    }  # fmt: skip
    assert about["inside"]["resizing"]["size"] == [16, 16]
    assert list(about["outputs"]) == ["scores", "unknown_score", "is_unknown"]
    assert about["unknown_threshold"] == pytest.approx(0.6) and about["label_thresholds"] is None


@pytest.mark.parametrize("name", PYTHON)
def test_the_script_classifies_a_photo_without_this_library(exported, name, tmp_path):
    folder, _, _ = exported
    picture = pixels(21, 25, 31)
    photo = saved(tmp_path / "photo.png", picture)
    done = subprocess.run(
        [sys.executable, "-I", folder / "export" / name / "classify.py", photo],
        capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    scores = by_hand(resized_by_hand(picture, (16, 16)))
    order = np.argsort(-scores)
    lines = [f"{scores[i]:.4f}  {LABELS[i]}" for i in order]
    lines += ["unknown: none of the classes"] if 1 - scores.max() > 0.6 else []
    assert done.stdout.splitlines() == lines


def test_the_script_names_what_is_above_its_limit(tmp_path):
    head = a_head()._replace(independent=True, thresholds=LIMITS)
    write_run(tmp_path / "run", head, output="own/name")
    options = ExportOptions(output_layer="own/name", output_dir=tmp_path / "there")
    [one] = export_classifier(tmp_path / "run", "onnx", options)
    assert one.folder == tmp_path / "there" / "onnx"
    photo = tmp_path / "run" / "3.png"
    done = subprocess.run(
        [sys.executable, "-I", one.folder / "classify.py", photo], capture_output=True, text=True
    )
    classifier = graphnets.Classifier(
        tmp_path / "run" / "output_graph.pb", tmp_path / "run" / "output_labels.txt",
        graphnets.InputOptions(output_layer="own/name"),
    )  # fmt: skip
    [prediction] = classifier.predict(photo)
    expected = [f"{score:.4f}  {label}" for label, score in prediction.labels]
    assert done.stdout.splitlines() == expected, done.stderr


def test_an_export_is_replaced_only_if_told_and_nothing_else_ever(tmp_path):
    write_run(tmp_path)
    [first] = export_classifier(tmp_path, "onnx")
    with pytest.raises(GraphnetsError, match="onnx is there already; .* --force to replace it"):
        export_classifier(tmp_path, ["saved_model", "onnx"])
    assert not (tmp_path / "export" / "saved_model").exists()  # told before anything is done
    (first.folder / "classifier.onnx").write_text("old")
    export_classifier(tmp_path, "onnx", ExportOptions(force=True))
    assert (first.folder / "classifier.onnx").stat().st_size > 1000
    (first.folder / "export.json").unlink()
    with pytest.raises(GraphnetsError, match="has no export.json, so it is no export, and is not"):
        export_classifier(tmp_path, "onnx", ExportOptions(force=True))


def test_a_failure_leaves_what_was_there(tmp_path, monkeypatch):
    write_run(tmp_path)
    [one] = export_classifier(tmp_path, "saved_model")
    before = (one.folder / "export.json").read_bytes()

    def fails(*_):
        raise GraphnetsError("cannot")

    monkeypatch.setattr("graphnets.exports.saved_model.write_saved_model", fails)
    with pytest.raises(GraphnetsError, match="^cannot$"):
        export_classifier(tmp_path, "saved_model", ExportOptions(force=True))
    assert (one.folder / "export.json").read_bytes() == before
    assert [path.name for path in (tmp_path / "export").iterdir()] == ["saved_model"]


def test_an_export_that_cannot_be_compared_is_written_and_this_is_said(tmp_path, monkeypatch):
    write_run(tmp_path)
    for photo in tmp_path.glob("*.png"):
        photo.unlink()
    lines: list[str] = []
    [one] = export_classifier(tmp_path, "saved_model", say=lines.append)
    assert one.figures["compared"] == {} and (one.folder / "model").is_dir()
    reason = "none of the run's test photos can be read"
    assert one.figures["not_compared"] == reason
    assert lines[-1] == f"warning: saved_model is not compared with the graph: {reason}"

    def write(run, folder, say):
        (folder / "model.json").write_text("{}")
        return {"float32": "model.json"}

    monkeypatch.setattr(tfjs, "write", write)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr("graphnets.exports.options.find_spec", lambda name: True)
    monkeypatch.setattr("graphnets.exports.export.PACKAGES", {"tfjs": []})
    [one] = export_classifier(tmp_path, "tfjs", say=lines.append)
    assert one.figures["not_compared"] == "node, which would run it, is not installed"
    assert "loadGraphModel" in (one.folder / "classify.html").read_text()
    about = json.loads((one.folder / "preprocessing.json").read_text())
    assert about["input"]["dtype"] == "int32" and Path(one.folder / about["files"][0]).is_file()
