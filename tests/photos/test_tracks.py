"""Names that look like frames of tracks, and names that do not."""

import numpy as np
import pandas as pd
import pytest

from graphnets.errors import GraphnetsError
from graphnets.photos.splits import split
from graphnets.photos.tracks import Tracks, looks_like_tracks

TRACKS = [f"{track:05d}_{frame:05d}.ppm" for track in range(6) for frame in range(8)]


def table(names, classes=("stop", "yield")):
    """The photos of `graphnets.scan`: the same names in each class."""
    paths = [(label, f"photos/{label}/{name}") for label in classes for name in names]
    photos = pd.DataFrame(paths, columns=["label", "path"])
    return photos.assign(key=photos.path, problem="")


def found(names, classes=("stop", "yield"), **splitting):
    return looks_like_tracks(split(table(names, classes), **splitting))


def test_names_as_in_gtsrb_are_tracks_and_the_expression_keeps_them_together():
    tracks = found(TRACKS)
    assert tracks == Tracks("00000_00000.ppm", "00000_00007.ppm", 12, tracks.torn, r"_\d+")
    assert 6 <= tracks.torn <= 12
    assert found(TRACKS, group_by=tracks.group_by) is None


def test_a_few_frames_of_each_track_are_enough():
    kept = np.random.default_rng(0).random(len(TRACKS)) < 0.4
    assert found([name for name, keep in zip(TRACKS, kept, strict=True) if keep]).number > 4


@pytest.mark.parametrize(
    ("name", "classes", "expression"),
    [
        ("video{}_frame{:04d}.jpg", ("stop", "yield"), r"_frame\d+"),
        ("clip{}-{}.png", ("stop", "yield"), r"-\d+"),
        ("clip{}.{}.png", ("stop", "yield"), r"\.\d+"),
        ("cam_{}_{}.jpg", ("stop", "yield"), r"_\d+(?=\.\w+$)"),  # _\d+ would unite the cameras
        ("{}_{}.jpg", ("sign_1", "sign_2"), r"_\d+(?=\.\w+$)"),  # and here the classes
    ],
)
def test_the_expression_fits_the_names(name, classes, expression):
    names = [name.format(track, frame) for track in range(5) for frame in range(9)]
    assert found(names, classes).group_by == expression
    grouped = split(table(names, classes), group_by=expression)
    assert grouped.group.nunique() == 5 * len(classes)


@pytest.mark.parametrize(
    "names",
    [
        [f"image_{i:04d}.jpg" for i in range(1, 200)],
        [f"IMG_{i}.jpg" for i in range(1200, 1400)] + [f"DSC_{i}.jpg" for i in range(100)],
        [f"{5547758 + 7919 * i}_eea9edfd{i % 100:02d}_n.jpg" for i in range(100)],
        [f"{5547758 + 7919 * i}_6604309{i % 100:03d}.jpg" for i in range(100)],
        [f"2021-{month:02d}-{day:02d}.jpg" for month in range(1, 9) for day in range(1, 29)],
        [f"IMG_202103{day:02d}_{h:02d}1501.jpg" for day in range(1, 20) for h in range(9, 20)],
        [f"beagle_{i}.jpg" for i in range(99)] + [f"pug_{i}.jpg" for i in range(99)],
        [f"user{i % 9}_{7919 * i % 99991}.jpg" for i in range(60)],
        [f"bush{i // 9}_nohash_{i % 9}.jpg" for i in range(90)],  # which the split keeps together
        ["a.jpg", "b", "00001_00001.ppm", "00001_00002.ppm", "c.jpg", "d.jpg", "e_1.jpg"],
    ],
    ids=lambda names: names[0],
)
def test_other_names_are_no_tracks(names):
    assert found(names) is None


def test_a_given_split_counts_as_it_is():
    photos = table(TRACKS)
    of_track = photos.path.str[-11:-10].astype(int)
    whole = photos.assign(given_split=np.where(of_track < 4, "training", "testing"))
    assert looks_like_tracks(split(whole)) is None
    torn = whole.assign(given_split=np.where(photos.index % 2, "training", "testing"))
    assert looks_like_tracks(split(torn)).torn == 12


def test_what_cannot_be_used_is_not_counted():
    photos = table(TRACKS)
    frames = photos.path.str[-5].astype(int)
    photos["problem"] = np.where(frames == 3, "", "damaged")
    assert looks_like_tracks(split(photos)) is None


def test_a_table_without_splits_is_refused():
    with pytest.raises(GraphnetsError, match="photos has no column split, wanted the table"):
        looks_like_tracks(table(TRACKS))
