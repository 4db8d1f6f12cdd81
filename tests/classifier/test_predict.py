"""Classifying photos with an exported graph: the right figures, and the right one to blame."""

import itertools
import os

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image
from test_export import (
    LABELS,
    SIZE,
    a_head,
    by_hand,
    pixels,
    resized_by_hand,
    softmax_by_hand,
    tiny_network,
    write_png,
)

from graphnets.classifier import export
from graphnets.classifier.predict import Classifier, photo_paths
from graphnets.errors import GraphnetsError, PhotoError
from graphnets.jobs.options import InputOptions
from graphnets.photos import images, reading


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A folder with an exported graph and its labels."""
    folder = tmp_path_factory.mktemp("own")
    graph_def = export.classifier_graph_def(tiny_network(), ["conv2"], a_head())
    export.write_graph(folder / "graph.pb", graph_def)
    export.write_labels(folder / "labels.txt", LABELS)
    return folder


@pytest.fixture(scope="module")
def classifier(own):
    return Classifier(own / "graph.pb", own / "labels.txt")


def saved(path, picture, **options):
    Image.fromarray(picture).save(path, **options)
    return path


def test_scores_are_the_softmax_of_the_features(classifier, tmp_path):
    scores = classifier.scores(write_png(tmp_path / "photo.png", pixels(1)))
    assert scores.dtype == np.float32 and scores.shape == (3,)
    np.testing.assert_allclose(scores, by_hand(pixels(1)), rtol=1e-5)


@pytest.mark.parametrize("top_k, count", [(1, 1), (2, 2), (3, 3), (5, 3)])
def test_the_likeliest_classes_come_first(classifier, tmp_path, top_k, count):
    path = write_png(tmp_path / "photo.png", pixels(2))
    [prediction] = classifier.predict([path], top_k)
    expected = sorted(zip(by_hand(pixels(2)), LABELS, strict=True), reverse=True)[:count]
    assert prediction.path == str(path)
    assert prediction.problem == ""
    assert [label for label, _ in prediction.top] == [label for _, label in expected]
    assert [type(score) for _, score in prediction.top] == [float] * count
    np.testing.assert_allclose(
        [score for _, score in prediction.top], [score for score, _ in expected], rtol=1e-5
    )


def test_predictions_come_in_the_order_of_the_paths(classifier, tmp_path):
    paths = []
    for number in range(150):  # more than are in hand at a time, of very different sizes
        size = 300 if number % 7 == 0 else 16
        paths.append(write_png(tmp_path / f"{number}.png", pixels(number, size, size)))
    paths[40] = tmp_path / "missing.png"
    predictions = list(classifier.predict(paths))
    assert [prediction.path for prediction in predictions] == [str(path) for path in paths]
    for number in (0, 1, 39, 41, 149):
        expected = by_hand(resized_by_hand(np.array(Image.open(paths[number])), SIZE))
        scores = dict(predictions[number].top)
        np.testing.assert_allclose([scores[x] for x in LABELS], expected, rtol=1e-4)
    assert predictions[40].problem and not predictions[40].top


def test_an_endless_stream_of_paths_is_read_as_results_are_taken(classifier, tmp_path):
    path = write_png(tmp_path / "photo.png", pixels(1))
    taken = itertools.count()
    predictions = classifier.predict(path for _ in taken)
    for _ in range(200):
        assert len(next(predictions).top) == 3
    before = next(taken)
    assert 200 <= before <= 200 + 2 * 64
    predictions.close()
    assert next(taken) == before + 1


def test_nothing_is_read_before_a_result_is_asked_for(classifier, tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(images, "contents", read.append)
    classifier.predict([tmp_path / "photo.png"])
    assert read == []


def test_unreadable_files_say_why_and_the_others_are_classified(classifier, tmp_path):
    jpeg = saved(tmp_path / "whole.jpg", pixels(1, 64, 64)).read_bytes()
    contents = {
        "cut.jpg": jpeg[: len(jpeg) // 2],
        "empty.jpg": b"",
        "text.jpg": b"not a picture",
        "header.jpg": b"\xff\xd8\xff\xe0",
    }
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "folder.jpg").mkdir()
    names = [*contents, "folder.jpg", "missing.jpg", "whole.jpg"]
    *left_out, good = classifier.predict(tmp_path / name for name in names)
    assert [prediction.top for prediction in left_out] == [[]] * 6
    reasons = {os.path.basename(p.path): p.problem for p in left_out}
    assert reasons["cut.jpg"] == "damaged or cut off"
    assert reasons["empty.jpg"] == "an empty file"
    assert reasons["text.jpg"] == "not a JPEG, PNG, BMP, GIF, PPM or WebP picture"
    assert reasons["header.jpg"] != ""
    assert reasons["folder.jpg"] == "not a regular file"
    assert "No such file" in reasons["missing.jpg"]
    assert (good.problem, len(good.top)) == ("", 3)


def test_scores_of_a_damaged_photo_raise(classifier, tmp_path):
    jpeg = saved(tmp_path / "photo.jpg", pixels(1, 64, 64)).read_bytes()
    (tmp_path / "photo.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    with pytest.raises(PhotoError, match="^damaged or cut off$"):
        classifier.scores(tmp_path / "photo.jpg")


@pytest.mark.parametrize(
    "name, options",
    [("photo.bmp", {}), ("photo.gif", {}), ("photo.ppm", {}), ("photo.webp", {"lossless": True}),
     ("no_extension", {"format": "PNG"}), ("wrong.jpg", {"format": "PNG"}),
     ("żółw and space.png", {})],
)  # fmt: skip
def test_every_format_without_loss_gives_the_same_scores(classifier, tmp_path, name, options):
    picture = pixels(3, 15, 17)  # 255 colours at most: GIF loses nothing
    scores = classifier.scores(saved(tmp_path / name, picture, **options))
    np.testing.assert_allclose(scores, by_hand(resized_by_hand(picture, SIZE)), rtol=1e-4)


def blocks():
    """48 x 32, of blocks of one colour, which JPEG keeps well and the same in any direction."""
    return np.kron(pixels(6, 3, 2), np.ones((16, 16, 1), np.uint8))


def test_a_jpeg_is_close_to_its_picture(classifier, tmp_path):
    path = saved(tmp_path / "photo.jpg", blocks(), quality=100, subsampling=0)
    expected = by_hand(resized_by_hand(blocks(), SIZE))
    np.testing.assert_allclose(classifier.scores(path), expected, rtol=0.02)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_that_lies_on_its_side_is_classified_upright(classifier, tmp_path, orientation):
    # How a camera stores the upright picture under each orientation (EXIF 2.3, tag 0x0112).
    stored = [
        lambda x: x,
        lambda x: x[:, ::-1],
        lambda x: x[::-1, ::-1],
        lambda x: x[::-1],
        lambda x: x.swapaxes(0, 1),
        lambda x: np.rot90(x, 1),
        lambda x: x[::-1, ::-1].swapaxes(0, 1),
        lambda x: np.rot90(x, -1),
    ][orientation - 1](blocks())
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 100, "subsampling": 0}
    turned = saved(tmp_path / "turned.jpg", np.ascontiguousarray(stored), exif=exif, **options)
    upright = saved(tmp_path / "upright.jpg", blocks(), **options)
    np.testing.assert_allclose(classifier.scores(turned), classifier.scores(upright), rtol=1e-4)


def write_graph(folder, build):
    """Another tool's graph: what `build` adds to the default graph. Returns its path."""
    with tf.Graph().as_default() as graph:
        build()
        export.write_graph(folder / "other.pb", graph.as_graph_def())
    export.write_labels(folder / "labels.txt", LABELS)
    return folder / "other.pb"


MATRIX = np.random.default_rng(8).standard_normal((12 * 10 * 3, 3)).astype(np.float32)


def of_floats(shape, dtype=tf.float32):
    """A placeholder for pictures of 12 x 10, and a softmax that no two pixels enter alike."""

    def build():
        picture = tf.placeholder(dtype, shape, "input")
        flat = tf.reshape(tf.cast(picture, tf.float32), [-1, 12 * 10 * 3])
        tf.nn.softmax(flat @ tf.constant(MATRIX), name="softmax")

    return build


def other(folder, build, **options):
    options = {"input_layer": "input", "output_layer": "softmax", **options}
    return Classifier(write_graph(folder, build), folder / "labels.txt", InputOptions(**options))


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


def of_bytes(contents):
    """The averages of the three channels, as a softmax; contents: makes the input."""

    def build():
        image = tf.image.decode_jpeg(contents(), channels=3, name="DecodeJpeg")
        averages = tf.reduce_mean(tf.cast(image, tf.float32), [0, 1]) / 255
        tf.nn.softmax(averages[tf.newaxis], name="softmax")

    return build


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


def shapes_run(classifier, monkeypatch):
    """The list that gets the shape of what is fed in each run of the output."""
    shapes, run = [], classifier._session.run

    def watched(fetch, feed_dict):
        if fetch is classifier._output:
            shapes.append(np.shape(next(iter(feed_dict.values()))))
        return run(fetch, feed_dict)

    monkeypatch.setattr(classifier._session, "run", watched)
    return shapes


def write_pngs(folder, count, broken=()):
    """Photos of different sizes, and files that are none where `broken` says."""
    paths = [write_png(folder / f"{i}.png", pixels(i, 10 + i % 9, 12)) for i in range(count)]
    for number in broken:
        paths[number].write_bytes(b"not a picture")
    return paths


def assert_as_alone(classifier, paths, predictions, broken=()):
    """The predictions are those of the photos one by one, in the order of their paths."""
    assert [prediction.path for prediction in predictions] == [str(path) for path in paths]
    for number, (path, prediction) in enumerate(zip(paths, predictions, strict=True)):
        if number in broken:
            assert (prediction.top, prediction.problem[:6]) == ([], "not a ")
        else:
            assert prediction.problem == ""
            scores = dict(prediction.top)
            alone = classifier.scores(path)
            np.testing.assert_allclose([scores[x] for x in LABELS], alone, rtol=0, atol=1e-6)


BROKEN = (0, 31, 40, 70)


def test_the_exported_graph_runs_on_batches(classifier, tmp_path, monkeypatch):
    paths = write_pngs(tmp_path, 71, BROKEN)
    monkeypatch.setattr(reading, "BATCH", 32)
    with monkeypatch.context() as context:
        shapes = shapes_run(classifier, context)
        predictions = list(classifier.predict(paths))
    assert sorted(shapes) == [(6, *SIZE, 3), (30, *SIZE, 3), (31, *SIZE, 3)]
    assert_as_alone(classifier, paths, predictions, BROKEN)
    assert len({prediction.top[0][1] for prediction in predictions if prediction.top}) == 67


@pytest.mark.parametrize("count, sizes", [(1, [1]), (4, [4]), (5, [4, 1]), (8, [4, 4]), (0, [])])
def test_a_last_batch_has_what_is_left(classifier, tmp_path, monkeypatch, count, sizes):
    monkeypatch.setattr(reading, "BATCH", 4)
    shapes = shapes_run(classifier, monkeypatch)
    assert len(list(classifier.predict(write_pngs(tmp_path, count)))) == count
    assert sorted((shape[0] for shape in shapes), reverse=True) == sizes


def test_a_batch_of_unreadable_files_is_not_run(classifier, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "BATCH", 3)
    paths = write_pngs(tmp_path, 7, range(3, 6))
    with monkeypatch.context() as context:
        shapes = shapes_run(classifier, context)
        predictions = list(classifier.predict(paths))
    assert sorted(shape[0] for shape in shapes) == [1, 3]
    assert_as_alone(classifier, paths, predictions, range(3, 6))


@pytest.mark.parametrize("dtype", [tf.float32, tf.float16])
def test_another_tools_graph_runs_on_batches_too(tmp_path, monkeypatch, dtype):
    monkeypatch.setattr(reading, "BATCH", 4)
    classifier = other(tmp_path, of_floats([None, 12, 10, 3], dtype), input_mean=100)
    paths = write_pngs(tmp_path, 11, (2, 9))
    with monkeypatch.context() as context:
        shapes = shapes_run(classifier, context)
        predictions = list(classifier.predict(paths))
    assert sorted(shapes) == [(2, 12, 10, 3), (3, 12, 10, 3), (4, 12, 10, 3)]
    assert_as_alone(classifier, paths, predictions, (2, 9))


def of_one_row():
    """An open first dimension at the input, and an output that is one photo's."""
    picture = tf.placeholder(tf.float32, [None, 12, 10, 3], "input")
    tf.nn.softmax(tf.reshape(picture, [1, 360]) @ tf.constant(MATRIX), name="softmax")


@pytest.mark.parametrize(
    "build, shape, options",
    [
        (of_floats([1, 12, 10, 3]), (1, 12, 10, 3), {}),
        (of_floats(None), (1, 12, 10, 3), {"input_height": 12, "input_width": 10}),
        (of_one_row, (1, 12, 10, 3), {}),
        (of_bytes(lambda: tf.placeholder(tf.string, [], "input")), (), {}),
        (of_bytes(lambda: tf.constant(b"a picture of its own", name="input")), (), {}),
    ],
    ids=["fixed input", "no known shape", "fixed output", "bytes", "constant"],
)
def test_a_graph_of_one_photo_runs_on_one(tmp_path, monkeypatch, build, shape, options):
    monkeypatch.setattr(reading, "BATCH", 4)
    classifier = other(tmp_path, build, **options)
    paths = write_pngs(tmp_path, 7, (2,))
    with monkeypatch.context() as context:
        shapes = shapes_run(classifier, context)
        predictions = list(classifier.predict(paths))
    assert set(shapes) == {shape}
    assert_as_alone(classifier, paths, predictions, (2,))


def of_resized(entry, last=lambda resized, entry: entry):
    """A graph of bytes with "ResizedJPG", made by `entry`; `last` tells what is classified."""

    def build():
        image = tf.image.decode_jpeg(tf.placeholder(tf.string, [], "input"), channels=3)
        resized = tf.raw_ops.ResizeBilinear(images=image[tf.newaxis], size=(4, 5))
        value = tf.cast(last(resized, entry(resized)), tf.float32)
        # The output is open in any case, so that the entry alone decides.
        averages = tf.placeholder_with_default(tf.reduce_mean(value, [1, 2]), [None, 3])
        tf.nn.softmax(averages / 255, name="softmax")

    return build


def taking(shape):
    return lambda resized: tf.placeholder_with_default(resized, shape, "ResizedJPG")


FREE = [None, 4, 5, 3]


@pytest.mark.parametrize(
    "build, shape",
    [
        (of_resized(taking(FREE)), (3, 4, 5, 3)),
        (of_resized(taking([1, 4, 5, 3])), ()),
        (of_resized(taking([None, None, None, 3])), ()),
        (of_resized(taking([None, 4, 5, None])), ()),
        (of_resized(taking(None)), ()),
        (of_resized(lambda x: tf.identity(x, "ResizedJPG")), ()),
        (of_resized(lambda x: taking(FREE)(tf.cast(x, tf.int32))), ()),
        (of_resized(lambda x: taking(FREE)(tf.zeros([1, 4, 5, 3])), lambda x, y: x + y), ()),
        (of_resized(taking(FREE), lambda x, y: (x + y) / 2), ()),
    ],
    ids=["all right", "fixed", "no size", "no channels", "no shape", "no placeholder", "integers",
         "apart from the input", "passed by"],
)  # fmt: skip
def test_resized_photos_enter_only_where_they_can(tmp_path, monkeypatch, build, shape):
    monkeypatch.setattr(reading, "BATCH", 3)
    classifier = other(tmp_path, build)
    paths = write_pngs(tmp_path, 6)
    with monkeypatch.context() as context:
        shapes = shapes_run(classifier, context)
        predictions = list(classifier.predict(paths))
    assert set(shapes) == {shape}
    assert_as_alone(classifier, paths, predictions)
    if "int" not in str(classifier._graph.get_tensor_by_name("ResizedJPG:0").dtype):
        averages = resized_by_hand(pixels(1, 11, 12), (4, 5)).mean((0, 1))
        scores = [dict(predictions[1].top)[label] for label in LABELS]
        np.testing.assert_allclose(scores, softmax_by_hand(averages / 255), rtol=1e-5)


def of_hidden(output):
    """A graph that says it takes and gives any number, whatever `output` makes of the averages."""

    def build():
        averages = tf.reduce_mean(tf.placeholder(tf.float32, FREE, "input"), [1, 2])
        tf.placeholder_with_default(output(averages), [None, 3], "softmax")

    return build


@pytest.mark.parametrize(
    "output",
    [
        lambda x: tf.reshape(x, [1, 3]),  # fails on a batch
        lambda x: tf.reduce_mean(x, 0, keepdims=True),  # makes one row of it
    ],
)
def test_a_graph_that_cannot_run_a_batch_after_all_runs_on_one(tmp_path, monkeypatch, output):
    monkeypatch.setattr(reading, "BATCH", 4)
    classifier = other(tmp_path, of_hidden(output))
    paths = write_pngs(tmp_path, 6, (2,))
    with monkeypatch.context() as context:
        shapes = shapes_run(classifier, context)
        predictions = list(classifier.predict(paths))
    assert sorted(shape[0] for shape in shapes) == [1, 1, 1, 1, 1, 2, 3]
    assert_as_alone(classifier, paths, predictions, (2,))
    averages = resized_by_hand(pixels(1, 11, 12), (4, 5)).mean((0, 1)) / 255
    np.testing.assert_allclose([dict(predictions[1].top)[x] for x in LABELS], averages, rtol=1e-5)


def test_the_photo_that_a_graph_fails_on_is_named_and_those_before_it_classified(tmp_path):
    classifier = other(tmp_path, of_hidden(lambda x: tf.debugging.check_numerics(1 / x, "black")))
    paths = write_pngs(tmp_path, 40)
    write_png(paths[35], np.zeros((9, 9, 3), np.uint8))
    predictions, seen = classifier.predict(paths), []
    with pytest.raises(GraphnetsError, match="black") as caught:
        seen.extend(predictions)
    assert str(caught.value).startswith(f"the graph fails on {paths[35]}: ")
    assert not isinstance(caught.value, PhotoError)
    with pytest.raises(GraphnetsError) as alone:
        classifier.scores(paths[35])
    assert str(alone.value) == str(caught.value)
    assert_as_alone(classifier, paths[:35], seen)


def test_a_batch_with_too_many_rows_is_the_graphs_fault(tmp_path):
    classifier = other(tmp_path, of_hidden(lambda x: tf.tile(x, [2, 1])))
    with pytest.raises(GraphnetsError) as caught:
        list(classifier.predict(write_pngs(tmp_path, 3)))
    assert str(caught.value) == (
        "the output softmax:0 is (2, 3), wanted (1, 3) as there are labels: name another "
        "--output_layer"
    )


def test_a_few_batches_are_read_before_a_result_is_taken(classifier, tmp_path, monkeypatch):
    path, contents, read = write_png(tmp_path / "photo.png", pixels(1)), images.contents, []

    def watched(path):
        read.append(path)
        return contents(path)

    monkeypatch.setattr(images, "contents", watched)
    taken = itertools.count()
    predictions = classifier.predict(path for _ in taken)
    assert next(predictions).problem == ""
    # Three batches run or wait for it, two are read ahead of them.
    assert reading.BATCH <= len(read) <= next(taken) <= 5 * reading.BATCH
    for _ in range(reading.BATCH):
        next(predictions)
    assert 5 * reading.BATCH < next(taken) <= 6 * reading.BATCH + 1
    predictions.close()


def test_a_number_of_labels_that_is_not_the_outputs_is_refused(own, tmp_path):
    export.write_labels(tmp_path / "labels.txt", ["ant", "bee"])
    with pytest.raises(
        GraphnetsError,
        match="labels.txt has 2 labels, .*graph.pb has 3 outputs; wanted the labels file",
    ):
        Classifier(own / "graph.pb", tmp_path / "labels.txt")


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


def test_a_graph_with_a_node_that_leads_nowhere_is_refused(own, tmp_path):
    graph_def = tf.GraphDef()
    graph_def.node.add(name="softmax", op="Softmax", input=["missing"])
    export.write_graph(tmp_path / "graph.pb", graph_def)
    with pytest.raises(GraphnetsError, match="graph.pb is no sound graph: .*missing"):
        Classifier(tmp_path / "graph.pb", own / "labels.txt")


@pytest.mark.parametrize("content", [b"", b"<html></html>"])
def test_what_is_no_graph_is_refused(own, tmp_path, content):
    (tmp_path / "graph.pb").write_bytes(content)
    with pytest.raises(GraphnetsError, match="graph.pb .*wanted a frozen"):
        Classifier(tmp_path / "graph.pb", own / "labels.txt")


def test_missing_files_are_named(own, tmp_path):
    with pytest.raises(GraphnetsError, match="gone.pb cannot be read: No such file"):
        Classifier(tmp_path / "gone.pb", own / "labels.txt")
    with pytest.raises(GraphnetsError, match="gone.txt cannot be read: No such file"):
        Classifier(own / "graph.pb", tmp_path / "gone.txt")


@pytest.mark.parametrize(
    "text, labels",
    [
        ("stop sign\n give way\ntwo  spaces \n", ["stop sign", " give way", "two  spaces "]),
        ("żółw\n日本\n🐢\n", ["żółw", "日本", "🐢"]),
        ("a\nb\nc", ["a", "b", "c"]),
        ("a\r\nb b\r\nc\r\n", ["a", "b b", "c"]),
    ],
    ids=["spaces", "unicode", "no last line end", "Windows"],
)
def test_labels_are_the_lines_of_their_file(own, tmp_path, text, labels):
    (tmp_path / "labels.txt").write_bytes(text.encode())
    classifier = Classifier(own / "graph.pb", tmp_path / "labels.txt")
    [prediction] = classifier.predict([write_png(tmp_path / "photo.png", pixels(1))])
    order = np.argsort(-by_hand(pixels(1)))
    assert [label for label, _ in prediction.top] == [labels[i] for i in order]


def test_photo_paths_lists_folders_at_any_depth_without_hidden_files(tmp_path):
    names = ["b.jpg", "a.jpg", "C.jpg", ".hidden.jpg", "Thumbs.db", "desktop.ini", "z/2.jpg",
             "z/1.jpg", "z/deep/x.png", "m/.DS_Store", ".git/y.jpg", "a space/ü.jpg"]  # fmt: skip
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = [os.path.relpath(path, tmp_path) for path in photo_paths([tmp_path])]
    assert found == [
        "C.jpg", "a.jpg", "b.jpg", "a space/ü.jpg", "z/1.jpg", "z/2.jpg", "z/deep/x.png",
    ]  # fmt: skip


def test_photo_paths_keeps_the_order_of_the_arguments_and_what_is_named(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "in.jpg").write_bytes(b"")
    hidden, missing = tmp_path / ".hidden.jpg", str(tmp_path / "missing.jpg")
    found = list(photo_paths([missing, tmp_path / "folder", hidden, missing]))
    assert found == [missing, str(tmp_path / "folder" / "in.jpg"), str(hidden), missing]


def test_photo_paths_does_not_run_round_in_linked_folders(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert list(photo_paths([tmp_path])) == [str(tmp_path / "photo.jpg")]


def test_photo_paths_looks_into_a_folder_when_its_turn_comes(tmp_path):
    paths = photo_paths([tmp_path / "first.jpg", tmp_path])
    assert next(paths) == str(tmp_path / "first.jpg")
    (tmp_path / "late.jpg").write_bytes(b"")
    assert list(paths) == [str(tmp_path / "late.jpg")]
