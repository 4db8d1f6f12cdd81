"""Getting weights: checked, whole or not at all, and from the next source if one does not serve."""

import hashlib
import json
import os
import socket
import threading
import time

import pytest
from fetching import BODY, MD5, MEMBER, SHA256, begin, copy, failure, listing, sources

from graphnets.errors import GraphnetsError
from graphnets.zoo import downloads, fetch

pytestmark = pytest.mark.usefixtures("short_limits")


@pytest.fixture
def silent():
    """An address that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/weights"


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


def passed_over(place, site, tmp_path, monkeypatch):
    """Fetch from `place`, which does not serve, or else the site: the seconds, what was said."""
    site.pages["/w"] = BODY
    places = (place, f"{site.address}/w")
    sources(monkeypatch, *(fetch.Source(place, "w", MD5, copy) for place in places))
    said = []
    start = time.monotonic()
    assert fetch.fetch("vgg16", tmp_path, said.append).read_bytes() == BODY
    return time.monotonic() - start, said


def test_silent_address_costs_the_time_limit_and_no_more(silent, site, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "ANSWER_WITHIN", 0.5)
    monkeypatch.setattr(downloads, "STALLED_AFTER", 60)
    seconds, said = passed_over(silent, site, tmp_path, monkeypatch)
    assert 0.5 <= seconds < 5
    assert said[1] == f"{silent}: no answer within 0.5 s"


def test_name_that_is_never_looked_up_costs_the_time_limit(tmp_path, monkeypatch):
    released = threading.Event()

    def look_up(*_, **__):
        released.wait(60)
        raise socket.gaierror("no such name")

    monkeypatch.setattr(downloads, "ANSWER_WITHIN", 0.3)
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    sources(monkeypatch, fetch.Source("http://weights.invalid/w", "w", MD5, copy))
    try:
        assert "http://weights.invalid/w: no answer within 0.3 s" in failure(tmp_path)
    finally:
        released.set()


def test_refusing_address_goes_on_at_once(refusing, site, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "ANSWER_WITHIN", 60)
    seconds, said = passed_over(refusing, site, tmp_path, monkeypatch)
    assert seconds < 10
    assert said[1] == f"{refusing}: cannot be reached (ConnectionError)"


@pytest.mark.parametrize("place", ["http://", "http://[::1", "gopher://127.0.0.1/w"])
def test_an_address_that_is_none_is_told_like_any_other_failure(place, tmp_path, monkeypatch):
    sources(monkeypatch, fetch.Source(place, "w", MD5, copy))
    start = time.monotonic()
    assert f"{place}: cannot be reached (" in failure(tmp_path)
    assert time.monotonic() - start < 2


def broken_off(page, site, tmp_path, monkeypatch):
    """What is said where this page is the only source; it leaves nothing."""
    site.pages["/w"] = page
    sources(monkeypatch, fetch.Source(f"{site.address}/w", "w", MD5, copy))
    message = failure(tmp_path)
    assert listing(tmp_path) == []
    return message


def test_stall_in_the_middle_leaves_nothing(site, tmp_path, monkeypatch):
    def stall(handler):
        begin(handler, len(BODY))
        handler.wfile.write(BODY[:100])
        handler.wfile.flush()
        site.closing.wait(60)

    monkeypatch.setattr(downloads, "STALLED_AFTER", 0.4)
    assert "Read timed out" in broken_off(stall, site, tmp_path, monkeypatch)


def test_connection_lost_in_the_middle_leaves_nothing(site, tmp_path, monkeypatch):
    def drop(handler):
        begin(handler, len(BODY))
        handler.wfile.write(BODY[:100])

    assert f"{site.address}/w: " in broken_off(drop, site, tmp_path, monkeypatch)


def test_body_cut_off_without_a_length_fails_the_checksum(site, tmp_path, monkeypatch):
    def no_length(handler):
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(BODY[:100])

    assert "does not match the known hash" in broken_off(no_length, site, tmp_path, monkeypatch)


@pytest.mark.parametrize("length", ["many", "-5"])
def test_a_senseless_length_ends_in_the_one_exception(site, tmp_path, monkeypatch, length):
    def odd(handler):
        begin(handler, length)
        handler.wfile.write(BODY[:100])

    assert "vgg16 could not be fetched" in broken_off(odd, site, tmp_path, monkeypatch)


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
    changed = "NOT as it was fetched; --force fetches it again"
    assert fetch.status("vgg16", tmp_path).state == changed
    with pytest.raises(GraphnetsError, match=f"vgg16.npz is {changed}"):
        fetch.fetch("vgg16", tmp_path)
    fetch.fetch("vgg16", tmp_path, force=True)
    assert path.read_bytes() == BODY
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
        match="no architecture 'resnet'; wanted one of inception_v3, vgg16, alexnet, alexnet_c",
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


def test_a_download_that_was_killed_when_all_was_there_is_removed(tmp_path, monkeypatch):
    sources(monkeypatch)
    (tmp_path / "vgg16.npz").write_bytes(b"mine")
    left = tmp_path / ".fetch-abcd1234"
    left.mkdir()
    os.utime(left, (0, 0))
    fetch.fetch("vgg16", tmp_path)
    assert listing(tmp_path) == ["vgg16.npz"]
