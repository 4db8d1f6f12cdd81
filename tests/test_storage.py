"""Addresses: what is read at them, what is refused, and whose fault an error is."""

import pytest

from graphnets import storage
from graphnets.errors import GraphnetsError


def test_one_listing_gives_names_sizes_and_folders(memory):
    memory.pipe({"/b/x/1.jpg": b"one", "/b/x/sub/2.jpg": b"two"})
    assert sorted(storage.entries("memory://b/x")) == [
        ("1.jpg", "memory://b/x/1.jpg", False, 3),
        ("sub", "memory://b/x/sub", True, 0),
    ]


@pytest.mark.parametrize(
    "name", ["b/x/../up", "b/x/..", "b/x/a\\b", "b/x/", "b/x", "c/x/1", "b/x/a/b"]
)
def test_a_name_that_leads_elsewhere_is_none(name):
    assert storage._name_in(name, "b/x") == ""
    assert storage._name_in("b/x/1.jpg", "b/x") == "1.jpg"


@pytest.mark.parametrize(
    "address",
    ["ssh://h/a", "github://a:b@/c", "reference://x", "simplecache::memory://a", "javascript://x"],
)
def test_other_kinds_of_addresses_are_refused(address):
    with pytest.raises(GraphnetsError, match="is an address of a kind that is not read; wanted"):
        storage.read(address)


def test_a_chain_in_a_key_is_a_key():
    assert storage._system("s3://b/x::memory://a")[1] == "b/x::memory://a"


def test_bytes_are_limited(memory):
    memory.pipe("/b/a", b"x" * (storage.PIECE + 10))
    assert len(storage.read("memory://b/a")) == storage.PIECE + 10
    with pytest.raises(OSError, match="1048586 bytes are too many"):
        storage.read("memory://b/a", storage.PIECE)
    memory.pipe("/b/empty", b"")
    assert storage.read("memory://b/empty") == b""


def test_what_is_missing_is_one_files_fault_and_what_does_not_answer_is_not(memory, monkeypatch):
    with pytest.raises(FileNotFoundError):
        storage.read("memory://b/none")
    monkeypatch.setattr(type(memory), "cat_file", _raising(PermissionError("no")))
    with pytest.raises(PermissionError):
        storage.read("memory://b/none")
    for error in (OSError(5, "reset"), TimeoutError(), RuntimeError("botocore says")):
        monkeypatch.setattr(type(memory), "cat_file", _raising(error))
        monkeypatch.setattr(type(memory), "info", _raising(error))
        with pytest.raises(storage.StorageError, match="cannot be reached .*what was computed"):
            storage.read("memory://b/none")


def _raising(error):
    def call(*_, **__):
        raise error

    return call


def test_files_on_disks_are_written_whole(tmp_path):
    storage.write(f"file://{tmp_path}/new/a", b"x")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a"]


def test_http_is_not_written_to():
    with pytest.raises(GraphnetsError, match="^http://localhost:1/x can only be read"):
        storage.check_can_write("http://localhost:1/x")


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "fsspec", None)
    with pytest.raises(GraphnetsError, match=r"pip install 'graphnets\[remote\]'"):
        storage.read("s3://b/a")


def test_a_local_path_stays_local():
    assert not storage.is_address("a:/b") and not storage.is_address("a/b")
    assert storage.absolute("s3://b/../a") == "s3://b/../a"
