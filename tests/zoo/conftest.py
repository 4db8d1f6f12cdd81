"""Where the tests of fetching fetch from, and how small the networks are that they get."""

import socket

import pytest
from fetching import SHA256, Site, sources
from foreign import OURS

from graphnets.weights import shapes
from graphnets.zoo import downloads, fetch


@pytest.fixture
def short_limits(monkeypatch):
    """What fails does so soon, and no proxy stands between."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(downloads, "ANSWER_WITHIN", 3)
    monkeypatch.setattr(downloads, "STALLED_AFTER", 3)


@pytest.fixture
def site():
    site = Site()
    yield site
    site.closing.set()
    site.server.shutdown()
    site.server.server_close()


@pytest.fixture
def refusing():
    """An address where nobody listens; it stays taken for the length of the test."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/weights"


@pytest.fixture
def small_shapes(monkeypatch):
    """VGG16 and AlexNet as small as the tests' files have them."""
    vgg16 = {name: (3, 3, 2, 4) for name in OURS} | {f"fc{n}": (5, 6) for n in (6, 7, 8)}
    alexnet = {
        "conv1": (3, 3, 3, 4), "conv2": (3, 3, 2, 6), "fc6": (216, 10), "fc7": (10, 5)
    }  # fmt: skip
    monkeypatch.setattr(shapes, "SHAPES", {"vgg16": vgg16, "alexnet": alexnet})


@pytest.fixture
def inception(site, monkeypatch):
    """Serve an archive as Inception's; BODY is what its member should hold."""
    monkeypatch.setattr(fetch, "INCEPTION_SHA256", SHA256.partition(":")[2])
    monkeypatch.setitem(fetch.KNOWN, "inception_v3", (SHA256,))

    def serve(archive):
        site.pages["/inception.tgz"] = archive
        source = fetch.Source(
            f"{site.address}/inception.tgz", "the graph", None, fetch._inception_from_tgz
        )
        sources(monkeypatch, source, name="inception_v3")

    return serve
