"""The feature store of examples/beam_extract.py, compared with one process's."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from world import write_photos

import graphnets

pytest.importorskip("apache_beam", reason="pip install 'graphnets[beam]'")
EXAMPLE = Path(__file__).parents[2] / "examples" / "beam_extract.py"


@pytest.fixture
def beam_extract():
    spec = importlib.util.spec_from_file_location("beam_extract", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_shards_on_beam_give_the_store_of_one_process_and_name_what_is_left_out(
    beam_extract, tmp_path, capfd
):
    folder = write_photos(tmp_path / "photos")  # 60, in shards of 32 and 28: whole batches
    whole = (folder / "grass" / "003.jpg").read_bytes()
    (folder / "grass" / "003.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "grass" / "004.jpg").write_bytes(b"")
    beam_extract.main(
        folder, tmp_path / "beam", flags=["--runner=DirectRunner"], endpoint="block1a",
        weights="random", size=20,
    )  # fmt: skip
    told = [line for line in capfd.readouterr().out.splitlines() if line.startswith("left out")]
    assert sorted(line.rpartition("/")[2].partition(":")[0] for line in told) == [
        "003.jpg",
        "004.jpg",
    ]
    network = graphnets.open_network("efficientnet_lite0", "random")
    photos = graphnets.scan(folder)
    alone = graphnets.Bottlenecks(network, "block1a", tmp_path / "alone")
    found = alone.add(photos)
    found = found[found.problem == ""]
    assert len(found) == 58
    stores = [tmp_path / name for name in ("alone", "beam")]
    assert len(list(stores[1].glob("*/*.features"))) == 2
    on_beam = graphnets.Bottlenecks(network, "block1a", stores[1])
    rows = on_beam.read(found)  # GraphnetsError for a photo that is not in the store
    np.testing.assert_array_equal(rows.view(np.uint32), alone.read(found).view(np.uint32))
    assert rows.any(axis=1).all()
    names = [{path.name for path in store.iterdir()} for store in stores]
    assert names[0] == names[1]  # one identity: retrain and extract take it
