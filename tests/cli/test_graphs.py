"""Other people's graphs in the commands."""

import json

import backbones
import graphs
import pytest
from click.testing import CliRunner

from graphnets.cli.commands import main

RANGE = ["--input_mean", "127.5", "--input_std", "127.5"]


def run(*arguments: object, expect: int = 0) -> str:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == expect, result.output
    return result.output


@pytest.fixture(scope="module")
def mobile(tmp_path_factory):
    graph_def = backbones.frozen(backbones.mobile, "net/Predictions")
    return graphs.write(tmp_path_factory.mktemp("pb") / "mobile.pb", graph_def)


def test_inspect_shows_what_was_found_and_what_is_open(mobile):
    lines = run("inspect", "--graph", mobile).splitlines()
    assert lines[:3] == [
        "pictures enter at input:0: 16 x 16, RGB, (pixel - ?) / ?",
        "features: net/features:0",
        "classifier: net/MatMul",
    ]
    assert lines[3].startswith(f"{mobile} does not tell the range of the pixels that input:0 takes")
    assert " ".join(lines[5].split()) == "0 net/Conv2d_0/Relu6 conv n x 8 x 8 x 8 224"
    lines = run("inspect", "--architecture", "graph", "--graph", mobile, *RANGE).splitlines()
    assert lines[0].endswith("(pixel - 127.5) / 127.5")


def test_extract_and_compare(mobile, photo_folder, tmp_path):
    common = ["--image_dir", photo_folder, "--tfhub_module", mobile, *RANGE,
              "--bottleneck_dir", tmp_path / "b"]  # fmt: skip
    assert "60 photos" in run("extract", *common, "--output", tmp_path / "f.npz")
    depths = "Predictions,Conv2d_2_pointwise,Conv2d_1"
    run("compare", *common, "--from", depths, "--how_many_training_steps", 20,
        "--output_dir", tmp_path, "--summaries_dir", tmp_path / "s")  # fmt: skip
    rows = json.loads((tmp_path / "compare.json").read_text())["depths"]
    assert [row["trainable_parameters"] for row in rows] == [51, 259, 51 + 208 + 120 + 108 + 80]


@pytest.mark.parametrize("flags, message", [
    (["--tfhub_module", "https://tfhub.dev/x/1"],
     "https://tfhub.dev/x/1 is an address: download it with `curl -L "
     "'https://tfhub.dev/x/1?tf-hub-format=compressed' -o module.tgz`, unpack that into a folder, "
     "and name the folder"),
    (["--architecture", "graph"],
     "--architecture graph wants --graph, a .pb or a SavedModel's folder"),
    (["--architecture", "vgg16", "--input_mean", "1", "--input_std", "1"],
     "--input_mean, --input_std go with --architecture graph; vgg16 knows its pictures"),
    (["--graph", "none.pb", "--input_mean", "1"],
     "got one of input_mean and input_std; wanted both: pixels become (pixel - mean) / std"),
    (["--architecture", "mobilenet_1.0_224_quantized"],
     "mobilenet_1.0_224_quantized computes in 8 bits, from which nothing trains on; take "
     "mobilenet_1.0_224"),
])  # fmt: skip
def test_wrong_flags_are_told_in_a_sentence(photo_folder, flags, message):
    output = run("extract", "--image_dir", photo_folder, *flags, expect=1)
    assert output == f"Error: {message}\n"
