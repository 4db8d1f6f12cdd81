import json

from graphnets.jobs import signs
from graphnets.jobs.demo import demo
from graphnets.jobs.options import DEMO_ENDPOINT


def test_the_demo_draws_trains_and_writes(network, tmp_path, monkeypatch):
    monkeypatch.setattr("graphnets.jobs.options.DEMO_ENDPOINT", "conv1,conv2")
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


def test_the_endpoint_needs_no_more_than_what_the_package_index_has():
    from graphnets.networks.vgg16 import LAYERS

    names = [name for name, _ in LAYERS]
    assert names.index(DEMO_ENDPOINT) <= names.index("conv5_3")
