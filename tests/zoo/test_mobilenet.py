"""The MobileNets of retrain.py: their archives, and what is checked of them."""

import io
import tarfile

import backbones
import graphs
import numpy as np
import pytest

from graphnets import open_network
from graphnets.errors import GraphnetsError
from graphnets.zoo import fetch, mobilenet

NAME = "mobilenet_v1_0.25_128"


def archive(**files: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()


@pytest.fixture(scope="module")
def frozen():
    """A graph in the manner of those, for pictures of 128 x 128."""

    def build():
        backbones.mobile(size=128)

    return backbones.frozen(build, "net/Predictions").SerializeToString()


def test_the_addresses_are_the_official_ones():
    official = "https://storage.googleapis.com/download.tensorflow.org/models"
    assert mobilenet.places("mobilenet_v1_1.0_224") == (
        f"{official}/mobilenet_v1_1.0_224_frozen.tgz",
        f"{official}/mobilenet_v1_2018_08_02/mobilenet_v1_1.0_224.tgz",
    )


@pytest.mark.parametrize("member", [f"./{NAME}/frozen_graph.pb", f"{NAME}_frozen.pb"])
def test_fetched_from_either_address_it_opens(site, tmp_path, monkeypatch, frozen, member):
    site.pages["/second.tgz"] = archive(**{"readme.txt": b"", member: frozen})
    places = (f"{site.address}/first.tgz", f"{site.address}/second.tgz")
    monkeypatch.setattr(mobilenet, "places", lambda name: places)
    lines = []
    path = fetch.fetch("mobilenet_0.25_128", tmp_path, lines.append)
    assert path == tmp_path / f"{NAME}_frozen.pb"
    assert path.read_bytes() == frozen
    assert lines[-1] == (f"{path}: the frozen graph of {NAME}, from {places[1]}, no known checksum")
    assert lines[-2].startswith("no checksum of it is published; the SHA-256 of what came is ")
    network = open_network(NAME, model_dir=tmp_path)
    assert (network.name, network.size) == (NAME, (128, 128))
    [found] = graphs.built(network, np.full((2, 128, 128, 3), 127.5, np.float32), ["net/features"])
    assert found.shape == (2, 16)


def test_another_size_and_other_content_are_refused(tmp_path, frozen):
    file = tmp_path / "have.pb"
    file.write_bytes(frozen)
    with pytest.raises(GraphnetsError) as caught:
        fetch.fetch("mobilenet_v1_0.25_160", tmp_path, file=file)
    assert str(caught.value) == (
        f"{file} is not mobilenet_v1_0.25_160: it takes pictures of the height 128 at input:0, "
        "not 160"
    )
    file.write_bytes(archive(**{"../x_frozen.pb": frozen}))
    with pytest.raises(GraphnetsError, match="no readable frozen graph .it has another content"):
        fetch.fetch(NAME, tmp_path, file=file)
