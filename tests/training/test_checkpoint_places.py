"""Checkpoints where the disk is full, the folder goes away, or another version wrote them."""

import resource
import shutil

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from graphnets.errors import GraphnetsError
from graphnets.training.checkpoints import Checkpoints
from graphnets.training.summaries import Point

POINTS = [Point("train", 4, 0.5, 0.25), Point("validation", 4, 0.75, 0.5)]


def saved(checkpoints, steps, value=1.0, name="W", size=3, before=lambda step: None):
    """Save a variable full of `value` + step after each step."""
    with tf.Graph().as_default(), tf.Session() as session:
        variable = tf.get_variable(name, [size], initializer=tf.zeros_initializer())
        session.run(tf.global_variables_initializer())
        with checkpoints.phase("training", session, [variable], list(POINTS)) as phase:
            for step in steps:
                variable.load(np.full(size, value + step, np.float32), session)
                before(step)
                phase.after(step)


def restored(folder, name="W", size=3):
    """What a run that goes on begins with: the variable, and the points."""
    points, said = [], []
    checkpoints = Checkpoints(folder, resume=True, say=said.append)
    with tf.Graph().as_default(), tf.Session() as session:
        variable = tf.get_variable(name, [size], initializer=tf.zeros_initializer())
        session.run(tf.global_variables_initializer())
        with checkpoints.phase("training", session, [variable], points):
            return session.run(variable).tolist(), points


@pytest.mark.parametrize("other", [{"name": "another"}, {"size": 5}])
def test_a_checkpoint_of_other_variables_is_told_in_a_sentence(tmp_path, other):
    mine = Checkpoints(tmp_path, 1)
    saved(mine, [1])
    with pytest.raises(GraphnetsError) as caught:
        restored(tmp_path, **other)
    assert str(caught.value) == (
        f"the checkpoint {mine.folder / 'training-1'} does not hold what this version of graphnets "
        "trains; leave --resume away to begin anew"
    )


@pytest.mark.parametrize("limit", [0, 150, 300])
def test_a_full_disk_leaves_the_checkpoint_before_and_no_half_one(tmp_path, limit):
    mine = Checkpoints(tmp_path, 1, keep=1)
    saved(mine, [1])
    before = {path.name: path.read_bytes() for path in mine.folder.iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def full(step):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limits[1]))

    try:
        with pytest.raises(GraphnetsError) as caught:
            saved(mine, [2], size=100, before=full)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    said = str(caught.value)
    assert said.startswith(f"no checkpoint can be written to {mine.folder}: ")
    assert said.endswith("; name another folder with --checkpoint_dir") and len(said) < 500
    assert "\\n" not in said
    assert {path.name: path.read_bytes() for path in mine.folder.iterdir()} == before
    assert restored(tmp_path) == ([2.0] * 3, POINTS)


def test_a_folder_that_goes_away_while_running_is_made_again(tmp_path):
    folder = tmp_path / "checkpoints"
    mine = Checkpoints(folder, 1, keep=2)

    def gone(step):
        if step == 3:
            shutil.rmtree(folder)

    saved(mine, [1, 2, 3, 4, 5, 6], before=gone)
    assert restored(folder) == ([7.0] * 3, POINTS)
    steps = {path.name.partition(".")[0] for path in mine.folder.glob("training-*")}
    assert steps == {"training-5", "training-6"}


@pytest.mark.parametrize("ending", ["index", "data-00000-of-00001"])
def test_halves_that_were_swapped_are_passed_over(tmp_path, ending):
    mine = Checkpoints(tmp_path, 1)
    saved(mine, [1, 2, 3])
    second, third = (mine.folder / f"training-{step}.{ending}" for step in (2, 3))
    between = tmp_path / "between"
    second.rename(between)
    third.rename(second)
    between.rename(third)
    assert restored(tmp_path)[0] == [2.0] * 3
