"""Training layers behind a cut: what is stored, what moves, and that the whole gives the same."""

import json

import numpy as np
import pytest
from world import DEEP, deep_network, options, pictures, stored, values, write_photos

import graphnets
from graphnets.errors import GraphnetsError
from graphnets.jobs.retrain import retrain
from graphnets.networks.network import Cut
from graphnets.training import tune
from graphnets.training.options import TrainingOptions
from graphnets.training.tune import Pictures, train


@pytest.fixture
def network():
    return deep_network()


@pytest.mark.parametrize(
    "names, trainable, wanted",
    [
        (["fc7"], "fc7", Cut("fc6", ["fc7"], ["fc7"])),
        (["fc7"], "fc7:", Cut("fc6", ["fc7"], ["fc7"])),
        (["fc7"], "fc8", Cut("fc7", [], [])),
        (["fc7"], "", Cut("fc7", [], [])),
        (["fc7"], "fc6,fc8", Cut("pool3", ["fc6"], ["fc7"])),
        (["fc7"], "pool1:", Cut("pool1", ["conv2", "conv3", "fc6", "fc7"], ["fc7"])),
        (["fc7"], "all", Cut("", ["conv1", "conv2", "conv3", "fc6", "fc7"], ["fc7"])),
        (["conv2", "conv3"], "conv3", Cut("conv2", ["conv3"], ["conv3"])),
        (["conv1", "pool3", "fc6"], "conv3", Cut("conv2", ["conv3"], ["pool3", "fc6"])),
    ],
)
def test_where_a_network_is_cut(network, names, trainable, wanted):
    assert network.cut(names, trainable) == wanted


@pytest.mark.parametrize(
    "trainable, message",
    [
        ("fc9", "no layer 'fc9'; this network has conv1, pool1"),
        ("fc7", "the layer 'fc7' cannot train: it is not built, conv3 is the last"),
        ("pool1", "the layer 'pool1' cannot train: it "),
    ],
)
def test_what_cannot_train(network, trainable, message):
    with pytest.raises(GraphnetsError, match=message):
        network.cut(["conv3"], trainable)


def trained(network, trainable, names=("fc7",), count=40, **options):
    cut = network.cut(names, trainable)
    split = stored(network, cut, names, count)
    splits = split, split  # so that validation is better for training
    options = TrainingOptions(
        **{"how_many_training_steps": 5, "train_batch_size": 16, "eval_step_interval": 2, **options}
    )
    return train(network, cut, names, splits, 3, options)


@pytest.mark.parametrize("names", [("fc7",), ("conv2", "fc6")])
def test_what_lies_behind_the_cut_gives_what_the_whole_network_gives(network, names):
    cut = network.cut(names, "conv3:")
    at_cut, *wanted = values(network, pictures(5), [cut.after, *cut.behind])
    for found, value in zip(values(network, at_cut, cut.behind, cut.after), wanted, strict=True):
        np.testing.assert_allclose(found, value, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("optimizer", ["gradient_descent", "momentum", "adam", "rmsprop"])
def test_stored_values_and_whole_pictures_train_to_the_same_weights(network, optimizer):
    """The frozen part cannot matter: once stored, once computed at every step."""
    names = ("fc7",)
    cut = network.cut(names, "fc6:")
    whole = Cut("", cut.layers, cut.behind)
    found = []
    for place in (cut, whole):
        splits = (stored(network, place, names, 40),) * 2
        options = TrainingOptions(
            how_many_training_steps=20, train_batch_size=16, optimizer=optimizer,
            learning_rate=0.001, eval_step_interval=20,
        )  # fmt: skip
        found.append(train(network, place, names, splits, 3, options))
    for name in ("fc6/W", "fc6/b", "fc7/W", "fc7/b"):
        one, other = (tuned.network.parameter(name) for tuned in found)
        assert not np.array_equal(one, network.parameter(name))
        assert np.abs(one - other).max() < 1e-4 * np.abs(other).max()
    np.testing.assert_allclose(found[0].head.weights, found[1].head.weights, atol=1e-4)


def test_exactly_the_chosen_layers_move(network):
    tuned = trained(network, "conv3,fc7", learning_rate=0.05)
    assert sorted(tuned.moved) == ["conv3/W", "conv3/b", "fc7/W", "fc7/b"]
    for layer in DEEP.shapes():
        for role in "Wb":
            name = f"{layer}/{role}"
            same = np.array_equal(tuned.network.parameter(name), network.parameter(name))
            assert same == (name not in tuned.moved), name


def test_the_same_arguments_give_the_same_bits_and_the_head_starts_alone_if_wished(network):
    one, two, alone = (
        trained(network, "fc6:", warmup_steps=steps, seed=3) for steps in (30, 30, 0)
    )
    for name in one.moved:
        np.testing.assert_array_equal(one.network.parameter(name), two.network.parameter(name))
    np.testing.assert_array_equal(one.head.weights, two.head.weights)
    assert np.abs(one.head.weights - alone.head.weights).max() > 1e-4


def test_the_start_is_kept_where_training_makes_validation_worse(network):
    names = ("fc7",)
    cut = network.cut(names, "fc6:")
    training = stored(network, cut, names, 40)
    judge = stored(network, cut, names, 40)._replace(labels=(training.labels + 1) % 3)
    options = TrainingOptions(how_many_training_steps=20, learning_rate=0.05)
    tuned = train(network, cut, names, (training, judge), 3, options)
    assert tuned.head.step == 0
    np.testing.assert_array_equal(tuned.network.parameter("fc6/W"), network.parameter("fc6/W"))


def test_layers_before_learn_less_where_the_rate_decays(network):
    def movement(decay):
        tuned = trained(network, "conv3:", learning_rate_decay_per_layer=decay, seed=2)
        return {
            layer: np.abs(
                tuned.network.parameter(f"{layer}/W") - network.parameter(f"{layer}/W")
            ).max()
            for layer in ("conv3", "fc6", "fc7")
        }

    even, less = (
        movement(decay) for decay in (1.0, 0.5)
    )  # gradient descent: the first step is in proportion
    shares = [less[layer] / even[layer] for layer in ("fc7", "fc6", "conv3")]
    assert shares[0] > shares[1] > shares[2] > 0
    assert 0.3 < shares[0] < 0.7 and shares[2] < 0.3


def test_a_hidden_layer_with_dropout_is_off_in_evaluation(network):
    tuned = trained(network, "fc7", head="fc:16,dropout=0.5", how_many_training_steps=30)
    names, cut = ("fc7",), network.cut(("fc7",), "fc7")
    split = stored(network, cut, names, 10)
    features = tune.features_behind(tuned.network, cut, names, split, False)
    assert tuned.head.hidden[0].shape == (8, 16) and tuned.head.weights.shape == (16, 3)
    first, second = (tuned.head.probabilities(features) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first.sum(axis=1), 1, rtol=1e-5)


def test_a_frozen_variable_that_strays_and_a_trained_one_that_stays_are_errors(network):
    frozen = {"Small/fc7/W": network.parameter("fc7/W") + 1}
    same = {"Small/fc6/W": network.parameter("fc6/W")}
    fitted = tune.Fitted(same, 1, same, same, frozen, 1.0)
    with pytest.raises(GraphnetsError) as caught:
        tune.check_frozen(network, fitted)
    assert str(caught.value) == (
        "the freeze audit fails: frozen but changed: fc7/W; trained but as before: Small/fc6/W; "
        "a larger learning_rate moves the latter"
    )


def test_retrain_stores_the_values_at_the_cut_and_audits_what_it_exports(network, tmp_path):
    folder = write_photos(tmp_path / "photos")
    lines = []
    chosen = options(tmp_path, trainable="fc6:", training={"warmup_steps": 50})
    result = retrain(folder, network, chosen, say=lines.append)
    assert lines[1] == "60 photos to run through small to fc7,pool3"
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["fine_tuning"] == {
        "trainable": ["fc6", "fc7"],
        "stored_at": "pool3",
        "freeze_audit": {
            "frozen_as_in_the_file": 6, "moved": ["fc6/W", "fc6/b", "fc7/W", "fc7/b"],
        },
    }  # fmt: skip
    assert metrics["test_accuracy"] > 0.8
    classifier = graphnets.Classifier(chosen.graph_path, chosen.labels_path)
    tested = result.photos[result.photos.split == "testing"]
    guesses = [p.top[0][0] for p in classifier.predict(tested.path)]
    assert guesses == list(tested.predicted)
    lines.clear()
    again = retrain(folder, network, chosen, say=lines.append)
    assert lines[1].startswith("0 photos to run")
    assert again.metrics["confusion_matrix"] == result.metrics["confusion_matrix"]


def test_with_every_layer_training_nothing_is_stored_and_this_is_said(network, tmp_path):
    folder = write_photos(tmp_path / "photos", per_class=8)
    lines = []
    chosen = options(tmp_path, trainable="all", training={"how_many_training_steps": 5})
    result = retrain(folder, network, chosen, say=lines.append)
    assert (
        "the first layer trains: the whole network runs at every step, nothing is stored" in lines
    )
    assert result.metrics["fine_tuning"]["freeze_audit"]["frozen_as_in_the_file"] == 0
    lines.clear()
    chosen = options(tmp_path, trainable="all", augmented_copies=2)
    with pytest.raises(GraphnetsError, match="^augmented copies are stored behind frozen layers"):
        retrain(folder, network, chosen, say=lines.append)
    assert not lines  # it is told before a photo is read


@pytest.mark.parametrize("head", ["linear", "flatten,fc:16,dropout=0.25"])
def test_augmented_copies_are_stored_once_and_only_of_training_photos(network, tmp_path, head):
    folder = write_photos(tmp_path / "photos", per_class=8)
    lines = []
    chosen = options(
        tmp_path, endpoint="conv3", trainable="conv3", augmented_copies=3, training={"head": head}
    )
    result = retrain(folder, network, chosen, say=lines.append)
    count = int((result.photos.split == "training").sum())
    assert f"{3 * count} augmented variants to run through small" in lines
    assert result.metrics["train_count"] == 4 * count
    assert result.metrics["options"]["augmentation"].startswith("flip_left_right=1.0, rotation=30")
    lines.clear()
    again = retrain(folder, network, chosen, say=lines.append)
    assert "0 augmented variants to run through small" in lines
    assert again.metrics["confusion_matrix"] == result.metrics["confusion_matrix"]
    classifier = graphnets.Classifier(chosen.graph_path, chosen.labels_path)
    tested = result.photos[result.photos.split == "testing"]
    guesses = [p.top[0][0] for p in classifier.predict(tested.path)]
    assert guesses == list(tested.predicted)


def test_pictures_are_decoded_as_the_network_takes_them(tmp_path, network):
    folder = write_photos(tmp_path / "photos", per_class=3)
    paths = sorted(str(path) for path in folder.glob("*/*"))
    found = Pictures(paths, (16, 16))
    assert (len(found), found.shape) == (9, (9, 16, 16, 3))
    np.testing.assert_array_equal(found[np.array([4, 1])], np.stack([found[[4]][0], found[[1]][0]]))
    assert found[np.array([], int)].shape == (0, 16, 16, 3)
