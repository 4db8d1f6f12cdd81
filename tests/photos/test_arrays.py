"""Photos out of arrays: .npz and the traffic-sign course's pickles, never run."""

import gzip
import pickle

import numpy as np
import pytest
from PIL import Image

from graphnets.errors import GraphnetsError
from graphnets.photos.listing import scan

X = np.random.default_rng(3).integers(0, 256, (7, 5, 6, 3), np.uint8)
Y = np.array([1, 0, 1, 0, 1, 0, 10], np.uint8)[[0, 1, 2, 3, 4, 5, 0]]


def check(photos, X=X, y=Y):
    assert list(photos.problem) == [""] * len(X)
    for path, label in zip(photos.path, photos.label, strict=True):
        number = int(path[-9:-4])
        assert label == str(y[number])
        with Image.open(path) as picture:
            np.testing.assert_array_equal(np.asarray(picture), X[number])


def test_an_npz_is_laid_out_as_files(tmp_path):
    np.savez_compressed(tmp_path / "signs.npz", X=X, y=Y, z=np.array([None]))
    photos = scan(tmp_path / "signs.npz")
    check(photos)
    assert photos.path[0] == str(tmp_path / "signs.npz.photos" / "0" / "00001.png")
    elsewhere = scan(tmp_path / "signs.npz", image_root=tmp_path / "there")
    assert elsewhere.path[0] == str(tmp_path / "there" / "0" / "00001.png")
    assert list(elsewhere.key) == list(photos.key)


def test_grey_pictures_and_labels_that_are_names(tmp_path):
    names = np.array(["no", "yes"])[Y]
    np.savez(tmp_path / "a.npz", X=X[..., :1], Y=names[:, np.newaxis])
    check(scan(tmp_path / "a.npz"), X[..., 0], names)


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_the_courses_pickle_is_read_and_not_run(tmp_path, protocol):
    content = {"coords": np.zeros((7, 4), np.uint8), "labels": Y, "features": X, "sizes": [1]}
    (tmp_path / "train.p").write_bytes(pickle.dumps(content, protocol))
    check(scan(tmp_path / "train.p"))


def test_a_packed_pickle(tmp_path):
    content = pickle.dumps({"labels": Y, "features": X}, 2)
    (tmp_path / "train.p").write_bytes(gzip.compress(content))
    check(scan(tmp_path / "train.p"))


def test_files_that_are_there_are_left_alone_unless_they_differ(tmp_path):
    np.savez(tmp_path / "a.npz", X=X, y=Y)
    path, other = scan(tmp_path / "a.npz").path[:2]
    before = (tmp_path / other).stat().st_mtime_ns
    (tmp_path / path).write_bytes(b"other")
    check(scan(tmp_path / "a.npz"))
    assert (tmp_path / other).stat().st_mtime_ns == before


class Evil:
    def __reduce__(self):
        return (print, ("run",))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.npz", {"y": Y}, "a.npz has no X among the arrays y; wanted X, uint8"),
        ("a.npz", {"X": X}, "a.npz has no y among the arrays X; wanted X, uint8"),
        ("a.npz", {"X": X / 255, "y": Y}, r"X is float64 \(7, 5, 6, 3\); wanted X, uint8"),
        ("a.npz", {"X": X[:, :, :, :2], "y": Y}, r"X is uint8 \(7, 5, 6, 2\); wanted"),
        ("a.npz", {"X": X, "y": Y[:3]}, r"y is uint8 \(3,\) for 7 photos; wanted whole numbers"),
        ("a.npz", {"X": X, "y": np.eye(7)}, r"y is float64 \(7, 7\) for 7 photos"),
        ("a.npz", {"X": X, "y": np.array(["../up"] * 7)}, "y has '../up'; wanted names that a f"),
        ("a.npz", {"X": X, "y": np.array([None] * 7)}, "Object arrays cannot be loaded"),
        ("a.p", {"features": X, "labels": Evil()}, "a pickle that would run '.*print', which is n"),
        ("a.p", [X, Y], "a.p is no file of arrays .it holds a list of 2.; wanted X, uint8"),
        ("a.p", {"labels": Y}, "a.p has no X among the arrays labels; wanted X, uint8"),
    ],
)
def test_what_is_no_photos(tmp_path, name, content, message, capsys):
    if name.endswith("npz"):
        np.savez(tmp_path / name, **content)
    else:
        (tmp_path / name).write_bytes(pickle.dumps(content))
    with pytest.raises(GraphnetsError, match=message):
        scan(tmp_path / name)
    assert capsys.readouterr().out == ""


def test_a_file_that_is_cut_off_or_missing(tmp_path):
    np.savez(tmp_path / "a.npz", X=X, y=Y)
    (tmp_path / "b.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:900])
    with pytest.raises(GraphnetsError, match=r"b.npz is no file of arrays \(BadZipFile"):
        scan(tmp_path / "b.npz")
    with pytest.raises(GraphnetsError, match="c.npz cannot be read: No such file"):
        scan(tmp_path / "c.npz")
