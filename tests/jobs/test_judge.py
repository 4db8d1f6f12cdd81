"""What metrics.json says of a classifier, from the exported graph's own scores."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from world import deep_network, options, write_photos

from graphnets.cli.terminal import report
from graphnets.errors import GraphnetsError
from graphnets.jobs.evaluate import interval
from graphnets.jobs.judge import check_splits
from graphnets.jobs.retrain import retrain
from graphnets.training.calibration import BINS
from graphnets.training.tune import Stored


def scores_of(folder, paths):
    graph_def = tf.GraphDef.FromString((folder / "out" / "output_graph.pb").read_bytes())
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(graph_def, name="")
        feeds = [{"DecodeJPGInput:0": open(path, "rb").read()} for path in paths]
        return np.concatenate([session.run("final_result:0", feed) for feed in feeds])


def test_unknown_photos_are_for_features_that_fit_in_memory(tmp_path, monkeypatch):
    split = Stored([np.zeros((30, 4), np.float32)] * 2, None, np.zeros(30, int))
    said = []
    monkeypatch.setattr("graphnets.features.rows.IN_MEMORY", 30 * 2 * 4 * 4)
    check_splits([split] * 3, options(tmp_path, false_alarm_rate=0.1), said.append)
    monkeypatch.setattr("graphnets.features.rows.IN_MEMORY", 30 * 2 * 4 * 4 - 1)
    check_splits([split] * 3, options(tmp_path), said.append)
    with pytest.raises(GraphnetsError, match="features that fit in memory; got 30 photos for"):
        check_splits([split] * 3, options(tmp_path, false_alarm_rate=0.1), said.append)
    assert said == ["30 for training, 30 for validation, 30 for testing"] * 3


@pytest.mark.parametrize("trainable", ["", "fc6:"])
def test_the_exported_scores_have_the_error_that_is_told(tmp_path, trainable, capsys):
    photos = write_photos(tmp_path / "photos", 40)
    chosen = options(tmp_path, trainable=trainable, validation_percentage=25)
    result = retrain(photos, deep_network(), chosen)
    tested = result.photos[result.photos.split == "testing"]
    scores = scores_of(tmp_path, tested.path)
    labels = np.array(result.metrics["labels"])
    right = labels[scores.argmax(axis=1)] == tested.label.to_numpy(str)
    assert result.metrics["test_accuracy"] == right.mean()
    assert result.metrics["test_accuracy_interval"] == interval(right)
    best = scores.max(axis=1)
    number = np.minimum((best * BINS).astype(int), BINS - 1)
    error = sum(
        abs(best[number == i].mean() - right[number == i].mean()) * (number == i).mean()
        for i in set(number)
    )
    found = result.metrics["calibration"]
    assert found["expected_calibration_error"] == pytest.approx(error, abs=1e-4)
    assert sum(row["count"] for row in found["reliability"]) == len(tested)
    assert found["temperature"] != 1
    report(result, False)
    out = capsys.readouterr().out
    error, before = found["expected_calibration_error"], found["uncalibrated_error"]
    assert f"divided by the temperature {found['temperature']:.2f}, which fits the valid" in out
    assert f"calibration error {error:.1%} on the test photos, {before:.1%} without\n" in out


def test_photos_of_a_group_widen_the_interval(photo_folder, network, tmp_path):
    chosen = options(
        tmp_path, group_by=r"\d(?=\d\.jpg)", training={"how_many_training_steps": 2}
    )  # fmt: skip
    result = retrain(photo_folder, network, chosen)
    tested = result.photos[result.photos.split == "testing"]
    right = (tested.predicted == tested.label).to_numpy()
    found = result.metrics["test_accuracy_interval"]
    assert found == interval(right, tested.group.to_numpy()) != interval(right)


def test_without_photos_there_is_nothing_to_tell(photo_folder, network, tmp_path):
    nothing = options(tmp_path, testing_percentage=0, validation_percentage=0)
    metrics = retrain(photo_folder, network, nothing).metrics
    assert metrics["calibration"] is metrics["test_accuracy_interval"] is metrics["unknown"] is None
