"""Where in a photo a classifier sees a class: by hand, in batches, and who is to blame."""

import graphs
import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from othertools import of_bytes, of_floats, write_graph
from PIL import Image
from tiny import LABELS, SIZE, a_head, by_hand, maps_by_hand, pixels, saved, tiny_network, write_png

from graphnets.classifier import export
from graphnets.classifier.explain import CELLS, Explainer, spans
from graphnets.classifier.options import InputOptions
from graphnets.errors import GraphnetsError


@pytest.fixture(scope="module")
def explainer(own):
    return Explainer(own / "graph.pb", own / "labels.txt")


def heat_by_hand(picture, number):
    """Of averages and a linear head: the map times the class's weights (Zhou et al. 2016)."""
    heat = np.maximum(maps_by_hand(picture)["conv2"] @ a_head().weights[:, number], 0)
    return heat / max(heat.max(), 1e-12)


def test_the_heat_is_the_map_times_the_weights_of_the_likeliest_class(explainer, tmp_path):
    [found] = explainer.explain(write_png(tmp_path / "photo.png", pixels(1)))
    scores = by_hand(pixels(1))
    assert (found.path, found.label) == (str(tmp_path / "photo.png"), LABELS[scores.argmax()])
    assert found.score == pytest.approx(scores.max(), rel=1e-5) and found.problem == ""
    assert found.heat.shape == (8, 8) and found.heat.dtype == np.float32 and found.heat.max() == 1
    np.testing.assert_allclose(found.heat, heat_by_hand(pixels(1), scores.argmax()), atol=1e-5)
    assert explainer.layer == "Tiny/conv2/Relu"


def test_each_photo_has_the_class_that_is_asked_for(explainer, tmp_path):
    paths = [write_png(tmp_path / f"{n}.png", pixels(n)) for n in range(40)]
    numbers = [n % 3 for n in range(40)]
    found = list(explainer.explain(paths, numbers))
    assert [f.path for f in found] == [str(path) for path in paths]
    assert [f.label for f in found] == [LABELS[n] for n in numbers]
    for n in (0, 1, 17, 39):
        np.testing.assert_allclose(found[n].heat, heat_by_hand(pixels(n), n % 3), atol=1e-4)
        assert found[n].score == pytest.approx(by_hand(pixels(n))[n % 3], rel=1e-4)
    again = list(explainer.explain(paths[:3], 2))
    assert [f.label for f in again] == ["cat"] * 3
    np.testing.assert_allclose(again[2].heat, found[2].heat, atol=1e-6)


def test_broken_photos_say_why_and_the_others_go_on(explainer, tmp_path):
    jpeg = saved(tmp_path / "whole.jpg", pixels(1, 64, 64)).read_bytes()
    (tmp_path / "cut.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (tmp_path / "empty.jpg").write_bytes(b"")
    good = write_png(tmp_path / "good.png", pixels(2))
    paths = [tmp_path / "cut.jpg", good, tmp_path / "empty.jpg", tmp_path / "gone.jpg", good]
    found = list(explainer.explain(paths, [0, 1, 2, 0, 2]))
    assert [f.heat is None for f in found] == [True, False, True, True, False]
    assert found[0].problem == "damaged or cut off" and found[2].problem == "an empty file"
    assert "No such file" in found[3].problem
    assert [f.label for f in found] == ["", "bee", "", "", "cat"]
    np.testing.assert_allclose(found[4].heat, heat_by_hand(pixels(2), 2), atol=1e-5)


def test_a_photo_on_its_side_is_looked_at_and_shown_upright(explainer, tmp_path):
    blocks = np.kron(pixels(6, 3, 2), np.ones((16, 16, 1), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"quality": 100, "subsampling": 0}
    stored = np.ascontiguousarray(np.rot90(blocks, 1))
    turned = saved(tmp_path / "turned.jpg", stored, exif=exif, **options)
    upright = saved(tmp_path / "upright.jpg", blocks, **options)
    one, other = explainer.explain([turned, upright], 1)
    np.testing.assert_allclose(one.heat, other.heat, atol=0.02)
    assert explainer.picture(turned).shape == (48, 32, 3)
    np.testing.assert_array_equal(explainer.picture(turned), explainer.picture(upright))


def exported(folder, head, names=("conv2",)):
    graph_def = export.classifier_graph_def(tiny_network(), list(names), head)
    export.write_graph(folder / "graph.pb", graph_def)
    export.write_labels(folder / "labels.txt", LABELS)
    return folder / "graph.pb", folder / "labels.txt"


def test_classes_of_their_own_have_the_heat_of_their_logit(tmp_path):
    head = a_head()._replace(independent=True, thresholds=np.full(3, 0.5, np.float32))
    explainer = Explainer(*exported(tmp_path, head))
    [found] = explainer.explain(write_png(tmp_path / "photo.png", pixels(3)), 1)
    np.testing.assert_allclose(found.heat, heat_by_hand(pixels(3), 1), atol=1e-5)


def test_of_several_endpoints_the_deepest_is_shown_and_another_on_request(tmp_path):
    files = exported(tmp_path, a_head(10), ["conv1", "conv2"])
    path = write_png(tmp_path / "photo.png", pixels(4))
    deepest, first = Explainer(*files), Explainer(*files, layer="conv1")
    assert (deepest.layer, first.layer) == ("Tiny/conv2/Relu", "Tiny/conv1/Relu")
    [found] = deepest.explain(path, 2)
    heat = np.maximum(maps_by_hand(pixels(4))["conv2"] @ a_head(10).weights[4:, 2], 0)
    np.testing.assert_allclose(found.heat, heat / heat.max(), atol=1e-5)
    assert [f.heat.shape for f in first.explain(path, 2)] == [(16, 16)]


def test_a_graph_of_retrain_py_is_explained_from_bytes_and_from_pictures(tmp_path):
    graph = graphs.write(tmp_path / "output_graph.pb", graphs.retrained_like())
    (tmp_path / "labels.txt").write_text("a\nb\nc\nd\ne\n")
    photo = saved(tmp_path / "photo.jpg", pixels(3, 60, 70), quality=95)
    entries = [
        InputOptions(input_layer="DecodeJpeg/contents"),
        InputOptions(input_layer="Mul", input_mean=128, input_std=128),
    ]
    bytes_, pictures = (
        list(Explainer(graph, tmp_path / "labels.txt", entry).explain([photo] * 5, range(5)))
        for entry in entries
    )
    for one, other in zip(bytes_, pictures, strict=True):
        assert one.label == other.label
        np.testing.assert_allclose(one.heat, other.heat, atol=1e-3)
    assert [f.label for f in bytes_] == list("abcde") and max(f.heat.std() for f in bytes_) > 0.1
    with pytest.raises(GraphnetsError, match="takes a photo's bytes at DecodeJpeg/contents:0, whi"):
        Explainer(graph, tmp_path / "labels.txt", entries[0], occlusion=True)


def test_occlusion_is_how_the_score_falls_with_a_grey_patch(own, tmp_path):
    explainer = Explainer(own / "graph.pb", own / "labels.txt", occlusion=True)
    [found] = explainer.explain(write_png(tmp_path / "photo.png", pixels(5)), 1)
    assert found.heat.shape == (CELLS, CELLS) and found.heat.dtype == np.float32
    for row, column in ((0, 0), (0, CELLS - 1), (4, 7), (CELLS - 1, 3)):
        covered = pixels(5).astype(np.float32)
        covered[spans(SIZE[0])[row], spans(SIZE[1])[column]] = 127.5
        expected = by_hand(pixels(5))[1] - by_hand(covered)[1]
        assert found.heat[row, column] == pytest.approx(expected, abs=1e-5)
    assert np.abs(found.heat).max() > 1e-3 and explainer.layer == ""


def test_the_patch_reaches_over_all_of_a_side_and_a_place_beyond_its_own():
    assert spans(100)[0] == slice(0, 20) and spans(100)[5] == slice(40, 70)
    assert spans(100)[-1] == slice(80, 100)
    assert spans(3) == [slice(0, 2), slice(0, 3), slice(1, 3)]


def test_occlusion_needs_no_map_and_knows_what_grey_is_to_another_tool(tmp_path):
    graph = write_graph(tmp_path, of_floats([None, 12, 10, 3]))
    ends = {"input_layer": "input", "output_layer": "softmax"}
    for mean, std in ((127.5, 127.5), (0, 255)):
        entry = InputOptions(**ends, input_mean=mean, input_std=std)
        explainer = Explainer(graph, tmp_path / "labels.txt", entry, occlusion=True)
        for shade, falls in ((127, False), (0, True)):  # the patch is as grey as the first
            picture = np.full((12, 10, 3), shade, np.uint8)
            [found] = explainer.explain(write_png(tmp_path / "photo.png", picture), 0)
            assert found.heat.shape == (10, 10)
            assert (np.abs(found.heat).max() > 0.1) == falls
    with pytest.raises(GraphnetsError, match="other.pb has no map of a convolution between input"):
        Explainer(graph, tmp_path / "labels.txt", entry)


def test_a_graph_of_bytes_without_a_map_is_told(tmp_path):
    graph = write_graph(tmp_path, of_bytes(lambda: tf.placeholder(tf.string, [], "input")))
    with pytest.raises(GraphnetsError, match="no map of a convolution between input:0"):
        Explainer(
            graph,
            tmp_path / "labels.txt",
            InputOptions(input_layer="input", output_layer="softmax"),
        )


def test_a_class_for_each_photo_is_a_class_for_each_photo(explainer, tmp_path):
    with pytest.raises(GraphnetsError, match="^there are 1 classes for 2 photos; wanted one for"):
        explainer.explain(["a.jpg", "b.jpg"], [1])
