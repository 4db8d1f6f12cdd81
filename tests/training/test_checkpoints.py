"""A run that was stopped or killed goes on, bit for bit as if it never had been."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from test_tune import SMALL, options, stored

from graphnets.errors import GraphnetsError
from graphnets.training.checkpoints import Checkpoints, Stopped
from graphnets.training.options import TrainingOptions
from graphnets.training.summaries import Summaries
from graphnets.training.tune import train
from graphnets.weights.arrays import RandomWeights


@pytest.fixture
def network():
    return SMALL.network(RandomWeights(SMALL.shapes(), seed=1), "random 1")


def trained(network, checkpoints=None, steps=30, progress=lambda items, **_: items):
    names = ("fc7",)
    cut = network.cut(names, "conv3:")
    split = stored(network, cut, names, 40)
    training = TrainingOptions(
        how_many_training_steps=steps, train_batch_size=16, eval_step_interval=4, optimizer="adam",
        learning_rate=0.001, warmup_steps=10, head="fc:8,dropout=0.5",
        learning_rate_schedule="cosine",
    )  # fmt: skip
    return train(
        network, cut, names, (split, split), 3, training, Summaries(None), checkpoints, progress
    )


def killed_after(count):
    """A progress bar whose loop is left, as by a kill, after so many steps of the last phase."""

    def progress(items, desc, unit):
        for number in items:
            yield number
            if desc == "training" and number == count:
                raise KeyboardInterrupt

    return progress


def assert_same(one, other):
    assert one.head.step == other.head.step
    np.testing.assert_array_equal(one.head.weights, other.head.weights)
    np.testing.assert_array_equal(one.head.hidden[0], other.head.hidden[0])
    for name in one.moved:
        np.testing.assert_array_equal(one.network.parameter(name), other.network.parameter(name))


@pytest.mark.parametrize("killed_at", [7, 20, 29])
def test_a_killed_run_that_goes_on_gives_the_same_bits(network, tmp_path, killed_at):
    whole = trained(network)
    with pytest.raises(KeyboardInterrupt):
        trained(network, Checkpoints(tmp_path, 5, identity="a"), progress=killed_after(killed_at))
    seen = []

    def watching(items, desc, unit):
        seen.append((desc, items.start))
        return items

    again = Checkpoints(tmp_path, 5, identity="a", resume=True)
    assert_same(trained(network, again, progress=watching), whole)
    assert seen == [("training", killed_at // 5 * 5 + 1)]  # neither the warm-up nor what was saved


def test_a_run_killed_in_the_warm_up_goes_on_there(network, tmp_path):
    whole = trained(network)

    def progress(items, desc, unit):
        for number in items:
            yield number
            if number == 7:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(network, Checkpoints(tmp_path, 2), progress=progress)
    assert_same(trained(network, Checkpoints(tmp_path, 2, resume=True)), whole)


def test_old_checkpoints_go(network, tmp_path):
    trained(network, Checkpoints(tmp_path, 3, keep=2))
    kept = sorted(path.name for path in tmp_path.glob("training-*.index"))
    assert kept == ["training-27.index", "training-30.index"]


def test_those_of_another_run_are_not_gone_on_from(network, tmp_path):
    trained(network, Checkpoints(tmp_path, 10, identity="one"))
    with pytest.raises(GraphnetsError) as caught:
        Checkpoints(tmp_path, 10, identity="other", resume=True)
    assert str(caught.value) == (
        f"the checkpoints in {tmp_path} are of a run with other options, weights or photos; give "
        "the same, or leave --resume away to begin anew"
    )
    trained(network, Checkpoints(tmp_path, 10, identity="other"))  # begins anew
    assert (tmp_path / "run.json").read_text() == "other"


def test_without_checkpoints_resuming_begins(network, tmp_path):
    assert_same(trained(network, Checkpoints(tmp_path / "new", resume=True)), trained(network))
    assert not (tmp_path / "new").exists()


def test_sigterm_saves_and_stops(network, tmp_path):
    def progress(items, desc, unit):
        for number in items:
            if desc == "training" and number == 12:
                os.kill(os.getpid(), signal.SIGTERM)
            yield number

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Stopped) as stopped:
        trained(network, Checkpoints(tmp_path), progress=progress)
    assert signal.getsignal(signal.SIGTERM) == before
    assert str(stopped.value) == (
        "stopped at step 12 of training; the same command with --resume goes on from the "
        f"checkpoint in {tmp_path}"
    )
    assert_same(trained(network, Checkpoints(tmp_path, resume=True)), trained(network))


def test_a_folder_that_cannot_be_written(network, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        GraphnetsError, match="^no checkpoint can be written to .*--checkpoint_dir$"
    ):
        trained(network, Checkpoints(tmp_path / "file" / "in it", 5))


def test_retrain_says_whose_run_it_is(network, tmp_path):
    from conftest import write_photos

    from graphnets.jobs.retrain import retrain

    folder = write_photos(tmp_path / "photos", per_class=8)
    chosen = options(tmp_path, trainable="fc7", checkpoint_every=20)
    first = retrain(folder, network, chosen)
    again = retrain(folder, network, options(tmp_path, trainable="fc7", resume=True))
    np.testing.assert_array_equal(first.head.weights, again.head.weights)
    with pytest.raises(GraphnetsError, match="are of a run with other options"):
        retrain(folder, network, options(tmp_path, trainable="fc6", resume=True))


COMMAND = """
import sys; sys.path.insert(0, {tests!r})
from pathlib import Path
from test_tune import SMALL, options
from graphnets.cli.commands import commands as cli
from graphnets.zoo import architectures
from graphnets.weights.arrays import RandomWeights
cli._check_network = lambda flags: None
cli._open_network = lambda flags, seed: SMALL.network(
    RandomWeights(SMALL.shapes(), seed=1), "random 1")
cli.main(["retrain", "--image_dir", {photos!r}, "--trainable", "fc7", "--bottleneck_dir",
    {folder!r} + "/B", "--output_dir", {folder!r} + "/out", "--summaries_dir", {folder!r} + "/logs",
    "--how_many_training_steps", "1000000"])
"""


def test_the_command_heeds_sigterm(tmp_path):
    from conftest import write_photos

    folder = write_photos(tmp_path / "photos", per_class=8)
    code = COMMAND.format(
        tests=str(Path(__file__).parents[1]), photos=str(folder), folder=str(tmp_path)
    )
    run = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    logs = tmp_path / "logs"
    deadline = time.monotonic() + 90
    while not list(logs.glob("run1/validation/*")) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(2)
    run.send_signal(signal.SIGTERM)
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 128 + signal.SIGTERM, errors
    assert "stopped at step " in errors and "with --resume goes on" in errors
    assert tf.train.latest_checkpoint(str(tmp_path / "out" / "checkpoints"), "training.latest")
