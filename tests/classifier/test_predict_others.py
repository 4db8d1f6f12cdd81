"""Classifying photos with another tool's graph: what may enter, and what may not."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from othertools import MATRIX, of_bytes, of_floats, other
from tiny import pixels, resized_by_hand, saved, softmax_by_hand, write_png

from graphnets.classifier import predict
from graphnets.errors import GraphnetsError, PhotoError


@pytest.mark.parametrize(
    "shape, options",
    [
        ([1, 12, 10, 3], {}),
        ([None, 12, 10, 3], {"input_layer": "input:0", "output_layer": "softmax:0"}),
        ([None, None, None, 3], {"input_height": 12, "input_width": 10}),
        ([None, 12, None, 3], {"input_width": 10}),
        (None, {"input_height": 12, "input_width": 10}),
        ([1, 12, 10, 3], {"input_mean": 100, "input_std": 50}),
        ([1, 12, 10, 3], {"input_mean": 127.5, "input_std": 127.5}),
    ],
)
@pytest.mark.parametrize("height, width", [(12, 10), (25, 31)])
def test_another_tools_graph_takes_pictures(tmp_path, shape, options, height, width):
    classifier = other(tmp_path, of_floats(shape), **options)
    picture = pixels(7, height, width)
    mean, std = options.get("input_mean", 0), options.get("input_std", 255)
    entered = (resized_by_hand(picture, (12, 10)) - mean) / std
    expected = softmax_by_hand(entered.reshape(-1) @ MATRIX.astype(float))
    scores = classifier.scores(write_png(tmp_path / "photo.png", picture))
    np.testing.assert_allclose(scores, expected, rtol=1e-3, atol=1e-7)


def test_another_tools_graph_of_half_precision(tmp_path):
    classifier = other(tmp_path, of_floats([1, 12, 10, 3], tf.float16))
    entered = (pixels(7, 12, 10) / 255).astype(np.float16).reshape(-1)
    scores = classifier.scores(write_png(tmp_path / "photo.png", pixels(7, 12, 10)))
    np.testing.assert_allclose(scores, softmax_by_hand(entered @ MATRIX.astype(float)), rtol=1e-2)


@pytest.mark.parametrize(
    "contents",
    [
        lambda: tf.placeholder(tf.string, [], "input"),
        lambda: tf.placeholder(tf.string, name="input"),
        lambda: tf.constant(b"a picture of its own", name="input"),  # as DecodeJpeg/contents is
    ],
    ids=["placeholder", "placeholder of no known shape", "constant"],
)
def test_another_tools_graph_takes_bytes(tmp_path, contents):
    classifier = other(tmp_path, of_bytes(contents))
    expected = softmax_by_hand(pixels(7, 9, 8).mean((0, 1)) / 255)
    scores = classifier.scores(write_png(tmp_path / "photo.png", pixels(7, 9, 8)))
    np.testing.assert_allclose(scores, expected, rtol=1e-5)


def no_placeholder():
    tf.nn.softmax(tf.constant([[1.0, 2, 3]]), name="softmax")


@pytest.mark.parametrize(
    "build, options, message",
    [
        (
            of_floats([1, 12, 10, 3]),
            {"input_layer": "Mul"},
            "other.pb has no 'Mul'; its placeholders are input, its softmax is softmax: name "
            "them with --input_layer and --output_layer",
        ),
        (of_floats([1, 12, 10, 3]), {"output_layer": "final"}, "has no 'final'; its placeholders"),
        (of_floats([1, 12, 10, 3]), {"output_layer": "softmax:7"}, "has no 'softmax:7'"),
        (of_floats([1, 12, 10, 3]), {"input_layer": "a b:c"}, "has no 'a b:c'"),
        (no_placeholder, {}, "has no 'input'; its placeholders are none, its softmax is softmax"),
    ],
)
def test_a_wrong_layer_name_lists_what_there_is(tmp_path, build, options, message):
    with pytest.raises(GraphnetsError) as caught:
        other(tmp_path, build, **options)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "build, options, message",
    [
        (
            of_floats([None, None, None, 3]),
            {"input_height": 12},
            "the input input:0 does not tell its size; give --input_height and --input_width",
        ),
        (of_floats(None), {}, "does not tell its size"),
        (
            of_floats([None, 360]),
            {},
            "the input input:0 is float32 (None, 360); wanted one photo's",
        ),
        (of_floats([1, 3, 12, 10]), {}, "is float32 (1, 3, 12, 10); wanted"),
        (of_floats([1, 12, 10, 30]), {}, "is float32 (1, 12, 10, 30); wanted"),
        (of_floats([8, 12, 10, 3]), {}, "is float32 (8, 12, 10, 3); wanted"),
        (
            of_floats([1, 12, 10, 3]),
            {"input_height": 20},
            "is float32 (1, 12, 10, 3); wanted one photo's bytes (string, a scalar) or float32 "
            "(n, 20, 10, 3): name another --input_layer",
        ),
        # label_image's (pixel - 0) / 255 would be black in whole numbers
        (of_floats([1, 12, 10, 3], tf.uint8), {}, "is uint8 (1, 12, 10, 3); wanted"),
        (
            of_bytes(lambda: tf.placeholder(tf.string, [None], "input")[0]),
            {},
            "the input input:0 is string (None,); wanted one photo's bytes (string, a scalar)",
        ),
    ],
)
def test_an_input_that_cannot_take_a_photo_is_refused_at_once(tmp_path, build, options, message):
    with pytest.raises(GraphnetsError) as caught:
        other(tmp_path, build, **options)
    assert message in str(caught.value)


@pytest.mark.parametrize("shape", [[], [None, None, None, None]])
def test_a_graph_that_fails_is_not_blamed_on_the_photo(tmp_path, shape):
    def build():
        value = tf.placeholder(tf.float32 if shape else tf.string, shape, "input")
        image = value if shape else tf.image.decode_jpeg(value, channels=3)
        tf.nn.softmax(tf.reshape(tf.cast(image, tf.float32), [1, 3]), name="softmax")

    size = {"input_height": 4, "input_width": 4} if shape else {}
    classifier = other(tmp_path, build, **size)
    photo = write_png(tmp_path / "photo.png", pixels(1, 4, 4))
    with pytest.raises(GraphnetsError, match="photo.png: .*reshape is a tensor with 48") as caught:
        list(classifier.predict([photo]))
    assert not isinstance(caught.value, PhotoError)
    assert str(caught.value).startswith(f"the graph fails on {photo}: ")
    assert "\n" not in str(caught.value)
    jpeg = saved(tmp_path / "cut.jpg", pixels(1, 64, 64)).read_bytes()
    (tmp_path / "cut.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    [prediction] = classifier.predict([tmp_path / "cut.jpg"])
    assert prediction.problem == "damaged or cut off"


@pytest.mark.parametrize(
    "output, shape",
    [(lambda x: x[:, :2], (1, 2)), (lambda x: x[0], (3,)), (lambda x: tf.tile(x, [2, 1]), (2, 3))],
)
def test_outputs_whose_number_shows_late_are_refused_too(tmp_path, output, shape):
    def build():
        picture = tf.placeholder(tf.float32, [1, 12, 10, 3], "input")
        result = output(tf.reduce_mean(picture, [1, 2]))
        tf.placeholder_with_default(result, None, "softmax")  # hides the shape

    classifier = other(tmp_path, build)
    with pytest.raises(GraphnetsError) as caught:
        classifier.scores(write_png(tmp_path / "photo.png", pixels(1)))
    assert f"the output softmax:0 is {shape}, wanted (1, 3) as there are" in str(caught.value)


@pytest.mark.parametrize(
    "output, message",
    [
        (
            lambda x: tf.cast(x, tf.int32),
            "the output softmax:0 is int32, wanted floats, a score fo",
        ),
        (lambda x: x * float("nan"), "the output softmax:0 is not a number; wanted a graph whose"),
    ],
)
def test_an_output_that_is_no_scores_is_refused(tmp_path, output, message):
    def build():
        picture = tf.placeholder(tf.float32, [1, 12, 10, 3], "input")
        tf.identity(output(tf.reduce_mean(picture, [1, 2])), name="softmax")

    with pytest.raises(GraphnetsError, match=f"^{message}"):
        classifier = other(tmp_path, build)
        classifier.scores(write_png(tmp_path / "photo.png", pixels(1)))


def test_labels_of_any_size_are_never_read_whole(tmp_path):
    path = tmp_path / "labels.txt"
    with open(path, "wb") as file:
        file.write(b"daisy\n")
        file.truncate(1 << 40)
    with pytest.raises(GraphnetsError) as caught:
        predict.read_labels(path)
    assert str(caught.value) == f"{path} has over 16,777,216 bytes; wanted labels, one a line"
