import importlib.util
from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf
from PIL import Image

from graphnets.jobs import signs

EXAMPLES = Path(__file__).parents[2] / "examples"


def example(name: str):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_flowers_learns_a_folder_of_photos(photo_folder, network, tmp_path, capsys):
    with tf.Graph().as_default():
        share = example("flowers").main(photo_folder, None, network, tmp_path / "store", steps=300)
    assert share > 0.9  # the colours are easy to tell apart
    assert capsys.readouterr().out.startswith(f"test accuracy {share:.1%} on ")


def test_traffic_signs_learns_drawn_signs_and_says_what_it_uses(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GRAPHNETS_MODEL_DIR", str(tmp_path))
    share = example("traffic_signs").main(steps=200, per_class=4)
    drawn, weights, *guesses, accuracy = capsys.readouterr().out.splitlines()
    assert drawn == "no folder of photos is named: 4 of each sign are drawn"
    assert weights.startswith(f"the weights of alexnet are not at {tmp_path}")
    assert weights.endswith("; random weights are used instead")
    assert len(guesses) == 5 and all(", is " in line for line in guesses)
    assert accuracy == f"test accuracy {share:.1%} on 57 photos"
    assert share > 0.1  # chance is 2.3 %, and three photos of a sign with random features little


def test_traffic_signs_takes_weights_and_a_folder(tmp_path, capsys):
    for number in (12, 14, 38):  # priority road, stop, keep right: named as GTSRB's folders are
        (tmp_path / f"{number:05d}").mkdir()
        for k in range(12):
            photo = signs.draw(number, np.random.default_rng([number, k]))
            Image.fromarray(photo).save(tmp_path / f"{number:05d}" / f"{k}.ppm")
    share = example("traffic_signs").main(tmp_path, "random", steps=200)
    *guesses, accuracy = capsys.readouterr().out.splitlines()
    assert accuracy == f"test accuracy {share:.1%} on 12 photos"
    assert share > 0.6  # three signs of different shapes
    labels = {line.partition(", is ")[2] for line in guesses}
    assert len(guesses) == 5 and labels <= {"Priority road", "Stop", "Keep right"}
