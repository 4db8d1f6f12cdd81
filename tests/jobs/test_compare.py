import json
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest
import tensorflow.compat.v1 as tf
from world import small_network, write_photos

from graphnets.errors import GraphnetsError
from graphnets.jobs import compare as comparing
from graphnets.jobs.compare import Depth, compare, table
from graphnets.jobs.retrain import RetrainOptions, retrain
from graphnets.networks.declared import Declared
from graphnets.networks.layers import conv, fc, max_pool
from graphnets.photos import images
from graphnets.report.plots import Curve
from graphnets.training import tune
from graphnets.training.options import TrainingOptions
from graphnets.weights.drawn import RandomWeights

TRAINING = TrainingOptions(how_many_training_steps=20, learning_rate=0.05, eval_step_interval=5)
# Only the head alone stands it, without a weight decay.
WILD = replace(TRAINING, learning_rate=1e20, warmup_steps=10, weight_decay=0)
DEPTHS = ["fc8", "fc7", "fc6", "conv5"]


def alexnet_like():
    """The layers of AlexNet's four depths, small: conv4, conv5, pool5, fc6, fc7, fc8."""
    rows = (
        ("conv4", conv(4, 3)), ("conv5", conv(5, 3)), ("pool5", max_pool(4, 4)),
        ("fc6", fc(8)), ("fc7", fc(7)), ("fc8", fc(10, relu=False)),
    )  # fmt: skip
    little = Declared("little", "Little", rows, (16, 16), lambda pixels: pixels / 255, "fc7")
    return little.network(RandomWeights(little.shapes(), seed=1), "random 1")


def options(folder: Path, **changes) -> RetrainOptions:
    settings = {
        "output_dir": folder / "out",
        "bottleneck_dir": folder / "bottleneck",
        "summaries_dir": None,
        "testing_percentage": 25,
        "training": TRAINING,
    }
    return RetrainOptions(**{**settings, **changes})


class Compared(NamedTuple):
    """What `compare` found, in `folder` / out and logs, on the photos in `folder` / photos."""

    depths: list[Depth]
    folder: Path


@pytest.fixture(scope="module")
def compared(tmp_path_factory) -> Compared:
    """The head alone and fc6 on 36 photos."""
    folder = tmp_path_factory.mktemp("compared")
    photos = write_photos(folder / "photos", per_class=12)
    settings = options(folder, summaries_dir=folder / "logs")
    return Compared(compare(photos, alexnet_like(), ["fc8", "fc6"], settings), folder)


@pytest.fixture
def decoded(monkeypatch) -> Counter:
    """How often each photo's file was read for decoding."""
    counts: Counter = Counter()
    opened = images.opened

    def counted(path):
        counts[os.path.basename(os.path.dirname(path)), os.path.basename(path)] += 1
        return opened(path)

    monkeypatch.setattr(images, "opened", counted)
    return counts


def test_four_depths_read_and_decode_each_photo_once(photo_folder, tmp_path, decoded):
    (photo_folder / "grass" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut off")
    said = []
    compare(photo_folder, alexnet_like(), DEPTHS, options(tmp_path), say=said.append)
    assert len(decoded) == 61 and set(decoded.values()) == {1}  # the damaged one, too
    assert said[:2] == [
        "61 files in 3 classes",
        "61 photos to run through little to fc7,fc6,pool5,conv4",
    ]
    assert said[3:] == [
        "training the head",
        "training fc7, the head",
        "training fc6, fc7, the head",
        "training conv5, fc6, fc7, the head",
    ]


def test_a_row_is_what_retrain_finds_for_that_depth(compared):
    assert [depth.name for depth in compared.depths] == ["fc8", "fc6"]
    for depth, trainable in zip(compared.depths, ["", "fc6,fc7"], strict=True):
        again = options(
            compared.folder, trainable=trainable, output_dir=compared.folder / "retrained"
        )
        metrics = retrain(compared.folder / "photos", alexnet_like(), again).metrics
        assert depth.test_accuracy == metrics["test_accuracy"]
        assert depth.best_step == metrics["best_step"]


def test_a_row_counts_what_trains_and_tells_the_seconds(compared):
    head_alone, fc6 = compared.depths
    head = 7 * 3 + 3
    assert head_alone.trainable_parameters == head
    assert fc6.trainable_parameters == (4 * 4 * 5 * 8 + 8) + (8 * 7 + 7) + head
    assert head_alone.shared_features_seconds == fc6.shared_features_seconds > 0
    for depth in compared.depths:
        assert depth.training_seconds > 0 and depth.steps_per_second > 0


def test_every_depth_begins_with_the_same_head_on_the_same_photos(
    photo_folder, tmp_path, monkeypatch
):
    starts = []
    fit = tune.fit

    def watched(model, training, validation, *rest, **more):
        fitted = fit(model, training, validation, *rest, **more)
        starts.append((fitted.initial["final_weights"], list(training.labels)))
        return fitted

    monkeypatch.setattr(tune, "fit", watched)
    compare(photo_folder, alexnet_like(), ["fc8", "fc7"], options(tmp_path))
    (weights, labels), (other_weights, other_labels) = starts
    assert weights.any() and other_weights.tobytes() == weights.tobytes()
    assert other_labels == labels


def test_the_warmup_is_the_first_part_of_the_curves_and_equal(photo_folder, tmp_path):
    training = TrainingOptions(how_many_training_steps=20, learning_rate=0.05, warmup_steps=20)
    fc7, conv5 = compare(
        photo_folder, alexnet_like(), ["fc7", "conv5"], options(tmp_path, training=training)
    )
    for curve in (fc7.validation, conv5.validation):
        assert curve.steps == [10, 20, 30, 40]
    assert fc7.validation.losses[:2] == conv5.validation.losses[:2]
    assert fc7.validation.losses[2:] != conv5.validation.losses[2:]


def test_files_have_the_table_the_curves_and_a_plot(compared):
    out = compared.folder / "out"
    assert sorted(os.listdir(out)) == ["compare.csv", "compare.json", "compare.png", "report.html"]
    rows = pd.read_csv(out / "compare.csv")
    assert list(rows) == [
        "name", "trainable_parameters", "test_accuracy", "shared_features_seconds",
        "training_seconds", "steps_per_second", "best_step", "diverged_at",
        "mean_average_precision", "test_accuracy_interval",
    ]  # fmt: skip
    assert list(rows.test_accuracy) == [depth.test_accuracy for depth in compared.depths]
    content = json.loads((out / "compare.json").read_text())
    assert content["architecture"] == "little" and content["endpoint"] == "fc7"
    assert sum(content["photos"].values()) == 36
    assert content["options"]["learning_rate"] == 0.05
    for row, depth in zip(content["depths"], compared.depths, strict=True):
        assert row["validation"] == depth.validation._asdict()
        assert row["validation"]["steps"] == [5, 10, 15, 20]
    assert (out / "compare.png").read_bytes().startswith(b"\x89PNG")


def test_tensorboard_has_a_folder_a_depth_with_the_same_curve(compared):
    logs = compared.folder / "logs"
    assert sorted(os.listdir(logs)) == ["fc6", "fc8"]
    for depth in compared.depths:
        (path,) = (logs / depth.name / "run1" / "validation").iterdir()
        accuracies = [
            (event.step, value.simple_value)
            for event in tf.train.summary_iterator(str(path))
            for value in event.summary.value
            if value.tag == "accuracy"
        ]
        assert [step for step, _ in accuracies] == depth.validation.steps
        assert [share for _, share in accuracies] == pytest.approx(depth.validation.accuracies)


def test_variants_are_drawn_once_for_all_depths(photo_folder, tmp_path, decoded):
    said = []
    settings = options(tmp_path, augmented_copies=2)
    compare(photo_folder, alexnet_like(), ["fc8", "fc7"], settings, say=said.append)
    count = json.loads((tmp_path / "out" / "compare.json").read_text())["photos"]["training"]
    assert said[2] == f"{2 * count} augmented variants to run through little"
    assert Counter(decoded.values()) == {2: count, 1: 60 - count}  # plain, and for both variants


def test_a_flat_head_keeps_the_map_and_decodes_each_photo_once(photo_folder, tmp_path, decoded):
    training = TrainingOptions(
        how_many_training_steps=5, learning_rate=0.01, head="flatten,fc:4,dropout=0.5"
    )
    settings = options(tmp_path, training=training, endpoint="pool5")
    (depth,) = compare(photo_folder, alexnet_like(), ["conv5"], settings)
    assert depth.trainable_parameters == (9 * 4 * 5 + 5) + (80 * 4 + 4) + (4 * 3 + 3)
    assert set(decoded.values()) == {1}


def test_no_photos_for_testing_and_validation_are_no_accuracy_and_no_curve(photo_folder, tmp_path):
    settings = options(tmp_path, testing_percentage=0, validation_percentage=0)
    (depth,) = compare(photo_folder, alexnet_like(), ["fc7"], settings)
    assert depth.test_accuracy is None and depth.best_step == 20
    assert depth.validation == Curve([], [], [])


def test_only_a_depth_from_the_first_layer_on_reads_photos_again(photo_folder, tmp_path, decoded):
    training = TrainingOptions(how_many_training_steps=1, train_batch_size=10, learning_rate=0.01)
    settings = options(tmp_path, training=training, endpoint="conv2")
    (everything,) = compare(photo_folder, small_network(), ["all"], settings)
    assert everything.trainable_parameters == (27 * 4 + 4) + (36 * 6 + 6) + (6 * 3 + 3)
    counts = json.loads((tmp_path / "out" / "compare.json").read_text())["photos"]
    # A step's batch, two looks at validation (before and after it), one at the test photos.
    assert sum(decoded.values()) == 60 + 10 + 3 * counts["validation"] + counts["testing"]


def test_a_depth_that_diverges_says_at_which_step_and_the_others_are_there(photo_folder, tmp_path):
    """Steps count from the warm-up's first."""
    settings, said = options(tmp_path, training=WILD), []
    fc6, head_alone = compare(
        photo_folder, alexnet_like(), ["fc6", "fc8"], settings, say=said.append
    )
    assert fc6.diverged_at == 15 and "fc6 diverged at step 15; the others go on" in said
    assert (fc6.test_accuracy, fc6.best_step, fc6.steps_per_second) == (None, None, None)
    assert fc6.validation.steps == [5, 10]  # what was finite
    assert fc6.trainable_parameters == (80 * 8 + 8) + (8 * 7 + 7) + (7 * 3 + 3)
    (alone,) = compare(photo_folder, alexnet_like(), ["fc8"], settings)
    assert head_alone.diverged_at is None and head_alone.best_step >= 0
    assert head_alone.validation == alone.validation
    lines = table([fc6, head_alone]).splitlines()
    assert lines[1].endswith("-  diverged at step 15") and "diverged" not in lines[2]


def test_the_files_tell_of_a_depth_that_diverged(photo_folder, tmp_path):
    settings = options(tmp_path, training=WILD)
    _, head_alone = compare(photo_folder, alexnet_like(), ["fc6", "fc8"], settings)
    rows = pd.read_csv(tmp_path / "out" / "compare.csv", dtype=str, keep_default_na=False)
    assert list(rows.diverged_at) == ["15", ""]
    assert list(rows.best_step) == ["", str(head_alone.best_step)]
    content = json.loads(
        (tmp_path / "out" / "compare.json").read_text(), parse_constant=pytest.fail
    )
    assert [row["diverged_at"] for row in content["depths"]] == [15, None]


def test_all_depths_that_diverge_leave_an_empty_plot(photo_folder, tmp_path, recwarn):
    settings = options(tmp_path, training=replace(TRAINING, learning_rate=1e38))
    depths = compare(photo_folder, alexnet_like(), ["fc7", "fc8"], settings)
    assert all(depth.diverged_at for depth in depths)
    assert (tmp_path / "out" / "compare.png").read_bytes().startswith(b"\x89PNG")
    assert not [one for one in recwarn if "legend" in str(one.message)]


def test_a_depth_that_fails_is_named_and_those_before_it_are_written(
    photo_folder, tmp_path, monkeypatch
):
    def diverges(network, cut, *rest, **more):
        if cut.layers:
            raise GraphnetsError("training has left the finite numbers")
        return tune.train(network, cut, *rest, **more)

    monkeypatch.setattr(comparing, "train", diverges)
    message = "the depth 'fc6' fails: training has left the finite numbers"
    with pytest.raises(GraphnetsError, match=message):
        compare(photo_folder, alexnet_like(), ["fc8", "fc6"], options(tmp_path))
    assert list(pd.read_csv(tmp_path / "out" / "compare.csv").name) == ["fc8"]


@pytest.mark.parametrize(
    ("depths", "changes", "message"),
    [
        ([], {}, "got the depths none; wanted different layers"),
        (["fc7", "fc7:"], {}, "got the depths fc7, fc7; wanted different layers"),
        (["fc7", ""], {}, "wanted different layers, such as fc8, fc7"),
        (["fc9"], {}, "no layer 'fc9'; this network has conv4, conv5, pool5, fc6, fc7, fc8"),
        (
            ["conv4"],
            {"augmented_copies": 1},
            "and conv4, the first layer, trains; leave it",
        ),
        (["fc7"], {"endpoint": "pool5"}, "the layer 'fc7:' cannot train: it is not built, pool5"),
        (["fc7"], {"output_dir": "FILE"}, "cannot be written to: Not a directory"),
    ],
)
def test_what_cannot_serve_is_told_before_a_photo_is_run(
    photo_folder, tmp_path, decoded, depths, changes, message
):
    (tmp_path / "file").write_text("")
    if changes.get("output_dir"):
        changes = {"output_dir": tmp_path / "file" / "out"}
    with pytest.raises(GraphnetsError, match=message):
        compare(photo_folder, alexnet_like(), depths, options(tmp_path, **changes))
    assert not decoded and not (tmp_path / "bottleneck").exists()


def test_the_table_has_a_line_a_depth_and_says_that_the_features_are_shared():
    nothing = Curve([], [], [])
    rows = [
        Depth("fc8", 69649, 0.81234, 12.34, 3.21, 456.7, 300, nothing, None, None, [0.756, 0.85]),
        Depth("conv5", 55_000_000, None, 12.34, 123.45, 2.06, 40, nothing),
    ]
    assert table(rows).splitlines() == [
        "from   trainable parameters  test accuracy  95 % interval  features s (shared)  "
        "training s  steps/s",
        "fc8                  69,649          81.2%  75.6% - 85.0%                 12.3  "
        "       3.2    456.7",
        "conv5            55,000,000              -              -                 12.3  "
        "     123.5      2.1",
    ]
