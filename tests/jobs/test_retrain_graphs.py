"""The whole job on other people's graphs: features, fine-tuning behind a cut, export."""

import dataclasses
import json

import backbones
import graphs
import numpy as np
import pytest

import graphnets
from graphnets import RetrainOptions, TrainingOptions, open_network


@pytest.fixture(scope="module", params=["mobile", "fixed", "keras"])
def network(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("backbone")
    path = folder / "net"
    if request.param == "keras":
        backbones.keras_model(path)
    else:
        batch = 1 if request.param == "fixed" else None
        graph_def = backbones.frozen(lambda: backbones.mobile(batch), "net/Predictions")
        graphs.write(path, graph_def)
    return open_network("graph", path, input_mean=127.5, input_std=127.5)


LAST = {"net/features:0": "Conv2d_2:"}


def test_its_last_block_trains_and_the_export_gives_what_was_tested(
    network, photo_folder, tmp_path
):
    trainable = LAST.get(network.default_endpoint, "block_1:")
    options = RetrainOptions(
        report=False,
        training=TrainingOptions(how_many_training_steps=20, learning_rate=0.05),
        trainable=trainable,
        output_dir=tmp_path, bottleneck_dir=tmp_path / "b", summaries_dir=tmp_path / "s",
        testing_percentage=30,
    )  # fmt: skip
    result = graphnets.retrain(photo_folder, network, options)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["fine_tuning"]["freeze_audit"]["moved"]
    assert metrics["fine_tuning"]["freeze_audit"]["frozen_as_in_the_file"] >= 2
    tested = result.photos[result.photos.split == "testing"]
    classifier = graphnets.Classifier(options.graph_path, options.labels_path)
    hits = [
        p.top[0][0] == label
        for p, label in zip(classifier.predict(tested.path), tested.label, strict=True)
    ]
    assert np.mean(hits) == pytest.approx(metrics["test_accuracy"])
    again = open_network("graph", options.graph_path)  # it is a backbone in its turn
    assert again.size == network.size
    assert again.found.entry == "ResizedJPG:0"
    options = dataclasses.replace(options, output_dir=tmp_path / "again")
    second = graphnets.retrain(photo_folder, again, options)
    assert second.metrics["fine_tuning"]["freeze_audit"]["moved"]
