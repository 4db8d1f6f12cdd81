"""Photos with several labels, from a table to predictions."""

import json
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import tensorflow.compat.v1 as tf
from click.testing import CliRunner
from PIL import Image
from sklearn import metrics
from world import COLOURS, deep_network, options, small_network

from graphnets.classifier.predict import Classifier
from graphnets.cli.commands import main
from graphnets.errors import GraphnetsError
from graphnets.jobs.compare import compare, table
from graphnets.jobs.retrain import retrain
from graphnets.training.alone import train_head
from graphnets.training.examples import Examples
from graphnets.training.options import TrainingOptions

LABELS = list(COLOURS)
SEVERAL = {"multi_label": True, "optimizer": "adam", "how_many_training_steps": 300}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """90 photos, half of them of two colours, and six of none."""
    folder, random = tmp_path_factory.mktemp("several"), np.random.default_rng(0)
    rows = []
    for i, named in enumerate(
        [[name] for name in LABELS] * 14 + list(combinations(LABELS, 2)) * 14 + [[]] * 6
    ):
        halves = [COLOURS[name] for name in named] or [(128, 128, 128)]
        picture = np.zeros((24, 24, 3))
        picture[:, :12], picture[:, 12:] = halves[0], halves[-1]
        picture = np.clip(picture + random.normal(0, 20, picture.shape), 0, 255).astype(np.uint8)
        Image.fromarray(picture).save(folder / f"{i:03d}.png")
        rows.append({"path": str(folder / f"{i:03d}.png"), "label": "|".join(named)})
    pd.DataFrame(rows).to_csv(folder / "photos.csv", index=False)
    return folder / "photos.csv"


@pytest.fixture(scope="module")
def trained(photos, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    chosen = options(folder, saved_model_dir=folder / "saved", training=SEVERAL)
    return folder, retrain(photos, small_network(), chosen)


def in_plain_tensorflow(folder, paths):
    graph_def = tf.GraphDef.FromString((folder / "out" / "output_graph.pb").read_bytes())
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(graph_def, name="")
        thresholds = session.run("label_thresholds:0")
        feeds = [{"DecodeJPGInput:0": open(path, "rb").read()} for path in paths]
        return np.concatenate([session.run("final_result:0", f) for f in feeds]), thresholds


def test_the_exported_graph_gives_the_figures_to_the_digit(trained):
    folder, result = trained
    tested = result.photos[result.photos.split == "testing"]
    scores, thresholds = in_plain_tensorflow(folder, tested.path)
    truth = np.array([[name in own for name in LABELS] for own in tested.labels])
    found = result.metrics
    average = metrics.average_precision_score(truth, scores, average="macro")
    assert found["mean_average_precision"] == pytest.approx(average, abs=1e-12)
    assert found["mean_average_precision"] > 0.95
    named = scores >= thresholds
    assert found["test_accuracy"] == (named == truth).all(axis=1).mean() > 0.8
    assert found["hamming_loss"] == pytest.approx((named != truth).mean())
    assert found["per_class"]["grass"]["threshold"] == thresholds[1]
    assert list(tested.predicted) == ["|".join(np.array(LABELS)[own]) for own in named]
    assert scores.sum(axis=1).max() > 1.5  # independent probabilities
    assert "confusion_matrix" not in found
    assert json.loads((folder / "out" / "metrics.json").read_text()) == found


def test_predict_names_what_is_above_its_threshold(trained):
    folder, result = trained
    tested = result.photos[result.photos.split == "testing"]
    classifier = Classifier(folder / "out/output_graph.pb", folder / "out/output_labels.txt")
    for prediction, expected in zip(classifier.predict(tested.path), tested.predicted, strict=True):
        assert "|".join(sorted(label for label, _ in prediction.labels)) == expected
        assert len(prediction.top) == 3


def test_the_command_prints_and_tells_json(trained):
    folder, result = trained
    tested = result.photos[(result.photos.split == "testing") & (result.photos.predicted != "")]
    path, expected = tested.path.iloc[0], tested.predicted.iloc[0]
    flags = ["--graph", str(folder / "out/output_graph.pb")]
    flags += ["--labels", str(folder / "out/output_labels.txt"), path]
    text = CliRunner().invoke(main, ["predict", *flags], catch_exceptions=False).output
    assert text.count("\n") == 2 + expected.count("|")
    row = json.loads(CliRunner().invoke(main, ["predict", "--json", *flags]).output)
    assert sorted(one["label"] for one in row["labels"]) == expected.split("|")
    assert len(row["top"]) == 3 and "label" not in row


def test_copies_are_told(photos, network, tmp_path):
    table = pd.read_csv(photos, keep_default_na=False)
    copy = tmp_path / "copy.png"
    copy.write_bytes(open(table.path[0], "rb").read())
    table.loc[len(table)] = [str(copy), "red_roof"]
    said = []
    chosen = options(tmp_path, training=SEVERAL | {"how_many_training_steps": 5})
    retrain(table, network, chosen, say=said.append)
    assert said[0] == (
        "90 files in 3 classes; 1 more are copies of them, whose labels they have, too"
    )


def test_photos_csv_gives_the_same_run_again(trained, network, tmp_path):
    folder, result = trained
    again = retrain(folder / "out/photos.csv", network, options(tmp_path, training=SEVERAL))
    for name in ("output_graph.pb", "photos.csv"):
        assert (folder / "out" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()
    assert again.metrics["mean_average_precision"] == result.metrics["mean_average_precision"]


def test_deeper_layers_and_variants_train_as_with_one_label(photos, tmp_path):
    chosen = options(
        tmp_path, trainable="fc6:", augmented_copies=2, training=SEVERAL | {"warmup_steps": 20}
    )
    result = retrain(photos, deep_network(), chosen)
    assert result.metrics["fine_tuning"]["trainable"] == ["fc6", "fc7"]
    tested = result.photos[result.photos.split == "testing"]
    scores, thresholds = in_plain_tensorflow(tmp_path, tested.path)
    truth = np.array([[name in own for name in LABELS] for own in tested.labels])
    assert result.metrics["hamming_loss"] == pytest.approx(((scores >= thresholds) != truth).mean())


def test_compare_tells_the_mean_average_precision(photos, tmp_path):
    rows = compare(photos, deep_network(), "fc8,fc7", options(tmp_path, training=SEVERAL))
    assert all(0.5 < row.mean_average_precision <= 1 for row in rows)
    head, *lines = table(rows).splitlines()
    assert "mAP" in head
    assert f"{rows[0].mean_average_precision:.1%}" in lines[0]
    kept = json.loads((tmp_path / "out" / "compare.json").read_text())["depths"][0]
    assert kept["mean_average_precision"] == rows[0].mean_average_precision


@pytest.mark.parametrize(
    "labels, message",
    [
        (np.zeros(4, int), r"labels of the shape \(4,\), wanted \(4, 3\): a column of 0 and 1"),
        (np.full((4, 3), 0.5), "labels has other values than 0 and 1; wanted those"),
    ],
)
def test_labels_of_another_kind_are_refused(labels, message):
    examples = Examples(np.ones((4, 2), np.float32), labels)
    with pytest.raises(GraphnetsError, match=message):
        train_head(examples, examples, 3, TrainingOptions(multi_label=True))
