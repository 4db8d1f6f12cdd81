"""fetch and convert at the terminal: what a stranger's file says stays text there."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from foreign import CONV, caffemodel

from graphnets.cli.commands import main
from graphnets.files import sha256
from graphnets.weights.arrays import write_npz, write_safetensors

ESCAPES = "\x1b]0;pwned\x07\x1b[31m\n\u202e"
SHOWN = "\\x1b]0;pwned\\x07\\x1b[31m\\n\\u202e"
PAIR = np.ones((2, 3), np.float32), np.ones(3, np.float32)


def run(*arguments: object, expect: int = 0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == expect, result.output
    assert all(line.isprintable() for line in result.output.split("\n"))
    return result.output


@pytest.mark.parametrize("write", [write_npz, write_safetensors, None])
def test_layers_are_listed_with_their_names_made_printable(tmp_path, write):
    source = tmp_path / "source.caffemodel"
    if write:
        write(source, {ESCAPES: PAIR})
    else:
        source.write_bytes(caffemodel({ESCAPES: CONV}))
    shapes = "W (2, 3)  b (3,)" if write else "W (3, 3, 3, 4)  b (4,)"
    assert run("convert", source, tmp_path / "o.npz") == f"{SHOWN}  {shapes}\n"


def test_an_error_about_such_a_name_is_one_line(tmp_path):
    source = tmp_path / "source.npz"
    np.savez(source, **{f"{ESCAPES}/W": np.ones(2, np.float32)})
    output = run("convert", source, tmp_path / "o.npz", expect=1)
    assert output == (
        f"Error: {source}: {SHOWN}/b is missing or out of place; wanted an .npz with the arrays "
        "layer/W and layer/b\n"
    )
    np.savez(source, **{f"{'n' * 60_000}/W": np.ones(2, np.float32)})
    assert len(run("convert", source, tmp_path / "o.npz", expect=1)) < 2100


def test_the_list_of_fetched_files_shows_their_records_made_printable(tmp_path):
    path = tmp_path / "vgg16.npz"
    write_npz(path, {"conv1_1": PAIR})
    record = tmp_path / "vgg16.npz.fetched.json"
    values = {"sha256": sha256(path), "checksum": None, "holds": ESCAPES, "place": "there"}
    record.write_text(json.dumps(values))
    output = run("fetch", "--list", "--model_dir", tmp_path)
    assert f"  as it was fetched, no known checksum: {SHOWN}, from there\n" in output


def test_a_file_to_fetch_whose_name_has_control_characters(tmp_path):
    file = tmp_path / f"{ESCAPES}.npz"
    write_npz(file, {"conv1": PAIR})
    output = run("fetch", "alexnet", "--file", file, "--model_dir", tmp_path / "m", expect=1)
    assert output.startswith(f"Error: {tmp_path}/{SHOWN}.npz is not alexnet: conv2, conv3")
