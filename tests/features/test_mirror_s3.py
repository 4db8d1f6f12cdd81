"""Photos and stores on an S3 server: the bits of local folders, also when it goes and comes."""

import boto3
import numpy as np
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

import graphnets
from graphnets import storage
from graphnets.features.store import FeatureStore
from tests.helpers.stores import IDENTITY, assert_holds, filled, keys_of, rows_of
from tests.helpers.tiny import tiny_network
from tests.helpers.world import write_photos


@pytest.fixture
def server(monkeypatch, tmp_path):
    running = ThreadedMotoServer("127.0.0.1", 0)
    running.start()
    host, port = running.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    client().create_bucket(Bucket="bucket")
    yield running
    running.stop()
    import fsspec

    fsspec.get_filesystem_class("s3").clear_instance_cache()


def client():
    return boto3.client("s3", config=Config(s3={"addressing_style": "path"}))
