"""Bad photos are read right or refused, and named once; more: `python -m tests.badphotos`."""

import os
from collections import Counter

import cv2
import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image
from tiny import tiny_network

from graphnets.cli.commands import main
from graphnets.errors import PhotoError
from graphnets.photos.images import upright
from graphnets.photos.kinds import OTHER_JPEG
from graphnets.photos.labels import confused
from tests.badphotos import places, runs
from tests.badphotos.__main__ import Table, judge_names, written
from tests.badphotos.case import READ, REFUSED, SAME, Case
from tests.badphotos.damage import of_seed
from tests.badphotos.judge import Judge
from tests.badphotos.pictures import KINDS, sound
from tests.badphotos.places import of_places

SOUND = sound("jpeg", np.random.default_rng(0))


@pytest.fixture(scope="module")
def judge():
    with tf.Graph().as_default(), tf.Session() as session:
        yield Judge(session)


@pytest.fixture(scope="module")
def cases():
    """Some of each group: about 60."""
    held_back = os.geteuid() != 0  # modes hold root back nowhere
    found = [case for case in of_places(0) if held_back or case.group != "mode"]
    groups = {case.group: [c for c in found if c.group == case.group][:4] for case in found}
    return [*sum(groups.values(), []), *of_seed(0, 40)]


def test_some_cases(tmp_path, judge, cases):
    table = Table()
    assert 55 <= len(cases) <= 70
    for case, path in written(tmp_path / "bad", cases).items():
        found, why = judge.judged(case, path)
        table.add(case.group, found, case.name, why)
    total = sum(table.counts.values(), Counter())
    assert table.faults == 0
    assert total["refused"] > 20 and total["equal"] > 10


def test_extraction_ends_and_names_each_bad_photo_once(tmp_path, monkeypatch, judge, cases, capfd):
    """As `python -m tests.badphotos` has it of whole processes."""
    monkeypatch.setattr(
        "graphnets.cli.photos.opened", lambda _: tiny_network()
    )  # AlexNet takes seconds
    paths = written(tmp_path / "photos" / "bad", cases)
    runs.good_classes(tmp_path / "photos", 0, count=3)
    output = tmp_path / "out.npz"
    arguments = ["extract", "--images", str(tmp_path / "photos"), "--endpoint", "conv2"]
    arguments += ["--architecture", "alexnet", "--weights", "random"]
    arguments += ["--bottleneck_dir", str(tmp_path / "store"), "--output", str(output)]
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert not ended.value.code
    files = {os.fsdecode(path): case for case, path in paths.items()}
    with np.load(output) as found:
        taken = set(found["paths"].tolist())
    good = [path for path in taken if "_good" in path]
    refused = {p for p, c in files.items() if judge.judged(c, os.fsencode(p)).found == "refused"}
    refused |= {path for path in files if confused(path)}
    assert len(good) == 6 and taken == {*good, *(files.keys() - refused)}
    table = Table()
    counts = runs.named(capfd.readouterr().out, files, "  ", ": ")
    judge_names(table, "extract names", counts, {path: path not in taken for path in files})
    assert table.faults == 0


def test_a_file_not_named_or_named_twice_is_noticed(capsys):
    text = "  a.jpg: damaged or cut off\n  b.jpg: an empty file\n  b.jpg: an empty file\n"
    table = Table()
    counts = runs.named(text, ["a.jpg", "b.jpg", "c.jpg", "d.jpg"], "  ", ": ")
    wanted = {"a.jpg": True, "b.jpg": True, "c.jpg": True, "d.jpg": False}
    judge_names(table, "names", counts, wanted)
    said = capsys.readouterr().out.splitlines()
    assert [line.partition("('")[2][:5] for line in said] == ["b.jpg", "c.jpg"]
    assert table.faults == 2
    judge_names(table, "names", Counter({"a.jpg": 1}), {"a.jpg": False})
    assert table.faults == 3


def broken(how):
    """A reader with a planted fault."""

    def read(photo, right):
        if how == "silent":
            try:
                return right(photo)
            except PhotoError:
                return np.zeros((4, 4, 3), np.uint8)
        if how == "another error":
            raise ValueError("a bug")
        pixels = right(photo)
        return {
            "shifted": lambda: np.roll(pixels, 1, 1), "turned": lambda: upright(pixels, 3),
            "lighter": lambda: np.where(pixels < 251, pixels + 4, pixels).astype(np.uint8),
            "cut": lambda: pixels[:-1], "other colours": lambda: pixels[..., ::-1],
            "half grey": lambda: np.where(np.arange(len(pixels))[:, None, None] < 9, pixels, 128),
        }[how]()  # fmt: skip

    return read


@pytest.mark.parametrize("kind", ["jpeg", "jpeg_cmyk", "png", "webp_lossless"])
@pytest.mark.parametrize(
    "how", ["shifted", "turned", "lighter", "cut", "other colours", "half grey", "another error"]
)
def test_a_planted_fault_is_noticed(tmp_path, monkeypatch, judge, kind, how):
    path = tmp_path / "a"
    path.write_bytes(sound(kind, np.random.default_rng(5)))
    case = Case("sound", "a", b"", None, READ)
    assert judge.judged(case, path).found in ("equal", "fast")
    right, fault = judge._read, broken(how)
    monkeypatch.setattr(judge, "_read", lambda photo: fault(photo, right))
    assert judge.judged(case, path).found == "failure"


@pytest.mark.parametrize(
    ("wanted", "data", "how"),
    [
        (REFUSED, b"none", "silent"),
        (SAME, SOUND[:-99], "silent"),
        (READ, SOUND[:99], "right"),
        (REFUSED, SOUND, "right"),
    ],
)
def test_a_wrong_answer_to_a_bad_file_is_noticed(tmp_path, monkeypatch, judge, wanted, data, how):
    (tmp_path / "a").write_bytes(data)
    right, fault = judge._read, broken(how)
    if how != "right":
        monkeypatch.setattr(judge, "_read", lambda photo: fault(photo, right))
    case = Case("cut", "a", data, SOUND, wanted)
    assert judge.judged(case, tmp_path / "a").found == "failure"


def test_a_seed_has_the_same_cases_again():
    first, again = ([c[:4] for c in of_seed(3, 32)] for _ in range(2))
    assert first == again != [c[:4] for c in of_seed(4, 32)]
    assert len({c.name for c in of_places(0)}) == len(list(of_places(0)))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_sound_photo_is_read_or_said_to_be_rare(tmp_path, judge, kind):
    (tmp_path / "a").write_bytes(sound(kind, np.random.default_rng(1)))
    refused = kind in ("jpeg_12bit", "jpeg_lossless")
    case = Case("sound", "a", b"", None, REFUSED if refused else READ)
    found, why = judge.judged(case, tmp_path / "a")
    assert found in (("refused",) if refused else ("equal", "fast", "alone"))
    assert why == (OTHER_JPEG if refused else "")
    if int(cv2.__version__.split(".")[1]) >= 12:  # older ones read less
        assert found != "alone" or kind == "heic"


@pytest.mark.parametrize("make", [places._png, places._bmp, places._pbm, places._tiff])
def test_bombs_are_pictures_but_for_their_size(tmp_path, judge, make):
    (path,) = written(tmp_path / "small", [Case("sound", "a", make(50), None, READ)]).values()
    with Image.open(path) as image:
        assert image.size == (50, 50)
    assert judge.judged(Case("sound", "a", b"", None, READ), path).found == "equal"


@pytest.mark.parametrize("make", [places._bmp, places._pbm, places._tiff])
def test_bombs_are_refused(tmp_path, judge, make):
    case = Case("bomb", "a", make(places.ABOVE), None, REFUSED)
    (path,) = written(tmp_path / "large", [case]).values()
    found, why = judge.judged(case, path)
    assert found == "refused" and "pixels" in why
