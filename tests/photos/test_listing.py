"""Which files of a folder are photos, and of which class; how odd names are shown."""

import hashlib
import os

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from world import make_folder

from graphnets.errors import GraphnetsError
from graphnets.photos import images, labels
from graphnets.photos.listing import check_classes, scan
from graphnets.photos.splits import split


def test_scan_lists_the_photos_by_class_and_name(tmp_path):
    make_folder(tmp_path, roses=3, daisies=4)
    (tmp_path / "daisies" / "B.png").write_bytes(b"upper case")
    photos = scan(tmp_path)
    assert list(photos.columns) == ["path", "label", "key", "problem"]
    names = ["0.png", "1.png", "2.png", "3.png", "B.png"]
    expected = [tmp_path / "daisies" / name for name in names]
    expected += [tmp_path / "roses" / name for name in names[:3]]
    assert list(photos.path) == [str(path) for path in expected]
    assert list(photos.label) == ["daisies"] * 5 + ["roses"] * 3
    digests = [hashlib.sha256(path.read_bytes()).hexdigest()[:32] for path in expected]
    assert list(photos.key) == digests
    assert list(photos.problem) == [""] * 8


def test_the_key_of_a_large_file_is_of_all_its_bytes(tmp_path):
    make_folder(tmp_path, a=3, b=3)
    data = np.random.default_rng(6).bytes(3_000_001)
    (tmp_path / "a" / "9.jpg").write_bytes(data)
    key = scan(tmp_path).key[3]
    assert key == hashlib.sha256(data).hexdigest()[:32]


def test_the_key_depends_on_the_bytes_alone(tmp_path):
    here = make_folder(tmp_path / "here", a=3, b=3)
    there = tmp_path / "there"
    here_keys = scan(here).key
    here.rename(there)
    os.rename(there / "b" / "2.png", there / "b" / "another name.jpeg")
    os.utime(there / "b" / "1.png", (0, 0))
    (there / "a" / "copy.gif").write_bytes((there / "b" / "0.png").read_bytes())
    photos = scan(there)
    assert list(photos.key[photos.path.str.endswith("png")]) == list(here_keys[:5])
    assert set(photos.key) == set(here_keys)


def test_scan_tells_how_far_it_is(tmp_path):
    seen = []

    def progress(items, total, desc):
        for item in items:
            seen.append((total, desc))
            yield item

    scan(make_folder(tmp_path, a=3, b=4), progress)
    assert seen == [(7, "reading photos")] * 7


def test_hidden_files_and_what_file_managers_leave_are_passed_over(tmp_path):
    make_folder(tmp_path, a=3, b=3)
    make_folder(tmp_path, **{".hidden": 3})
    for name in (".DS_Store", "._0.png", "Thumbs.db", "desktop.ini", "Desktop.INI"):
        (tmp_path / "a" / name).write_bytes(b"x")
    (tmp_path / "README.txt").write_text("beside the classes")
    photos = scan(tmp_path)
    assert len(photos) == 6
    assert set(photos.label) == {"a", "b"}


def test_what_is_no_file_is_named_and_the_scan_goes_on(tmp_path, no_hang):
    make_folder(tmp_path, a=3, b=3)
    os.mkfifo(tmp_path / "a" / "pipe.jpg")
    os.symlink("nowhere.jpg", tmp_path / "a" / "dangling.jpg")
    os.symlink("loop.jpg", tmp_path / "a" / "loop.jpg")
    os.symlink("loop", tmp_path / "loop")
    (tmp_path / "a" / "more").mkdir()
    (tmp_path / "a" / "note.txt").write_text("has a key; what it is shows when it is decoded")
    photos = scan(tmp_path)
    bad = photos[photos.problem != ""]
    assert {os.path.basename(row.path): row.problem for row in bad.itertuples()} == {
        "pipe.jpg": "not a regular file",
        "dangling.jpg": "cannot be opened (No such file or directory)",
        "loop.jpg": "cannot be opened (Too many levels of symbolic links)",
        "more": "a folder inside a class folder",
    }
    assert set(bad.key) == {""}
    assert len(photos) == 11


def test_links_to_photos_and_to_class_folders_are_followed(tmp_path):
    make_folder(tmp_path / "store", real=4)
    make_folder(tmp_path / "photos", a=3)
    os.symlink(tmp_path / "store" / "real", tmp_path / "photos" / "linked")
    os.symlink(tmp_path / "store" / "real" / "3.png", tmp_path / "photos" / "a" / "3.png")
    photos = scan(tmp_path / "photos")
    assert list(photos.label) == ["a"] * 4 + ["linked"] * 4
    assert list(photos.problem) == [""] * 8
    assert photos.key[3] == photos.key[7]


def test_a_label_is_its_folders_name_unchanged(tmp_path):
    """retrain.py made one label of names that differ in case or punctuation."""
    labels = [
        "Red Rose",
        "red rose",
        "red_rose",
        "red-rose",
        " red rose",
        "r\u00f6schen",
        "赤いバラ",
    ]
    make_folder(tmp_path, **dict.fromkeys(labels, 3))
    photos = split(scan(tmp_path))
    assert photos.groupby("label").size().to_dict() == dict.fromkeys(labels, 3)
    assert all(
        os.path.basename(os.path.dirname(row.path)) == row.label for row in photos.itertuples()
    )


@pytest.mark.skipif(labels.CONFUSES, reason="pandas 2")
def test_names_that_are_no_text_are_taken(tmp_path, read):
    make_folder(tmp_path, a=3, caf=3)
    root = os.fsencode(tmp_path)
    os.rename(root + b"/caf", root + b"/caf\xe9")
    os.rename(root + b"/a/0.png", root + b"/a/\xff\n.png")
    photos = split(scan(tmp_path))
    assert set(photos.label) == {"a", "caf\udce9"}
    assert set(photos.split) == {"training", "validation", "testing"}
    for path in photos.path:
        assert read(path).shape == (1, 4, 4, 3)


def test_names_that_pandas_2_takes_for_one_another_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(labels, "CONFUSES", True)
    root = os.fsencode(make_folder(tmp_path, a=4, b=3))
    os.rename(root + b"/a/0.png", root + b"/a/\xff.png")
    photos = scan(tmp_path)
    told = "its name is not UTF-8, which pandas 2 takes for other such names; rename it, or install"
    assert list(photos.problem[photos.problem != ""]) == [f"{told} pandas 3"]
    assert set(split(photos).split[photos.problem == ""]) == {"training", "validation", "testing"}
    odd = ["caf\udce9", *photos.label[1:]]
    table = pd.DataFrame({"path": photos.path, "label": odd}, dtype=object)
    with pytest.raises(GraphnetsError, match=r"row 0 has a label that is not UTF-8, which pandas"):
        scan(table)
    os.rename(root + b"/b", root + b"/caf\xe9")
    with pytest.raises(GraphnetsError, match=r"^the folder name caf\\udce9 is not UTF-8, which"):
        scan(tmp_path)


@pytest.mark.parametrize("name", ["two\nlines", "ends\n", "\n", "returns\r", "separated\u2028"])
def test_a_folder_name_with_a_line_break_is_an_error(tmp_path, name):
    make_folder(tmp_path, a=3, **{name: 3})
    with pytest.raises(GraphnetsError, match=r"^the folder name .*\\.* has a line break; rename"):
        scan(tmp_path)


def test_a_folder_of_folders_is_an_error_that_names_the_one_to_use(tmp_path):
    make_folder(tmp_path / "flowers" / "train", a=3, b=3)
    with pytest.raises(GraphnetsError, match=r"flowers/train holds folders, not photos.*name\?$"):
        scan(tmp_path / "flowers")


def test_what_is_no_folder_is_an_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for name in ("file", "missing"):
        with pytest.raises(GraphnetsError, match=rf"{name} is no folder; wanted one with a sub-f"):
            scan(tmp_path / name)


def test_a_folder_that_cannot_be_read_is_an_error(tmp_path, monkeypatch):
    make_folder(tmp_path, a=3, b=3)
    real = os.scandir

    def scandir(path):
        if str(path).endswith("b"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(GraphnetsError, match=r"/b cannot be read: Permission denied$"):
        scan(tmp_path)


def test_a_class_needs_three_usable_photos(tmp_path):
    make_folder(tmp_path, a=3, b=2, c=1)
    (tmp_path / "b" / "folder").mkdir()
    wanted = (
        r"^each class needs 3 readable photos or more, but b has 2 \(of 3 files\); "
        r"c has 1 \(of 1 files\): add photos or take the folder away$"
    )
    with pytest.raises(GraphnetsError, match=wanted):
        scan(tmp_path)


@pytest.mark.parametrize("labels", [[], ["a"]])
def test_two_classes_are_needed(tmp_path, labels):
    make_folder(tmp_path, **dict.fromkeys(labels, 3))
    Image.new("RGB", (2, 2)).save(tmp_path / "beside.png")
    with pytest.raises(GraphnetsError, match=rf"^found {len(labels)} class folders with photos"):
        scan(tmp_path)


def test_a_class_folder_without_a_photo_is_an_error(tmp_path):
    (tmp_path / "roses").mkdir()
    (tmp_path / "roses" / ".hidden.jpg").write_bytes(b"")
    wanted = "^the class folder .*roses has no photos, each class needs 3 or more: add photos or"
    with pytest.raises(GraphnetsError, match=wanted):
        scan(tmp_path)


def test_photos_that_turn_out_unreadable_count_no_more(tmp_path):
    photos = scan(make_folder(tmp_path, a=3, b=4))
    photos.loc[6, "problem"] = "damaged"
    check_classes(photos)
    photos.loc[5, "problem"] = "damaged"
    with pytest.raises(GraphnetsError, match=r"but b has 2 \(of 4 files\): add"):
        check_classes(photos)


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("a plain näme, 赤 (1).jpg", "a plain näme, 赤 (1).jpg"),
        ("\x1b[2Jclears\x07", r"\x1b[2Jclears\x07"),
        ("two\nlines\r\t", r"two\nlines\r\t"),
        ("caf\udce9", r"caf\udce9"),
        ("right\u202eto left\u2028", r"right\u202eto left\u2028"),
        ("\x00\x7f\x9b", r"\x00\x7f\x9b"),
        (ValueError("bad\nthing"), r"bad\nthing"),
    ],
)
def test_shown_text_is_safe_to_print(text, safe):
    assert images.shown(text) == safe
    assert images.shown(text).encode().decode().isprintable()


def test_what_systems_leave_behind_is_passed_over_beside_classes_and_in_them(tmp_path):
    make_folder(tmp_path, roses=3, tulips=3)
    for name in ("__MACOSX", "@eaDir", "lost+found", "$RECYCLE.BIN", "#recycle", ".Trash-1000"):
        (tmp_path / name / "roses").mkdir(parents=True)
        (tmp_path / name / "roses" / "0.png").write_bytes(b"not a photo")
        (tmp_path / "roses" / name).mkdir()
    (tmp_path / "System Volume Information").mkdir()
    (tmp_path / "roses" / "._0.png").write_bytes(b"resource fork")
    photos = scan(tmp_path)
    assert list(photos.label) == ["roses"] * 3 + ["tulips"] * 3
    assert list(photos.problem) == [""] * 6


def test_they_are_never_the_folder_that_is_suggested(tmp_path):
    make_folder(tmp_path / "photos", roses=3, tulips=3)
    (tmp_path / "__MACOSX" / "photos").mkdir(parents=True)
    with pytest.raises(GraphnetsError, match=r"is \S*photos the folder to name\?") as caught:
        scan(tmp_path)
    assert "MACOSX" not in str(caught.value)


def test_files_too_large_or_without_an_end_are_not_read(tmp_path, no_hang):
    """A sparse file has no room on the disk, /proc/self/pagemap no end."""
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for number in range(3):
            (tmp_path / label / f"{number}.jpg").write_bytes(bytes([number]))
    with open(tmp_path / "a" / "sparse.jpg", "wb") as file:
        file.truncate(1 << 43)
    (tmp_path / "a" / "void.jpg").write_bytes(b"")
    (tmp_path / "b" / "endless.jpg").symlink_to("/proc/self/pagemap")
    photos = scan(tmp_path)
    left_out = photos[photos.problem != ""]
    assert dict(zip(left_out.path.map(os.path.basename), left_out.problem, strict=True)) == {
        "sparse.jpg": "8796093022208 bytes are too many",
        "void.jpg": "an empty file",
        "endless.jpg": "an empty file",
    }
