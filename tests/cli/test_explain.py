"""`graphnets explain`: pictures, what is said of them, and exit statuses."""

import json

import pytest
from click.testing import CliRunner
from tiny import LABELS, by_hand, pixels, write_png

from graphnets.cli.commands import main


def run(*arguments, expect=0):
    result = CliRunner().invoke(main, ["explain", *map(str, arguments)])
    assert result.exit_code == expect, result.output
    return result


def test_each_photo_has_its_picture_and_a_broken_one_is_named(flags, tmp_path):
    (tmp_path / "photos").mkdir()
    photo = write_png(tmp_path / "photos" / "a.png", pixels(1))
    (tmp_path / "photos" / "b.jpg").write_bytes(b"no picture")
    result = run(*flags, "--output-dir", tmp_path / "out", tmp_path / "photos")
    scores = by_hand(pixels(1))
    assert result.stdout.splitlines() == [
        str(photo), f"  {scores.max():.4f}  {LABELS[scores.argmax()]}",
        f"  {tmp_path / 'out' / 'a_grad_cam.jpg'}",
    ]  # fmt: skip
    assert (tmp_path / "out" / "a_grad_cam.jpg").is_file()
    assert "b.jpg: left out, not a JPEG" in result.stderr
    assert "1 photos explained, 1 left out" in result.stderr


def test_json_has_an_object_a_photo(flags, tmp_path):
    photo = write_png(tmp_path / "a.png", pixels(1, 20, 40))
    missing = tmp_path / "gone.png"
    arguments = [*flags, "--json", "--label", "cat", "--output_dir", tmp_path / "out"]
    first, second = map(json.loads, run(*arguments, missing, photo).stdout.splitlines())
    assert set(first) == {"path", "problem"} and first["path"] == str(missing)
    x, y = second.pop("peak")
    assert 0 <= x < 40 and 0 <= y < 20 and 0 < second.pop("score") < 1
    picture = str(tmp_path / "out" / "a_grad_cam.jpg")
    assert second == {
        "path": str(photo), "label": "cat", "picture": picture, "layer": "Tiny/conv2/Relu",
    }  # fmt: skip
    [line] = run(*arguments, "--occlusion", photo).stdout.splitlines()
    assert json.loads(line)["layer"] is None and "a_occlusion.jpg" in line


@pytest.mark.parametrize(
    "more, status, message",
    [
        (["--label", "dog"], 1, "there is no label 'dog'; wanted one of ant, bee, cat"),
        (["--layer", "conv9"], 1, "graph.pb has no map 'conv9' that leads to final_logits:0; the"),
        (["--layer", "conv1", "--occlusion"], 2, "--layer is of Grad-CAM, and --occlusion"),
        (["--graph", "none.pb"], 1, "none.pb cannot be read"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_before_anything_is_written(flags, tmp_path, more, status, message):
    photo = write_png(tmp_path / "a.png", pixels(1))
    result = run(*flags, "--output_dir", tmp_path / "out", photo, *more, expect=status)
    assert message in result.stderr
    assert not list(tmp_path.glob("out/*"))


def test_no_photo_at_all_is_an_error(flags, tmp_path):
    result = run(*flags, "--output_dir", tmp_path, tmp_path / "gone.jpg", expect=1)
    assert "no photo could be explained; wanted readable pictures" in result.stderr


def test_a_photo_that_is_named_twice_has_one_picture(flags, tmp_path):
    (tmp_path / "photos").mkdir()
    photo = write_png(tmp_path / "photos" / "a.png", pixels(1))
    run(*flags, "--output_dir", tmp_path / "out", photo.parent, photo)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a_grad_cam.jpg"]


@pytest.mark.parametrize("output", ["photos", "photos/below", "."])
def test_pictures_are_not_put_among_the_photos(flags, tmp_path, output):
    (tmp_path / "photos").mkdir()
    photo = write_png(tmp_path / "photos" / "a.png", pixels(1))
    result = run(*flags, "--output_dir", tmp_path / output, photo.parent, expect=1)
    assert "photos, whose photos are read: pictures would be taken for photos" in result.stderr
    assert list(photo.parent.iterdir()) == [photo]
