"""What can be told of an export before TensorFlow is imported."""

import pytest

from graphnets.errors import GraphnetsError
from graphnets.exports.options import ExportOptions, chosen_formats


def test_formats_are_taken_once_each_in_their_order():
    assert chosen_formats("onnx", ExportOptions()) == ["onnx"]
    int8 = ExportOptions(precisions=["int8"])
    assert chosen_formats(["tflite", "saved_model", "tflite"], int8) == ["tflite", "saved_model"]


def test_precisions_without_tflite_are_told():
    message = "precisions are of TFLite's files; for onnx, saved_model float32 is always writ"
    with pytest.raises(GraphnetsError, match=message):
        chosen_formats(["onnx", "saved_model"], ExportOptions(precisions=["int8"]))


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
        chosen_formats(formats, ExportOptions())


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
    message = f"^{name} needs {module}, which is not installed; `{install}.*`"
    with pytest.raises(GraphnetsError, match=f"{message}$"):
        chosen_formats(name, ExportOptions())
    with pytest.raises(GraphnetsError, match=f"{message}, or leave --to {name} out for saved_mod"):
        chosen_formats(["saved_model", name], ExportOptions())


def test_all_missing_converters_are_left_out_of_what_can_be_exported(monkeypatch):
    monkeypatch.setattr(
        "graphnets.exports.options.find_spec", lambda wanted: wanted == "ai_edge_litert" or None
    )
    out = "leave --to onnx and --to tfjs out for tflite, saved_model$"
    with pytest.raises(GraphnetsError, match=f"^onnx needs tf2onnx, .*{out}"):
        chosen_formats(["tflite", "onnx", "saved_model", "tfjs"], ExportOptions())


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
