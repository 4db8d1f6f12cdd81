"""SavedModels, as TensorFlow's own loader has them."""

import base64
import os

import numpy as np
import pytest
import tensorflow as tf
from tiny import SIZE, by_hand, pixels, resized_by_hand, write_png

from graphnets.errors import GraphnetsError
from graphnets.exports.run import Photo
from graphnets.exports.saved_model import runner, write_saved_model

PICTURES = [pixels(1, 33, 20), pixels(2, 20, 41), pixels(3)]
EXPECTED = [by_hand(resized_by_hand(picture, SIZE)) for picture in PICTURES]


def loaded(folder):
    return tf.saved_model.load(str(folder)).signatures


@pytest.fixture(scope="module")
def signatures(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "model"
    write_saved_model(folder, run.graph_def)
    return loaded(folder)


@pytest.fixture
def photos(tmp_path):
    paths = [write_png(tmp_path / f"{n}.png", picture) for n, picture in enumerate(PICTURES)]
    return [path.read_bytes() for path in paths]


def test_bytes_of_one_photo_as_before(signatures, photos):
    found = signatures["serving_default"](image=tf.constant(photos[0]))
    assert list(found) == ["scores"]
    np.testing.assert_allclose(found["scores"], EXPECTED[:1], rtol=1e-4)


def test_bytes_of_photos_of_several_sizes_in_a_batch(signatures, photos):
    # What TensorFlow Serving makes of {"instances": [{"image_bytes": {"b64": ...}}, ...]}.
    rest = [base64.b64decode(base64.b64encode(photo)) for photo in photos]
    found = signatures["photos"](image_bytes=tf.constant(rest))["scores"]
    np.testing.assert_allclose(found, EXPECTED, rtol=1e-4)


def test_pictures(signatures):
    batch = np.stack([PICTURES[0], PICTURES[0][::-1]])
    found = signatures["pictures"](image=tf.constant(batch))["scores"]
    upside_down = by_hand(resized_by_hand(PICTURES[0][::-1], SIZE))
    np.testing.assert_allclose(found, [EXPECTED[0], upside_down], rtol=1e-4)


def test_a_broken_photo_is_an_error_of_its_call(signatures):
    with pytest.raises(tf.errors.InvalidArgumentError):
        signatures["photos"](image_bytes=tf.constant([b"no picture"]))


def test_each_output_of_a_batch_has_a_row_a_photo(several, open_set, photos, tmp_path):
    write_saved_model(tmp_path / "several", several.graph_def)
    served = loaded(tmp_path / "several")
    found = served["photos"](image_bytes=tf.constant(photos))
    np.testing.assert_allclose(found["thresholds"], [several.thresholds] * 3, rtol=1e-6)
    one = served["serving_default"](image=tf.constant(photos[0]))
    np.testing.assert_allclose(one["thresholds"], several.thresholds, rtol=1e-6)
    write_saved_model(tmp_path / "open", open_set.graph_def)
    run = runner(tmp_path / "open", "photos")
    for photo, scores in zip(photos, EXPECTED, strict=True):
        found = run(Photo("", photo, PICTURES[0]))
        assert found["unknown_score"] == pytest.approx(1 - scores.max(), rel=1e-4)
        assert bool(found["is_unknown"]) == (1 - scores.max() > 0.6)


def test_the_weights_are_there_once(run, tmp_path):
    large = tf.compat.v1.GraphDef()
    large.CopyFrom(run.graph_def)
    [weights] = [n for n in large.node if n.op == "Const" and n.name.endswith("conv2/W")]
    assert weights.attr["value"].tensor.ByteSize() > 200
    write_saved_model(tmp_path / "model", large)
    data = (tmp_path / "model" / "saved_model.pb").read_bytes()
    assert data.count(weights.attr["value"].tensor.tensor_content) == 1


def test_a_folder_that_is_there_is_refused(run, tmp_path):
    with pytest.raises(GraphnetsError, match="is there already; name a new folder for the SavedM"):
        write_saved_model(tmp_path, run.graph_def)
    assert os.listdir(tmp_path) == []
