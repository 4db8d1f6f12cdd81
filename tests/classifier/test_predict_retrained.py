"""Classifying photos with a graph that retrain.py wrote: no placeholder takes a photo there."""

import graphs
import numpy as np
import pytest
from tiny import pixels, saved

from graphnets.classifier.options import InputOptions
from graphnets.classifier.predict import Classifier
from graphnets.errors import GraphnetsError


@pytest.fixture
def classify(tmp_path):
    """A function from options to the scores of one photo."""
    graph = graphs.write(tmp_path / "output_graph.pb", graphs.retrained_like())
    labels = tmp_path / "output_labels.txt"
    labels.write_text("a\nb\nc\nd\ne\n")
    photo = saved(tmp_path / "photo.jpg", pixels(3, 60, 70), quality=95)

    def scores(**options):
        return Classifier(graph, labels, InputOptions(**options)).scores(photo)

    return scores


def test_its_bytes_and_its_scaled_pictures_give_the_same(classify):
    from_bytes = classify(input_layer="DecodeJpeg/contents")
    from_pictures = classify(input_layer="Mul", input_mean=128, input_std=128)
    assert from_bytes.std() > 0.01
    np.testing.assert_allclose(from_pictures, from_bytes, rtol=1e-4)
    resized = classify(input_layer="ResizeBilinear", input_mean=0, input_std=1)
    np.testing.assert_allclose(resized, from_bytes, rtol=1e-4)


def test_a_layer_that_is_not_there_lists_where_photos_enter(classify):
    with pytest.raises(GraphnetsError) as caught:
        classify()
    assert str(caught.value).endswith(
        "output_graph.pb has no 'DecodeJPGInput'; its placeholders are "
        "input/BottleneckInputPlaceholder, it takes a photo's bytes at DecodeJpeg/contents, it "
        "takes scaled pictures at Mul, its softmax is final_result: name them with --input_layer "
        "and --output_layer"
    )


@pytest.mark.parametrize(
    "options",
    [{}, {"input_mean": 128}, {"input_std": 128}, {"input_height": 47, "input_width": 47}],
)
def test_a_bare_mul_is_refused_as_nobody_says_how_pictures_are_scaled(classify, options):
    with pytest.raises(GraphnetsError) as caught:
        classify(input_layer="Mul", **options)
    assert str(caught.value) == (
        "the input Mul:0 is what the graph computes of pictures, as a Mul: give --input_mean and "
        "--input_std as the graph scales them (128 and 128 for the Mul of retrain.py's "
        "Inception), or name the --input_layer that takes a photo's bytes"
    )
