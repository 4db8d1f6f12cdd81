"""The drawn signs: told apart, rightly coloured, and the same again for the same seed."""

import itertools
import re

import numpy as np
import pytest
from PIL import Image

from graphnets.jobs import signs

CLASSES = range(43)


def rgb(class_id, size=128):
    """The clean sign on a mid grey."""
    layer = signs.clean(class_id, size)
    image = Image.new("RGB", layer.size, (128, 128, 128))
    image.paste(layer, mask=layer)
    return np.asarray(image).astype(int)


def share(class_id, colour):
    """How much of the sign's own area is close to the colour."""
    own = np.asarray(signs.clean(class_id, 128))[..., 3] > 250
    close = np.abs(rgb(class_id) - np.array(colour)).max(axis=-1) < 40
    return (close & own).sum() / own.sum()


def files(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.jpg")}


def test_names_and_folders():
    assert len(signs.NAMES) == len(set(signs.NAMES)) == 43
    assert len(signs.FOLDERS) == len(set(signs.FOLDERS)) == 43
    for c, folder in enumerate(signs.FOLDERS):
        assert re.fullmatch(rf"{c:02d}(_[a-z0-9]+)+", folder)
    assert list(signs.FOLDERS) == sorted(signs.FOLDERS)
    assert (signs.NAMES[2], signs.FOLDERS[2]) == ("Speed limit (50km/h)", "02_speed_limit_50")
    assert (signs.NAMES[14], signs.FOLDERS[14]) == ("Stop", "14_stop")
    assert signs.NAMES[15] == "No vehicles"


@pytest.mark.parametrize("class_id", CLASSES)
def test_draw_is_a_small_rgb_photo(class_id):
    photo = signs.draw(class_id, np.random.default_rng([1, class_id]))
    assert photo.dtype == np.uint8
    assert photo.ndim == 3 and photo.shape[2] == 3
    assert all(48 <= n <= 160 for n in photo.shape[:2])
    assert photo.std() > 2


def test_views_vary_in_shape_and_light_but_not_beyond_sight():
    views = [signs.draw(14, np.random.default_rng([2, k])) for k in range(60)]
    assert len({v.shape for v in views}) > 30
    light = [v.mean() for v in views]
    assert min(light) > 5 and max(light) < 250
    assert max(light) - min(light) > 60


def test_draw_follows_the_generator():
    one, same, other = (signs.draw(25, np.random.default_rng(s)) for s in (3, 3, 4))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("class_id", [-1, 43])
def test_draw_refuses_another_class(class_id):
    with pytest.raises(ValueError, match=f"^class_id must be 0 to 42, not {class_id}$"):
        signs.draw(class_id, np.random.default_rng(0))


def test_every_two_clean_signs_differ():
    clean = [rgb(c, 64) for c in CLASSES]
    for a, b in itertools.combinations(CLASSES, 2):
        differ = (np.abs(clean[a] - clean[b]).max(axis=-1) > 60).mean()
        assert differ > 0.008, (signs.NAMES[a], signs.NAMES[b], differ)


def test_a_clean_sign_is_whole():
    for c in CLASSES:
        alpha = np.asarray(signs.clean(c, 64))[..., 3]
        assert not (alpha[0].any() or alpha[-1].any() or alpha[:, 0].any() or alpha[:, -1].any())
        assert alpha.mean() > 0.3 * 255


@pytest.mark.parametrize("left, right", [(19, 20), (34, 33), (37, 36), (39, 38)])
def test_left_is_the_mirror_of_right(left, right):
    differ = np.abs(rgb(left)[:, ::-1] - rgb(right)).max(axis=-1) > 60
    assert differ.mean() < 0.01


@pytest.mark.parametrize("class_id", [19, 20])
def test_the_curve_points_to_its_side(class_id):
    dark = (rgb(class_id) < 60).all(axis=-1)
    high = dark[: int(np.argwhere(dark)[:, 0].mean())]
    toward = np.argwhere(high)[:, 1].mean() - 64
    assert toward < 0 if class_id == 19 else toward > 0


@pytest.mark.parametrize("class_id", range(33, 41))
def test_orders_are_blue_with_white(class_id):
    assert share(class_id, signs.BLUE) > 0.55
    assert share(class_id, signs.WHITE) > 0.15
    assert share(class_id, signs.RED) == 0


@pytest.mark.parametrize("class_id", [14, 17])
def test_stop_and_no_entry_are_mostly_red_with_white(class_id):
    assert share(class_id, signs.RED) > 0.55
    assert share(class_id, signs.WHITE) > 0.1


@pytest.mark.parametrize("class_id", [*range(6), *range(7, 12), 13, 15, 16, *range(18, 32)])
def test_limits_and_warnings_have_a_red_border_round_white(class_id):
    assert share(class_id, signs.RED) > 0.25
    assert share(class_id, signs.WHITE) > 0.15
    assert share(class_id, signs.BLUE) == 0


@pytest.mark.parametrize("class_id", [6, 32, 41, 42])
def test_ends_are_pale_with_black_bars_and_no_red(class_id):
    assert share(class_id, signs.PALE) > 0.4
    assert share(class_id, signs.BLACK) > 0.1
    assert share(class_id, signs.RED) == 0


def test_few_signs_have_other_colours():
    assert share(12, signs.YELLOW) > 0.2
    assert min(share(26, c) for c in (signs.YELLOW, signs.GREEN)) > 0.01
    assert share(9, signs.RED) > share(15, signs.RED) + 0.02  # the car to the left


def test_write_lays_out_folders_of_jpegs(tmp_path):
    assert signs.draw_signs(tmp_path / "new" / "photos", per_class=1) == 43
    written = files(tmp_path / "new" / "photos")
    assert set(written) == {f"{folder}/00000.jpg" for folder in signs.FOLDERS}
    with Image.open(tmp_path / "new" / "photos" / "14_stop" / "00000.jpg") as image:
        assert (image.format, image.mode) == ("JPEG", "RGB")
        drawn = signs.draw(14, np.random.default_rng([0, 14, 0]))
        assert np.abs(np.asarray(image).astype(int) - drawn).mean() < 12


def test_write_is_the_same_again_and_more_keeps_the_first(tmp_path):
    signs.draw_signs(tmp_path / "a", per_class=1, seed=5)
    signs.draw_signs(tmp_path / "b", per_class=2, seed=5)
    signs.draw_signs(tmp_path / "c", per_class=1, seed=6)
    a, b, c = (files(tmp_path / name) for name in "abc")
    assert len(b) == 2 * len(a) == 86
    assert {name: b[name] for name in a} == a
    assert len(set(b.values())) == 86
    assert all(a[name] != c[name] for name in a)


def test_write_deletes_nothing_and_tells_progress(tmp_path):
    kept = tmp_path / signs.FOLDERS[0] / "mine.txt"
    kept.parent.mkdir()
    kept.write_text("mine")
    (kept.parent / "00000.jpg").write_text("old")
    seen = []

    def progress(jobs):
        seen.append(len(jobs))
        for job in jobs:
            seen.append(job)
            yield job

    assert signs.draw_signs(tmp_path, per_class=1, progress=progress) == 43
    assert seen == [43, *((c, 0) for c in CLASSES)]
    assert kept.read_text() == "mine"
    assert (kept.parent / "00000.jpg").read_bytes()[:2] == b"\xff\xd8"


@pytest.mark.parametrize("wrong", ["per_class", "seed"])
def test_write_refuses_negative_numbers(tmp_path, wrong):
    with pytest.raises(ValueError, match=f"{wrong} is -1, wanted"):
        signs.draw_signs(tmp_path / "none", **{wrong: -1})
    assert not (tmp_path / "none").exists()
