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
from world import deep_network, options, stored, write_photos

from graphnets.errors import GraphnetsError
from graphnets.jobs.retrain import retrain
from graphnets.training.beside import Beside
from graphnets.training.checkpoints import Checkpoints, Stopped
from graphnets.training.options import TrainingOptions
from graphnets.training.tune import train


@pytest.fixture
def network():
    return deep_network()


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
        network,
        cut,
        names,
        (split, split),
        3,
        training,
        Beside(checkpoints=checkpoints or Checkpoints(), progress=progress),
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
    kept = sorted(path.name for path in tmp_path.rglob("training-*.index"))
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
    for identity in ("one", "other"):
        assert Checkpoints(tmp_path, identity=identity, resume=True).latest("training")


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
        f"checkpoint in {Checkpoints(tmp_path).folder}"
    )
    assert_same(trained(network, Checkpoints(tmp_path, resume=True)), trained(network))


def stopped_at(phase, step):
    """A progress bar that lets SIGTERM come at a step of a phase."""

    def progress(items, desc="", **_):
        for number in items:
            if desc == phase and number == step:
                os.kill(os.getpid(), signal.SIGTERM)
            yield number

    return progress


def test_a_finished_runs_checkpoints_are_not_anothers(network, tmp_path):
    trained(network, Checkpoints(tmp_path, 5, identity="one"))
    with pytest.raises(Stopped, match="^stopped at step 4 of warmup"):
        trained(network, Checkpoints(tmp_path, identity="two"), progress=stopped_at("warmup", 4))
    resumed = Checkpoints(tmp_path, identity="two", resume=True)
    assert resumed.latest("training") is None
    seen = []

    def watching(items, desc, unit):
        seen.append((desc, items.start))
        return items

    trained(network, resumed, progress=watching)
    assert seen == [("warmup", 5), ("training", 1)]


KINDS = [
    {"warmup_steps": 20},
    {"warmup_steps": 20, "head": "fc:8,dropout=0.5", "optimizer": "adam"},
    {"warmup_steps": 20, "early_stopping": 3},
    {"warmup_steps": 20, "trainable": "fc7"},
    {"warmup_steps": 20, "trainable": "fc6:", "augmented_copies": 2},
    {},
]
STOPS = [(kind, "training", step) for kind in KINDS for step in (2, 27)]
STOPS += [(kind, "warmup", 13) for kind in KINDS if kind]


@pytest.mark.parametrize("kind, phase, step", STOPS, ids=str)
def test_stopped_in_any_phase_a_run_exports_the_same_bytes(network, tmp_path, kind, phase, step):
    names = {"trainable", "augmented_copies"}
    changes = {name: value for name, value in kind.items() if name in names}
    changes["training"] = {name: value for name, value in kind.items() if name not in names}
    folder = write_photos(tmp_path / "photos", per_class=8)
    whole = options(tmp_path, output_dir=tmp_path / "whole", **copied(changes))
    retrain(folder, network, whole)
    with pytest.raises(Stopped):
        stopping = options(tmp_path, checkpoint_every=5, **copied(changes))
        retrain(folder, network, stopping, progress=stopped_at(phase, step))
    resuming = options(tmp_path, checkpoint_every=5, resume=True, **copied(changes))
    retrain(folder, network, resuming)
    assert resuming.graph_path.read_bytes() == whole.graph_path.read_bytes()


def copied(changes):
    return {name: dict(v) if isinstance(v, dict) else v for name, v in changes.items()}


def damage(folder, step, suffix):
    [path] = folder.glob(f"training-{step}.{suffix}*")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("suffix", ["data", "index"])
def test_a_damaged_checkpoint_is_passed_over_and_this_is_said(network, tmp_path, suffix):
    whole = trained(network)
    mine = Checkpoints(tmp_path, 5)
    with pytest.raises(KeyboardInterrupt):
        trained(network, mine, progress=killed_after(22))
    damage(mine.folder, 20, suffix)
    (mine.folder / "training.latest").write_text("no such thing")
    said = []
    again = Checkpoints(tmp_path, 5, resume=True, say=said.append)
    assert again.latest("training") == str(mine.folder / "training-15")
    assert said == [
        f"warning: the checkpoint {mine.folder / 'training-20'} is damaged and passed over"
    ]
    assert_same(trained(network, again), whole)


def test_a_checkpoint_that_would_take_all_memory_is_passed_over(network, tmp_path, monkeypatch):
    mine = Checkpoints(tmp_path, 5)
    with pytest.raises(KeyboardInterrupt):
        trained(network, mine, progress=killed_after(12))
    load = tf.train.load_checkpoint

    def loaded(path):  # as a damaged index makes it
        if path.endswith("-10"):
            raise MemoryError("std::bad_alloc")
        return load(path)

    monkeypatch.setattr(tf.train, "load_checkpoint", loaded)
    again = Checkpoints(tmp_path, 5, resume=True, say=print)
    assert again.latest("training") == str(mine.folder / "training-5")


def test_no_whole_checkpoint_is_an_error(network, tmp_path):
    mine = Checkpoints(tmp_path, 20)
    with pytest.raises(KeyboardInterrupt):
        trained(network, mine, progress=killed_after(22))
    damage(mine.folder, 20, "data")
    with pytest.raises(GraphnetsError) as caught:
        trained(network, Checkpoints(tmp_path, 20, resume=True))
    assert str(caught.value) == (
        f"no checkpoint of training in {mine.folder} is whole; leave --resume away to begin anew"
    )


def test_a_folder_that_cannot_be_written(network, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        GraphnetsError, match="^no checkpoint can be written to .*--checkpoint_dir$"
    ):
        trained(network, Checkpoints(tmp_path / "file" / "in it", 5))


def test_retrain_says_whose_run_it_is(network, tmp_path):
    folder = write_photos(tmp_path / "photos", per_class=8)
    chosen = options(tmp_path, trainable="fc7", checkpoint_every=20)
    first = retrain(folder, network, chosen)
    again = retrain(folder, network, options(tmp_path, trainable="fc7", resume=True))
    np.testing.assert_array_equal(first.head.weights, again.head.weights)
    with pytest.raises(GraphnetsError, match="are of a run with other options"):
        retrain(folder, network, options(tmp_path, trainable="fc6", resume=True))


COMMAND = """
import sys; sys.path.insert(0, {helpers!r})
from pathlib import Path
from world import deep_network
from graphnets.cli import commands, training
training.check_network = lambda flags: None
training.opened = lambda flags, seed: deep_network()
commands.main(["retrain", "--image_dir", {photos!r}, "--trainable", "fc7", "--bottleneck_dir",
    {folder!r} + "/B", "--output_dir", {folder!r} + "/out", "--summaries_dir", {folder!r} + "/logs",
    "--how_many_training_steps", "1000000"])
"""


def test_the_command_heeds_sigterm(tmp_path):
    folder = write_photos(tmp_path / "photos", per_class=8)
    code = COMMAND.format(
        helpers=str(Path(__file__).parents[1] / "helpers"), photos=str(folder), folder=str(tmp_path)
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
    assert list((tmp_path / "out" / "checkpoints").glob("run-*/training-*.index"))


def test_what_a_kill_left_of_checkpoints_is_removed_and_no_more_are_kept(network, tmp_path):
    mine = Checkpoints(tmp_path, 5, keep=2)
    with pytest.raises(KeyboardInterrupt):
        trained(network, mine, progress=killed_after(22))
    data = "training-25.data-00000-of-00001"
    for name in (
        data,
        f"{data}.tempstate7",
        "training-25.index.tempstate7",
        "training.latest.tmp0",
    ):
        (mine.folder / name).write_bytes(b"half")
    again = Checkpoints(tmp_path, 0, keep=2, resume=True)
    with pytest.raises(Stopped):
        trained(network, again, progress=stopped_at("training", 27))
    assert sorted(path.name for path in mine.folder.glob("training*")) == [
        "training-20.data-00000-of-00001", "training-20.index",
        "training-27.data-00000-of-00001", "training-27.index", "training.latest",
    ]  # fmt: skip


def test_sigterm_after_the_last_step_is_not_lost(network, tmp_path):
    def progress(items, desc, unit):
        yield from items
        if desc == "training":
            os.kill(os.getpid(), signal.SIGTERM)

    came = []
    before = signal.signal(signal.SIGTERM, lambda *_: came.append("again"))
    try:
        trained(network, Checkpoints(tmp_path), progress=progress)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert came == ["again"]
