"""Photos are classified in batches where the graph takes them, and alone where not."""

import itertools

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from othertools import MATRIX, of_bytes, of_floats, other
from tiny import LABELS, SIZE, pixels, resized_by_hand, softmax_by_hand, write_png

from graphnets.errors import GraphnetsError, PhotoError
from graphnets.photos import reading


def shapes_run(classifier, monkeypatch):
    """The list that gets the shape of what is fed in each run of the output."""
    shapes, run = [], classifier._session.run

    def watched(fetch, feed_dict):
        if isinstance(fetch, list) and fetch[0] is classifier._output:
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


def test_a_few_batches_are_read_before_a_result_is_taken(classifier, tmp_path, reads):
    path = write_png(tmp_path / "photo.png", pixels(1))
    taken = itertools.count()
    predictions = classifier.predict(path for _ in taken)
    assert next(predictions).problem == ""
    # Three batches run or wait for it, two are read ahead of them.
    assert reading.BATCH <= len(reads) <= next(taken) <= 5 * reading.BATCH
    for _ in range(reading.BATCH):
        next(predictions)
    assert 5 * reading.BATCH < next(taken) <= 6 * reading.BATCH + 1
    predictions.close()
