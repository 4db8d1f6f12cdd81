import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from world import COLOURS, write_photos

from graphnets.classifier.predict import Classifier
from graphnets.errors import GraphnetsError
from graphnets.jobs.retrain import RetrainOptions, retrain
from graphnets.photos import images
from graphnets.photos.listing import scan
from graphnets.training.options import TrainingOptions

HELPERS = Path(__file__).parents[1] / "helpers"


def options(folder: Path, **changes) -> RetrainOptions:
    settings = {
        "endpoint": "conv1,conv2",
        "output_dir": folder / "out",
        "bottleneck_dir": folder / "bottleneck",
        "summaries_dir": None,
        "testing_percentage": 25,
        "report": False,
        "training": TrainingOptions(how_many_training_steps=300, learning_rate=0.1),
    }
    return RetrainOptions(**{**settings, **changes})


def figures(metrics: dict) -> dict:
    """All of metrics.json that a second run must repeat."""
    return {name: value for name, value in metrics.items() if name != "seconds"}


def test_a_folder_of_photos_becomes_a_classifier(photo_folder, network, tmp_path):
    (photo_folder / "grass" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut off")
    said = []
    result = retrain(photo_folder, network, options(tmp_path), say=said.append)
    out = tmp_path / "out"
    assert sorted(os.listdir(out)) == [
        "curves.csv", "metrics.json", "output_graph.pb", "output_labels.txt", "photos.csv"
    ]  # fmt: skip
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics == result.metrics
    assert (out / "output_labels.txt").read_text() == "blue sky\ngrass\nred_roof\n"
    assert metrics["labels"] == list(COLOURS)
    counts = [metrics[f"{name}_count"] for name in ("train", "validation", "test")]
    assert sum(counts) == 60 and min(counts) >= 3
    assert metrics["test_accuracy"] >= 0.9  # the colours are easy to tell apart
    assert np.sum(metrics["confusion_matrix"]) == metrics["test_count"]
    assert [row["path"] for row in metrics["left_out"]] == [
        str(photo_folder / "grass" / "broken.jpg")
    ]
    assert set(metrics["seconds"]) == {
        "photos",
        "features",
        "more heads",
        "training",
        "evaluation",
        "export",
        "training_step",
    }
    assert metrics["seeds"] == {"training": 0}
    assert metrics["versions"]["python"] == sys.version.split()[0]
    assert metrics["device"] == "cpu"
    assert said[:2] == ["61 files in 3 classes", "61 photos to run through small to conv1,conv2"]


def test_the_exported_graph_gives_each_test_photo_what_the_metrics_claim(
    photo_folder, network, tmp_path
):
    result = retrain(photo_folder, network, options(tmp_path))
    photos = pd.read_csv(tmp_path / "out" / "photos.csv", keep_default_na=False)
    tested = photos[photos.split == "testing"]
    classifier = Classifier(
        tmp_path / "out" / "output_graph.pb", tmp_path / "out" / "output_labels.txt"
    )
    found = [prediction.top[0][0] for prediction in classifier.predict(tested.path)]
    assert found == list(tested.predicted)
    accuracy = float((tested.predicted == tested.label).mean())
    assert accuracy == result.metrics["test_accuracy"]
    assert (photos[photos.split != "testing"].predicted == "").all()


def test_a_second_run_is_equal_in_every_figure_and_runs_no_photo(photo_folder, network, tmp_path):
    first = retrain(photo_folder, network, options(tmp_path))
    graph = (tmp_path / "out" / "output_graph.pb").read_bytes()
    said = []
    second = retrain(photo_folder, network, options(tmp_path), say=said.append)
    assert "0 photos to run" in said[1]
    assert figures(first.metrics) == figures(second.metrics)
    assert (tmp_path / "out" / "output_graph.pb").read_bytes() == graph


def test_moving_the_folder_moves_no_photo_to_another_split(photo_folder, network, tmp_path):
    first = retrain(photo_folder, network, options(tmp_path))
    moved = retrain(photo_folder.rename(tmp_path / "moved"), network, options(tmp_path))
    assert list(moved.photos.split) == list(first.photos.split)
    assert moved.metrics["test_accuracy"] == first.metrics["test_accuracy"]


def test_a_class_that_loses_its_photos_to_damage_is_an_error_that_says_so(
    photo_folder, network, tmp_path
):
    for path in sorted((photo_folder / "grass").iterdir())[2:]:
        path.write_bytes(path.read_bytes()[:-100])
    message = r"each class needs 3 readable photos or more, but grass has 2 \(of 20 files\)"
    with pytest.raises(GraphnetsError, match=message):
        retrain(photo_folder, network, options(tmp_path))
    for path in sorted((photo_folder / "red_roof").iterdir())[:3]:
        (photo_folder / "grass" / path.name).write_bytes(path.read_bytes())
    said = []
    retrain(photo_folder, network, options(tmp_path), say=said.append)
    assert "17 photos to run" in said[1]  # the damaged ones; what was computed is kept


def test_copies_of_a_photo_in_other_splits_are_counted(photo_folder, network, tmp_path):
    photos = retrain(photo_folder, network, options(tmp_path)).photos
    tested = Path(photos[photos.split == "testing"].path.iloc[0])
    for number in range(5):  # at least one of them falls into another split
        (tested.parent / f"copy{number}.jpg").write_bytes(tested.read_bytes())
    result = retrain(photo_folder, network, options(tmp_path))
    assert result.metrics["copies_across_splits"] == 6


def test_one_photo_in_two_classes_is_named_before_the_photos_are_run(
    photo_folder, network, tmp_path
):
    for number in (3, 7):
        photo = (photo_folder / "grass" / f"{number:03d}.jpg").read_bytes()
        (photo_folder / "red_roof" / f"x{number}.jpg").write_bytes(photo)
    said = []
    metrics = retrain(photo_folder, network, options(tmp_path), say=said.append).metrics
    pairs = [
        [str(photo_folder / "grass" / f"{n:03d}.jpg"), str(photo_folder / "red_roof" / f"x{n}.jpg")]
        for n in (3, 7)
    ]
    assert metrics["in_two_classes"] == pairs
    named = ", ".join(" = ".join(pair) for pair in pairs)
    assert said[2] == (
        f"warning: 2 photos lie in two classes or more, one of which is wrong: {named}"
    )


def test_small_classes_get_retrain_pys_warning(tmp_path, network):
    folder = write_photos(tmp_path / "photos", per_class=19)
    said = []
    retrain(folder, network, options(tmp_path), say=said.append)
    counts = "blue sky 19, grass 19, red_roof 19"
    assert said[2] == f"warning: less than 20 photos, which may cause issues, in {counts}"


def test_percentages_of_zero_are_honoured(photo_folder, network, tmp_path):
    settings = options(tmp_path, testing_percentage=0, validation_percentage=0)
    metrics = retrain(photo_folder, network, settings).metrics
    assert (metrics["train_count"], metrics["validation_count"], metrics["test_count"]) == (
        60,
        0,
        0,
    )
    assert metrics["test_accuracy"] is None
    assert metrics["best_step"] == 300


def test_a_test_batch_is_a_seeded_sample(photo_folder, network, tmp_path):
    settings = options(tmp_path, test_batch_size=7)
    first, second = (retrain(photo_folder, network, settings).metrics for _ in range(2))
    assert first["test_count"] == 7
    assert figures(first) == figures(second)


def test_outputs_that_cannot_be_written_are_told_before_a_photo_is_run(
    photo_folder, network, tmp_path
):
    (tmp_path / "file").write_text("")
    settings = options(tmp_path, output_dir=tmp_path / "file" / "out")
    with pytest.raises(GraphnetsError, match="cannot be written to: Not a directory"):
        retrain(photo_folder, network, settings)
    settings = options(tmp_path, saved_model_dir=photo_folder)
    with pytest.raises(GraphnetsError, match="is there already; name a new folder"):
        retrain(photo_folder, network, settings)
    with pytest.raises(GraphnetsError, match="'final result' cannot name the output"):
        retrain(photo_folder, network, options(tmp_path, final_tensor_name="final result"))
    assert not (tmp_path / "bottleneck").exists()


RUN = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
from world import small_network
from graphnets.features import store
from graphnets.jobs.retrain import RetrainOptions, retrain
from graphnets.training.options import TrainingOptions

append = store.FeatureStore.append
def slowly(self, keys, rows):  # so that kills find the run at work
    append(self, keys, rows)
    print("rows", flush=True)
    time.sleep(0.05)
store.FeatureStore.append = slowly
folder = sys.argv[2]
retrain(folder + "/photos", small_network(), RetrainOptions(
    endpoint="conv1,conv2", output_dir=folder + "/killed", bottleneck_dir=folder + "/rows",
    summaries_dir=None, testing_percentage=25,
    training=TrainingOptions(how_many_training_steps=300, learning_rate=0.1)))
"""


def test_runs_killed_at_random_moments_lead_to_the_same_figures(network, tmp_path):
    write_photos(tmp_path / "photos", per_class=120)
    expected = retrain(tmp_path / "photos", network, options(tmp_path)).metrics
    moments = random.Random(0)
    command = [sys.executable, "-c", RUN, str(HELPERS), str(tmp_path)]
    stored = []
    for _ in range(3):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
            assert run.stdout is not None
            assert run.stdout.readline() == b"rows\n"
            time.sleep(moments.uniform(0, 0.2))
            run.send_signal(signal.SIGKILL)
        stored.append(sum(path.stat().st_size for path in tmp_path.glob("rows/*/*.keys")) // 16)
        assert not (tmp_path / "killed" / "metrics.json").exists()
    assert 0 < stored[0] < stored[1] < stored[2] < 2 * 360  # two endpoints; each run went on
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    found = json.loads((tmp_path / "killed" / "metrics.json").read_text())
    assert figures(found) == figures(expected)


def test_a_photo_that_changes_after_it_was_listed_has_its_own_key(
    photo_folder, network, tmp_path, monkeypatch
):
    def scanned(*arguments):
        photos = scan(*arguments)
        with open(photos.path[0], "ab") as file:
            file.write(b"\0")
        os.unlink(photos.path[1])
        return photos

    monkeypatch.setattr("graphnets.jobs.stock.scan", scanned)
    result = retrain(photo_folder, network, options(tmp_path))
    table = pd.read_csv(tmp_path / "out" / "photos.csv", keep_default_na=False)
    assert table.key[0] == images.key_of(Path(table.path[0]).read_bytes())
    assert table.problem[0] == ""
    assert [left["reason"] for left in result.metrics["left_out"]] == [
        "cannot be read (No such file or directory)"
    ]


@pytest.mark.parametrize("trainable", ["", "conv2"])
def test_intermediate_graphs_are_the_classifiers_of_their_steps(
    photo_folder, network, tmp_path, trainable
):
    folder = tmp_path / "intermediate"
    steps = TrainingOptions(how_many_training_steps=60, learning_rate=0.05)
    settings = options(
        tmp_path, endpoint="conv2", trainable=trainable, training=steps,
        intermediate_output_graphs_dir=folder, intermediate_store_frequency=20,
    )  # fmt: skip
    result = retrain(photo_folder, network, settings)
    assert result.metrics["best_step"] == 60
    names = [f"intermediate_{step}.pb" for step in (20, 40, 60)]
    assert sorted(os.listdir(folder)) == names
    photo = str(photo_folder / "grass" / "000.jpg")
    files = [*(folder / name for name in names), settings.graph_path]
    scores = [Classifier(file, settings.labels_path).scores(photo) for file in files]
    assert len({row.tobytes() for row in scores}) == 4
    # They have the scores of training; the classifier's are calibrated.
    warmth = result.metrics["calibration"]["temperature"]
    shares = scores[2] ** (1 / warmth)
    np.testing.assert_allclose(scores[3], shares / shares.sum(), rtol=1e-4)
