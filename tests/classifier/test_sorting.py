"""Photos copied into folders by label: never outside of them, never over anything."""

import os

import pytest

from graphnets.classifier.predictions import Prediction
from graphnets.classifier.sorting import check_sorting, folder_names, numbered, sorting
from graphnets.errors import GraphnetsError

LABELS = ["rose", "tulip"]


@pytest.fixture
def photos(tmp_path):
    """Three files in two folders, two of which have one name."""
    for place, data in (("in/a/1.jpg", b"one"), ("in/b/1.jpg", b"two"), ("in/b/2.jpg", b"three")):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_bytes(data)
        os.utime(tmp_path / place, (1_000_000_000, 1_100_000_000))
    return tmp_path / "in"


def sort(folder, predictions, labels=LABELS, least=None):
    folder.mkdir(exist_ok=True)
    with sorting(folder, labels, least) as sorter:
        for prediction in predictions:
            sorter.add(prediction)
    return sorter


def rose(path, score=0.9, **more):
    return Prediction(str(path), [("rose", score), ("tulip", 1 - score)], **more)


def files(folder):
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_a_photo_goes_to_its_labels_folder_with_its_time(photos, tmp_path):
    sorter = sort(
        tmp_path / "out", [rose(photos / "a" / "1.jpg"), rose(photos / "b" / "2.jpg", 0.2)]
    )
    assert files(tmp_path / "out") == {"rose/1.jpg": b"one", "rose/2.jpg": b"three"}
    copy = tmp_path / "out" / "rose" / "1.jpg"
    assert copy.stat().st_mtime == 1_100_000_000 and not copy.stat().st_mode & 0o111
    assert (sorter.copied, sorter.there, sorter.failed) == (2, 0, [])
    assert (photos / "a" / "1.jpg").exists()


def test_one_name_twice_gets_a_number_and_a_second_run_doubles_nothing(photos, tmp_path):
    found = [rose(photos / "a" / "1.jpg"), rose(photos / "b" / "1.jpg")]
    expected = {"rose/1.jpg": b"one", "rose/1 (2).jpg": b"two"}
    for copied, there in ((2, 0), (0, 2)):
        sorter = sort(tmp_path / "out", found)
        assert files(tmp_path / "out") == expected
        assert (sorter.copied, sorter.there) == (copied, there)


def test_same_sizes_and_times_are_not_taken_for_the_same_bytes(photos, tmp_path):
    """All three have 3 bytes and one time, as files out of an archive may."""
    (photos / "b" / "2.jpg").rename(photos / "1.jpg")
    (photos / "1.jpg").write_bytes(b"six")
    os.utime(photos / "1.jpg", (1_000_000_000, 1_100_000_000))
    found = [rose(photos / place) for place in ("a/1.jpg", "b/1.jpg", "1.jpg", "a/1.jpg")]
    sorter = sort(tmp_path / "out", found)
    assert sorted(files(tmp_path / "out").values()) == [b"one", b"six", b"two"]
    assert (sorter.copied, sorter.there) == (3, 1)


def test_what_is_there_is_not_overwritten(photos, tmp_path):
    (tmp_path / "out" / "rose").mkdir(parents=True)
    (tmp_path / "out" / "rose" / "1.jpg").write_bytes(b"mine")
    os.symlink(tmp_path / "elsewhere", tmp_path / "out" / "rose" / "1 (2).jpg")
    sort(tmp_path / "out", [rose(photos / "a" / "1.jpg")])
    assert files(tmp_path / "out") == {"rose/1.jpg": b"mine", "rose/1 (3).jpg": b"one"}
    assert not (tmp_path / "elsewhere").exists()


def test_what_is_not_sure_known_or_labelled_has_folders_of_its_own(photos, tmp_path):
    one, two, three = (photos / place for place in ("a/1.jpg", "b/1.jpg", "b/2.jpg"))
    sort(tmp_path / "out", [rose(one, 0.79), rose(two, 0.8), rose(three, unknown=True)], least=0.8)
    assert files(tmp_path / "out") == {
        "unsure/1.jpg": b"one", "rose/1.jpg": b"two", "unknown/2.jpg": b"three",
    }  # fmt: skip
    several = [
        rose(one, labels=[("rose", 0.9), ("tulip", 0.85)]),
        rose(two, labels=[("rose", 0.9), ("tulip", 0.7)]),
        rose(three, labels=[]),
    ]
    sort(tmp_path / "several", several, least=0.8)
    assert files(tmp_path / "several") == {
        "rose/1.jpg": b"one", "tulip/1.jpg": b"one", "rose/1 (2).jpg": b"two",
        "none/2.jpg": b"three",
    }  # fmt: skip


def test_frames_are_counted_and_what_is_gone_is_told(photos, tmp_path):
    found = [rose("a.mp4", time=0.5), rose(photos / "gone.jpg"), rose("x", problem="damaged")]
    sorter = sort(tmp_path / "out", found)
    assert (sorter.copied, sorter.frames) == (0, 1)
    assert sorter.failed == [(str(photos / "gone.jpg"), "No such file or directory")]
    assert files(tmp_path / "out") == {}


HOSTILE = ["../x", "a/b", "a_b", "", "\0", "..", ".git", "NUL", "con.txt", "Rose", "rose", "a\nb",
           "unsure", "x" * 300, "/etc", "\udcff"]  # fmt: skip


def test_no_label_leads_out_of_the_folder_and_no_two_share_one(photos, tmp_path):
    names = folder_names(HOSTILE)
    assert len({name.casefold() for name in names.values()}) == len(HOSTILE) + 3
    assert {label: names[label, True] for label in HOSTILE[:11]} == {
        "../x": "___x", "a/b": "a_b (2)", "a_b": "a_b", "": "_", "\0": "_ (2)", "..": "__",
        ".git": "_git", "NUL": "_NUL", "con.txt": "_con.txt", "Rose": "Rose", "rose": "rose (2)",
    }  # fmt: skip
    assert names["unsure", True] == "unsure" and names["unsure", False] == "unsure (2)"
    path = str(photos / "a" / "1.jpg")
    sort(tmp_path / "out", [Prediction(path, [(label, 1.0)]) for label in HOSTILE], HOSTILE)
    assert len(files(tmp_path / "out")) == len(HOSTILE)
    assert sorted(os.listdir(tmp_path)) == ["in", "out"]


@pytest.mark.parametrize("kind", ["link", "file"])
def test_a_link_or_a_file_for_a_folder_is_told_before_anything_is_copied(photos, tmp_path, kind):
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    if kind == "link":
        os.symlink(tmp_path / "elsewhere", tmp_path / "out" / "tulip")
    else:
        (tmp_path / "out" / "tulip").write_text("")
    with pytest.raises(GraphnetsError) as caught:
        sort(tmp_path / "out", [rose(photos / "a" / "1.jpg")])
    assert str(caught.value) == (
        f"{tmp_path}/out/tulip is a {kind}, wanted a folder or nothing: take it away, or name "
        "another folder for the copies"
    )
    assert sorted(os.listdir(tmp_path / "out")) == ["tulip"]


@pytest.mark.parametrize("inside", ["in", "in/sorted", "."])
def test_copies_are_not_made_where_photos_are_read(photos, tmp_path, monkeypatch, inside):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GraphnetsError) as caught:
        check_sorting(inside, ["in"])
    assert str(caught.value) == (
        f"the folder for copies is {inside}, in or around in, whose photos are read: they would "
        "be read again; name a folder elsewhere"
    )
    check_sorting("beside", ["in", "in/a/1.jpg"])
    with pytest.raises(GraphnetsError, match="^the folder for copies is '', wanted the path of a"):
        check_sorting("", ["in"])


def test_numbers_stand_before_the_ending_and_names_stay_short():
    names = numbered("a.b.jpg")
    assert [next(names) for _ in range(3)] == ["a.b.jpg", "a.b (2).jpg", "a.b (3).jpg"]
    names = numbered("é" * 125 + ".jpeg")
    next(names)
    long = os.fsencode(next(names))
    assert len(long) <= 255 and long.endswith(b" (2).jpeg")


def test_a_full_disk_is_told_in_a_sentence_and_leaves_no_half_photo(photos, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("graphnets.classifier.sorting.shutil.copyfileobj", full)
    with pytest.raises(GraphnetsError, match="out/rose cannot be written: No space left on dev"):
        sort(tmp_path / "out", [rose(photos / "a" / "1.jpg")])
    assert files(tmp_path / "out") == {} and os.listdir(tmp_path / "out") == ["rose"]
