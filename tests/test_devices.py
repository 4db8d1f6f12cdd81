"""Which device is wanted, which one it is, and that sessions keep to it."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from tiny import tiny_network

from graphnets import devices
from graphnets.errors import GraphnetsError
from graphnets.features.bottlenecks import Bottlenecks
from graphnets.features.running import Endpoint, identity_of
from graphnets.photos.listing import scan
from graphnets.photos.reading import photo_reader
from graphnets.sessions import Session


@pytest.fixture
def gpus(monkeypatch):
    """A machine with two GPUs, one of which tells its name."""
    names = {"GPU:0": {"device_name": "NVIDIA H200"}, "GPU:1": {}}
    experimental = tf.config.experimental
    monkeypatch.setattr(experimental, "list_physical_devices", {"GPU": [*names]}.get)
    monkeypatch.setattr(experimental, "get_device_details", names.get)


@pytest.mark.parametrize("device", ["", "auto", "cpu"])
def test_without_a_gpu_it_is_the_processor(device, monkeypatch):
    monkeypatch.setenv(devices.VARIABLE, device)
    assert devices.used() == "cpu"


def test_a_gpu_that_is_not_there_is_told_before_anything_is_run(monkeypatch):
    monkeypatch.setenv(devices.VARIABLE, "gpu")
    with pytest.raises(GraphnetsError, match="^TensorFlow sees no GPU, and --device gpu wants one"):
        Session(graph=tf.Graph())


def test_another_device_is_an_error_that_lists_those_there_are(monkeypatch):
    monkeypatch.setenv(devices.VARIABLE, "tpu")
    wanted = "^GRAPHNETS_DEVICE is 'tpu'; wanted one of auto, cpu, gpu$"
    with pytest.raises(GraphnetsError, match=wanted):
        devices.used()


@pytest.mark.parametrize("device, name", [
    ("auto", "NVIDIA H200, gpu"), ("gpu", "NVIDIA H200, gpu"), ("cpu", "cpu"),
])  # fmt: skip
def test_gpus_go_by_their_names(device, name, gpus, monkeypatch):
    monkeypatch.setenv(devices.VARIABLE, device)
    assert devices.used() == name


@pytest.mark.parametrize("device, count", [("auto", {}), ("gpu", {}), ("cpu", {"GPU": 0})])
def test_sessions_have_no_gpu_where_the_processor_is_wanted(device, count, gpus, monkeypatch):
    monkeypatch.setenv(devices.VARIABLE, device)
    asked = []
    monkeypatch.setattr(tf.Session, "__init__", lambda self, graph, config: asked.append(config))
    monkeypatch.setattr(tf.Session, "__del__", lambda self: None, raising=False)
    Session(graph=tf.Graph())
    assert dict(asked[0].device_count) == count


def test_what_a_gpu_computes_is_stored_by_itself(gpus, monkeypatch):
    def identity(device):
        monkeypatch.setenv(devices.VARIABLE, device)
        return identity_of(tiny_network(), Endpoint("conv2", False), None, 0)

    assert identity("gpu") == identity("cpu") | {"device": "gpu"}
    assert "device" not in identity("cpu")  # as in the stores that there are


def test_photos_are_decoded_on_the_processor():
    with tf.Graph().as_default() as graph, Session() as session:
        photo_reader(session, (8, 8))
    assert {o.device for o in graph.get_operations()} == {"/device:CPU:0"}


def in_parts(sizes, photos, folder, monkeypatch, most=None):
    """Features as a GPU's way computes them, on the processor; no run has over `most` photos."""
    network = tiny_network()
    run = network.run

    def limited(session, tensors, x, pictures):
        sizes.append(len(pictures))
        if most and len(pictures) > most:
            full = tf.errors.ResourceExhaustedError(None, None, "OOM")
            raise GraphnetsError("it fails as it runs") from full
        return run(session, tensors, x, pictures)

    monkeypatch.setattr(network, "run", limited)
    bottlenecks = Bottlenecks(network, "conv2", folder)
    bottlenecks.add(photos)
    return bottlenecks.read(photos)


def test_a_gpu_gets_many_batches_at_once_and_fewer_if_they_do_not_fit(
    photo_folder, tmp_path, monkeypatch
):
    photos = scan(photo_folder)
    plain = in_parts(alone := [], photos, tmp_path / "plain", monkeypatch)
    assert alone == [16, 16, 16, 16]
    monkeypatch.setattr(devices, "used", lambda: "a card")
    together = in_parts(sizes := [], photos, tmp_path / "together", monkeypatch)
    assert sizes == [64]
    np.testing.assert_allclose(together, plain, atol=1e-5 * np.abs(plain).max())
    halved = in_parts(sizes := [], photos, tmp_path / "halved", monkeypatch, most=32)
    assert sizes == [64, 32, 32]
    np.testing.assert_allclose(halved, plain, atol=1e-5 * np.abs(plain).max())
    with pytest.raises(GraphnetsError, match="it fails as it runs"):
        in_parts([], photos, tmp_path / "none", monkeypatch, most=1)
