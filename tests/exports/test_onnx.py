"""ONNX files, run by onnxruntime, beside the figures written out by hand."""

import json

import numpy as np
import onnx as onnx_files
import onnxruntime
import pytest
from tiny import LABELS, SIZE, by_hand, pixels, resized_by_hand

from graphnets.errors import GraphnetsError
from graphnets.exports import onnx
from graphnets.exports.run import Photo

PICTURE = pixels(3, 40, 23)
EXPECTED = by_hand(resized_by_hand(PICTURE, SIZE))


@pytest.fixture(scope="module")
def file(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx")
    assert onnx.write(run, folder, lambda line: None) == {"float32": "classifier.onnx"}
    return folder / "classifier.onnx"


def test_batches_of_pictures_of_any_size_score_as_by_hand(file):
    session = onnxruntime.InferenceSession(str(file))
    [image], [scores] = session.get_inputs(), session.get_outputs()
    assert (image.name, image.type) == ("image", "tensor(uint8)")
    assert image.shape == ["n", "height", "width", 3] and scores.shape == ["n", 3]
    [found] = session.run(["scores"], {"image": np.stack([PICTURE, PICTURE[::-1]])})
    expected = [EXPECTED, by_hand(resized_by_hand(PICTURE[::-1], SIZE))]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_runner_gives_one_photos_scores(file):
    found = onnx.runner(file)(Photo("", b"", PICTURE))
    np.testing.assert_allclose(found["scores"], EXPECTED, atol=1e-5)


def test_the_labels_are_in_the_file(file):
    model = onnx_files.load(file)
    assert {p.key: json.loads(p.value) for p in model.metadata_props} == {"labels": LABELS}


def test_what_else_the_graph_tells_comes_out_by_its_name(open_set, tmp_path):
    onnx.write(open_set, tmp_path, lambda line: None)
    found = onnx.runner(tmp_path / "classifier.onnx")(Photo("", b"", PICTURE))
    assert found["unknown_score"] == pytest.approx(1 - EXPECTED.max(), abs=1e-5)
    assert bool(found["is_unknown"]) == (1 - EXPECTED.max() > 0.6)


def test_a_graph_that_the_converter_does_not_take_is_told(run, tmp_path, monkeypatch, capfd):
    def fails(*arguments, **named):
        raise RuntimeError("\nno such op\nand a thousand lines")

    monkeypatch.setattr("tf2onnx.convert.from_graph_def", fails)
    with pytest.raises(GraphnetsError, match="cannot be converted to ONNX: no such op$"):
        onnx.write(run, tmp_path, lambda line: None)
    assert capfd.readouterr() == ("", "")
