"""Pairs of photos that show the same picture."""

import sys
import time

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageEnhance, ImageOps
from scenes import scene

from graphnets.errors import GraphnetsError
from graphnets.photos.copies import check_imagehash, exact_pairs, groups, near_pairs, prints
from graphnets.photos.look import look


def pairs_of(pictures, tmp_path):
    """(first, second, mirrored) of pictures, or (picture, quality) of a JPEG."""
    found = []
    for number, picture in enumerate(pictures):
        picture, quality = picture if isinstance(picture, tuple) else (picture, 90)
        picture.save(tmp_path / f"{number}.jpg", quality=quality)
        found.append(look(str(tmp_path / f"{number}.jpg")))
    hashes = np.array([prints(one.grey) for one in found])
    pairs = near_pairs(hashes, np.array([one.colours for one in found]))
    return list(pairs.itertuples(index=False, name=None))


@pytest.mark.parametrize(
    "copy",
    [
        lambda picture: (picture, 20),
        lambda picture: picture.resize((80, 60)),
        lambda picture: picture.resize((224, 224)),
        lambda picture: ImageEnhance.Brightness(picture).enhance(1.1),
        lambda picture: ImageEnhance.Contrast(picture).enhance(0.8),
    ],
    ids=["quality", "half", "square", "brighter", "contrast"],
)
def test_copies_are_found_and_other_scenes_are_not(tmp_path, copy):
    others = [scene(seed) for seed in range(1, 30)]
    assert pairs_of([scene(0), *others, copy(scene(0))], tmp_path) == [(0, 30, False)]


def test_mirrored_copies_are_told(tmp_path):
    pictures = [scene(0), scene(1), ImageOps.mirror(scene(0)), (scene(1), 50)]
    assert pairs_of(pictures, tmp_path) == [(0, 2, True), (1, 3, False)]


def test_the_same_shapes_in_other_colours_are_no_copies(tmp_path):
    red, green, blue = scene(0).split()
    assert pairs_of([scene(0), Image.merge("RGB", (green, blue, red))], tmp_path) == []


def test_pictures_with_nothing_on_them_are_no_copies(tmp_path):
    assert (
        pairs_of([Image.new("RGB", (9, 9), c) for c in ("red", "#f80000", "red")], tmp_path) == []
    )


def test_no_photos_have_no_pairs():
    nothing = near_pairs(np.empty((0, 2, 64), bool), np.empty((0, 16, 16, 3), np.uint8))
    assert len(nothing) == 0 and list(nothing) == ["first", "second", "mirrored"]


def test_ten_thousand_photos_take_seconds():
    random = np.random.default_rng(0)
    hashes = random.random((10_000, 2, 64)) < 0.5
    colours = random.integers(0, 256, (10_000, 16, 16, 3), dtype=np.uint8)
    hashes[9_000], colours[9_000] = hashes[7], colours[7]
    start = time.perf_counter()
    [pair] = near_pairs(hashes, colours).itertuples(index=False, name=None)
    assert pair == (7, 9_000, False)
    assert time.perf_counter() - start < 15  # measured 1.3 s; this machine may be busy


def test_a_film_whose_frames_are_all_alike_is_one_group():
    hashes = np.zeros((700, 2, 64), bool)
    colours = np.tile(np.asarray(scene(0).resize((16, 16))), (700, 1, 1, 1))
    pairs = near_pairs(hashes, colours)
    assert len(pairs) < 700 * 200 and groups(pairs) == [list(range(700))]


def test_exact_pairs_link_each_copy_with_the_first():
    found = exact_pairs(pd.Series(["a", "b", "a", "c", "b", "a"], index=[9] * 6))
    assert found.values.tolist() == [[0, 2], [1, 4], [0, 5]]


def test_groups_follow_chains():
    pairs = pd.DataFrame({"first": [5, 1, 2, 7], "second": [6, 2, 5, 9]})
    assert groups(pairs) == [[1, 2, 5, 6], [7, 9]]


def test_without_imagehash_it_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "imagehash", None)
    with pytest.raises(GraphnetsError, match=r"`pip install 'graphnets\[check\]'`, or go without"):
        check_imagehash()
