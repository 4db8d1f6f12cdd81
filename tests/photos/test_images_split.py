"""Which photos train, validate and test: retrain.py's formula, and no split empty."""

import hashlib
import os

import numpy as np
import pandas as pd
import pytest
from world import make_folder

from graphnets.errors import GraphnetsError
from graphnets.photos import images


def table(**classes):
    """A table of photos as `scan` gives it, without the files."""
    rows = [
        {"path": f"/any/where/{label}/{name}", "label": label, "key": "", "problem": ""}
        for label, names in classes.items()
        for name in names
    ]
    return pd.DataFrame(rows, dtype=object)


def numbered(count):
    return [f"{i:05d}.jpg" for i in range(count)]


def percentage(label, name):
    """retrain.py's formula, of class/file instead of the full path."""
    hashed = f"{label}/{name}".split("_nohash_")[0]
    largest = 2**27 - 1
    return int(hashlib.sha1(hashed.encode()).hexdigest(), 16) % (largest + 1) * (100.0 / largest)


def expected_split(label, name, testing=10, validation=10):
    percent = percentage(label, name)
    if percent < validation:
        return "validation"
    return "testing" if percent < validation + testing else "training"


@pytest.mark.parametrize(("testing", "validation"), [(10, 10), (20, 5), (0.5, 60), (50, 49)])
def test_the_split_is_retrains_formula(testing, validation):
    photos = images.split(table(a=numbered(600), b=numbered(500)), testing, validation)
    expected = [
        expected_split(label, name, testing, validation)
        for label, count in (("a", 600), ("b", 500))
        for name in numbered(count)
    ]
    assert set(expected) == {"training", "validation", "testing"}
    assert list(photos.split) == expected


def test_the_split_does_not_depend_on_where_the_folder_lies(tmp_path, monkeypatch):
    make_folder(tmp_path / "here", a=30, b=30)
    here = images.split(images.scan(tmp_path / "here"))
    (tmp_path / "much" / "deeper").mkdir(parents=True)
    (tmp_path / "here").rename(tmp_path / "much" / "deeper" / "there")
    monkeypatch.chdir(tmp_path / "much" / "deeper")
    for spelling in (tmp_path / "much" / "deeper" / "there", "there", "there/", "./there//"):
        there = images.split(images.scan(spelling))
        assert list(there.split) == list(here.split)
        assert list(there.path.map(os.path.basename)) == list(here.path.map(os.path.basename))
    monkeypatch.chdir("there")
    assert list(images.split(images.scan(".")).split) == list(here.split)


def test_photos_stay_in_their_split_when_others_are_added():
    few = images.split(table(a=numbered(200), b=numbered(200)))
    many = images.split(table(a=numbered(1000), b=numbered(200), c=numbered(50)))
    assert set(few[few.label == "a"].split) == {"training", "validation", "testing"}
    later = many.set_index("path").split
    assert list(later[few.path]) == list(few.split)


@pytest.mark.parametrize(("testing", "validation"), [(10, 10), (1, 1), (0.001, 98), (98, 0.001)])
def test_no_class_however_small_has_an_empty_split(testing, validation):
    random = np.random.default_rng(8)
    classes = {
        f"class {i}": [f"{random.integers(10**9)}.jpg" for _ in range(random.integers(3, 13))]
        for i in range(150)
    }
    photos = images.split(table(**classes), testing, validation)
    counts = photos.groupby(["label", "split"]).size().unstack()
    assert counts.shape == (150, 3)
    assert counts.notna().all(axis=None)


def test_of_three_photos_those_with_the_lowest_percentages_are_held_out():
    for i in range(20):
        label = f"c{i}"
        photos = images.split(table(**{label: numbered(3)}))
        ordered = sorted(numbered(3), key=lambda name, label=label: percentage(label, name))
        by_name = dict(zip(numbered(3), photos.split, strict=True))
        assert [by_name[name] for name in ordered] == ["validation", "testing", "training"]


def test_photos_that_agree_up_to_nohash_stay_together():
    names = [f"flower{i}_nohash_{j}_x.jpg" for i in range(80) for j in range(4)]
    photos = images.split(table(a=names))
    groups = photos.split.groupby(photos.path.str.split("_nohash_").str[0])
    assert set(groups.nunique()) == {1}
    assert groups.ngroups == 80
    assert set(photos.split) == {"training", "validation", "testing"}
    assert list(photos.split) == [expected_split("a", name) for name in names]


def test_small_classes_of_groups_have_no_empty_split_either():
    random = np.random.default_rng(9)
    for case in range(60):
        names = [f"{case}.{i}_nohash_{j}" for i in range(3) for j in range(random.integers(1, 5))]
        photos = images.split(table(a=names))
        groups = photos.split.groupby(photos.path.str.split("_nohash_").str[0])
        assert set(groups.nunique()) == {1}
        assert set(photos.split) == {"training", "validation", "testing"}


@pytest.mark.parametrize("count", [3, 7, 400])
@pytest.mark.parametrize(
    ("testing", "validation", "splits"),
    [
        (0, 0, {"training"}),
        (0, 10, {"training", "validation"}),
        (10, 0, {"training", "testing"}),
        (99.9, 0, {"training", "testing"}),
    ],
)
def test_a_percentage_of_0_is_honoured(count, testing, validation, splits):
    assert set(images.split(table(a=numbered(count)), testing, validation).split) == splits


def test_what_is_left_out_is_in_no_split_and_changes_no_other():
    photos = table(a=numbered(300))
    every = images.split(photos)
    left_out = every.index % 5 == 0
    photos.loc[left_out, "problem"] = "damaged"
    rest = images.split(photos)
    assert set(rest.split[left_out]) == {""}
    assert list(rest.split[~left_out]) == list(every.split[~left_out])
    assert "split" not in photos


@pytest.mark.parametrize(("testing", "validation"), [(-1, 10), (10, -0.1), (50, 50), (0, 100)])
def test_percentages_that_leave_nothing_to_train_on_are_an_error(testing, validation):
    wanted = rf"^testing {testing} % and validation {validation} % leave nothing to train on; want"
    with pytest.raises(GraphnetsError, match=wanted):
        images.split(table(a=numbered(5)), testing, validation)


def test_a_percentage_that_is_no_number_is_an_error():
    with pytest.raises(GraphnetsError, match="^testing nan % and validation 10 % leave nothing"):
        images.split(table(a=numbered(5)), float("nan"), 10)


def test_a_class_of_fewer_than_three_groups_is_an_error():
    names = ["x_nohash_1.jpg", "x_nohash_2.jpg", "y_nohash_1.jpg"]
    with pytest.raises(GraphnetsError, match=r"^class a\\n has 2 group\(s\) of photos with one n"):
        images.split(table(**{"a\n": names}))
