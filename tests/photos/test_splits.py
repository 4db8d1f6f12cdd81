"""Which photos train, validate and test: retrain.py's formula, and no split empty."""

import hashlib
import os

import numpy as np
import pandas as pd
import pytest
from world import make_folder

from graphnets.errors import GraphnetsError
from graphnets.photos.listing import scan
from graphnets.photos.splits import folds, split


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
    photos = split(table(a=numbered(600), b=numbered(500)), testing, validation)
    expected = [
        expected_split(label, name, testing, validation)
        for label, count in (("a", 600), ("b", 500))
        for name in numbered(count)
    ]
    assert set(expected) == {"training", "validation", "testing"}
    assert list(photos.split) == expected


def test_the_split_does_not_depend_on_where_the_folder_lies(tmp_path, monkeypatch):
    make_folder(tmp_path / "here", a=30, b=30)
    here = split(scan(tmp_path / "here"))
    (tmp_path / "much" / "deeper").mkdir(parents=True)
    (tmp_path / "here").rename(tmp_path / "much" / "deeper" / "there")
    monkeypatch.chdir(tmp_path / "much" / "deeper")
    for spelling in (tmp_path / "much" / "deeper" / "there", "there", "there/", "./there//"):
        there = split(scan(spelling))
        assert list(there.split) == list(here.split)
        assert list(there.path.map(os.path.basename)) == list(here.path.map(os.path.basename))
    monkeypatch.chdir("there")
    assert list(split(scan(".")).split) == list(here.split)


def test_photos_stay_in_their_split_when_others_are_added():
    few = split(table(a=numbered(200), b=numbered(200)))
    many = split(table(a=numbered(1000), b=numbered(200), c=numbered(50)))
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
    photos = split(table(**classes), testing, validation)
    counts = photos.groupby(["label", "split"]).size().unstack()
    assert counts.shape == (150, 3)
    assert counts.notna().all(axis=None)


def test_of_three_photos_those_with_the_lowest_percentages_are_held_out():
    for i in range(20):
        label = f"c{i}"
        photos = split(table(**{label: numbered(3)}))
        ordered = sorted(numbered(3), key=lambda name, label=label: percentage(label, name))
        by_name = dict(zip(numbered(3), photos.split, strict=True))
        assert [by_name[name] for name in ordered] == ["validation", "testing", "training"]


def test_photos_that_agree_up_to_nohash_stay_together():
    names = [f"flower{i}_nohash_{j}_x.jpg" for i in range(80) for j in range(4)]
    photos = split(table(a=names))
    groups = photos.split.groupby(photos.path.str.split("_nohash_").str[0])
    assert set(groups.nunique()) == {1}
    assert groups.ngroups == 80
    assert set(photos.split) == {"training", "validation", "testing"}
    assert list(photos.split) == [expected_split("a", name) for name in names]


def test_small_classes_of_groups_have_no_empty_split_either():
    random = np.random.default_rng(9)
    for case in range(60):
        names = [f"{case}.{i}_nohash_{j}" for i in range(3) for j in range(random.integers(1, 5))]
        photos = split(table(a=names))
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
    assert set(split(table(a=numbered(count)), testing, validation).split) == splits


def test_what_is_left_out_is_in_no_split_and_changes_no_other():
    photos = table(a=numbered(300))
    every = split(photos)
    left_out = every.index % 5 == 0
    photos.loc[left_out, "problem"] = "damaged"
    rest = split(photos)
    assert set(rest.split[left_out]) == {""}
    assert list(rest.split[~left_out]) == list(every.split[~left_out])
    assert "split" not in photos


@pytest.mark.parametrize(("testing", "validation"), [(-1, 10), (10, -0.1), (50, 50), (0, 100)])
def test_percentages_that_leave_nothing_to_train_on_are_an_error(testing, validation):
    wanted = rf"^testing {testing} % and validation {validation} % leave nothing to train on; want"
    with pytest.raises(GraphnetsError, match=wanted):
        split(table(a=numbered(5)), testing, validation)


def test_a_percentage_that_is_no_number_is_an_error():
    with pytest.raises(GraphnetsError, match="^testing nan % and validation 10 % leave nothing"):
        split(table(a=numbered(5)), float("nan"), 10)


def test_a_class_of_fewer_than_three_groups_is_an_error():
    names = ["x_nohash_1.jpg", "x_nohash_2.jpg", "y_nohash_1.jpg"]
    with pytest.raises(GraphnetsError, match=r"^class a\\n has 2 group\(s\) of photos with one n"):
        split(table(**{"a\n": names}))


def tracks(label, count, frames=5):
    return [f"{t:05d}_{f:05d}.jpg" for t in range(count) for f in range(frames)]


def test_frames_of_one_track_stay_together():
    photos = split(table(a=tracks("a", 60), b=tracks("b", 50)), 20, 10, group_by=r"_\d+")
    assert photos.group[0] == "a/00000.jpg"
    assert photos.groupby("group").split.nunique().max() == 1
    assert photos.group.nunique() == 110
    shares = photos.split.value_counts(normalize=True)
    assert 0.1 < shares.testing < 0.3
    assert set(shares.index) == {"training", "validation", "testing"}


def test_what_stands_in_brackets_is_the_group_over_classes_too():
    names = [f"p{patient}_{i}.jpg" for patient in range(30) for i in range(3)]
    photos = split(table(ill=names[:60], well=names[30:]), 20, 20, group_by=r"/p(\d+)_")
    assert set(photos.group) == {str(n) for n in range(30)}
    assert photos.groupby("group").split.nunique().max() == 1
    for label in ("ill", "well"):
        splits = photos.split[photos.label == label]
        assert set(splits) == {"training", "validation", "testing"}


def test_a_group_over_classes_follows_from_its_hash_alone():
    names = [f"p{patient}_{i}.jpg" for patient in range(200) for i in range(2)]
    photos = split(table(ill=names, well=names), 20, 20, group_by=r"/(p\d+)_")
    digests = [int(hashlib.sha1(g.encode()).hexdigest(), 16) % 2**27 for g in photos.group]
    percent = np.array(digests) * 100 / (2**27 - 1)
    expected = np.select([percent < 20, percent < 40], ["validation", "testing"], "training")
    assert list(photos.split) == list(expected)


def test_what_the_expression_does_not_match_is_by_itself():
    photos = split(table(a=["x_1.jpg", "x_2.jpg", "y.jpg", "z.jpg"]), group_by=r"_\d+")
    assert list(photos.group) == ["a/x.jpg", "a/x.jpg", "a/y.jpg", "a/z.jpg"]


def test_a_tables_groups_stay_together():
    photos = table(a=numbered(60), b=numbered(60))
    photos = photos.assign(group=[f"g{i // 4}" if i < 100 else "" for i in range(120)])
    found = split(photos)
    assert found[found.group != ""].groupby("group").split.nunique().max() == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"group_by": "("}, r"group_by '\(' is no regular expression \(.*\); wanted one such as"),
        ({"group_by": "xyz"}, "group_by 'xyz' matches none of the 9 names, a/00000.jpg the first"),
        ({"group_by": r"\d+"}, r"class a has 1 group\(s\) of photos, wanted 3: a group cannot be"),
        ({"group_by": 3}, "group_by is 3, wanted a regular expression"),
    ],
)
def test_expressions_that_do_not_group(options, message):
    with pytest.raises(GraphnetsError, match=message):
        split(table(a=numbered(5), b=numbered(4)), **options)


def test_a_given_split_that_tears_a_group_or_starves_a_class():
    photos = table(a=numbered(3), b=numbered(3))
    given = ["training", "validation", "testing", "training", "training", "testing"]
    assert list(split(photos.assign(given_split=given)).split) == given
    with pytest.raises(GraphnetsError, match="split tears 1 of its groups, g the first; wanted"):
        split(photos.assign(given_split=given, group=["g", "", "g", "", "", ""]))
    with pytest.raises(GraphnetsError, match="split leaves class a without photos for training"):
        split(photos.assign(given_split=["validation", *given[1:]]))


def several(labels):
    """A table of photos with several labels each."""
    photos = table(**{"x": numbered(len(labels))})
    return photos.assign(labels=labels, label=["|".join(own) for own in labels])


def test_photos_of_several_labels_are_split_by_hash_and_no_class_is_left_out():
    labels = [("a",), ("b",), ("a", "b"), ()] * 50 + [("a", "rare"), ("rare",), ("b", "rare")]
    photos = split(several(labels), 10, 10)
    rare = photos.split[photos.label.str.contains("rare")]
    assert set(rare) == {"training", "validation", "testing"}
    expected = [expected_split("x", name) for name in numbered(200)]
    assert (photos.split[:200] == expected).mean() > 0.98  # those that were mended


def test_a_class_that_no_other_can_spare_photos_for():
    labels = [("a", "b")] * 3
    photos = split(several(labels), 34, 33)
    assert set(photos.split) == {"training", "validation", "testing"}


def test_folds_take_each_photo_once_and_spread_every_class():
    photos = split(table(ant=numbered(50), bee=numbered(20), cat=numbered(9)))
    photos["key"] = photos.path
    found = folds(photos, 5, 3)
    counts = photos.groupby(["label", found]).size().unstack(fill_value=0)
    assert counts.loc["ant"].tolist() == [10] * 5
    assert counts.loc["bee"].tolist() == [4] * 5
    assert set(counts.loc["cat"]) == {1, 2}
    np.testing.assert_array_equal(found, folds(photos, 5, 3))
    assert (found != folds(photos, 5, 4)).any()


def test_copies_and_groups_are_in_one_fold():
    photos = table(ant=numbered(40), bee=numbered(40))
    photos["key"] = photos.path
    photos["group"] = [f"{label} {i // 4}" for label in ("ant", "bee") for i in range(40)]
    photos.loc[79, "key"] = photos.key[0]  # a copy, which binds two groups
    found = folds(photos, 4)
    together = photos.groupby("group").apply(lambda own: len(set(found[own.index])))
    assert (together == 1).all()
    assert set(found[:4]) == set(found[76:])


@pytest.mark.parametrize(
    "photos, message",
    [
        (table(ant=numbered(9), bee=numbered(1)), "class bee has 1 group of photos, wanted 2 or"),
        (
            table(ant=numbered(3), bee=numbered(3)),
            "the largest class has 3 photos, and all are 6 groups; wanted 5 or more of both for 5",
        ),
    ],
)
def test_too_few_photos_for_folds_are_told(photos, message):
    with pytest.raises(GraphnetsError, match=message):
        folds(photos.assign(key=photos.path), 5)
