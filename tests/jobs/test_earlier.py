"""Starting from an earlier run: its head, a class more, and what changes on its test photos."""

import json
import shutil

import numpy as np
import pytest
from world import DEEP, deep_network, options, write_photos

from graphnets.cli.terminal import report
from graphnets.errors import GraphnetsError
from graphnets.jobs.earlier import earlier
from graphnets.jobs.retrain import retrain
from graphnets.training.heads import Head, Standardisation, standardisation, unfolded
from graphnets.weights.drawn import RandomWeights


@pytest.fixture
def folders(tmp_path):
    """The photos of all three classes, and of two of them."""
    write_photos(tmp_path / "all")
    shutil.copytree(tmp_path / "all", tmp_path / "two")
    shutil.rmtree(tmp_path / "two" / "red_roof")
    return tmp_path


def from_run(folder, old, **changes):
    training = {"how_many_training_steps": 20} | changes.pop("training", {})
    return options(folder, earlier=old, training=training, **changes)


@pytest.mark.parametrize("head", ["linear", "fc:8"])
def test_a_class_more_keeps_the_weights_of_the_others(folders, network, head):
    shape = {"head": head}
    first = retrain(folders / "two", network, options(folders / "a", training=shape))
    chosen = from_run(folders / "b", folders / "a/out", training=shape)
    found = earlier(chosen, network, ["conv2"])
    assert found.labels == ["blue sky", "grass"]
    np.testing.assert_array_equal(found.head.weights, first.head.weights)
    start = found.start(["blue sky", "grass", "red_roof"], 0)
    np.testing.assert_array_equal(start.weights[:, :2], first.head.weights)
    assert 0 < np.abs(start.weights[:, 2]).max() < 0.01 and start.biases[2] == 0
    result = retrain(folders / "all", network, chosen)
    figures = result.metrics["earlier"]
    assert figures["new_classes"] == ["red_roof"] and figures["classes_left_out"] == []
    assert figures["tested_again"] == figures["tested_before"] == first.metrics["test_count"]
    assert figures["accuracy_before"] == first.metrics["test_accuracy"]
    old = first.photos[first.photos.split == "testing"]
    now = result.photos[result.photos.key.isin(old.key) & (result.photos.split == "testing")]
    assert figures["accuracy_now"] == (now.predicted == now.label).mean()
    assert figures["not_for_testing_now"] == 0
    kept = json.loads((folders / "b/out/metrics.json").read_text())["earlier"]
    assert kept == figures


def test_only_the_new_photos_are_run(folders, network, reads):
    retrain(folders / "two", network, options(folders / "a"))
    reads.clear()
    retrain(folders / "all", network, from_run(folders / "a", folders / "a/out"))
    assert len(reads) == 20 and all("red_roof" in path for path in reads)


def test_another_split_is_told_to_flatter(folders, network, capsys):
    first = retrain(folders / "all", network, options(folders / "a"))
    said = []
    chosen = from_run(folders / "b", folders / "a/out", split_seed=7)
    result = retrain(folders / "all", network, chosen, say=said.append)
    taught = first.photos[first.photos.split != "testing"]
    tested = result.photos[result.photos.split == "testing"]
    count = tested.key.isin(taught.key).sum()
    assert count > 3 and result.metrics["earlier"]["learnt_before"] == count
    assert any(f"warning: {count} test photos have taught the head of " in line for line in said)
    report(result, False)
    out = capsys.readouterr().out
    assert f"\n{count} test photos have taught the earlier head: the accuracy is flattered" in out


def test_classes_that_are_gone_and_files_that_lie_elsewhere_are_told(folders, network, capsys):
    retrain(folders / "all", network, options(folders / "a"))
    result = retrain(folders / "two", network, from_run(folders / "b", folders / "a/out"))
    report(result, False)
    assert "new classes: none, classes left out: red_roof\n" in capsys.readouterr().out
    retrain(folders / "two", network, options(folders / "c", output_graph=folders / "g.pb"))
    with pytest.raises(GraphnetsError, match=r"no folder of an earlier run \(No such file.*; want"):
        retrain(folders / "all", network, from_run(folders / "d", folders / "c/out"))


def test_without_anything_new_it_is_no_worse_on_the_validation_photos(folders, network, capsys):
    chosen = options(folders / "a", training={"how_many_training_steps": 300})
    first = retrain(folders / "all", network, chosen)
    wild = from_run(folders / "b", folders / "a/out", training={"learning_rate": 3.0})
    result = retrain(folders / "all", network, wild)
    if result.metrics["best_step"] == 0:  # the earlier head itself, but for the last bits
        np.testing.assert_allclose(result.head.weights, first.head.weights, rtol=0.2)
    report(result, False)
    out = capsys.readouterr().out
    assert f"started from {folders}/a/out, new classes: none\n" in out
    assert "test photos are tested again: " in out


def test_unfolding_is_the_inverse_of_folding():
    random = np.random.default_rng(0)
    features = random.normal(3, [1, 2, 0, 5], (50, 4)).astype(np.float32)
    head = Head(random.normal(size=(4, 3)).astype(np.float32), np.ones(3, np.float32), 1)
    head.weights[2] = 0  # of the constant feature
    standard = standardisation(features)
    found = unfolded(head, standard)
    x = (features - standard.mean) * standard.scale
    logits = x @ found["final_weights"].T + found["final_biases"]
    np.testing.assert_allclose(logits, head.logits_of(features), rtol=1e-4, atol=1e-4)
    assert isinstance(standard, Standardisation)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"endpoint": "conv1"}, "the endpoint of .*out is conv2, and here it is conv1; wanted the"),
        (
            {"training": {"head": "fc:4"}},
            "the head of .*out is linear, and here it is fc:4; wanted",
        ),
        ({"training": {"multi_label": True}}, "the multi_label of .*out is False, and here it is"),
    ],
)
def test_a_head_for_something_else_is_refused(folders, network, change, message):
    retrain(folders / "two", network, options(folders / "a"))
    with pytest.raises(GraphnetsError, match=message):
        retrain(folders / "all", network, from_run(folders / "b", folders / "a/out", **change))


def test_other_networks_and_trained_layers_are_refused(folders, network):
    retrain(folders / "two", network, options(folders / "a"))
    with pytest.raises(GraphnetsError, match="the weights of .*out is random 1, and here"):
        other = DEEP.network(RandomWeights(DEEP.shapes(), seed=1), "random 2")
        chosen = from_run(folders / "b", folders / "a/out", endpoint="conv2")
        retrain(folders / "all", other, chosen)
    retrain(folders / "two", deep_network(), options(folders / "c", trainable="fc7"))
    with pytest.raises(GraphnetsError, match="the layers fc7 have trained in .*out, and its head"):
        retrain(folders / "all", deep_network(), from_run(folders / "d", folders / "c/out"))


def test_a_folder_that_is_no_runs_is_refused(folders, network):
    with pytest.raises(GraphnetsError, match=r"all is no folder of an earlier run \(No such file"):
        retrain(folders / "all", network, from_run(folders / "b", folders / "all"))
    retrain(folders / "two", network, options(folders / "a"))
    for damage in ("[]", "{}", '{"fine_tuning": 3}'):
        (folders / "a/out/metrics.json").write_text(damage)
        with pytest.raises(GraphnetsError, match="is no folder of an earlier run"):
            retrain(folders / "all", network, from_run(folders / "b", folders / "a/out"))


def test_what_cannot_go_together_is_told(tmp_path):
    with pytest.raises(
        GraphnetsError, match="earlier is for heads on frozen features, and 'conv2'"
    ):
        options(tmp_path, earlier=tmp_path, trainable="conv2")
    with pytest.raises(
        GraphnetsError, match="search tries heads of several shapes, and an earlier"
    ):
        options(tmp_path, earlier=tmp_path, search=True)
