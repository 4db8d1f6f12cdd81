"""Bodies are refused while they come in, not when they are all there."""

import asyncio

import pytest
from served import Client, forms, png
from tiny import LABELS

from graphnets.serving import uploads
from graphnets.serving.app import serving_app
from graphnets.serving.options import ServeOptions

MB = 1_000_000
SMALL = {"max_request_size": 3, "max_file_size": 3}
PART = b'--b\r\nContent-Disposition: form-data; name="x"; filename="a.png"\r\n\r\n'

END = b""


DECLARED = [[(b"content-length", b"2100000")], []]


def scope_of(headers):
    kind = b"multipart/form-data; boundary=b"
    return {
        "type": "http", "method": "POST", "path": "/predict", "query_string": b"", "root_path": "",
        "headers": [(b"host", b"localhost"), (b"content-type", kind), *headers],
    }  # fmt: skip


async def ignore(_):
    pass


async def answer_of(app, chunks, headers):
    """(status, error, chunks that were taken) of a request whose body comes in chunk by chunk."""
    chunks, taken, sent = iter(chunks), [], []

    async def receive():
        await asyncio.sleep(0)
        chunk = next(chunks, None)
        if chunk is None:
            await asyncio.sleep(60)
        taken.append(chunk)
        return {"type": "http.request", "body": chunk, "more_body": chunk != END}

    async def send(message):
        sent.append(message)

    await asyncio.wait_for(app(scope_of(headers), receive, send), 30)
    return sent[0]["status"], sent[1]["body"].decode(), len(taken)


def asked(classifier, chunks, headers=(), **options):
    app = serving_app(classifier, ServeOptions(**options))
    return asyncio.run(answer_of(app, chunks, headers))


@pytest.fixture(autouse=True)
def no_lingering(monkeypatch):
    monkeypatch.setattr(uploads, "LINGER", 0)


def endless(size):
    yield PART
    while True:
        yield bytes(size)


def test_a_request_is_refused_as_soon_as_it_is_too_large(classifier):
    status, error, taken = asked(classifier, endless(MB), **SMALL)
    assert (status, taken) == (413, 4)
    assert error == '{"error": "the request is larger than the 3 MB that are allowed"}'


def test_one_that_says_that_it_is_too_large_is_not_read(classifier):
    length = [(b"content-length", b"3000001")]
    assert asked(classifier, endless(MB), length, **SMALL)[::2] == (413, 0)


def test_all_requests_together_are_held_to_a_limit(classifier):
    app = serving_app(classifier, ServeOptions(max_memory=5, **SMALL))

    async def beside_a_request_of_3_mb():
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def hung_up_later():
            begun.set()
            await go_on.wait()
            return {"type": "http.disconnect"}

        scope = scope_of([(b"content-length", b"3000000")])
        first = asyncio.create_task(app(scope, hung_up_later, ignore))
        await begun.wait()
        found = [await answer_of(app, endless(MB), headers) for headers in DECLARED]
        go_on.set()
        await first
        return [*found, await answer_of(app, endless(MB), [])]

    declared, came, after = asyncio.run(beside_a_request_of_3_mb())
    assert declared == (503, '{"error": "too many bytes are at work; try again"}', 0)
    assert came[::2] == (503, 3)  # what names the file, 1 MB, and that is beyond the 5 with 1 more
    assert after[::2] == (413, 4)


def test_too_many_files_are_refused_at_the_first_that_is(classifier):
    parts = [PART + b"x" + b"\r\n"] * 100
    status, error, taken = asked(classifier, parts, max_files=3)
    assert (status, taken) == (413, 5)  # a part's end is seen at the next one's beginning
    assert error == '{"error": "more than the 3 files taken at once"}'


def test_a_request_that_does_not_come_is_given_up(classifier):
    status, error, _ = asked(classifier, [PART], timeout=0.05)
    assert (status, error) == (408, '{"error": "no whole request in 0.05 s"}')


def test_a_refused_request_is_let_go_to_its_end_for_a_while(classifier, monkeypatch):
    monkeypatch.setattr(uploads, "LINGER", 20)
    length, chunks = [(b"content-length", b"30000000")], [*[bytes(MB)] * 30, END]
    assert asked(classifier, chunks, length, **SMALL)[::2] == (413, 31)
    # Who waits to be asked is told at once.
    waits = [*length, (b"expect", b"100-continue")]
    assert asked(classifier, chunks, waits, **SMALL)[::2] == (413, 0)


def test_a_file_that_is_too_large_costs_only_itself(classifier, ask_with):
    with ask_with(classifier, max_file_size=0.01) as ask:
        photos = [("a", png(1)), ("large", bytes(10_001)), ("fits", bytes(10_000)), ("b", png(2))]
        first, large, fits, last = ask.post("/predict", files=forms(*photos)).json()["predictions"]
    assert first["label"] in LABELS and last["label"] in LABELS
    assert large == {"file": "large", "error": "larger than the 0.01 MB that are allowed"}
    assert fits["file"] == "fits" and "bytes" not in fits["error"]


def test_a_photo_of_too_many_pixels_is_not_decoded(classifier, ask_with):
    with ask_with(classifier, max_megapixels=0.01) as ask:
        photos = forms(("large", png(1, 101, 100)), ("fits", png(1, 100, 100)))
        large, fits = ask.post("/predict", files=photos).json()["predictions"]
    assert large["error"] == "0.0101 megapixels, more than the 0.01 that are allowed"
    assert fits["label"] in LABELS


def test_who_hangs_up_is_forgotten(classifier):
    app = serving_app(classifier)

    async def hung_up():
        return {"type": "http.disconnect"}

    asyncio.run(app(scope_of([(b"content-length", b"3000000")]), hung_up, ignore))
    metrics = Client(app).get("/metrics").text
    assert "graphnets_requests_at_work 0.0" in metrics
    assert 'graphnets_requests_total{path="/predict",status="400"} 1.0' in metrics
