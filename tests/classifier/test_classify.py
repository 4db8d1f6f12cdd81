"""Classifying with a pretrained network: the scores by NumPy, the names in the right order."""

import itertools
import os

import backbones
import graphs
import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image
from tiny import pixels, resized_by_hand, softmax_by_hand, write_png

from graphnets import open_network
from graphnets.classifier.classify import ImageNetClassifier
from graphnets.errors import GraphnetsError, PhotoError
from graphnets.networks import inception, vgg16
from graphnets.networks.declared import Declared, DeclaredNetwork
from graphnets.networks.layers import fc, softmax
from graphnets.photos import reading
from graphnets.zoo import names

SIZE = (6, 8)  # height, width
RANDOM = np.random.default_rng(3)
W = RANDOM.standard_normal((3, 1000)).astype(np.float32)
B = RANDOM.standard_normal(1000).astype(np.float32)


def colours(classes=1000, weights=None, network=DeclaredNetwork):
    """A network that classifies the average colour: one layer, known weights."""
    rows = (("fc8", fc(classes, relu=False)), ("prob", softmax()))
    weights = {"fc8": (W[:, :classes], B[:classes])} if weights is None else weights
    declared = Declared(
        "colours", "Colours", rows, SIZE, lambda x: tf.reduce_mean(x, [1, 2]) / 51, "fc8"
    )
    return network(declared, weights, "known")


def by_hand(picture):
    """The 1000 scores of a picture of the network's size, uint8 or float (6, 8, 3)."""
    return softmax_by_hand(picture.mean((0, 1)) / 51 @ W.astype(float) + B)


@pytest.fixture(scope="module")
def classifier():
    return ImageNetClassifier(colours())


def test_scores_are_those_of_all_the_classes(classifier, tmp_path):
    scores = classifier.scores(write_png(tmp_path / "photo.png", pixels(1, *SIZE)))
    assert scores.dtype == np.float32 and scores.shape == (1000,)
    np.testing.assert_allclose(scores, by_hand(pixels(1, *SIZE)), rtol=1e-4)


def test_the_likeliest_five_come_first_with_their_names(classifier, tmp_path):
    path = write_png(tmp_path / "photo.png", pixels(2, *SIZE))
    [prediction] = classifier.predict([path])
    expected = by_hand(pixels(2, *SIZE))
    best = np.argsort(-expected)[:5]
    assert (prediction.path, prediction.problem) == (str(path), "")
    assert [name for name, _ in prediction.top] == [names.imagenet_names()[i] for i in best]
    assert [type(score) for _, score in prediction.top] == [float] * 5
    np.testing.assert_allclose([score for _, score in prediction.top], expected[best], rtol=1e-4)


@pytest.mark.parametrize("top_k", [1, 3, 1000])
def test_as_many_classes_as_are_asked_for(classifier, tmp_path, top_k):
    path = write_png(tmp_path / "photo.png", pixels(2, *SIZE))
    [prediction] = classifier.predict([path], top_k=top_k)
    scores = [score for _, score in prediction.top]
    assert len(scores) == top_k and scores == sorted(scores, reverse=True)


def test_a_photo_of_another_size_is_resized_as_everywhere(classifier, tmp_path):
    path = write_png(tmp_path / "photo.png", pixels(4, 31, 25))
    expected = by_hand(resized_by_hand(pixels(4, 31, 25), SIZE))
    np.testing.assert_allclose(classifier.scores(path), expected, rtol=1e-4)


def test_predictions_come_in_order_and_unreadable_files_say_why(classifier, tmp_path):
    paths = [write_png(tmp_path / f"{i}.png", pixels(i, *SIZE)) for i in range(80)]
    Image.fromarray(pixels(1, 64, 64)).save(tmp_path / "cut.jpg")
    whole = (tmp_path / "cut.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.jpg").write_text("not a picture")
    paths[7:7] = [tmp_path / "cut.jpg", str(tmp_path / "text.jpg"), tmp_path / "missing.jpg"]
    predictions = list(classifier.predict(iter(paths)))
    assert [prediction.path for prediction in predictions] == [os.fspath(path) for path in paths]
    cut, text, missing = predictions[7:10]
    assert cut.problem == "damaged or cut off"
    assert text.problem == "not a JPEG, PNG, BMP, GIF, PPM, WebP, TIFF, AVIF or HEIC picture"
    assert "No such file" in missing.problem
    assert cut.top == text.top == missing.top == []
    for number, prediction in enumerate(predictions[:7] + predictions[10:]):
        scores = by_hand(pixels(number, *SIZE))
        assert prediction.problem == ""
        assert prediction.top[0][0] == names.imagenet_names()[scores.argmax()]


def watch_runs(classifier, monkeypatch, largest=32):
    """The list that gets the number of photos of each run; more than `largest` are too many."""
    counts, run = [], classifier._session.run

    def watched(fetch, feed_dict):
        if fetch == [classifier._scores]:
            [photos] = feed_dict.values()
            counts.append(len(photos))
            if len(photos) > largest:
                raise tf.errors.ResourceExhaustedError(None, None, "out of memory")
        return run(fetch, feed_dict)

    monkeypatch.setattr(classifier._session, "run", watched)
    return counts


@pytest.mark.parametrize(
    "largest, counts",
    [(32, [6, 30, 31]), (30, [*[1] * 31, 6, 30, 31])],
    ids=["in batches", "alone where a batch fails"],
)
def test_batches_give_what_the_photos_give_alone(
    classifier, tmp_path, monkeypatch, largest, counts
):
    broken = (0, 31, 40, 70)
    paths = [write_png(tmp_path / f"{i}.png", pixels(i, 5 + i % 4, 8)) for i in range(71)]
    for number in broken:
        paths[number].write_bytes(b"not a picture")
    monkeypatch.setattr(reading, "BATCH", 32)
    with monkeypatch.context() as context:
        run = watch_runs(classifier, context, largest)
        predictions = list(classifier.predict(paths, top_k=1000))
    assert sorted(run) == counts
    assert [prediction.path for prediction in predictions] == [str(path) for path in paths]
    for number, prediction in enumerate(predictions):
        if number in broken:
            assert (
                prediction.problem
                == "not a JPEG, PNG, BMP, GIF, PPM, WebP, TIFF, AVIF or HEIC picture"
            )
            continue
        alone = classifier.scores(paths[number])
        order = np.argsort(-alone, kind="stable")
        scores = [score for _, score in prediction.top]
        np.testing.assert_allclose(scores, alone[order], rtol=0, atol=1e-6)
        assert prediction.top[0][0] == names.imagenet_names()[order[0]]


def test_files_are_read_a_few_batches_ahead_at_most(classifier, tmp_path, monkeypatch, reads):
    monkeypatch.setattr(reading, "BATCH", 4)
    path = write_png(tmp_path / "photo.png", pixels(1, *SIZE))
    taken = itertools.count()
    predictions = classifier.predict(path for _ in taken)
    assert reads == []
    assert next(predictions).problem == ""
    assert 4 <= len(reads) <= next(taken) <= 5 * 4
    predictions.close()


def test_scores_of_a_broken_photo_raise(classifier, tmp_path):
    (tmp_path / "empty.jpg").write_bytes(b"")
    with pytest.raises(PhotoError, match="^an empty file$"):
        classifier.scores(tmp_path / "empty.jpg")


def test_inceptions_1008_outputs_have_their_own_order(tmp_path):
    graph_def = graphs.inception_like(seed=5, classes=1008)
    path = graphs.write(tmp_path / "classify_image_graph_def.pb", graph_def)
    network = inception.network(inception.inception_graph_def(path), "print")
    photo = write_png(tmp_path / "photo.png", pixels(6, graphs.SIZE, graphs.SIZE))
    [prediction] = ImageNetClassifier(network).predict([photo], top_k=3)

    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(graph_def, name="")  # the file as it is; it decodes a PNG, too
        contents = {"DecodeJpeg/contents:0": photo.read_bytes()}
        scores = session.run("softmax:0", contents)[0]
    best = np.argsort(-scores)[:3]
    labels = names.inception_names()
    assert [name for name, _ in prediction.top] == [labels[i] for i in best]
    np.testing.assert_allclose([score for _, score in prediction.top], scores[best], rtol=1e-3)


def test_another_number_of_outputs_is_no_imagenet():
    with pytest.raises(GraphnetsError) as caught:
        ImageNetClassifier(colours(classes=43))
    assert str(caught.value) == (
        "the endpoint 'prob' of colours is (None, 43), wanted (n, 1000 or 1001 or 1008), "
        "ImageNet's classes; a classifier of your own is for `graphnets predict`"
    )


class Maps(DeclaredNetwork):
    """A network whose last layer is a map."""

    def build(self, x, names, after="", trainable=()):
        return {"prob": x}


def test_a_map_is_no_row_of_scores():
    with pytest.raises(GraphnetsError, match=r"'prob' of colours is \(None, 6, 8, 3\), wanted"):
        ImageNetClassifier(colours(network=Maps))


def test_weights_without_the_last_layer_say_how_to_get_them_all():
    with pytest.raises(GraphnetsError) as caught:
        ImageNetClassifier(colours(weights={}))
    message = str(caught.value)
    assert message.startswith(
        "classify needs the weights of all layers of colours: `graphnets fetch --list` tells where "
        "to download a full file, `graphnets fetch NAME --file FILE` puts it in place ("
    )
    assert "fc8" in message
    assert "\n" not in message


def test_vgg16_from_the_convolutions_alone_cannot_classify():
    convolutions = {
        name: (np.zeros(w, np.float32), np.zeros(b, np.float32))
        for name, (w, b) in vgg16.DECLARED.shapes().items()
        if name.startswith("conv")
    }
    with pytest.raises(GraphnetsError, match="all layers of vgg16: .*fc6, fc7, fc8 missing"):
        ImageNetClassifier(vgg16.DECLARED.network(convolutions, "zeros"))


def test_a_network_of_tf_slims_has_a_background_class(tmp_path):
    def build():
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], "x") / 255.0
        y = tf.matmul(tf.reshape(x, [-1, 192]), backbones.drawn("W", 192, 1001), name="logits")
        tf.nn.softmax(y, name="y")

    path = graphs.write(tmp_path / "slim.pb", backbones.frozen(build, "y"))
    labels = ImageNetClassifier(open_network("graph", path)).labels
    assert labels[:2] == ["(background)", "tench, Tinca tinca"]
    assert len(labels) == 1001


def test_a_graph_without_classes_names_none(tmp_path):
    def build():
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], "x") / 255.0
        tf.nn.relu(tf.nn.conv2d(x, backbones.drawn("W", 3, 3, 3, 4), 1, "SAME"), name="y")

    path = graphs.write(tmp_path / "maps.pb", backbones.frozen(build, "y"))
    with pytest.raises(GraphnetsError) as caught:
        ImageNetClassifier(open_network("graph", path))
    assert str(caught.value) == (
        "graph ends in no softmax behind its classifier, so it names no classes; train one on its "
        "features with `graphnets retrain`"
    )
