import importlib.util
from pathlib import Path

import tensorflow.compat.v1 as tf

EXAMPLES = Path(__file__).parent.parent / "examples"


def example(name: str):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_flowers_learns_a_folder_of_photos(photo_folder, network, tmp_path, capsys):
    with tf.Graph().as_default():
        share = example("flowers").main(photo_folder, network, tmp_path / "store", steps=300)
    assert share > 0.9  # the colours are easy to tell apart
    assert capsys.readouterr().out.startswith(f"test accuracy {share:.1%} on ")
