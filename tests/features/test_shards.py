"""Photos in shards, by workers or by another engine: the same store as from one process."""

import dataclasses

import graphs
import numpy as np
import pandas as pd
import pytest
import tensorflow.compat.v1 as tf
from spreading import Scattered

import graphnets
from graphnets.errors import GraphnetsError
from graphnets.features import shards as module
from graphnets.features.bottlenecks import Bottlenecks, with_copies
from graphnets.photos.augmentation import PHOTO_AUGMENTATION
from graphnets.photos.images import key_of
from graphnets.photos.listing import scan
from graphnets.photos.reading import BATCH
from graphnets.workers import working


@pytest.fixture
def file(tmp_path):
    return graphs.write(tmp_path / "small.pb", graphs.inception_like())


@pytest.fixture
def network(file):
    return graphnets.open_network("inception_v3", file)


@pytest.fixture
def photos(photo_folder):
    return scan(photo_folder)


@pytest.fixture
def expected(network, photos, tmp_path):
    """The features as one process stores them."""
    alone = Bottlenecks(network, None, tmp_path / "alone")
    return alone.read(alone.add(photos))


def test_workers_store_what_one_process_stores(network, photos, expected, tmp_path):
    spread = Bottlenecks(network, None, tmp_path / "spread")
    with working(Scattered()):
        found = spread.add(photos)
    assert found.astype(object).equals(photos.astype(object))
    assert spread.read(found).tobytes() == expected.tobytes()
    assert len(list((tmp_path / "spread").glob("*/*.keys"))) == 4  # of 60 photos, 16 a shard


def test_workers_list_what_one_process_lists(photo_folder, photos, monkeypatch):
    monkeypatch.setattr("graphnets.photos.listing.IN_SHARD", 7)
    (photo_folder / "grass" / "a folder").mkdir()
    with working(Scattered()):
        found = scan(photo_folder)
    assert found.equals(scan(photo_folder))
    assert list(found.problem[found.problem != ""]) == ["a folder inside a class folder"]


def test_only_what_is_missing_goes_to_workers(network, photos, expected, tmp_path):
    store, workers = Bottlenecks(network, None, tmp_path / "spread"), Scattered()
    store.add(photos)
    again = Bottlenecks(network, None, tmp_path / "spread")
    with working(workers):
        again.add(photos)
    assert workers.given == []
    for path in (tmp_path / "spread").glob("*/*"):
        path.unlink()
    half = Bottlenecks(network, None, tmp_path / "spread")
    half.add(photos[:30])  # the first of the table are the first by path
    with working(workers):
        found = half.add(photos)
    assert sum(map(len, workers.given)) == 30
    assert half.read(found).tobytes() == expected.tobytes()


def test_variants_and_maps_are_spread_too(network, photos, tmp_path):
    def stored(folder):
        drawn = PHOTO_AUGMENTATION, 5
        store = Bottlenecks(network, None, tmp_path / folder, [network.default_endpoint], *drawn)
        copies = store.add(with_copies(photos[:20], 3))
        return store.read(copies)

    alone = stored("alone")
    with working(Scattered()):
        assert stored("spread").tobytes() == alone.tobytes()


def test_broken_and_changed_photos_are_told_as_by_one_process(network, photos, tmp_path):
    broken, changed = photos.path[3], photos.path[45]
    data = open(broken, "rb").read()
    with open(broken, "wb") as file:
        file.write(data[:200])
    tables = scan(photos.path[0].rsplit("/", 2)[0])
    with open(changed, "wb") as file:
        file.write(data)
    alone = Bottlenecks(network, None, tmp_path / "alone").add(tables)
    with working(Scattered()):
        spread = Bottlenecks(network, None, tmp_path / "spread").add(tables)
    assert spread.equals(alone)
    problems = spread.set_index("path").problem
    assert problems[broken].startswith("cannot be read")
    assert (problems != "").sum() == 1
    assert spread.key[45] == key_of(data) != tables.key[45]


def test_a_worker_that_sees_no_photos_is_an_error(network, photos, tmp_path, monkeypatch):
    reading = module.Extractor.run

    def blind(self, table, *rest):
        return reading(self, table.assign(path="/elsewhere" + table.path), *rest).named(
            dict(zip("/elsewhere" + table.path, table.path, strict=True))
        )

    monkeypatch.setattr(module.Extractor, "run", blind)
    store = Bottlenecks(network, None, tmp_path / "spread")
    with working(Scattered()), pytest.raises(GraphnetsError) as raised:
        store.add(photos)
    assert "a worker cannot open " in str(raised.value)
    assert "put the photos where all machines see them" in str(raised.value)


def test_a_worker_with_other_weights_is_refused(network, file, photos, tmp_path):
    store = Bottlenecks(network, None, tmp_path / "spread")
    graphs.write(file, graphs.inception_like(seed=9))
    with working(Scattered()), pytest.raises(GraphnetsError, match="differ in weights: .*, wanted"):
        store.add(photos)


def test_a_worker_with_another_graphnets_is_refused(network, photos, tmp_path, monkeypatch):
    opened = module._open

    def newer(job):
        return opened(job._replace(version="9.9"))

    monkeypatch.setattr(module, "_open", newer)
    store = Bottlenecks(network, None, tmp_path / "spread")
    message = f"a worker has graphnets {graphnets.__version__}, wanted 9.9"
    with working(Scattered()), pytest.raises(GraphnetsError, match=message):
        store.add(photos)


def test_workers_of_two_kinds_are_told(network, photos, tmp_path, monkeypatch):
    kinds = iter(["avx2", "avx2", "avx512f", "avx512f"] * 2)  # each shard is worked twice
    monkeypatch.setattr(module, "processor_kind", lambda: next(kinds))
    store, lines = Bottlenecks(network, None, tmp_path / "spread"), []
    with working(Scattered()):
        store.add(photos, warn=lines.append)
    [line] = lines
    tensorflow = f"TensorFlow {tf.version.VERSION}"
    assert line.startswith(
        f"photos ran on 2 kinds of machines (avx2, {tensorflow}; avx512f, {tensorflow}): "
    )


def test_a_network_that_has_trained_is_refused(network, photos, tmp_path):
    tuned = network.tuned({})
    store = Bottlenecks(tuned, None, tmp_path / "spread")
    with working(Scattered()), pytest.raises(GraphnetsError, match="this one has trained since"):
        store.add(photos)


def test_another_engine_writes_the_same_store(network, file, photos, expected, tmp_path):
    spec = graphnets.ShardSpec("inception_v3", file, tmp_path / "other")
    parts = list(graphnets.shards(photos, size=20))
    assert [len(part) for part in parts] == [32, 28]  # up to the end of a batch
    done = [graphnets.extract_shard(spec, part) for part in reversed(parts)]
    assert pd.concat(done).problem.eq("").all()
    store = Bottlenecks(network, None, tmp_path / "other")
    assert not len(store.missing(photos))
    assert store.read(photos).tobytes() == expected.tobytes()


def test_a_shard_that_is_there_is_not_run_again(file, photos, tmp_path, reads):
    spec = graphnets.ShardSpec("inception_v3", file, tmp_path / "other")
    part = next(graphnets.shards(photos))
    graphnets.extract_shard(spec, part)
    read = len(reads)
    graphnets.extract_shard(spec, part)
    assert len(reads) == read > 0


def test_shards_leave_out_copies_and_what_cannot_be_read(photos):
    table = photos.copy()
    table.loc[5, "problem"] = "broken"
    table.loc[7, "key"] = table.key[6]
    parts = list(graphnets.shards(table, size=16))
    paths = [path for part in parts for path in part.path]
    assert paths == sorted(table.path.drop([5, 7]))
    places = {path: number % BATCH for number, path in enumerate(sorted(table.path))}
    assert all(part.place.tolist() == [places[p] for p in part.path] for part in parts)


def test_what_is_no_shard_is_refused(file, photos):
    spec = graphnets.ShardSpec("inception_v3", file)
    with pytest.raises(GraphnetsError, match="photos has no column place"):
        graphnets.extract_shard(spec, photos)
    with pytest.raises(GraphnetsError, match="spec is 'inception_v3', wanted a graphnets.ShardS"):
        graphnets.extract_shard("inception_v3", photos)
    with pytest.raises(GraphnetsError, match="size is 0, wanted 1 or more"):
        list(graphnets.shards(photos, 0))


def test_a_spec_is_small(file):
    import pickle

    spec = graphnets.ShardSpec("inception_v3", str(file), maps=["mixed_10/join"])
    assert len(pickle.dumps(spec)) < 1000
    assert dataclasses.replace(spec) == pickle.loads(pickle.dumps(spec))
    assert np.isscalar(spec.seed)
