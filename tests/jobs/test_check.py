"""What a look at photos before training finds, and what it moves aside."""

import csv
import os
import shutil

import pytest
from PIL import Image, ImageOps
from scenes import scene, write_scenes

from graphnets.errors import GraphnetsError
from graphnets.jobs.check import check
from graphnets.photos.labels import CONFUSES
from graphnets.photos.listing import scan
from graphnets.photos.splits import split


@pytest.fixture
def folder(tmp_path):
    """hills and lakes, 20 photos each that nothing is wrong with."""
    return write_scenes(tmp_path / "photos")


def kinds(found):
    return [finding.kind for finding in found.findings]


def the(found, kind):
    [finding] = [finding for finding in found.findings if finding.kind == kind]
    return finding


def names(finding):
    """The paths of each item, from the class on."""
    return [["/".join(path.split(os.sep)[-2:]) for path in item["paths"]] for item in finding.items]


def put(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    return shutil.copy(source, target)


def test_nothing_is_said_of_sound_photos(folder):
    found = check(folder, size=200)
    assert not found.attention and found.findings == [] and found.moved == []
    expected = split(scan(folder))
    assert found.photos[list(expected)].values.tolist() == expected.values.tolist()
    looked = found.photos[["kind", "mode", "width", "height"]].drop_duplicates()
    assert looked.values.tolist() == [["JPEG", "colour", 160, 120]]


def test_files_that_cannot_be_read_to_their_end(folder):
    whole = (folder / "hills" / "00.jpg").read_bytes()
    (folder / "hills" / "00.jpg").write_bytes(whole[:-900])
    (folder / "lakes" / "notes.txt").write_text("blue")
    finding = the(check(folder), "unreadable")
    assert finding.attention and finding.number == 2
    assert names(finding) == [["hills/00.jpg"], ["lakes/notes.txt"]]
    assert [item["reason"] for item in finding.items] == [
        "damaged or cut off",
        "not a JPEG, PNG, BMP, GIF, PPM, WebP, TIFF, AVIF or HEIC picture",
    ]


def test_files_that_a_scan_leaves_out_already(folder):
    (folder / "hills" / "00.jpg").write_bytes(b"")
    os.truncate(folder / "hills" / "01.jpg", 2**40)
    os.mkfifo(folder / "lakes" / "pipe.jpg")
    found = check(folder)
    assert [item["reason"] for item in the(found, "unreadable").items] == [
        "an empty file",
        f"{2**40} bytes are too many",
    ]
    assert [item["reason"] for item in the(found, "passed_over").items] == ["not a regular file"]


def test_pictures_where_no_scan_looks(folder):
    scene(1).save(folder / "top.jpg")
    scene(2).save(folder / "hills" / ".hidden.png")
    put(folder / "hills" / "00.jpg", folder / "lakes" / "more" / "01.jpg")
    for path in ("LICENSE.txt", "hills/._00.jpg", "hills/Thumbs.db", ".git/a.jpg"):
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text("no photo")
    finding = the(check(folder), "passed_over")
    assert {item["paths"][0].partition("photos/")[2]: item["reason"] for item in finding.items} == {
        "top.jpg": "beside the folders of classes",
        "hills/.hidden.png": "hidden",
        "lakes/more": "a folder inside a class folder",
    }


def test_copies_under_two_labels_and_in_two_splits(folder):
    put(folder / "hills" / "03.jpg", folder / "hills" / "copy.jpg")
    put(folder / "hills" / "04.jpg", folder / "lakes" / "other.jpg")
    scene(5).resize((80, 60)).save(folder / "lakes" / "near.jpg")
    ImageOps.mirror(scene(1006)).save(folder / "lakes" / "mirrored.png")
    found = check(folder)
    assert names(the(found, "exact_copies")) == [
        ["hills/03.jpg", "hills/copy.jpg"],
        ["hills/04.jpg", "lakes/other.jpg"],
    ]
    near = the(found, "near_copies")
    assert not near.attention and near.number == 4
    assert names(near) == [
        ["hills/05.jpg", "lakes/near.jpg"],
        ["lakes/06.jpg", "lakes/mirrored.png"],
    ]
    two = the(found, "two_labels")
    assert names(two) == [["hills/04.jpg", "lakes/other.jpg"], ["hills/05.jpg", "lakes/near.jpg"]]
    assert [(item["exact"], item["mirrored"]) for item in two.items] == [
        (True, False),
        (False, False),
    ]
    assert two.items[0]["labels"] == ["hills", "lakes"]
    splits = dict(zip(found.photos.path, found.photos.split, strict=True))
    for item in the(found, "across_splits").items:
        one, other = (splits[path] for path in item["paths"])
        assert one != other and item["splits"] == [one, other]


def test_the_split_looked_at_is_the_one_of_the_same_arguments(folder):
    for number in range(20):
        put(folder / "hills" / f"{number:02d}.jpg", folder / "hills" / f"{number:02d}_1.jpg")
    torn = the(check(folder, near_copies=False), "across_splits")
    expected = split(scan(folder), testing_percentage=40)
    number = (expected.groupby("key").split.nunique() > 1).sum()
    found = check(folder, near_copies=False, testing_percentage=40)
    assert the(found, "across_splits").number == number > torn.number > 0
    grouped = check(folder, near_copies=False, group_by=r"(\w+/\d+)")
    assert kinds(grouped) == ["exact_copies"]


def test_several_labels_of_one_photo_are_no_fault_where_they_may_be(folder):
    put(folder / "hills" / "04.jpg", folder / "lakes" / "other.jpg")
    assert kinds(check(folder, multi_label=True)) == []


def test_frames_of_tracks_in_two_splits(folder):
    for path in sorted(folder.glob("*/*")):
        track, frame = divmod(int(path.stem), 5)
        path.rename(path.with_name(f"{track:05d}_{frame:05d}.jpg"))
    tracks = the(check(folder), "tracks")
    assert tracks.attention and tracks.advice == r"--group_by '_\d+' keeps them together"
    assert "(00000_00000.jpg ... 00000_00004.jpg)" in tracks.what
    assert kinds(check(folder, group_by=r"_\d+")) == []


def test_classes_of_few_photos_and_of_other_sizes(tmp_path):
    folder = write_scenes(tmp_path / "photos", 45)
    for number in range(4, 45):
        (folder / "lakes" / f"{number:02d}.jpg").unlink()
    found = check(folder)
    assert the(found, "few_photos").what == "less than 20 photos in lakes 4"
    assert the(found, "imbalance").what == (
        "hills has 45 photos and lakes 4, more than 10 times as many"
    )
    for number in (2, 3):
        (folder / "lakes" / f"{number:02d}.jpg").unlink()
    refused = the(check(folder), "split")
    assert refused.attention and "each class needs 3 readable photos or more" in refused.what


def test_sizes_endings_and_modes_are_told_and_need_no_attention(folder):
    scene(100).resize((90, 70)).save(folder / "hills" / "small.jpg")
    scene(101).save(folder / "hills" / "wrong.jpg", "PNG")
    scene(102).convert("L").save(folder / "lakes" / "grey.jpg")
    found = check(folder, size=150)
    assert not found.attention and kinds(found) == ["small", "endings", "modes"]
    assert the(found, "small").items[0]["reason"] == "90 x 70"
    assert the(found, "endings").items[0]["reason"] == "a PNG, wanted .png"
    assert the(found, "modes").what == "photos differ in their colours: colour 42, grey 1"
    assert names(the(found, "modes")) == [["lakes/grey.jpg"]]


def test_a_table_is_looked_at_as_it_is_split(folder, tmp_path):
    photos = scan(folder)[["path", "label"]]
    photos["split"] = ["training", "testing"] * (len(photos) // 2)
    photos.loc[len(photos)] = [str(tmp_path / "gone.jpg"), "lakes", "training"]
    put(folder / "hills" / "00.jpg", folder / "hills" / "copy.jpg")
    photos.loc[len(photos)] = [str(folder / "hills" / "copy.jpg"), "hills", "testing"]
    found = check(photos)
    assert kinds(found) == ["unreadable", "across_splits", "exact_copies"]
    assert (
        the(found, "unreadable").items[0]["reason"]
        == "cannot be opened (No such file or directory)"
    )
    assert the(found, "across_splits").items[0]["splits"] == ["training", "testing"]


def test_the_contact_sheet_shows_pairs(folder, tmp_path):
    assert check(folder, contact_sheet=tmp_path / "sheet.png").shown_pairs == 0
    assert not (tmp_path / "sheet.png").exists()
    odd = "" if CONFUSES else "\udcff"
    put(folder / "hills" / "03.jpg", folder / "hills" / f"copy {odd}.jpg")
    scene(5).resize((80, 60)).save(folder / "lakes" / "near.jpg")
    assert check(folder, contact_sheet=tmp_path / "sheet.png").shown_pairs == 2
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (2 * 430, 276)
        left, right = (sheet.crop((x, 30, x + 180, 160)).resize((9, 9)) for x in (20, 230))
    assert max(abs(a - b) for a, b in zip(left.tobytes(), right.tobytes(), strict=True)) < 12
    assert len(set(left.tobytes())) > 30


def faulty(folder):
    """Three equal photos in a class, one of them in another, too, and two that are broken."""
    put(folder / "hills" / "03.jpg", folder / "hills" / "04.jpg")
    put(folder / "hills" / "03.jpg", folder / "hills" / "99.jpg")
    put(folder / "hills" / "03.jpg", folder / "lakes" / "99.jpg")
    for label in ("hills", "lakes"):
        (folder / label / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    return folder


def test_what_is_moved_aside_is_listed_and_nothing_is_overwritten(folder, tmp_path):
    faulty(folder)
    before = {p.name: p.read_bytes() for p in (folder / "hills").iterdir()}
    put(folder / "lakes" / "00.jpg", tmp_path / "aside" / "hills" / "99.jpg")
    found = check(folder, move_to=tmp_path / "aside")
    moved = {row["path"]: (row["moved_to"], row["reason"]) for row in found.moved}
    first, aside = folder / "hills" / "03.jpg", tmp_path / "aside"
    copy = f"a copy of {first}"
    assert {k.partition("photos/")[2]: v[0].partition("aside/")[2] for k, v in moved.items()} == {
        "hills/broken.jpg": "hills/broken.jpg",
        "lakes/broken.jpg": "lakes/broken.jpg",
        "hills/04.jpg": "hills/04.jpg",
        "hills/99.jpg": "hills/99-2.jpg",
    }
    assert moved[str(folder / "hills" / "04.jpg")][1] == copy
    for path, (target, _) in moved.items():
        assert not os.path.exists(path) and os.path.isfile(target)
    assert (aside / "hills" / "99-2.jpg").read_bytes() == before["99.jpg"]
    assert (aside / "hills" / "99.jpg").read_bytes() == (folder / "lakes" / "00.jpg").read_bytes()
    with open(aside / "moved.csv", newline="") as file:
        assert list(csv.DictReader(file)) == found.moved
    put(first, folder / "hills" / "98.jpg")
    again = check(folder, move_to=aside)
    assert [row["path"] for row in again.moved] == [str(folder / "hills" / "98.jpg")]
    with open(aside / "moved.csv", newline="") as file:
        assert list(csv.DictReader(file)) == found.moved + again.moved


def test_no_link_loses_its_file(folder, tmp_path):
    os.symlink(folder / "hills" / "07.jpg", folder / "hills" / "00a.jpg")
    os.symlink(folder / "hills" / "08.jpg", folder / "lakes" / "08a.jpg")
    put(folder / "hills" / "08.jpg", folder / "hills" / "00b.jpg")
    found = check(folder, move_to=tmp_path / "aside")
    assert [row["path"] for row in found.moved] == [str(folder / "hills" / "00a.jpg")]
    assert (folder / "lakes" / "08a.jpg").read_bytes() == (folder / "hills" / "08.jpg").read_bytes()
    assert (folder / "hills" / "07.jpg").is_file()


def test_a_label_of_a_table_leads_nowhere_else(folder, tmp_path):
    photos = scan(folder)[["path", "label"]].replace({"hills": "../../hills", "lakes": ".."})
    (folder / "hills" / "00.jpg").write_bytes(b"")
    (folder / "lakes" / "00.jpg").write_bytes(b"")
    found = check(photos, move_to=tmp_path / "aside")
    assert sorted(os.listdir(tmp_path / "aside")) == ["__", "___.._hills", "moved.csv"]
    assert len(found.moved) == 2


@pytest.mark.parametrize("inside", ["photos/aside", "photos", "."])
def test_nothing_is_moved_into_or_around_the_photos(folder, tmp_path, inside):
    with pytest.raises(GraphnetsError, match="where it would be taken for a class; name a folder"):
        check(faulty(folder), move_to=tmp_path / inside)
    assert not (folder / "aside").exists() and (folder / "hills" / "broken.jpg").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 0}, "size is 0, wanted 1 or more"),
        ({"near_copies": "no"}, "near_copies is 'no', wanted True or False"),
        ({"contact_sheet": "sheet.jpg"}, "contact_sheet is 'sheet.jpg', wanted a file that ends"),
        ({"testing_percentage": 100}, "leave nothing to train on"),
        ({"group_by": "("}, "group_by '\\(' is no regular expression"),
        ({"move_to": 3}, "move_to is 3, wanted the path of a folder"),
    ],
)
def test_wrong_arguments_are_told_before_a_photo_is_read(folder, reads, changes, message):
    with pytest.raises(GraphnetsError, match=message):
        check(folder, **changes)
    assert reads == []


def test_a_contact_sheet_appears_whole(folder, tmp_path, monkeypatch):
    put(folder / "hills" / "03.jpg", folder / "hills" / "copy.jpg")
    sheet = tmp_path / "sheet.png"
    sheet.write_bytes(b"before")

    def half(self, path, *_, **__):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", half)
    with pytest.raises(GraphnetsError, match="sheet.png cannot be written: No space left"):
        check(folder, contact_sheet=sheet)
    assert [path.read_bytes() for path in tmp_path.glob("*sheet*")] == [b"before"]
