"""Stores at addresses: in memory, and on an S3 server that comes and goes."""

import pytest
from stores import IDENTITY, assert_holds, filled

from graphnets import storage
from graphnets.errors import GraphnetsError
from graphnets.features.store import FeatureStore

ADDRESS = "memory://bucket/features"


pytestmark = pytest.mark.usefixtures("memory")


def another_machine(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    return FeatureStore(ADDRESS, IDENTITY)


def test_another_machine_has_the_same_rows(monkeypatch, tmp_path):
    first = filled(ADDRESS, 1, 2, 3)
    assert_holds(first, 1, 2, 3)
    second = another_machine(monkeypatch, tmp_path)
    assert second.folder != first.folder and second.place == first.place
    assert_holds(second, 3, 1, 2, missing=[4])


def test_keys_are_uploaded_last(monkeypatch):
    order, upload = [], storage.upload
    monkeypatch.setattr(
        storage,
        "upload",
        lambda source, to: (order.append(to.rpartition(".")[2]), upload(source, to)),
    )
    filled(ADDRESS, 1)
    assert order == ["json", "features", "sums", "keys"]


def test_what_was_not_uploaded_is_kept_and_goes_up_with_the_next_run(monkeypatch, tmp_path, memory):
    store = filled(ADDRESS, 1)
    with monkeypatch.context() as broken:
        broken.setattr(type(memory), "put_file", _gone)
        with pytest.raises(GraphnetsError, match="cannot be reached .*uploaded by the next run$"):
            filled(ADDRESS, 2)
    assert len(list(store.folder.glob("*.pending"))) == 1
    assert_holds(FeatureStore(ADDRESS, IDENTITY), 1, 2)
    assert not list(store.folder.glob("*.pending"))
    assert_holds(another_machine(monkeypatch, tmp_path), 1, 2)


def _gone(*_, **__):
    raise OSError(111, "refused")


def test_the_address_is_the_truth(memory):
    store = filled(ADDRESS, 1)
    memory.rm("/bucket/features", recursive=True)
    again = FeatureStore(ADDRESS, IDENTITY)
    assert len(again) == 0 and not list(store.folder.glob("*.*s"))


def test_a_run_at_work_keeps_its_files(monkeypatch):
    from stores import keys_of, rows_of

    store = FeatureStore(ADDRESS, IDENTITY)
    store.append(keys_of(1), rows_of(1))
    assert_holds(FeatureStore(ADDRESS, IDENTITY), 1)  # of this machine
    assert not storage.is_folder(store.place)
    store.close()
    assert_holds(FeatureStore(ADDRESS, IDENTITY), 1)


def test_hostile_names_are_not_fetched(memory, monkeypatch, tmp_path):
    store = filled(ADDRESS, 1)
    base = f"/bucket/features/{store.folder.name}"
    for name in ("..keys", "..features", "a.sh", ".lock", "a b.keys", "a b.features", "x.pending"):
        memory.pipe(f"{base}/{name}", b"evil")
    other = another_machine(monkeypatch, tmp_path)
    assert_holds(other, 1)
    assert {p.suffix for p in other.folder.iterdir()} == {
        ".json",
        ".features",
        ".sums",
        ".keys",
        "",
    }
    assert len(list(other.folder.iterdir())) == 5


def test_an_object_of_another_size_than_listed_is_not_taken(memory, monkeypatch, tmp_path):
    filled(ADDRESS, 1)
    get = type(memory).get_file
    monkeypatch.setattr(
        type(memory),
        "get_file",
        lambda self, a, b, **k: (get(self, a, b, **k), open(b, "ab").write(b"x")),
    )
    with pytest.raises(GraphnetsError, match="came with .* bytes, and .* were listed"):
        another_machine(monkeypatch, tmp_path)


def test_a_truncated_object_is_noticed_by_its_sums(memory, monkeypatch, tmp_path):
    store = filled(ADDRESS, 1, 2)
    (name,) = [n for n in memory.store if n.endswith(".features")]
    memory.pipe(name, memory.cat(name)[:-4])
    other = another_machine(monkeypatch, tmp_path)
    assert_holds(other, 1, missing=[2])
    assert other.unfit == 1 and len(store) == 2
