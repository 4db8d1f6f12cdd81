"""Damaged checkpoints: a run goes on from one that is whole, or is told that there is none."""

import functools
import json
import tempfile
from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.training.checkpoints import Checkpoints
from graphnets.training.summaries import Point
from tests.fuzz.mutate import damaged_folders

STEPS = (1, 2)
IN_SUITE = 15  # a graph is built for each
POINT = Point("train", 1, 0.5, 0.25)


def _phase(folder, work, resume=False):
    """What `work` gives for a session, its variable and the phase."""
    points = [] if resume else [POINT]
    checkpoints = Checkpoints(folder, 1, resume=resume)
    with tf.Graph().as_default(), tf.Session() as session:
        variable = tf.Variable(np.zeros(4, np.float32))
        session.run(tf.global_variables_initializer())
        with checkpoints.phase("training", session, [variable], points) as phase:
            return work(session, variable, phase), points


@functools.cache
def _sound():
    """{name: bytes} of a run's folder with two checkpoints."""

    def save(session, variable, phase):
        for step in STEPS:
            variable.load(np.full(4, step, np.float32), session)
            phase.after(step)

    with tempfile.TemporaryDirectory() as folder:
        _phase(folder, save)
        return {p.name: p.read_bytes() for p in sorted(Checkpoints(folder).folder.iterdir())}


def cases(seed, count):
    """See `damaged_folders`."""
    stems = [f"training-{step}" for step in STEPS]
    return damaged_folders(_sound(), stems, ["index", "data-00000-of-00001"], seed, count)


def check(data):
    """Go on from what is there: at a step that was saved, with its values and curve."""
    with tempfile.TemporaryDirectory() as folder:
        path = Checkpoints(folder).folder
        path.mkdir()
        sound = {name: content.hex() for name, content in _sound().items()}
        for name, content in (sound | json.loads(data)).items():
            if content is not None:
                Path(path, name).write_bytes(bytes.fromhex(content))
        values, points = _phase(
            folder, lambda session, variable, _: session.run(variable).tolist(), resume=True
        )
        begun = any(path.glob("training-*.*"))
        assert values in [[float(step)] * 4 for step in STEPS] or not begun and values == [0] * 4
        assert points == ([POINT] if begun else [])
