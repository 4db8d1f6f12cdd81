"""What a server answers to photos, and to whom."""

import re
import threading

import numpy as np
import pytest
from served import (
    BROKEN,
    LEAST,
    WHY,
    Client,
    classifier_in,
    forms,
    of_several_labels,
    png,
    that_tells_unknown,
    write_classifier,
)  # fmt: skip
from starlette.applications import Starlette
from starlette.routing import Mount
from tiny import LABELS, by_hand, pixels

from graphnets.serving.app import serving_app


def scores_of(answer):
    return {each["label"]: each["score"] for each in answer["top"]}


def test_each_photo_has_an_answer_in_its_place_and_bad_ones_say_why(ask):
    photos = [("a.png", png(1)), ("bad.jpg", BROKEN), ("b.png", png(2)), ("empty.png", b"")]
    answer = ask.post("/predict", files=forms(*photos))
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/json"
    first, bad, second, empty = answer.json()["predictions"]
    for found, name, seed in ((first, "a.png", 1), (second, "b.png", 2)):
        assert found["file"] == name and list(found) == ["file", "label", "score", "top"]
        expected = by_hand(pixels(seed))  # NumPy's own convolutions
        np.testing.assert_allclose([scores_of(found)[x] for x in LABELS], expected, atol=1e-6)
        assert (found["label"], found["score"]) == tuple(found["top"][0].values())
        assert found["label"] == LABELS[int(expected.argmax())]
    assert set(bad) == {"file", "error"} and bad["file"] == "bad.jpg"
    assert bad["error"].startswith(WHY)
    assert empty == {"file": "empty.png", "error": "an empty file"}


def test_a_form_is_read_as_browsers_write_it(ask):
    photo = png(1)
    body = (
        b'--b\r\nContent-Disposition: form-data; name="note"\r\n\r\nnot a file\r\n'
        b'--b\r\nContent-Disposition: form-data; name="x"; filename=""\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n\r\n"
        b'--b\r\nContent-Type: image/png\r\n'
        b'content-disposition: form-data; name="x"; filename="\xc3\xa4 %22 <b>.png"\r\n\r\n'
        + photo + b"\r\n--b--\r\n"
    )  # fmt: skip
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    (found,) = ask.post("/predict", content=body, headers=kind).json()["predictions"]
    assert found["file"] == "ä %22 <b>.png" and found["label"] in LABELS
    for damaged in (body[:-9], b"nothing", b"", body.replace(b"name=", b"x" * 9000 + b"=")):
        answer = ask.post("/predict", content=damaged, headers=kind)
        assert answer.status_code == 400
        assert answer.json() == {"error": "the multipart/form-data is damaged or cut off"}


def test_a_name_of_a_file_of_this_machine_is_but_a_name(ask, tmp_path):
    path = tmp_path / "secret.mp4"
    path.write_bytes(png(1))
    (found,) = ask.post("/predict", files=forms((str(path), BROKEN))).json()["predictions"]
    assert found["file"] == str(path) and found["error"].startswith(WHY)


@pytest.mark.parametrize(
    "method, path, more, status, message",
    [
        ("GET", "/predict", {}, 405, "Method Not Allowed"),
        ("GET", "/nothing", {}, 404, "Not Found"),
        ("POST", "/predict", {"content": b"\xff\xd8"}, 415, "wanted multipart/form-data"),
        ("POST", "/predict", {"data": {"a": "b"}}, 415, "wanted multipart/form-data"),
        ("POST", "/predict", {"files": {"a": (None, "b")}}, 400, "no files; wanted photos"),
        ("GET", "/health", {"headers": {"Host": "evil.example"}}, 400, "the host 'evil.example'"),
        ("GET", "/", {"headers": {"Host": "127.0.0.1.evil.example"}}, 400, "the host '127.0"),
        ("POST", "/predict", {"headers": {"Origin": "http://evil.example"}}, 403, "a request of"),
        ("POST", "/predict", {"headers": {"Origin": "null"}}, 403, "a request of another site"),
        ("POST", "/", {"headers": {"Sec-Fetch-Site": "cross-site"}}, 403, "a request of another"),
    ],
)
def test_what_is_refused_says_why(ask, method, path, more, status, message):
    answer = ask.request(method, path, **more)
    assert answer.status_code == status
    assert answer.json()["error"].startswith(message)
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("host", ["localhost:8501", "127.0.0.1", "[::1]:8501", "LOCALHOST"])
def test_this_machines_names_are_answered_and_its_own_pages(ask, host):
    headers = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
    assert ask.post("/predict", files=forms(("a", png(1))), headers=headers).status_code == 200


def test_a_link_from_elsewhere_leads_to_the_page(ask):
    assert ask.get("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_a_server_for_all_has_any_name(classifier, ask_with):
    with ask_with(classifier, hosts=("*",)) as ask:
        assert ask.get("/health", headers={"Host": "photos.example"}).status_code == 200


def test_health_and_metrics(ask):
    assert ask.get("/health").json() == {"status": "ok"}
    ask.post("/predict", files=forms(("a", png(1)), ("b", png(2)), ("c", BROKEN)))
    ask.get("/made/up/by/a/stranger")
    answer = ask.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    lines = answer.text.splitlines()
    for line in (
        'graphnets_requests_total{path="/predict",status="200"} 1.0',
        'graphnets_requests_total{path="other",status="404"} 1.0',
        'graphnets_photos_total{outcome="classified"} 2.0',
        'graphnets_photos_total{outcome="refused"} 1.0',
        "graphnets_batch_photos_sum 2.0",
        "graphnets_requests_at_work 0.0",
        "graphnets_photos_waiting 0.0",
    ):
        assert line in lines
    assert any(line.startswith("process_resident_memory_bytes ") for line in lines)


def test_a_server_that_has_stopped_is_not_healthy(classifier, ask_with):
    with ask_with(classifier) as ask:
        pass
    answer = ask.get("/health")
    assert (answer.status_code, answer.json()) == (503, {"status": "stopped"})


def test_what_fails_in_the_server_is_told_without_its_insides(classifier, ask_with, monkeypatch):
    monkeypatch.setattr(type(classifier), "run", lambda *_: 1 / 0)
    with ask_with(classifier) as ask:
        answer = ask.post("/predict", files=forms(("a", png(1))))
        assert answer.status_code == 500
        assert answer.json() == {"error": "the server failed; its log tells why"}
        assert ask.get("/health").status_code == 200


def test_a_graph_of_several_labels_names_those_that_are_there(tmp_path, ask_with):
    write_classifier(tmp_path, of_several_labels())
    with ask_with(classifier_in(tmp_path)) as ask:
        (found,) = ask.post("/predict", files=forms(("a", png(1)))).json()["predictions"]
    scores = scores_of(found)
    named = {LABELS[i] for i in range(3) if scores[LABELS[i]] >= LEAST[i]}
    assert {each["label"] for each in found["labels"]} == named


def test_a_photo_of_no_class_has_no_label(tmp_path, ask_with):
    write_classifier(tmp_path, that_tells_unknown(-1e9))
    with ask_with(classifier_in(tmp_path)) as ask:
        (found,) = ask.post("/predict", files=forms(("a", png(1)))).json()["predictions"]
        assert found["unknown"] is True and found["label"] is None and len(found["top"]) == 3
        text = page(ask, png(1))
    assert "<strong>Unknown: none of the classes.</strong> The likeliest" in text
    assert '<ol class="none">' in text  # whose first is not bold


def page(ask, photo, name="a"):
    return ask.post("/", files=forms((name, photo))).text


def test_the_page_needs_nothing_else_and_runs_no_script_but_its_own(ask):
    answer = ask.get("/")
    policy = answer.headers["content-security-policy"]
    nonce = re.search(r"script-src 'nonce-([\w-]{22})';", policy)[1]
    assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy
    assert re.findall("<script[^>]*>", answer.text) == [f'<script nonce="{nonce}">']
    assert not re.search(r"(src|href)=\"(?!data:,)", answer.text)
    assert nonce not in ask.get("/").headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "3 classes:\nant, bee, cat" in answer.text
    assert "Photos of up to 20 MB each, up to 32 at once<span" in answer.text


def test_the_page_answers_a_form_without_script(ask):
    answer = ask.post("/", files=forms(("<b>.png", png(1)), ("bad.jpg", BROKEN)))
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/html")
    assert "1 photo classified, 1 left out" in answer.text
    assert "<h2>&lt;b&gt;.png</h2>" in answer.text and "<b>" not in answer.text
    best = by_hand(pixels(1)).max()
    assert f'<span class="score">{100 * best:.1f} %</span>' in answer.text
    assert f"Left out: {WHY}" in answer.text
    answer = ask.post("/", files={"a": (None, "b")})
    assert answer.status_code == 400
    assert '<span class="wrong">no files; wanted photos' in answer.text


def test_labels_out_of_a_strangers_file_are_text(tmp_path, ask_with):
    labels = ["<script>alert(1)</script>", "\udcff bytes", "line\x1b[0m"]
    write_classifier(tmp_path, labels=labels)
    with ask_with(classifier_in(tmp_path)) as ask:
        (found,) = ask.post("/predict", files=forms(("a", png(1)))).json()["predictions"]
        assert {each["label"] for each in found["top"]} == set(labels)
        text = page(ask, png(1), "\x1b.png")
    assert text.count("&lt;script&gt;alert(1)") == 2 and text.count("<script") == 1
    assert r"\udcff bytes" in text and r"line\x1b[0m" in text and "\x1b" not in text


def test_it_can_be_mounted_in_another_application(classifier):
    app = Starlette(routes=[Mount("/flowers", serving_app(classifier))])
    client = Client(app)
    answer = client.post("/flowers/predict", files=forms(("a", png(1))))
    assert answer.json()["predictions"][0]["label"] in LABELS
    metrics = client.get("/flowers/metrics").text
    assert 'graphnets_requests_total{path="/predict",status="200"} 1.0' in metrics


def test_requests_beyond_what_may_wait_are_to_try_again(classifier, ask_with, monkeypatch):
    begun, go_on, run = threading.Event(), threading.Event(), type(classifier).run

    def slow(self, values):
        begun.set()
        assert go_on.wait(20)
        return run(self, values)

    monkeypatch.setattr(type(classifier), "run", slow)
    with ask_with(classifier, max_waiting=1) as ask:
        answers = []
        first = threading.Thread(
            target=lambda: answers.append(ask.post("/predict", files=forms(("a", png(1)))))
        )
        first.start()
        assert begun.wait(20)
        refused = ask.post("/predict", files=forms(("b", png(2))))
        assert refused.status_code == 503 and refused.headers["retry-after"] == "1"
        assert refused.json() == {"error": "1 requests are at work; try again"}
        go_on.set()
        first.join()
        assert answers[0].status_code == 200
        assert ask.post("/predict", files=forms(("b", png(2)))).status_code == 200


def test_what_takes_too_long_is_told_and_forgotten(classifier, ask_with, monkeypatch):
    go_on, run = threading.Event(), type(classifier).run
    monkeypatch.setattr(type(classifier), "run", lambda self, x: go_on.wait(20) and run(self, x))
    with ask_with(classifier, timeout=0.1) as ask:
        answer = ask.post("/predict", files=forms(("a", png(1))))
        assert answer.status_code == 503
        assert answer.json() == {"error": "no answer in 0.1 s; try again"}
        go_on.set()
