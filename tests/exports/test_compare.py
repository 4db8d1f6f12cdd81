"""Exports beside the graph on the test photos."""

import numpy as np
import pytest
from tiny import by_hand, resized_by_hand

from graphnets.exports.compare import PILLOW, Comparison, size_of
from graphnets.exports.run import each_photo
from graphnets.photos.images import no_progress

TRUTH = ["cat", "ant", "bee", "cat"]  # of the photos 8 to 11 of a run of the helpers


def scores_of(run):
    photos = each_photo(run.paths("testing"))
    return [by_hand(resized_by_hand(photo.pixels.astype(float), run.size)) for photo in photos]


def test_an_export_that_is_off_is_told_how_far(run):
    photos = each_photo(run.paths("testing"))
    exact = {photo.path: s for photo, s in zip(photos, scores_of(run), strict=True)}
    comparison = Comparison(run, None, no_progress)
    found = comparison.compared(
        {
            "equal": lambda photo: {"scores": exact[photo.path]},
            "off": lambda photo: {"scores": np.roll(exact[photo.path], 1)},
        }
    )
    guesses = [run.labels[scores.argmax()] for scores in exact.values()]
    accuracy = np.mean([guess == true for guess, true in zip(guesses, TRUTH, strict=True)])
    assert found["equal"]["photos"] == found["equal"]["same_labels"] == 4
    assert found["equal"]["accuracy"] == accuracy
    assert found["equal"]["largest_difference"] < 1e-5
    off = max(np.abs(np.roll(scores, 1) - scores).max() for scores in exact.values())
    assert found["off"]["same_labels"] == 0
    assert found["off"]["largest_difference"] == pytest.approx(off, abs=1e-5)
    assert list(comparison.of_graph) == ["graph", PILLOW]
    assert comparison.of_graph["graph"] == {
        **comparison.of_graph["graph"], "accuracy": accuracy, "largest_difference": 0.0,
    }  # fmt: skip
    assert comparison.of_graph[PILLOW]["largest_difference"] < 1e-5  # PNGs decode to the same


def test_the_graph_runs_once_for_all_formats(run):
    comparison = Comparison(run, 2, no_progress)
    runner = {"none": lambda photo: {"scores": np.zeros(3)}}
    first = comparison.compared(runner)["none"]
    graph = comparison.of_graph
    second = comparison.compared(runner)["none"]
    assert first["photos"] == second["photos"] == 2
    assert first["largest_difference"] == second["largest_difference"] > 0
    assert comparison.of_graph is graph


def test_several_labels_are_right_where_all_are(several):
    limits = np.array(several.thresholds)
    comparison = Comparison(several, None, no_progress)
    [found] = comparison.compared({"all": lambda photo: {"scores": limits}}).values()
    assert found["accuracy"] == 0 and found["photos"] == 4
    only_cat = limits * [0.5, 0.5, 1]
    [found] = comparison.compared({"cat": lambda photo: {"scores": only_cat}}).values()
    assert found["accuracy"] == 0.5  # two of the four photos are cats


def test_calling_photos_unknown_is_compared_too(open_set):
    def never(photo):
        return {"scores": np.zeros(3), "unknown_score": np.zeros(()), "is_unknown": np.False_}

    comparison = Comparison(open_set, None, no_progress)
    [found] = comparison.compared({"never": never}).values()
    known = sum(1 - scores.max() <= 0.6 for scores in scores_of(open_set))
    assert found["same_unknown"] == known


def test_no_photos_no_figures(run):
    comparison = Comparison(run, 0, no_progress)
    assert comparison.compared({"x": lambda photo: {}}) == {"x": {"photos": 0}}


def test_sizes_are_of_all_that_a_model_needs(tmp_path):
    (tmp_path / "model.json").write_bytes(b"12")
    (tmp_path / "group1-shard1of1.bin").write_bytes(b"345")
    (tmp_path / "saved" / "variables").mkdir(parents=True)
    (tmp_path / "saved" / "variables" / "index").write_bytes(b"6789")
    assert size_of(tmp_path, "model.json") == 5 and size_of(tmp_path, "saved") == 4
