"""Photos and stores at addresses that stop answering: what was computed is there."""

import pandas as pd
import pytest
from world import options

from graphnets import storage
from graphnets.features.bottlenecks import Bottlenecks
from graphnets.features.store import FeatureStore
from graphnets.jobs.compare import compare
from graphnets.jobs.retrain import retrain
from graphnets.photos.listing import scan
from graphnets.report import write

PHOTOS, STORE = "memory://bucket/photos", "memory://bucket/features"
REFUSED = "cannot be reached (ConnectionRefusedError"


def refused(*_, **__):
    raise ConnectionRefusedError(111, "refused")


def unreachable(*_):
    raise storage.StorageError("memory://bucket cannot be reached")


@pytest.fixture
def there(memory, photo_folder):
    """The photos of `photo_folder` at PHOTOS, some of them under a wrong label."""
    for path in sorted(photo_folder.glob("*/*")):
        wrong = path.parent.name == "grass" and path.stem < "010"
        label = "blue sky" if wrong else path.parent.name
        name = f"{label}/{path.parent.name} {path.name}"
        memory.pipe(f"/bucket/photos/{name}", path.read_bytes())
    return PHOTOS


def test_photos_out_of_reach_cost_the_report_and_not_the_run(
    there, network, tmp_path, monkeypatch, memory
):
    chosen = options(tmp_path, report=True, summaries_dir=tmp_path / "logs")
    said = []

    def say(text):
        said.append(text)
        if text == "writing report.html":
            monkeypatch.setattr(type(memory), "cat_file", refused)
            monkeypatch.setattr(type(memory), "info", refused)

    result = retrain(there, network, chosen, say=say)
    assert result.metrics["test_accuracy"] < 1  # there are mistakes to show
    assert {"metrics.json", "output_graph.pb"} <= {p.name for p in (tmp_path / "out").iterdir()}
    assert not (tmp_path / "out" / "report.html").exists()
    warnings = [text for text in said if REFUSED in text]
    assert [text.partition(": memory://")[0] for text in warnings] == [
        f"warning: report.html is not written, `graphnets report {tmp_path}/out` does later",
        "warning",
    ]
    monkeypatch.undo()
    assert write.write_report(tmp_path / "out").exists()


def test_a_comparison_is_kept_when_its_report_fails(there, network, tmp_path, monkeypatch):
    monkeypatch.setattr(write, "write_report", unreachable)
    said = []
    found = compare(there, network, ["conv2"], options(tmp_path, report=True), say=said.append)
    assert len(found) == 1 and "report.html is not written" in said[-1]


def test_all_stores_are_closed_when_the_first_cannot_be_uploaded(
    there, network, tmp_path, monkeypatch, memory
):
    photos = scan(there)
    store = Bottlenecks(network, "conv1,conv2", STORE)
    with monkeypatch.context() as broken:
        broken.setattr(type(memory), "put_file", refused)
        with pytest.raises(storage.StorageError, match="reached.*uploaded by the next run$"):
            store.add(photos)
    assert [one._writer for one in store._stores.values()] == [None, None]
    monkeypatch.setattr(FeatureStore, "append", pytest.fail)  # nothing is computed again
    again = Bottlenecks(network, "conv1,conv2", STORE)
    pd.testing.assert_frame_equal(again.add(photos), photos)
    assert len(memory.find("/bucket/features")) == 8
    assert again.read(photos).shape == (60, sum(r.shape[1] for r in again.each(photos)))
