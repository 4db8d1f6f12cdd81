"""The pictures of a page: one each, until there is no room."""

import re

import numpy as np
from PIL import Image

from graphnets.report import album
from graphnets.report.album import Album


def files(tmp_path, count):
    random = np.random.default_rng(0)
    for number in range(count):
        noise = random.integers(0, 255, (160, 160, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{number}.png")
    return [str(tmp_path / f"{number}.png") for number in range(count)]


def test_a_picture_is_there_once(tmp_path):
    paths = files(tmp_path, 2)
    found = Album()
    found.fill([paths[0], paths[0]])
    found.fill(paths)
    assert found[paths[0]] != found[paths[1]] != ""
    assert len(re.findall("data:image/jpeg", found.styles())) == 2
    assert f".{found[paths[1]]}{{background-image:url(data:image/jpeg;base64," in found.styles()


def test_there_is_no_more_than_there_is_room_for(tmp_path, monkeypatch):
    monkeypatch.setattr(album, "MOST_BYTES", 30_000)
    paths = files(tmp_path, 5)
    found = Album()
    found.fill(paths)
    named = [path for path in paths if found[path]]
    assert found.full and named == paths[: len(named)] and 0 < len(named) < 5
    assert len(found.styles()) < 30_000 + 200


def test_one_that_is_gone_is_grey(tmp_path):
    found = Album()
    found.fill([str(tmp_path / "gone.jpg")])
    assert found[str(tmp_path / "gone.jpg")] == "p0"
