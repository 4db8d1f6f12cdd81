"""What TensorBoard shows of the test photos, read by TensorFlow, and by TensorBoard itself."""

import io
import os

import numpy as np
import pandas as pd
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image
from world import options, small_network, write_photos

from graphnets.features.bottlenecks import Bottlenecks
from graphnets.jobs.board import most_confident_mistakes, write_board
from graphnets.jobs.judge import Judged
from graphnets.jobs.retrain import retrain
from graphnets.training.heads import Head


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The folder of a run, and its result."""
    folder = tmp_path_factory.mktemp("ran")
    photos = write_photos(folder / "photos")
    os.rename(photos / "grass" / "000.jpg", photos / "grass" / os.fsdecode(b"tab\tline\n\xff.jpg"))
    for path in sorted((photos / "grass").iterdir())[:15]:
        path.rename(photos / "blue sky" / f"wrong {path.name}")  # so that there are mistakes
    chosen = options(folder, summaries_dir=folder / "logs", training={"learning_rate": 0.001})
    result = retrain(photos, small_network(), chosen)
    return folder, result, result.photos[result.photos.split == "testing"]


def pictures(folder):
    [file] = folder.glob("events.*")
    events = [event for event in tf.train.summary_iterator(str(file)) if event.summary.value]
    assert len(events) == 1
    return events[0].step, {value.tag: value.image for value in events[0].summary.value}


def test_the_pictures_are_at_the_step_of_the_head(ran):
    folder, result, tested = ran
    step, found = pictures(folder / "logs" / "run1" / "test")
    assert step == result.head.step
    assert list(found) == ["confusion_matrix", "most_confident_mistakes"]
    for image in found.values():
        picture = Image.open(io.BytesIO(image.encoded_image_string))
        assert picture.size == (image.width, image.height) and picture.mode == "RGB"
    wrong = int((tested.predicted != tested.label).sum())
    assert 0 < wrong < 6
    assert found["most_confident_mistakes"].width == 10 + 170 * wrong


def test_the_projector_has_features_labels_and_pictures_in_one_order(ran):
    folder, result, tested = ran
    test = folder / "logs" / "run1" / "test"
    store = Bottlenecks(small_network(), "conv2", folder / "B")
    features = np.fromfile(test / "features.bytes", "<f4").reshape(len(tested), 6)
    np.testing.assert_allclose(features, store.read(tested), rtol=1e-4)
    header, *rows = (test / "metadata.tsv").read_text("utf-8").splitlines()
    assert header == "label\tpredicted\tright\tpath"
    rows = [row.split("\t") for row in rows]
    expected = [list(one) for one in zip(tested.label, tested.predicted, strict=True)]
    assert [row[:2] for row in rows] == expected
    assert [row[2] == "right" for row in rows] == [one[0] == one[1] for one in expected]
    sprite = np.asarray(Image.open(test / "sprite.jpg")).astype(int)
    across = int(np.ceil(np.sqrt(len(tested))))
    assert sprite.shape == (48 * across, 48 * across, 3)
    for number, path in enumerate(tested.path):
        y, x = 48 * (number // across), 48 * (number % across)
        middle = sprite[y + 18 : y + 30, x + 18 : x + 30].mean(axis=(0, 1))
        colour = np.asarray(Image.open(path)).mean(axis=(0, 1))
        np.testing.assert_allclose(middle, colour, atol=30)


def test_names_with_tabs_and_line_breaks_are_one_cell(tmp_path):
    name = os.fsdecode(b"tab\tline\n\xff\xe2\x80\xa8.jpg")
    found, tested = judged([[0.0, 1.0]], ["a\tb", "c"], ["c"], ["a\tb"])
    write_board(tmp_path, found, tested.assign(path=pd.Series([name], dtype=object)), print)
    text = (tmp_path / "test" / "metadata.tsv").read_text("utf-8")
    assert text == (
        "label\tpredicted\tright\tpath\na\\tb\tc\twrong\ttab\\tline\\n\\udcff\\u2028.jpg\n"
    )


def test_tensorboard_reads_all_of_it(ran):
    pytest.importorskip("tensorboard")
    from google.protobuf import text_format
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.projector import ProjectorConfig, projector_plugin

    folder, result, tested = ran
    test = folder / "logs" / "run1" / "test"
    events = EventAccumulator(str(test)).Reload()
    assert events.Tags()["images"] == ["confusion_matrix", "most_confident_mistakes"]
    config = text_format.Parse((test / "projector_config.pbtxt").read_text(), ProjectorConfig())
    [one] = config.embeddings
    assert list(one.tensor_shape) == [len(tested), 6]
    assert list(one.sprite.single_image_dim) == [48, 48]
    for name in (one.tensor_path, one.metadata_path, one.sprite.image_path):
        assert (test / name).exists()
    found = projector_plugin._read_tensor_binary_file(test / one.tensor_path, one.tensor_shape)
    assert found.shape == (len(tested), 6)


def test_features_are_never_taken_for_text(tmp_path):
    """TensorBoard tries that first, and zeros and line breaks are text."""
    found, tested = judged(np.zeros((3, 2)), ["a", "b"], ["a"] * 3, ["a"] * 3)
    write_board(tmp_path, found, tested, print)
    with pytest.raises(UnicodeDecodeError), open(tmp_path / "test" / "features.bytes") as file:
        file.readline()
    values = np.fromfile(tmp_path / "test" / "features.bytes", "<f4")
    np.testing.assert_allclose(values, 0, atol=1e-40)


def judged(features, labels, predicted, truth, **of_head):
    """Photos whose features are the logits of as many labels."""
    features = np.array(features, np.float32)
    width = features.shape[1]
    head = Head(np.eye(width, dtype=np.float32), np.zeros(width, np.float32), 7, **of_head)
    count = len(features)
    figures = {
        "per_class": dict.fromkeys(labels, {}),
        "confusion_matrix": np.ones((width, width), int).tolist(),
    }
    if head.independent:
        del figures["confusion_matrix"]
    tested = pd.DataFrame({"path": [f"{n}.jpg" for n in range(count)], "label": truth})
    scores = head.probabilities(features)
    return Judged(head, predicted, scores, figures, features), tested


def test_the_surest_mistakes_come_first():
    logits = [[2, 0], [0, 1], [0, 3], [0, 5], [4, 0]]
    found, tested = judged(logits, ["a", "b"], ["a", "b", "b", "b", "a"], ["b", "a", "a", "b", "b"])
    places, scores = most_confident_mistakes(found, tested)
    assert places == [4, 2, 0, 1]
    np.testing.assert_allclose(scores, 1 / (1 + np.exp([-4.0, -3, -2, -1])), rtol=1e-6)


def test_of_several_labels_the_surest_wrong_decision_counts():
    thresholds = np.array([0.5, 0.5], np.float32)
    found, tested = judged(
        [[9, 2], [-3, -9], [9, 9], [-1, 1]], ["a", "b"], ["a|b", "", "a|b", "b"],
        ["a", "a", "a|b", "a"], independent=True, thresholds=thresholds,
    )  # fmt: skip
    tested["labels"] = [("a",), ("a",), ("a", "b"), ("a",)]
    places, scores = most_confident_mistakes(found, tested)
    assert places == [1, 0, 3]  # a missed at -3; b too many at 2; a missed and b too many at 1
    np.testing.assert_allclose(scores, 1 / (1 + np.exp([-3.0, -2, -1])), rtol=1e-6)


def test_several_labels_have_no_confusion_matrix(tmp_path):
    found, tested = judged(
        [[9, 9]], ["a", "b"], ["a|b"], ["a"], independent=True,
        thresholds=np.array([0.5, 0.5], np.float32),
    )  # fmt: skip
    write_board(tmp_path, found, tested.assign(labels=[("a",)]), print)
    assert list(pictures(tmp_path / "test")[1]) == ["most_confident_mistakes"]


@pytest.mark.parametrize("limit, value", [("MOST_PHOTOS", 4), ("MOST_VALUES", 9)])
def test_more_photos_than_a_browser_bears_are_a_sample_and_this_is_said(
    tmp_path, monkeypatch, limit, value
):
    monkeypatch.setattr(f"graphnets.jobs.board.{limit}", value)
    logits = np.random.default_rng(0).normal(size=(10, 2))
    labels = ["a" if one[0] > one[1] else "b" for one in logits]
    found, tested = judged(logits, ["a", "b"], labels, labels)
    said = []
    write_board(tmp_path, found, tested, said.append)
    assert said == ["TensorBoard's projector shows 4 of 10 test photos, drawn at random"]
    features = np.fromfile(tmp_path / "test" / "features.bytes", "<f4").reshape(4, 2)
    rows = (tmp_path / "test" / "metadata.tsv").read_text().splitlines()[1:]
    places = [int(row.split("\t")[3].removesuffix(".jpg")) for row in rows]
    assert places == sorted(set(places)) and len(places) == 4
    np.testing.assert_allclose(features, logits[places], rtol=1e-4)
    assert list(pictures(tmp_path / "test")[1]) == ["confusion_matrix"]  # no mistake was made


def test_nothing_is_written_of_no_photos_and_what_cannot_be_written_is_a_warning(tmp_path):
    found, tested = judged([[0.0, 1.0]], ["a", "b"], ["b"], ["a"])
    write_board(tmp_path, found, tested[:0], print)
    assert list(tmp_path.iterdir()) == []
    said = []
    write_board(tmp_path / "gone", found, tested, said.append)
    assert said == [
        f"warning: the summaries in {tmp_path}/gone/test cannot be written: No such file or "
        "directory; name another folder with --summaries_dir"
    ]


def test_without_summaries_nothing_is_drawn(photo_folder, network, tmp_path, monkeypatch):
    monkeypatch.setattr("graphnets.jobs.retrain.write_board", pytest.fail)
    monkeypatch.chdir(tmp_path)
    retrain(photo_folder, network, options(tmp_path, summaries_dir=""))
    assert sorted(os.listdir(tmp_path)) == ["B", "out", "photos"]
