"""Reading a run's folder, and the graph that converters take."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from runs import LIMITS, write_run
from tiny import LABELS, SIZE, by_hand, pixels, resized_by_hand

from graphnets.errors import GraphnetsError
from graphnets.exports.run import (
    each_photo,
    named,
    picture_graph,
    read_run,
    spread,
    true_labels,
)


def given(graph_def, image, outputs):
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(graph_def, name="")
        return session.run([f"{name}:0" for name in outputs], {"image:0": image})


def test_a_run_is_its_graph_labels_and_readable_photos(run, folder):
    assert run.labels == LABELS and run.size == SIZE
    assert run.outputs == {"scores": "final_result:0"}
    assert run.thresholds is None and run.unknown_above is None
    assert run.paths("training") == [str(folder / f"{number}.png") for number in range(4)]
    assert len(run.paths("testing")) == 5  # with the one that has gone since


def test_what_else_a_graph_tells_is_carried_along(several, open_set):
    assert several.thresholds == [float(limit) for limit in LIMITS]
    assert list(several.outputs) == ["scores"]
    assert list(open_set.outputs) == ["scores", "unknown_score", "is_unknown"]
    assert open_set.unknown_above == pytest.approx(0.6)


@pytest.mark.parametrize("dtype", [tf.uint8, tf.int32])
def test_the_picture_graph_resizes_as_the_whole_one_does(run, dtype):
    graph_def = picture_graph(run, dtype)
    ops = {node.op for node in graph_def.node}
    assert not ops & {"DecodeJpeg", "Substr", "PlaceholderWithDefault"}
    batch = np.stack([pixels(seed, 40, 23) for seed in (1, 2)])
    [scores] = given(graph_def, batch, ["scores"])
    expected = [by_hand(resized_by_hand(picture, SIZE)) for picture in batch]
    np.testing.assert_allclose(scores, expected, rtol=1e-4)


def test_nodes_of_the_graph_may_be_called_as_the_ends_are(tmp_path):
    run = read_run(write_run(tmp_path, output="scores"), "scores")
    [scores] = given(picture_graph(run), pixels(1)[np.newaxis], ["scores"])
    np.testing.assert_allclose(scores, [by_hand(pixels(1))], rtol=1e-4)


def test_photos_are_decoded_as_the_graph_does_and_missing_ones_passed_by(run):
    photos = list(each_photo(run.paths("testing")))
    assert [photo.pixels.shape for photo in photos] == [(26 + i, 22 - i, 3) for i in range(4)]
    np.testing.assert_array_equal(photos[0].pixels, pixels(8, 26, 22))


def test_photos_are_taken_at_even_distances():
    paths = [str(number) for number in range(10)]
    assert spread(paths, None) == spread(paths, 99) == paths
    assert spread(paths, 4) == ["0", "2", "5", "7"]
    assert spread(paths, 0) == []


def test_labels_that_scores_name(run, several):
    scores = np.array([0.5, 0.85, 0.2], np.float32)
    assert named(run, scores) == ("bee",) and true_labels(run, "bee") == ("bee",)
    assert named(several, scores) == ("ant", "cat")  # bee is below its limit, cat at its own
    assert true_labels(several, "cat|ant") == ("ant", "cat")
    assert true_labels(several, "") == ()


@pytest.mark.parametrize("name", ["output_graph.pb", "output_labels.txt", "photos.csv"])
def test_a_folder_that_is_no_runs_is_told(tmp_path, name):
    write_run(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(GraphnetsError, match=f"has no {name}; wanted the --output_dir of a"):
        read_run(tmp_path, "final_result")


def test_another_output_and_labels_of_another_run_are_told(folder, tmp_path):
    with pytest.raises(GraphnetsError, match="another output: .*probabilities.*--output_layer"):
        read_run(folder, "probabilities")
    write_run(tmp_path)
    (tmp_path / "output_labels.txt").write_text("ant\nbee\n")
    with pytest.raises(GraphnetsError, match=r"final_result float32 \(None, 3\) and 2 labels"):
        read_run(tmp_path, "final_result")


def test_a_graph_from_elsewhere_and_a_broken_table_are_told(tmp_path):
    write_run(tmp_path)
    (tmp_path / "photos.csv").write_text("a,b\n1,2\n")
    with pytest.raises(GraphnetsError, match=r"photos.csv cannot be read \(.*\); wanted a run's"):
        read_run(tmp_path, "final_result")
    with tf.Graph().as_default() as graph:
        tf.placeholder(tf.float32, [None, 3], name="x")
    (tmp_path / "output_graph.pb").write_bytes(graph.as_graph_def().SerializeToString())
    with pytest.raises(GraphnetsError, match="is no graph of `graphnets retrain`"):
        read_run(tmp_path, "final_result")
