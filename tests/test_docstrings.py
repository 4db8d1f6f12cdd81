"""The examples in docstrings are run as they stand there, and each public name has one."""

import doctest
import inspect
import shutil

import graphs
import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import graphnets

NAMES = {"np": np, "tf": tf, "graphnets": graphnets}
FINDER = doctest.DocTestFinder(exclude_empty=True)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """What the examples find: signs, a run on them, and Inception's file, here of a small one."""
    folder = tmp_path_factory.mktemp("examples")
    graphnets.draw_signs(folder / "signs", per_class=3)
    options = graphnets.RetrainOptions(
        endpoint="stem",
        output_dir=folder / "trained",
        bottleneck_dir=folder / "features",
        summaries_dir=None,
        training=graphnets.TrainingOptions(how_many_training_steps=50),
    )
    network = graphnets.open_network("efficientnet_lite0", "random")
    graphnets.retrain(folder / "signs", network, options)
    graphs.write(folder / "classify_image_graph_def.pb", graphs.inception_like())
    return folder


def examples(name):
    """The examples of a public name and of its methods."""
    value = getattr(graphnets, name)
    if not inspect.isclass(value) and not inspect.isfunction(value):
        return []  # a constant has the docstring of its class
    return [found for found in FINDER.find(value, name, globs=NAMES) if found.examples]


@pytest.mark.parametrize("name", graphnets.__all__)
def test_examples_give_what_they_say(name, world, tmp_path, monkeypatch):
    (tmp_path / "signs").symlink_to(world / "signs")
    shutil.copytree(world / "trained", tmp_path / "trained")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRAPHNETS_MODEL_DIR", str(world))
    for found in examples(name):
        told: list[str] = []
        result = doctest.DocTestRunner(verbose=False).run(found, out=told.append)
        assert result.failed == 0, "".join(told)


def test_each_public_name_has_an_example():
    without = [name for name in graphnets.__all__ if not examples(name)]
    assert without == ["PHOTO_AUGMENTATION"]  # it is in that of `variants`
