"""Photos and stores on an S3 server: the bits of local folders, also when it goes and comes."""

import boto3
import numpy as np
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer
from stores import IDENTITY, assert_holds, filled
from world import small_network

from graphnets.errors import GraphnetsError
from graphnets.features.bottlenecks import Bottlenecks
from graphnets.features.store import FeatureStore
from graphnets.photos.listing import scan


@pytest.fixture
def server(monkeypatch, tmp_path):
    running = ThreadedMotoServer("127.0.0.1", 0)
    running.start()
    host, port = running.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1",
        "XDG_CACHE_HOME": str(tmp_path / "cache"), "AWS_MAX_ATTEMPTS": "1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    mock_reset()
    client().create_bucket(Bucket="bucket")
    yield running
    running.stop()
    import fsspec

    fsspec.get_filesystem_class("s3").clear_instance_cache()


def mock_reset():
    """Servers of one process share what they hold."""
    from moto.moto_api._internal.models import moto_api_backend

    moto_api_backend.reset()


def client():
    return boto3.client("s3", config=Config(s3={"addressing_style": "path"}))


def uploaded(folder):
    for path in sorted(folder.glob("*/*")):
        client().upload_file(str(path), "bucket", f"photos/{path.relative_to(folder).as_posix()}")
    return "s3://bucket/photos"


def test_photos_and_store_there_give_the_bits_of_local_ones(
    server, photo_folder, tmp_path, monkeypatch
):
    local, network = scan(photo_folder), small_network()
    there = scan(uploaded(photo_folder))
    assert list(there.key) == list(local.key) and list(there.problem) == [""] * 60
    assert there.path[0] == "s3://bucket/photos/blue sky/000.jpg"
    here = Bottlenecks(network, "conv2", tmp_path / "store")
    expected = here.read(here.add(local))
    store = Bottlenecks(network, "conv2", "s3://bucket/features")
    np.testing.assert_array_equal(store.read(store.add(there)), expected)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another machine"))
    again = Bottlenecks(network, "conv2", "s3://bucket/features")
    assert not len(again.missing(there))
    np.testing.assert_array_equal(again.read(there), expected)


def test_a_missing_photo_is_left_out_and_a_server_that_is_gone_ends_the_run(server, photo_folder):
    address = uploaded(photo_folder)
    photos, network = scan(address), small_network()
    client().delete_object(Bucket="bucket", Key="photos/grass/003.jpg")
    store = Bottlenecks(network, "conv2", "s3://bucket/features")
    told = store.add(photos)
    left_out = told[told.problem != ""]
    assert left_out.path.tolist() == ["s3://bucket/photos/grass/003.jpg"]
    assert left_out.problem.tolist() == ["cannot be read (No such file or directory)"]
    server.stop()
    with pytest.raises(GraphnetsError, match="cannot be reached"):
        scan(address)


def test_a_server_that_comes_back_gets_what_was_kept(server, tmp_path, monkeypatch):
    filled("s3://bucket/features", 1)
    store = FeatureStore("s3://bucket/features", IDENTITY)
    host, port = server.get_host_and_port()
    server.stop()
    from stores import keys_of, rows_of

    store.append(keys_of(2), rows_of(2))
    with pytest.raises(GraphnetsError, match="uploaded by the next run"):
        store.close()
    again = ThreadedMotoServer("127.0.0.1", port)
    again.start()
    try:
        assert_holds(FeatureStore("s3://bucket/features", IDENTITY), 1, 2)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another machine"))
        assert_holds(FeatureStore("s3://bucket/features", IDENTITY), 1, 2)
    finally:
        again.stop()
