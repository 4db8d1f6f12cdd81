"""The command export: its flags, its table."""

import re

import pytest
from click.testing import CliRunner
from runs import write_run

from graphnets.cli.commands import main


def run(*arguments):
    return CliRunner().invoke(main, ["export", *map(str, arguments)])


def test_the_table_has_a_line_for_what_was_written(tmp_path):
    write_run(tmp_path)
    done = run(tmp_path, "--to", "tflite", "--to", "saved_model", "--precision", "float32")
    assert done.exit_code == 0, done.output
    rows = [re.split(r" {2,}", line.strip()) for line in done.output.splitlines()]
    table = {row[0]: row[1:] for row in rows if len(row) > 4}
    assert table["tflite, float32"][2] == table["saved_model, photos"][2] == "4 of 4"
    assert f"tflite      {tmp_path / 'export' / 'tflite'}" in done.output


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--to", "coreml"], "'coreml' is not one of 'tflite', 'onnx', 'saved_model', 'tfjs'"),
        ([], "Missing option '--to'"),
        (["--to", "onnx", "--precision", "int4"], "'int4' is not one of"),
        (
            ["--to", "onnx", "--precision", "int8"],
            "precisions are of TFLite's files; for onnx float",
        ),
        (["--to", "onnx"], "has no output_graph.pb; wanted the --output_dir of a"),
    ],
)
def test_wrong_usage_is_told(tmp_path, arguments, message):
    done = run(tmp_path, *arguments)
    assert done.exit_code != 0 and message in done.output
