"""A server on a port of this machine: asked by many at a time, and stopped."""

import asyncio
import re
import signal
import subprocess
import sys
import threading

import httpx
import pytest
import uvicorn
from served import forms, png, write_classifier
from tiny import LABELS

from graphnets.errors import GraphnetsError
from graphnets.serving.app import serving_app
from graphnets.serving.listening import is_local, listen, url
from graphnets.serving.options import ServeOptions
from graphnets.serving.server import warm_up

LIMITS = ServeOptions(max_file_size=3, max_request_size=3)


@pytest.fixture
def address(classifier):
    """Of a server in a thread."""
    with listen("127.0.0.1", 0) as listening:
        config = uvicorn.Config(serving_app(classifier, LIMITS), log_level="warning")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        yield url(listening)
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


def test_of_200_requests_at_a_time_none_is_lost_or_mixed_up(address):
    async def all_at_once():
        limits = httpx.Limits(max_connections=200)
        async with httpx.AsyncClient(base_url=address, limits=limits, timeout=60) as client:
            forms_of = [forms((f"{i}.png", png(i))) for i in range(200)]
            return await asyncio.gather(*(client.post("/predict", files=f) for f in forms_of))

    answers = [answer.json()["predictions"] for answer in asyncio.run(all_at_once())]
    assert [found["file"] for (found,) in answers] == [f"{i}.png" for i in range(200)]
    scores = [found["score"] for (found,) in answers]
    assert len(set(scores)) == 200
    for i in range(0, 200, 40):
        alone = httpx.post(f"{address}predict", files=forms(("a", png(i)))).json()
        assert alone["predictions"][0]["score"] == pytest.approx(scores[i], abs=1e-6)
    metrics = httpx.get(f"{address}metrics").text
    batches = float(re.search(r"^graphnets_batch_photos_count (\S+)$", metrics, re.M)[1])
    assert batches < 150  # they ran together


def test_a_client_that_sends_too_much_reads_why(address):
    answer = httpx.post(f"{address}predict", content=bytes(9_000_000), timeout=60)
    assert answer.status_code == 415  # it is no form, which is said after the rest was let go
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = httpx.post(f"{address}predict", content=bytes(9_000_000), headers=kind, timeout=60)
    assert answer.status_code == 413


def test_a_command_answers_and_stops_with_a_word(tmp_path):
    write_classifier(tmp_path)
    command = [sys.executable, "-m", "graphnets", "serve", str(tmp_path), "--port", "0"]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = run.stdout.readline()
    try:
        found = re.fullmatch(r"(http://127\.0\.0\.1:\d+/) classifies photos into the 3 .*\n", line)
        answer = httpx.post(f"{found[1]}predict", files=forms(("a", png(1))), timeout=30)
        assert answer.json()["predictions"][0]["label"] in LABELS
    finally:
        run.send_signal(signal.SIGTERM)
        output, errors = run.communicate(timeout=30)
    assert (run.returncode, output) == (0, "stopped; what was at work is answered\n")
    assert errors == ""  # no request is logged unless asked for


def test_an_address_that_cannot_be_had_is_told():
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(GraphnetsError, match=f"^cannot listen at port {port} of 127.0.0.1: an"):
            listen("127.0.0.1", port)
    with pytest.raises(GraphnetsError, match="name an address of this machine with --host$"):
        listen("300.1.1.1", 0)


@pytest.mark.parametrize("host", ["a..b", ".", "x" * 300, "a\0b", "\udcff", ""])
def test_text_that_is_no_address_is_told(host):
    with pytest.raises(GraphnetsError, match="; name an address of this machine with --host$"):
        listen(host, 0)


def test_which_addresses_are_of_this_machine_alone():
    assert all(map(is_local, ("127.0.0.1", "127.9.9.9", "::1", "localhost")))
    assert not any(map(is_local, ("0.0.0.0", "::", "192.168.0.1", "localhost.example")))


def test_a_graph_that_fails_fails_before_it_is_served(classifier, monkeypatch):
    warm_up(classifier)

    def failing(*_):
        raise GraphnetsError("the graph fails on it")

    monkeypatch.setattr(type(classifier), "run", failing)
    with pytest.raises(GraphnetsError, match="the graph fails on it"):
        warm_up(classifier)
