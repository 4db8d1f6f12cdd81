"""A photo that changes after it was listed is taken as it is when it is read, under its own key."""

import os

import numpy as np
import pytest

from graphnets.features.bottlenecks import Bottlenecks, with_copies
from graphnets.photos import images
from graphnets.photos.augmentation import PHOTO_AUGMENTATION
from graphnets.photos.listing import scan


@pytest.fixture
def photos(photo_folder):
    return scan(photo_folder)


def replaced(photos, row, by):
    """The file of one row gets the bytes of another's; both paths."""
    path, other = photos.path[row], photos.path[by]
    with open(other, "rb") as file:
        data = file.read() + b"\0"  # the same picture, another key
    with open(path, "wb") as file:
        file.write(data)
    return path, images.key_of(data)


def test_its_row_lies_under_the_key_of_what_was_decoded(network, photos, tmp_path):
    path, key = replaced(photos, 3, by=30)
    store = Bottlenecks(network, None, tmp_path / "store")
    added = store.add(photos)
    assert added.key[3] == key != photos.key[3]
    assert list(added.key.drop(3)) == list(photos.key.drop(3)) and set(added.problem) == {""}
    assert len(store.missing(photos)) == 1  # what it was listed as is not stored
    rows = store.read(added)
    np.testing.assert_allclose(rows[3], rows[30], rtol=1e-5)


def test_its_copies_are_found_all_the_same(network, photos, tmp_path, reads):
    first, second, third = photos.path[:3]
    for path in (second, third):
        with open(first, "rb") as source, open(path, "wb") as target:
            target.write(source.read())
    listed = scan(os.path.dirname(os.path.dirname(first)))
    expected = Bottlenecks(network, None, tmp_path / "expected")
    row = expected.read(expected.add(listed))[1]
    replaced(listed, 0, by=30)
    reads.clear()
    store = Bottlenecks(network, None, tmp_path / "store")
    added = store.add(listed)
    assert added.key[0] != listed.key[0] and list(added.key[1:]) == list(listed.key[1:])
    assert len(reads) == 58 + 1  # once a content, and one copy more
    np.testing.assert_allclose(store.read(added)[[1, 2]], [row, row], rtol=1e-5)


def test_a_file_that_is_gone_is_left_out_and_its_copies_are_used(network, photos, tmp_path):
    with open(photos.path[0], "rb") as source, open(photos.path[1], "wb") as target:
        target.write(source.read())
    listed = scan(os.path.dirname(os.path.dirname(photos.path[0])))
    os.unlink(listed.path[0])
    os.unlink(listed.path[7])
    os.mkdir(listed.path[7])
    store = Bottlenecks(network, None, tmp_path / "store")
    added = store.add(listed)
    assert added.problem[added.problem != ""].to_dict() == {
        0: "cannot be read (No such file or directory)",
        7: "not a regular file",
    }
    assert store.read(added[added.problem == ""]).shape == (58, 6)


def test_what_became_damaged_is_left_out_under_its_own_key(network, photos, tmp_path):
    with open(photos.path[5], "wb") as file:
        file.write(b"no picture any more")
    added = Bottlenecks(network, None, tmp_path / "store").add(photos)
    assert added.problem[5] == "not a JPEG, PNG, BMP, GIF, PPM, WebP, TIFF, AVIF or HEIC picture"
    assert added.key[5] == images.key_of(b"no picture any more")
    assert (added.problem != "").sum() == 1


def test_variants_are_those_of_the_photo_as_it_is_now(network, photos, tmp_path):
    copies = with_copies(photos, 2)
    _, key = replaced(photos, 3, by=30)
    store = Bottlenecks(network, None, tmp_path / "store", augmentation=PHOTO_AUGMENTATION)
    added = store.add(copies)
    assert list(added.source[6:8]) == [key, key]
    now = with_copies(scan(os.path.dirname(os.path.dirname(photos.path[0]))), 2)
    assert list(added.key) == list(now.key)
    other = Bottlenecks(network, None, tmp_path / "other", augmentation=PHOTO_AUGMENTATION)
    np.testing.assert_allclose(store.read(added), other.read(other.add(now)), rtol=1e-5)
