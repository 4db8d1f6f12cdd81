"""From files to pixels, sooner where there is no EXIF to look for."""

import io
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image

from graphnets.errors import GraphnetsError, PhotoError
from graphnets.photos import augment, images, jpeg, reading
from graphnets.photos.augmentation import PHOTO_AUGMENTATION
from graphnets.photos.listing import scan
from graphnets.photos.reading import BATCH, OPEN, ahead, photo_reader, placed, variants
from graphnets.photos.room import Room


def picture(seed=0, size=(24, 16)):
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), np.uint8)
    return Image.fromarray(pixels)


def saved(image, path, orientation=None, **options):
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
        options["exif"] = exif
    image.save(path, quality=95, **options)
    return path


def upright(path):
    """What the graph that looks for EXIF makes of a file."""
    with tf.Graph().as_default(), tf.Session() as session:
        contents = tf.placeholder(tf.string, [])
        resized = jpeg.resize(jpeg.decode(contents), (10, 12))
        return session.run(resized, {contents: path.read_bytes()})


@pytest.fixture
def read():
    with tf.Graph().as_default(), tf.Session() as session:
        yield reading.photo_reader(session, (10, 12))


@pytest.mark.parametrize("orientation", [None, 1, 3, 6, 8])
def test_with_or_without_exif_a_photo_is_what_the_graph_makes_of_it(tmp_path, read, orientation):
    path = saved(picture(), tmp_path / "a.jpg", orientation)
    assert jpeg.may_be_turned(path.read_bytes()) is (orientation is not None)
    np.testing.assert_array_equal(read(path), upright(path))


def test_exif_behind_a_long_comment_is_found(tmp_path, read):
    plain = saved(picture(), tmp_path / "plain.jpg").read_bytes()
    turned = saved(picture(), tmp_path / "turned.jpg", 6).read_bytes()
    comment = b"\xff\xfe" + (60_000).to_bytes(2, "big") + b"x" * 59_998
    path = tmp_path / "late.jpg"
    path.write_bytes(turned[:2] + comment + turned[2:])
    np.testing.assert_array_equal(read(path), upright(path))
    (tmp_path / "same.jpg").write_bytes(plain[:2] + comment + plain[2:])
    assert not np.array_equal(read(path), read(tmp_path / "same.jpg"))


def test_zeros_at_the_end_of_a_file_reach_the_decoder(tmp_path, monkeypatch):
    path = saved(picture(), tmp_path / "a.jpg")
    path.write_bytes(path.read_bytes() + b"\x00" * 9)
    monkeypatch.setattr(jpeg, "decode", lambda contents, turn: tf.strings.length(contents))
    with tf.Graph().as_default(), tf.Session() as session:
        length = reading._decoder(session, lambda image: image)
        assert length(path) == path.stat().st_size


def test_a_damaged_photo_says_so(tmp_path, read):
    buffer = io.BytesIO()
    picture().save(buffer, "JPEG")
    (tmp_path / "cut.jpg").write_bytes(buffer.getvalue()[:-200])
    with pytest.raises(PhotoError, match="^damaged or cut off$"):
        read(tmp_path / "cut.jpg")


def test_threads_work_ahead_in_order_but_not_without_end():
    started = []

    def work(item):
        started.append(item)
        if item == 3:
            raise ValueError("three")
        return item * item

    results = ahead(iter(range(10_000)), work)
    found = [next(results) for _ in range(10)]
    assert [item for item, _ in found] == list(range(10))
    assert [result() for item, result in found if item != 3] == [0, 1, 4, 16, 25, 36, 49, 64, 81]
    with pytest.raises(ValueError, match="three"):
        found[3][1]()
    results.close()
    assert len(started) <= 10 + 2 * BATCH


def test_fewer_items_are_in_hand_where_each_is_larger():
    started = []
    results = ahead(iter(range(100)), started.append, in_hand=3)
    next(results)
    results.close()
    assert len(started) <= 3


def test_variants_to_look_at_are_those_that_training_sees(photo_folder):
    photos = scan(photo_folder).iloc[[0, 25]]
    found = variants(photos, PHOTO_AUGMENTATION, (12, 10), copies=2, seed=3)
    assert found.shape == (2, 2, 12, 10, 3) and found.dtype == np.float32
    with tf.Graph().as_default(), tf.Session() as session:
        contents, transform = tf.placeholder(tf.string, []), tf.placeholder(tf.float32, [2, 3])
        brightness = tf.placeholder(tf.float32, [])
        variant = augment.apply(jpeg.decode(contents), transform, brightness, (12, 10))
        for row, photo in zip(found, photos.itertuples(), strict=True):
            for picture, copy in zip(row, (1, 2), strict=True):
                drawn = augment.draw(PHOTO_AUGMENTATION, (12, 10), 3, photo.key, copy)
                feed = {transform: drawn.transform, brightness: drawn.brightness}
                feed[contents] = Path(photo.path).read_bytes()
                np.testing.assert_array_equal(picture, session.run(variant, feed)[0])
    with pytest.raises(GraphnetsError, match="^got 0 copies of each photo; wanted 1 or more$"):
        variants(photos, PHOTO_AUGMENTATION, (12, 10), copies=0)


def test_photos_come_in_batches_at_their_places():
    batches = list(placed((n % BATCH, n) for n in range(2 * BATCH + 3)))
    assert batches == [
        {n: n for n in range(BATCH)},
        {n: n + BATCH for n in range(BATCH)},
        {n: n + 2 * BATCH for n in range(3)},
    ]
    assert list(placed([])) == []


def test_a_place_that_is_free_is_filled_from_later_batches():
    photos = [(n % BATCH, n) for n in range(4 * BATCH) if n not in (3, 20)]
    batches = list(placed(photos))
    assert [len(batch) for batch in batches] == [BATCH, BATCH, BATCH, BATCH - 2]
    assert batches[0][3] == 19 and batches[1][4] == 36
    assert all(n % BATCH == place for batch in batches for place, n in batch.items())


def test_photos_that_want_one_place_do_not_wait_for_ever():
    taken = iter([(7, n) for n in range(10)])
    batches = placed(taken)
    assert next(batches) == {7: 0}
    assert next(taken) == (7, OPEN + 1)


def test_large_photos_are_decoded_one_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "ROOM", Room(100))
    monkeypatch.setattr(images, "BYTES_PER_PIXEL", 1 << 20)  # pixels alone count here
    inside, most = 0, 0
    pixels = images.pixels

    def watched(data):
        nonlocal inside, most
        inside, most = inside + 1, max(most, inside + 1)
        time.sleep(0.01)
        inside -= 1
        return pixels(data)

    monkeypatch.setattr(images, "pixels", watched)
    paths = []
    for number in range(6):
        paths.append(tmp_path / f"{number}.png")
        Image.new("RGB", (10, 6 + number)).save(paths[-1])  # any two are over 100 pixels
    with tf.Graph().as_default(), tf.Session() as session:
        read = photo_reader(session, (4, 4))
        with ThreadPoolExecutor(6) as pool:
            assert [picture.shape for picture in pool.map(read, paths)] == [(1, 4, 4, 3)] * 6
    assert most == 1
