"""What can be told of an export before TensorFlow is imported."""

import pytest

from graphnets.errors import GraphnetsError
from graphnets.exports.options import ExportOptions, chosen_formats


def test_formats_are_taken_once_each_in_their_order():
    assert chosen_formats("onnx") == ["onnx"]
    assert chosen_formats(["tflite", "saved_model", "tflite"]) == ["tflite", "saved_model"]


@pytest.mark.parametrize(
    "formats, message",
    [
        ("coreml", "formats has coreml; wanted some of tflite, onnx, saved_model, tfjs"),
        ([], "formats has none; wanted some of"),
        (3, "formats is 3, wanted a list of names"),
    ],
)
def test_other_formats_are_told(formats, message):
    with pytest.raises(GraphnetsError, match=message):
        chosen_formats(formats)


@pytest.mark.parametrize(
    "name, module, install",
    [
        ("tflite", "ai_edge_litert", r"pip install 'graphnets\[tflite\]'"),
        ("onnx", "tf2onnx", r"pip install 'graphnets\[onnx\]'"),
        ("tfjs", "tensorflowjs", "pip install --no-deps 'tensorflowjs>=4.22'"),
    ],
)
def test_a_converter_that_is_not_installed_is_named_with_what_brings_it(
    monkeypatch, name, module, install
):
    monkeypatch.setattr(
        "graphnets.exports.options.find_spec", lambda wanted: None if wanted == module else True
    )
    with pytest.raises(GraphnetsError, match=f"^{name} needs {module}, which is .*; `{install}"):
        chosen_formats(["saved_model", name])


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"precisions": ("int4",)}, "precisions has int4; wanted some of float32, float16, int8"),
        ({"precisions": ()}, "precisions has none"),
        ({"output_dir": 3}, "output_dir is 3, wanted the path"),
        ({"output_layer": None}, "output_layer is None, wanted the name"),
        ({"test_photos": -1}, "test_photos is -1, wanted 0 or more"),
        ({"force": "yes"}, "force is 'yes', wanted True or False"),
    ],
)
def test_options_that_cannot_be_are_told(changes, message):
    with pytest.raises(GraphnetsError, match=message):
        ExportOptions(**changes)
