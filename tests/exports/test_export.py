"""A run's classifier for other runtimes, from the folder to what lies there in the end."""

import json
import runpy
import shutil
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


def printed(script, photo, monkeypatch, capsys):
    """The lines of a script, which knows nothing of this library."""
    assert "graphnets" not in script.read_text()
    monkeypatch.setattr(sys, "argv", [str(script), str(photo)])
    capsys.readouterr()
    runpy.run_path(str(script), run_name="__main__")
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("name", PYTHON)
def test_the_script_classifies_a_photo(exported, name, tmp_path, monkeypatch, capsys):
    folder, _, _ = exported
    picture = pixels(21, 25, 31)
    photo = saved(tmp_path / "photo.png", picture)
    lines = printed(folder / "export" / name / "classify.py", photo, monkeypatch, capsys)
    scores = by_hand(resized_by_hand(picture, (16, 16)))
    order = np.argsort(-scores)
    expected = [f"{scores[i]:.4f}  {LABELS[i]}" for i in order]
    expected += ["unknown: none of the classes"] if 1 - scores.max() > 0.6 else []
    assert lines == expected


@pytest.mark.parametrize("name", PYTHON)
def test_the_script_says_that_no_label_is_above_its_limit(
    exported, name, tmp_path, monkeypatch, capsys
):
    there = shutil.copytree(exported[0] / "export" / name, tmp_path / name)
    about = json.loads((there / "preprocessing.json").read_text())
    (there / "preprocessing.json").write_text(json.dumps({**about, "label_thresholds": [1.1] * 3}))
    photo = saved(tmp_path / "photo.png", pixels(21, 25, 31))
    lines = printed(there / "classify.py", photo, monkeypatch, capsys)
    assert lines[0] == "none of the labels" and lines[1:] in ([], ["unknown: none of the classes"])


@pytest.mark.parametrize("name", PYTHON)
def test_the_script_says_in_a_sentence_that_a_photo_is_cut_off(
    exported, name, tmp_path, monkeypatch, capsys
):
    whole = saved(tmp_path / "whole.jpg", pixels(21, 250, 310)).read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    script = exported[0] / "export" / name / "classify.py"
    with pytest.raises(
        SystemExit, match="cut.jpg cannot be read as a photo: .*(truncated|cut off)"
    ):
        printed(script, tmp_path / "cut.jpg", monkeypatch, capsys)


def test_the_script_names_what_is_above_its_limit(tmp_path, monkeypatch, capsys):
    head = a_head()._replace(independent=True, thresholds=LIMITS)
    write_run(tmp_path / "run", head, output="own/name")
    options = ExportOptions(tmp_path / "there", output_layer="own/name", test_photos=0)
    [one] = export_classifier(tmp_path / "run", "onnx", options)
    assert one.folder == tmp_path / "there" / "onnx"
    photo = tmp_path / "run" / "3.png"
    lines = printed(one.folder / "classify.py", photo, monkeypatch, capsys)
    classifier = graphnets.Classifier(
        tmp_path / "run" / "output_graph.pb", tmp_path / "run" / "output_labels.txt",
        graphnets.InputOptions(output_layer="own/name"),
    )  # fmt: skip
    [prediction] = classifier.predict(photo)
    expected = [f"{score:.4f}  {label}" for label, score in prediction.labels]
    assert lines == expected


FORCED = ExportOptions(force=True, test_photos=0)


def test_an_export_is_replaced_only_if_told_and_nothing_else_ever(tmp_path, monkeypatch):
    write_run(tmp_path)
    there = tmp_path / "export" / "saved_model"
    there.mkdir(parents=True)
    with pytest.raises(GraphnetsError, match="saved_model is there already; .* --force to replac"):
        export_classifier(tmp_path, ["onnx", "saved_model"])
    assert not (tmp_path / "export" / "onnx").exists()  # told before anything is done
    with pytest.raises(GraphnetsError, match="has no export.json, so it is no export, and is not"):
        export_classifier(tmp_path, "saved_model", FORCED)
    (there / "export.json").write_text("old")
    export_classifier(tmp_path, "saved_model", FORCED)
    before = (there / "export.json").read_bytes()
    assert before != b"old" and (there / "model").is_dir()

    def fails(*_):
        raise GraphnetsError("cannot")

    monkeypatch.setattr("graphnets.exports.saved_model.write_saved_model", fails)
    with pytest.raises(GraphnetsError, match="^cannot$"):
        export_classifier(tmp_path, "saved_model", FORCED)
    assert (there / "export.json").read_bytes() == before
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
