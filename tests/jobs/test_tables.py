"""Jobs on tables of photos: the same run again, given splits, weights and groups."""

import json
import os
import re

import numpy as np
import pandas as pd
import pytest
from world import options, write_photos

from graphnets.errors import GraphnetsError
from graphnets.jobs.compare import compare
from graphnets.jobs.retrain import retrain
from graphnets.jobs.search import cross_validated
from graphnets.photos.listing import scan


def figures(metrics):
    """What the same run gives again."""
    rest = {name: value for name, value in metrics.items() if name not in ("seconds", "split_by")}
    return rest | {"options": {**rest["options"], "testing_percentage": None}}


def test_photos_csv_is_a_table_that_gives_the_same_run_to_the_digit(tmp_path, network, monkeypatch):
    monkeypatch.chdir(write_photos(tmp_path / "photos").parent)
    (tmp_path / "photos" / "grass" / "bad.jpg").write_bytes(b"no picture")
    first = retrain("photos", network, options(tmp_path / "a", testing_percentage=25, split_seed=3))
    monkeypatch.chdir("/")
    again = retrain(tmp_path / "a/out/photos.csv", network, options(tmp_path / "b"))
    assert first.metrics["split_by"] == "name"
    assert again.metrics["split_by"] == "table"
    assert again.metrics["options"]["testing_percentage"] is None
    expected = figures(first.metrics) | {"options": again.metrics["options"]}
    expected["left_out"][0]["path"] = str(tmp_path / "photos/grass/bad.jpg")
    assert again.metrics | {"seconds": {}} == expected | {"seconds": {}, "split_by": "table"}
    for name in ("output_graph.pb", "photos.csv"):
        assert (tmp_path / "a/out" / name).read_bytes() == (tmp_path / "b/out" / name).read_bytes()


def test_a_weight_counts_as_so_many_photos(photo_folder, network, tmp_path):
    photos = scan(photo_folder)[["path", "label"]]
    weighted = photos.assign(weight=np.where(photos.label == "grass", 3, 1))
    found = retrain(weighted, network, options(tmp_path)).head
    alike = options(tmp_path, training={"class_weights": "grass=3"})
    np.testing.assert_array_equal(found.weights, retrain(photos, network, alike).head.weights)
    plain = retrain(photos, network, options(tmp_path)).head
    assert np.abs(found.weights - plain.weights).max() > 0.01


def test_a_given_split_is_told_where_it_misleads(photo_folder, network, tmp_path):
    photos = scan(photo_folder)[["path", "label"]]
    photos["split"] = np.where(photos.label == "grass", "training", "testing")
    photos.loc[::2, "split"] = "training"
    twice = tmp_path / "copy.jpg"
    twice.write_bytes(open(photos.path[0], "rb").read())
    photos.loc[len(photos)] = [str(twice), photos.label[0], "testing"]
    said = []
    retrain(photos, network, options(tmp_path), say=said.append)
    assert [line for line in said if line.startswith("warning: ")] == [
        f"warning: 1 photos have copies in another split of the table, which flatter the figures: "
        f"{twice} = {photos.path[0]}",
        "warning: the table's split has no photos for validation of blue sky, grass, red_roof",
        "warning: the table's split has no photos for testing of grass",
    ]


def test_groups_are_told_and_written(photo_folder, network, tmp_path):
    said = []
    chosen = options(tmp_path, group_by=r"\d(?=\d\.jpg)")
    result = retrain(photo_folder, network, chosen, say=said.append)
    assert said[0] == "60 files in 3 classes, 30 groups"
    assert result.metrics["split_by"] == "group"
    written = pd.read_csv(tmp_path / "out" / "photos.csv")
    assert set(written.group[written.label == "grass"]) == {f"grass/0{i}.jpg" for i in range(10)}


def test_a_split_that_cannot_be_is_told_before_the_photos_are_run(photo_folder, network, tmp_path):
    with pytest.raises(
        GraphnetsError, match=r"class blue sky has 1 group\(s\) of photos, wanted 3"
    ):
        retrain(photo_folder, network, options(tmp_path, group_by=r"\d+"))
    assert not list((tmp_path / "B").glob("*/*.keys"))


def test_compare_takes_tables(photo_folder, network, tmp_path):
    photos = scan(photo_folder)
    photos[["path", "label"]].to_csv(tmp_path / "t.csv", index=False)
    tables = [compare(images, network, "conv2", options(tmp_path)) for images in
              (photo_folder, tmp_path / "t.csv", photos)]  # fmt: skip
    assert len({one.test_accuracy for [one] in tables}) == 1
    curves = json.loads((tmp_path / "out" / "compare.json").read_text())["depths"][0]
    assert curves["validation"] == tables[0][0].validation._asdict()


def test_frames_of_tracks_in_several_splits_are_told(tmp_path, network):
    photos = scan(write_photos(tmp_path / "photos"))
    for number, path in enumerate(photos.path):
        track, frame = divmod(number % 20, 5)
        os.rename(path, os.path.join(os.path.dirname(path), f"{track:05d}_{frame:05d}.jpg"))

    def warnings(images, **changes):
        said = []
        retrain(images, network, options(tmp_path, **changes), say=said.append)
        return [line for line in said if "tracks" in line]

    [line] = warnings(tmp_path / "photos")
    assert re.fullmatch(
        r"warning: names look like frames of tracks \(0000\d_00000.jpg \.\.\. 0000\d_00004.jpg\), "
        r"\d+ of which lie in more than one split, which flatters the figures: "
        r"--group_by '_\\d\+' keeps them together",
        line,
    )
    assert not warnings(tmp_path / "photos", group_by=r"_\d+")
    given = scan(tmp_path / "photos")[["path", "label"]]
    given["split"] = np.where(given.index % 2, "training", "testing")
    [line] = warnings(given)
    assert "mend the table's split, or take it out, and --group_by '_\\d+' keeps them" in line


@pytest.mark.parametrize("training", [{"class_weights": "grass=3"}, {"class_weights": "balanced"}])
def test_photos_weigh_in_folds_what_they_weigh_in_training(
    photo_folder, network, tmp_path, monkeypatch, training
):
    given = []

    def watched(pool, trainer, options, say):
        given.append(pool)
        return cross_validated(pool, trainer, options, say)

    monkeypatch.setattr("graphnets.jobs.retrain.cross_validated", watched)
    photos = scan(photo_folder)[["path", "label"]]
    doubled = photos.assign(weight=np.where(photos.index % 2, 2.0, 1.0))
    retrain(doubled, network, options(tmp_path, folds=2, training=training))
    [pool] = given
    table, weights = pool.photos, pool.stored.weights
    assert set(table.split) == {"training", "validation", "testing"}
    own = weights / table.weight.to_numpy()
    of_class = {label: set(own[(table.label == label).to_numpy()]) for label in set(table.label)}
    assert all(len(values) == 1 for values in of_class.values()), of_class
    if training["class_weights"] == "grass=3":
        assert of_class["grass"] == {3.0}
    assert set(table.weight) == {1.0, 2.0}


def test_rows_that_predict_left_out_are_left_out(photo_folder, network, tmp_path):
    photos = scan(photo_folder)[["path", "label"]].assign(problem="")
    lost = pd.DataFrame({"path": ["gone.jpg"], "label": [""], "problem": ["cannot be read"]})
    found = retrain(pd.concat([photos, lost]), network, options(tmp_path)).metrics
    assert [row["reason"] for row in found["left_out"]] == ["cannot be read"]
    assert found["labels"] == sorted(set(photos.label))
