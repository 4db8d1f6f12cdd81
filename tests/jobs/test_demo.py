import json

from graphnets.jobs import signs
from graphnets.jobs.demo import demo
from graphnets.jobs.options import DEMO_ENDPOINT, DEMO_TRAINABLE
from graphnets.networks.efficientnet import LITE0
from graphnets.weights.drawn import RandomWeights


def test_the_demo_draws_trains_and_writes(network, tmp_path, monkeypatch):
    monkeypatch.setattr("graphnets.jobs.options.DEMO_ENDPOINT", "conv1,conv2")
    monkeypatch.setattr("graphnets.jobs.options.DEMO_TRAINABLE", "conv2")
    said = []
    result = demo(tmp_path / "demo", per_class=5, network=network, say=said.append)
    assert said[0] == f"215 photos of 43 signs drawn in {tmp_path}/demo/photos"
    metrics = json.loads((tmp_path / "demo" / "metrics.json").read_text())
    assert metrics["labels"] == sorted(signs.FOLDERS)
    assert metrics["train_count"] + metrics["validation_count"] + metrics["test_count"] == 215
    assert result.metrics == metrics
    tested = result.photos[result.photos.split == "testing"]
    assert metrics["test_accuracy"] == (tested.predicted == tested.label).mean() > 0
    for name in (
        "output_graph.pb",
        "output_labels.txt",
        "photos.csv",
        "retrain_logs",
        "bottleneck",
    ):
        assert (tmp_path / "demo" / name).exists()


def test_what_trains_is_there():
    network = LITE0.network(RandomWeights(LITE0.shapes()), "random 0")
    cut = network.cut([DEMO_ENDPOINT], DEMO_TRAINABLE)
    assert (cut.after, cut.layers[0], cut.layers[-1]) == ("block5c", "block6a", "head")
