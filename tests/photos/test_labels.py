"""Several labels a photo: copies and rows become one photo with the labels of all."""

import shutil

import pandas as pd
from world import make_folder

from graphnets.photos.labels import class_names
from graphnets.photos.listing import scan


def test_one_photo_in_several_folders_has_their_labels(tmp_path):
    make_folder(tmp_path, cat=4, dog=4)
    shutil.copy(tmp_path / "cat" / "1.png", tmp_path / "dog" / "both.png")
    assert len(scan(tmp_path)) == 9
    photos = scan(tmp_path, multi_label=True)
    assert len(photos) == 8
    [both] = photos[photos.label == "cat|dog"].itertuples()
    assert both.path.endswith("cat/1.png")
    assert both.labels == ("cat", "dog")
    assert class_names(photos) == ["cat", "dog"]


def test_labels_in_a_table_have_bars_between_and_may_be_none(tmp_path):
    make_folder(tmp_path, x=6)
    labels = ["cat|dog", " dog | cat ", "cat", "dog", "", "dog||"]
    table = pd.DataFrame({"path": [str(tmp_path / f"x/{i}.png") for i in range(6)]})
    photos = scan(
        pd.concat([table.assign(label=labels), table[2:3].assign(label="dog")]), multi_label=True
    ).sort_values("path")
    expected = [("cat", "dog"), ("cat", "dog"), ("cat", "dog"), ("dog",), (), ("dog",)]
    assert list(photos.labels) == expected
    assert list(photos.label) == ["cat|dog", "cat|dog", "cat|dog", "dog", "", "dog"]


def test_without_multi_label_a_bar_is_a_bar(tmp_path):
    make_folder(tmp_path, **{"a|b": 3, "c": 3})
    assert class_names(scan(tmp_path)) == ["a|b", "c"]
