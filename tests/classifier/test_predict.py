"""Classifying photos with an exported graph: the right figures, and the right one to blame."""

import itertools
import os

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image
from tiny import LABELS, SIZE, by_hand, pixels, resized_by_hand, saved, write_png

from graphnets.classifier import export
from graphnets.classifier.predict import Classifier
from graphnets.errors import GraphnetsError, PhotoError
from graphnets.photos import images
from graphnets.photos.folders import photo_paths


def test_scores_are_the_softmax_of_the_features(classifier, tmp_path):
    scores = classifier.scores(write_png(tmp_path / "photo.png", pixels(1)))
    assert scores.dtype == np.float32 and scores.shape == (3,)
    np.testing.assert_allclose(scores, by_hand(pixels(1)), rtol=1e-5)


@pytest.mark.parametrize("top_k, count", [(1, 1), (2, 2), (3, 3), (5, 3)])
def test_the_likeliest_classes_come_first(classifier, tmp_path, top_k, count):
    path = write_png(tmp_path / "photo.png", pixels(2))
    [prediction] = classifier.predict([path], top_k)
    expected = sorted(zip(by_hand(pixels(2)), LABELS, strict=True), reverse=True)[:count]
    assert prediction.path == str(path)
    assert prediction.problem == ""
    assert [label for label, _ in prediction.top] == [label for _, label in expected]
    assert [type(score) for _, score in prediction.top] == [float] * count
    np.testing.assert_allclose(
        [score for _, score in prediction.top], [score for score, _ in expected], rtol=1e-5
    )


def test_predictions_come_in_the_order_of_the_paths(classifier, tmp_path):
    paths = []
    for number in range(150):  # more than are in hand at a time, of very different sizes
        size = 300 if number % 7 == 0 else 16
        paths.append(write_png(tmp_path / f"{number}.png", pixels(number, size, size)))
    paths[40] = tmp_path / "missing.png"
    predictions = list(classifier.predict(paths))
    assert [prediction.path for prediction in predictions] == [str(path) for path in paths]
    for number in (0, 1, 39, 41, 149):
        expected = by_hand(resized_by_hand(np.array(Image.open(paths[number])), SIZE))
        scores = dict(predictions[number].top)
        np.testing.assert_allclose([scores[x] for x in LABELS], expected, rtol=1e-4)
    assert predictions[40].problem and not predictions[40].top


def test_an_endless_stream_of_paths_is_read_as_results_are_taken(classifier, tmp_path):
    path = write_png(tmp_path / "photo.png", pixels(1))
    taken = itertools.count()
    predictions = classifier.predict(path for _ in taken)
    for _ in range(200):
        assert len(next(predictions).top) == 3
    before = next(taken)
    assert 200 <= before <= 200 + 2 * 64
    predictions.close()
    assert next(taken) == before + 1


def test_nothing_is_read_before_a_result_is_asked_for(classifier, tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(images, "contents", read.append)
    classifier.predict([tmp_path / "photo.png"])
    assert read == []


def test_unreadable_files_say_why_and_the_others_are_classified(classifier, tmp_path):
    jpeg = saved(tmp_path / "whole.jpg", pixels(1, 64, 64)).read_bytes()
    contents = {
        "cut.jpg": jpeg[: len(jpeg) // 2],
        "empty.jpg": b"",
        "text.jpg": b"not a picture",
        "header.jpg": b"\xff\xd8\xff\xe0",
    }
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "folder.jpg").mkdir()
    names = [*contents, "folder.jpg", "missing.jpg", "whole.jpg"]
    *left_out, good = classifier.predict(tmp_path / name for name in names)
    assert [prediction.top for prediction in left_out] == [[]] * 6
    reasons = {os.path.basename(p.path): p.problem for p in left_out}
    assert reasons["cut.jpg"] == "damaged or cut off"
    assert reasons["empty.jpg"] == "an empty file"
    assert reasons["text.jpg"] == "not a JPEG, PNG, BMP, GIF, PPM, WebP, TIFF, AVIF or HEIC picture"
    assert reasons["header.jpg"] != ""
    assert reasons["folder.jpg"] == "not a regular file"
    assert "No such file" in reasons["missing.jpg"]
    assert (good.problem, len(good.top)) == ("", 3)


def test_scores_of_a_damaged_photo_raise(classifier, tmp_path):
    jpeg = saved(tmp_path / "photo.jpg", pixels(1, 64, 64)).read_bytes()
    (tmp_path / "photo.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    with pytest.raises(PhotoError, match="^damaged or cut off$"):
        classifier.scores(tmp_path / "photo.jpg")


@pytest.mark.parametrize(
    "name, options",
    [("photo.bmp", {}), ("photo.gif", {}), ("photo.ppm", {}), ("photo.webp", {"lossless": True}),
     ("no_extension", {"format": "PNG"}), ("wrong.jpg", {"format": "PNG"}),
     ("żółw and space.png", {})],
)  # fmt: skip
def test_every_format_without_loss_gives_the_same_scores(classifier, tmp_path, name, options):
    picture = pixels(3, 15, 17)  # 255 colours at most: GIF loses nothing
    scores = classifier.scores(saved(tmp_path / name, picture, **options))
    np.testing.assert_allclose(scores, by_hand(resized_by_hand(picture, SIZE)), rtol=1e-4)


def blocks():
    """48 x 32, of blocks of one colour, which JPEG keeps well and the same in any direction."""
    return np.kron(pixels(6, 3, 2), np.ones((16, 16, 1), np.uint8))


def test_a_jpeg_is_close_to_its_picture(classifier, tmp_path):
    path = saved(tmp_path / "photo.jpg", blocks(), quality=100, subsampling=0)
    expected = by_hand(resized_by_hand(blocks(), SIZE))
    np.testing.assert_allclose(classifier.scores(path), expected, rtol=0.02)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_that_lies_on_its_side_is_classified_upright(classifier, tmp_path, orientation):
    # How a camera stores the upright picture under each orientation (EXIF 2.3, tag 0x0112).
    stored = [
        lambda x: x,
        lambda x: x[:, ::-1],
        lambda x: x[::-1, ::-1],
        lambda x: x[::-1],
        lambda x: x.swapaxes(0, 1),
        lambda x: np.rot90(x, 1),
        lambda x: x[::-1, ::-1].swapaxes(0, 1),
        lambda x: np.rot90(x, -1),
    ][orientation - 1](blocks())
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 100, "subsampling": 0}
    turned = saved(tmp_path / "turned.jpg", np.ascontiguousarray(stored), exif=exif, **options)
    upright = saved(tmp_path / "upright.jpg", blocks(), **options)
    np.testing.assert_allclose(classifier.scores(turned), classifier.scores(upright), rtol=1e-4)


def test_a_number_of_labels_that_is_not_the_outputs_is_refused(own, tmp_path):
    export.write_labels(tmp_path / "labels.txt", ["ant", "bee"])
    with pytest.raises(
        GraphnetsError,
        match="labels.txt has 2 labels, .*graph.pb has 3 outputs; wanted the labels file",
    ):
        Classifier(own / "graph.pb", tmp_path / "labels.txt")


def test_a_graph_with_a_node_that_leads_nowhere_is_refused(own, tmp_path):
    graph_def = tf.GraphDef()
    graph_def.node.add(name="softmax", op="Softmax", input=["missing"])
    export.write_graph(tmp_path / "graph.pb", graph_def)
    with pytest.raises(GraphnetsError, match="graph.pb is no sound graph: .*missing"):
        Classifier(tmp_path / "graph.pb", own / "labels.txt")


@pytest.mark.parametrize("content", [b"", b"<html></html>"])
def test_what_is_no_graph_is_refused(own, tmp_path, content):
    (tmp_path / "graph.pb").write_bytes(content)
    with pytest.raises(GraphnetsError, match="graph.pb .*wanted a frozen"):
        Classifier(tmp_path / "graph.pb", own / "labels.txt")


def test_missing_files_are_named(own, tmp_path):
    with pytest.raises(GraphnetsError, match="gone.pb cannot be read: No such file"):
        Classifier(tmp_path / "gone.pb", own / "labels.txt")
    with pytest.raises(GraphnetsError, match="gone.txt cannot be read: No such file"):
        Classifier(own / "graph.pb", tmp_path / "gone.txt")


@pytest.mark.parametrize(
    "text, labels",
    [
        ("stop sign\n give way\ntwo  spaces \n", ["stop sign", " give way", "two  spaces "]),
        ("żółw\n日本\n🐢\n", ["żółw", "日本", "🐢"]),
        ("a\nb\nc", ["a", "b", "c"]),
        ("a\r\nb b\r\nc\r\n", ["a", "b b", "c"]),
    ],
    ids=["spaces", "unicode", "no last line end", "Windows"],
)
def test_labels_are_the_lines_of_their_file(own, tmp_path, text, labels):
    (tmp_path / "labels.txt").write_bytes(text.encode())
    classifier = Classifier(own / "graph.pb", tmp_path / "labels.txt")
    [prediction] = classifier.predict([write_png(tmp_path / "photo.png", pixels(1))])
    order = np.argsort(-by_hand(pixels(1)))
    assert [label for label, _ in prediction.top] == [labels[i] for i in order]


def test_photo_paths_lists_folders_at_any_depth_without_hidden_files(tmp_path):
    names = ["b.jpg", "a.jpg", "C.jpg", ".hidden.jpg", "Thumbs.db", "desktop.ini", "z/2.jpg",
             "z/1.jpg", "z/deep/x.png", "m/.DS_Store", ".git/y.jpg", "a space/ü.jpg"]  # fmt: skip
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = [os.path.relpath(path, tmp_path) for path in photo_paths([tmp_path])]
    assert found == [
        "C.jpg", "a.jpg", "b.jpg", "a space/ü.jpg", "z/1.jpg", "z/2.jpg", "z/deep/x.png",
    ]  # fmt: skip


def test_photo_paths_keeps_the_order_of_the_arguments_and_what_is_named(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "in.jpg").write_bytes(b"")
    hidden, missing = tmp_path / ".hidden.jpg", str(tmp_path / "missing.jpg")
    found = list(photo_paths([missing, tmp_path / "folder", hidden, missing]))
    assert found == [missing, str(tmp_path / "folder" / "in.jpg"), str(hidden), missing]


def test_photo_paths_does_not_run_round_in_linked_folders(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert list(photo_paths([tmp_path])) == [str(tmp_path / "photo.jpg")]


def test_photo_paths_looks_into_a_folder_when_its_turn_comes(tmp_path):
    paths = photo_paths([tmp_path / "first.jpg", tmp_path])
    assert next(paths) == str(tmp_path / "first.jpg")
    (tmp_path / "late.jpg").write_bytes(b"")
    assert list(paths) == [str(tmp_path / "late.jpg")]
