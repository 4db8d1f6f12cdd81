"""A file that the user has already: checked, converted and put in place, or refused."""

import hashlib
import json

import graphs
import numpy as np
import pytest
from fetching import BODY, MEMBER, listing, sources, tgz
from foreign import CONV, OURS, caffe_blobs, caffemodel, keras_h5, keras_layers, onnx_wheel

from graphnets.errors import GraphnetsError
from graphnets.weights import convert, formats, places
from graphnets.weights.arrays import NpzWeights
from graphnets.zoo import archives, fetch

pytestmark = pytest.mark.usefixtures("short_limits")


@pytest.fixture
def mine(tmp_path):
    """A folder with files that the user has, beside that of the weights."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "bvlc.caffemodel").write_bytes(caffemodel(caffe_blobs()))
    for suffix in ("npy", "npz", "safetensors"):
        convert.convert(folder / "bvlc.caffemodel", folder / f"bvlc.{suffix}")
    keras_h5(folder / "vgg16.h5", keras_layers(top=True))
    keras_h5(folder / "notop.h5", keras_layers(top=False))
    onnx_wheel(folder / "vgg16.whl", keras_layers(top=False))
    return folder


ALEXNET, VGG16, CONVOLUTIONS = "conv1 to fc7", "conv1_1 to fc8", "conv1_1 to conv5_3"


@pytest.mark.usefixtures("small_shapes")
@pytest.mark.parametrize(
    "name, file, holds",
    [
        ("alexnet", "bvlc.caffemodel", ALEXNET),
        ("alexnet_caffe", "bvlc.npy", ALEXNET),
        ("alexnet", "bvlc.npz", ALEXNET),
        ("alexnet", "bvlc.safetensors", ALEXNET),
        ("vgg16", "vgg16.h5", VGG16),
        ("vgg16", "notop.h5", CONVOLUTIONS),
        ("vgg16", "vgg16.whl", CONVOLUTIONS),
    ],
)
def test_a_file_of_the_users_is_checked_converted_and_put_in_place(
    mine, tmp_path, monkeypatch, name, file, holds
):
    sources(monkeypatch)  # nothing is downloaded
    content = (mine / file).read_bytes()
    said = []
    path = fetch.fetch(name, tmp_path / "weights", said.append, mine / file)
    assert path == tmp_path / "weights" / places.FILES[name]
    assert listing(tmp_path / "weights") == [path.name, f"{path.name}.fetched.json"]
    layers = list(NpzWeights(path))
    assert f"{layers[0]} to {layers[-1]}" == holds
    assert (mine / file).read_bytes() == content
    digest = hashlib.sha256(content).hexdigest()
    place = f"{file} (SHA-256 {digest})"
    assert said == [f"{path}: {holds}, from {place}, no known checksum"]
    assert json.loads((tmp_path / "weights" / f"{path.name}.fetched.json").read_text()) == {
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "place": place,
        "holds": holds,
        "checksum": None,
    }
    assert fetch.status(name, tmp_path / "weights").state == (
        f"as it was fetched, no known checksum: {holds}, from {place}"
    )


@pytest.mark.usefixtures("small_shapes")
@pytest.mark.parametrize("algorithm", ["sha1", "md5", "sha256"])
def test_a_known_checksum_of_the_users_file_is_said(mine, tmp_path, monkeypatch, algorithm):
    digest = hashlib.new(algorithm, (mine / "bvlc.npy").read_bytes()).hexdigest()
    monkeypatch.setitem(fetch.KNOWN, "alexnet", ("md5:00", f"{algorithm}:{digest}"))
    said = []
    fetch.fetch("alexnet", tmp_path, said.append, mine / "bvlc.npy")
    assert said[0].endswith(f", {algorithm} checked")
    assert fetch.status("alexnet", tmp_path).state.startswith(
        "verified: conv1 to fc7, from bvlc.npy"
    )


def test_the_known_checksums():
    assert fetch.KNOWN["alexnet"] == (fetch.SOURCES["alexnet"][0].checksum,)
    assert {source.checksum for source in fetch.SOURCES["vgg16"]} < set(fetch.KNOWN["vgg16"])
    lengths = {"md5": 32, "sha1": 40, "sha256": 64}
    for known in fetch.KNOWN.values():
        for checksum in known:
            algorithm, _, digest = checksum.partition(":")
            assert len(digest) == lengths[algorithm]


def refused_file(name, file, folder):
    with pytest.raises(GraphnetsError) as caught:
        fetch.fetch(name, folder, file=file)
    assert listing(folder) == []
    return str(caught.value)


@pytest.mark.usefixtures("small_shapes")
def test_a_file_of_the_users_that_will_not_do(mine, tmp_path):
    weights = tmp_path / "weights"
    file = mine / "bvlc.npy"
    assert refused_file("vgg16", file, weights) == (
        f"{file} is not vgg16: {', '.join(OURS)} missing; "
        "fc6/W of the shape (216, 10), wanted (5, 6); fc6/b of the shape (10,), wanted (6,); "
        "fc7/W of the shape (10, 5), wanted (5, 6); fc7/b of the shape (5,), wanted (6,)"
    )
    file = mine / "small.caffemodel"
    file.write_bytes(caffemodel({"conv1": CONV}))
    assert refused_file("alexnet", file, weights) == (
        f"{file} is not alexnet: conv2, fc6, fc7 missing"
    )
    blobs = caffe_blobs()
    blobs["fc7"][1][2] = np.nan
    file.write_bytes(caffemodel(blobs))
    assert refused_file("alexnet", file, weights) == (
        f"{file}: fc7/b holds NaN or infinite numbers; wanted finite ones"
    )
    file.write_bytes(b"<html>404</html>")
    for name in fetch.SOURCES:
        assert refused_file(name, file, weights) == (
            f"{file} is a web page, not weights: download the file itself"
        )
        assert refused_file(name, mine / "none", weights) == (
            f"{mine / 'none'}: there is no such file"
        )


@pytest.mark.usefixtures("small_shapes")
def test_a_file_of_the_users_does_not_replace_what_is_there(mine, tmp_path):
    path, file = tmp_path / "bvlc_alexnet.npz", mine / "bvlc.npy"
    path.write_bytes(b"older")
    with pytest.raises(GraphnetsError) as caught:
        fetch.fetch("alexnet", tmp_path, file=file)
    assert str(caught.value) == (
        f"{path} is there already and is not what {file} gives; --force puts that in its place"
    )
    assert path.read_bytes() == b"older"
    fetch.fetch("alexnet", tmp_path, file=file, force=True)
    taken = path.read_bytes()
    assert list(NpzWeights(path))[0] == "conv1"
    fetch.fetch("alexnet", tmp_path, file=file)  # the same once more: nothing to refuse
    assert path.read_bytes() == taken


@pytest.mark.usefixtures("small_shapes")
def test_a_file_that_is_refused_does_not_cost_what_is_there(mine, tmp_path):
    path, file = tmp_path / "bvlc_alexnet.npz", tmp_path / "broken.npy"
    path.write_bytes(b"older")
    file.write_bytes((mine / "bvlc.npy").read_bytes()[:-100])
    with pytest.raises(GraphnetsError, match="broken.npy"):
        fetch.fetch("alexnet", tmp_path, file=file, force=True)
    assert path.read_bytes() == b"older"
    assert [n for n in listing(tmp_path) if not n.startswith("mine")] == [
        "broken.npy",
        "bvlc_alexnet.npz",
    ]


@pytest.mark.parametrize("archived", [True, False])
def test_inceptions_file_from_the_user(inception, tmp_path, archived):
    inception(b"never asked")
    file = tmp_path / "inception.xyz"
    file.write_bytes(tgz((MEMBER, BODY)) if archived else BODY)
    said = []
    path = fetch.fetch("inception_v3", tmp_path / "weights", said.append, file)
    assert path.read_bytes() == BODY
    assert said[0].startswith(
        f"{path}: the frozen Inception v3 graph, from inception.xyz (SHA-256 "
    )
    assert said[0].endswith("), sha256 checked")
    state = fetch.status("inception_v3", tmp_path / "weights").state
    assert state.startswith("verified: the frozen Inception v3 graph, from inception.xyz")


def test_another_inception_is_taken_if_it_is_built_alike(tmp_path):
    file = graphs.write(tmp_path / "trained.pb", graphs.inception_like())
    said = []
    path = fetch.fetch("inception_v3", tmp_path / "weights", said.append, file)
    assert path.read_bytes() == file.read_bytes()
    assert said[0].endswith("), no known checksum")


def test_an_archive_that_would_take_all_memory(inception, tmp_path, monkeypatch):
    inception(b"never asked")
    file = tmp_path / "inception.tgz"
    file.write_bytes(tgz((MEMBER, BODY)))
    monkeypatch.setattr(archives, "LARGEST", len(BODY) - 1)
    start = f"{file}: the archive has no readable {MEMBER} ("
    assert refused_file("inception_v3", file, tmp_path / "w") == (
        f"{start}it has {len(BODY):,} bytes, wanted {len(BODY) - 1:,} at most)"
    )
    file.write_bytes(tgz(("another", bytes(3_000_000)), (MEMBER, BODY)))
    monkeypatch.setattr(formats, "LARGEST", 1_000_000)
    most = 1_000_000 + file.stat().st_size
    assert refused_file("inception_v3", file, tmp_path / "w") == (
        f"{start}it unpacks to more than {most:,} bytes)"
    )


def test_another_graph_is_no_inception(tmp_path):
    weights = tmp_path / "weights"
    file = tmp_path / "graph.pb"
    graph_def = graphs.inception_like()
    del graph_def.node[-20:]
    graphs.write(file, graph_def)
    message = refused_file("inception_v3", file, weights)
    assert message.startswith(f"{file}: has no ")
    assert "wanted the Inception v3 graph of 2015-12-05" in message
    file.write_bytes(b"\xff" * 100)
    assert refused_file("inception_v3", file, weights).startswith(str(file))
    file.write_bytes(tgz(("another.pb", BODY)))
    assert refused_file("inception_v3", file, weights).startswith(
        f"{file}: the archive has no readable {MEMBER} ("
    )
