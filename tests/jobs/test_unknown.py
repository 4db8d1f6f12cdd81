"""Photos of no class, from `retrain` to `predict` and plain TensorFlow."""

import json
import shutil

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from click.testing import CliRunner
from PIL import Image
from sklearn.metrics import roc_auc_score
from world import deep_network, options, small_network, write_photos

from graphnets.classifier.predict import Classifier
from graphnets.cli.commands import main
from graphnets.cli.terminal import report
from graphnets.errors import GraphnetsError
from graphnets.jobs.retrain import retrain


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Photos of three colours, and 40 that are black or white, two folders deep."""
    folder, random = tmp_path_factory.mktemp("unknown"), np.random.default_rng(0)
    write_photos(folder / "photos", 30)
    others = folder / "others" / "a" / "b"
    others.mkdir(parents=True)
    for number in range(40):
        picture = np.clip(255 * (number % 2) + random.normal(0, 30, (20, 30, 3)), 0, 255)
        Image.fromarray(picture.astype(np.uint8)).save(others / f"{number}.jpg")
    (others / "notes.txt").write_text("no picture")
    shutil.copy(folder / "photos/grass/000.jpg", others / "grass.jpg")
    return folder


@pytest.fixture(scope="module")
def trained(folders, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    chosen = options(
        folder, validation_percentage=30, unknown_dir=folders / "others",
        saved_model_dir=folder / "saved",
    )  # fmt: skip
    said = []
    return folder, retrain(folders / "photos", small_network(), chosen, say=said.append), said


def in_plain_tensorflow(folder, paths):
    graph_def = tf.GraphDef.FromString((folder / "out" / "output_graph.pb").read_bytes())
    fetched = ["unknown_score:0", "is_unknown:0", "unknown_threshold:0"]
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(graph_def, name="")
        found = [
            session.run(fetched, {"DecodeJPGInput:0": open(path, "rb").read()}) for path in paths
        ]
    scores, unknown, above = (np.array(column) for column in zip(*found, strict=True))
    return scores[:, 0], unknown[:, 0], above[0]


def test_the_graph_tells_them_without_this_library(folders, trained):
    folder, result, _ = trained
    tested = result.photos[result.photos.split == "testing"]
    scores, unknown, above = in_plain_tensorflow(folder, tested.path)
    figures = result.metrics["unknown"]
    assert figures["false_alarm_rate"] == 0.05
    assert figures["false_alarms"] == unknown.mean() < 0.2
    assert figures["threshold"] == pytest.approx(above, rel=1e-5)
    np.testing.assert_array_equal(scores > above, unknown)
    others = sorted((folders / "others").rglob("[0-9]*.jpg"))
    strange, named, _ = in_plain_tensorflow(folder, others)
    assert named.mean() > 0.9
    assert figures["detected"] == in_plain_tensorflow(folder, figures["tested"])[1].mean()
    assert figures["unknown_count"] == pytest.approx(10, abs=3)
    assert figures["area_under_roc"] > 0.95
    truth = np.repeat([0, 1], [len(scores), len(strange)])
    assert roc_auc_score(truth, np.concatenate([scores, strange])) > 0.95


def test_predict_says_unknown(folders, trained):
    folder, result, _ = trained
    files = ["--graph", str(folder / "out/output_graph.pb")]
    files += ["--labels", str(folder / "out/output_labels.txt")]
    stranger = str(folders / "others/a/b/1.jpg")
    known = result.photos.path[0]
    text = CliRunner().invoke(main, ["predict", *files, stranger], catch_exceptions=False).output
    lines = text.splitlines()
    assert lines[1] == "  unknown: none of the classes; the likeliest of them:"
    rows = CliRunner().invoke(main, ["predict", "--json", *files, stranger, known]).output
    first, second = map(json.loads, rows.splitlines())
    assert first["unknown"] is True and first["label"] is first["score"] is None
    assert len(first["top"]) == 3
    assert second["unknown"] is False and second["label"] == "blue sky"
    classifier = Classifier(files[1], files[3])
    assert classifier.scores(stranger).shape == (3,)
    assert [one.unknown for one in classifier.predict([stranger, known])] == [True, False]


def test_what_was_seen_and_left_out_is_told(trained, capsys):
    _, result, said = trained
    assert "41 photos of no class to run" in said  # one is stored as a photo of a class
    assert any("1 photos of unknown_dir are photos of a class, too, " in line for line in said)
    [left_out] = result.metrics["unknown"]["left_out"]
    assert left_out["path"].endswith("notes.txt")
    assert f"warning: {left_out['path']}: {left_out['reason']}, left out of unknown_dir" in said
    report(result, False)
    assert "\ncalled unknown: " in capsys.readouterr().out


def test_a_saved_model_serves_it(trained):
    folder, _, _ = trained
    with tf.Graph().as_default(), tf.Session() as session:
        meta = tf.saved_model.load(session, ["serve"], str(folder / "saved"))
        served = meta.signature_def["serving_default"].outputs
        assert set(served) == {"scores", "unknown_score", "is_unknown"}


@pytest.mark.parametrize("trainable", ["", "fc6:"])
def test_a_rate_alone_needs_no_other_photos(folders, tmp_path, trainable):
    chosen = options(tmp_path, false_alarm_rate=0.1, trainable=trainable, validation_percentage=30)
    result = retrain(folders / "photos", deep_network(), chosen)
    figures = result.metrics["unknown"]
    assert figures["false_alarm_rate"] == 0.1 and "detected" not in figures
    tested = result.photos[result.photos.split == "testing"]
    assert in_plain_tensorflow(tmp_path, tested.path)[1].mean() == figures["false_alarms"]


def test_too_few_photos_are_told(folders, network, tmp_path):
    said = []
    chosen = options(tmp_path, false_alarm_rate=0.001)
    retrain(folders / "photos", network, chosen, say=said.append)
    assert any("too few for a false_alarm_rate of 0.001, their largest" in line for line in said)
    with pytest.raises(GraphnetsError, match="false_alarm_rate has no photos for validation; want"):
        retrain(
            folders / "photos",
            network,
            options(tmp_path, false_alarm_rate=0.1, validation_percentage=0),
        )
    few = tmp_path / "few"
    few.mkdir()
    for path in sorted((folders / "others").rglob("[0-9]*.jpg"))[:5]:
        shutil.copy(path, few)
    with pytest.raises(
        GraphnetsError, match="unknown_dir has 5 readable photos, wanted 12 or more"
    ):
        retrain(folders / "photos", network, options(tmp_path, unknown_dir=few))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"false_alarm_rate": 0}, "false_alarm_rate is 0, wanted above 0 and below 1"),
        ({"false_alarm_rate": "5%"}, "false_alarm_rate is '5%', wanted a number above 0"),
        ({"unknown_dir": "nowhere"}, "unknown_dir nowhere is no folder; wanted one with photos of"),
        ({"unknown_dir": 3}, "unknown_dir is 3, wanted the path of a folder"),
        (
            {"false_alarm_rate": 0.1, "training": {"multi_label": True}},
            "with multi_label a photo may have none: give such photos an empty label",
        ),
    ],
)
def test_what_cannot_serve_is_told_at_once(tmp_path, changes, message):
    with pytest.raises(GraphnetsError, match=message):
        options(tmp_path, **changes)
