"""What TensorFlow Serving's clients are answered: what the SavedModel's signature gives."""

import base64
import json

import numpy as np
import pytest
import tensorflow as tf2
from served import (
    BROKEN,
    classifier_in,
    of_several_labels,
    png,
    that_tells_unknown,
    write_classifier,
)
from tiny import LABELS, by_hand, pixels

from graphnets.exports.saved_model import write_saved_model

PREDICT = "/v1/models/default:predict"


def b64(data):
    return {"b64": base64.b64encode(data).decode()}


def test_rows_are_answered_in_order_under_any_of_an_inputs_names(ask):
    for signature, instance in (
        ("serving_default", b64),
        ("serving_default", lambda x: {"image": b64(x)}),
        ("photos", lambda x: {"image_bytes": b64(x)}),
    ):
        body = {"instances": [instance(png(i)) for i in range(3)], "signature_name": signature}
        # As curl -d sends it, whose type TensorFlow Serving does not look at.
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = ask.post(PREDICT, content=json.dumps(body), headers=kind)
        assert answer.status_code == 200 and set(answer.json()) == {"predictions"}
        expected = [by_hand(pixels(i)) for i in range(3)]
        np.testing.assert_allclose(answer.json()["predictions"], expected, atol=1e-6)


@pytest.mark.parametrize(
    "head", [None, of_several_labels(), that_tells_unknown(0.0)], ids=["plain", "labels", "unknown"]
)
def test_columns_are_what_the_saved_models_signature_gives(tmp_path, ask_with, head):
    graph_def = write_classifier(tmp_path, head)
    write_saved_model(tmp_path / "model", graph_def)
    signature = tf2.saved_model.load(str(tmp_path / "model")).signatures["serving_default"]
    expected = {k: x.numpy() for k, x in signature(image=tf2.constant(png(1))).items()}
    with ask_with(classifier_in(tmp_path)) as ask:
        for inputs in (b64(png(1)), {"image": b64(png(1))}):
            found = ask.post(PREDICT, json={"inputs": inputs}).json()["outputs"]
            found = {"scores": found} if len(expected) == 1 else found  # as Serving names it
            assert set(found) == set(expected)
            for name, value in expected.items():
                assert np.shape(found[name]) == value.shape
                np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-6)
        (row,) = ask.post(PREDICT, json={"instances": [b64(png(1))]}).json()["predictions"]
    row = {"scores": row} if len(expected) == 1 else row
    for name, value in expected.items():
        value = value if name == "thresholds" else value[0]
        np.testing.assert_allclose(row[name], value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "head", [None, of_several_labels(), that_tells_unknown(0.0)], ids=["plain", "labels", "unknown"]
)
def test_photos_are_what_the_saved_models_signature_of_that_name_gives(tmp_path, ask_with, head):
    graph_def = write_classifier(tmp_path, head)
    write_saved_model(tmp_path / "model", graph_def)
    signature = tf2.saved_model.load(str(tmp_path / "model")).signatures["photos"]
    photos = [png(1), png(2, 30, 20)]
    expected = {k: x.numpy() for k, x in signature(image_bytes=tf2.constant(photos)).items()}
    body = {"signature_name": "photos", "inputs": {"image_bytes": [b64(x) for x in photos]}}
    rows = {"signature_name": "photos", "instances": [{"image_bytes": b64(x)} for x in photos]}
    with ask_with(classifier_in(tmp_path)) as ask:
        columns = ask.post(PREDICT, json=body).json()["outputs"]
        rows = ask.post(PREDICT, json=rows).json()["predictions"]
    if len(expected) == 1:  # as Serving names it
        columns, rows = {"scores": columns}, [{"scores": row} for row in rows]
    assert set(columns) == set(rows[0]) == set(expected)
    for name, value in expected.items():
        assert np.shape(columns[name]) == value.shape and len(value) == 2
        for found in (columns[name], [row[name] for row in rows]):
            np.testing.assert_allclose(found, value, rtol=1e-5, atol=1e-6)


def test_base64_may_go_without_its_padding(ask):
    data = next(png(1, height) for height in range(9, 18) if len(png(1, height)) % 3)
    unpadded = {"b64": b64(data)["b64"].rstrip("=")}
    body = {"inputs": [unpadded, b64(data)]}
    first, second = ask.post(PREDICT, json=body).json()["outputs"]
    np.testing.assert_allclose(first, second, atol=1e-6)


@pytest.mark.parametrize(
    "body, status, message",
    [
        (b"{", 400, "the body is no JSON"),
        (b"[" * 100_000, 400, "the body is no JSON"),
        (b"\xff", 400, "the body is no JSON"),
        (b"[]", 400, 'wanted an object with one of "instances" and "inputs"'),
        (b"{}", 400, 'wanted an object with one of "instances" and "inputs"'),
        (b'{"instances": [], "inputs": []}', 400, "wanted an object with one of"),
        (b'{"instances": []}', 400, 'wanted photos in "instances"'),
        (b'{"instances": {"b64": ""}}', 400, 'wanted photos in "instances"'),
        (b'{"instances": [1.0, 2.0]}', 400, "instances[0] is no photo"),
        (b'{"instances": [{"b64": "!"}]}', 400, "instances[0] is no photo"),
        (b'{"instances": [{"b64": "\xc3\xa4"}]}', 400, "instances[0] is no photo"),
        (b'{"inputs": {"b64": 3}}', 400, "inputs[0] is no photo"),
        (b'{"instances": [{"b64": ""}]}', 400, "instances[0]: an empty file"),
        (b'{"signature_name": "x", "inputs": 1}', 400, 'Serving signature name: "x" not found'),
        (b'{"signature_name": ["photos"], "inputs": 1}', 400, "Serving signature name: "),
        (json.dumps({"instances": [b64(b"")] * 33}).encode(), 413, "more than the 32 photos"),
        (json.dumps({"inputs": [b64(png(1)), b64(BROKEN)]}).encode(), 400, "inputs[1]: not a JP"),
    ],
)
def test_what_cannot_be_answered_is_an_error_for_all(ask, body, status, message):
    answer = ask.post(PREDICT, content=body)
    assert answer.status_code == status and set(answer.json()) == {"error"}
    assert answer.json()["error"].startswith(message)


def test_a_photo_that_is_too_large_is_refused(classifier, ask_with):
    with ask_with(classifier, max_file_size=0.001) as ask:
        answer = ask.post(PREDICT, json={"inputs": b64(bytes(1001))})
    assert answer.status_code == 413
    assert answer.json() == {"error": "inputs[0] is larger than the 0.001 MB that are allowed"}


def test_the_status_of_the_model_and_of_no_other(classifier, ask_with):
    with ask_with(classifier, model_name="flowers") as ask:
        for path in ("/v1/models/flowers", "/v1/models/flowers/versions/1"):
            assert ask.get(path).json() == {
                "model_version_status": [
                    {
                        "version": "1",
                        "state": "AVAILABLE",
                        "status": {"error_code": "OK", "error_message": ""},
                    }
                ]
            }
            scores = ask.post(f"{path}:predict", json={"inputs": b64(png(1))}).json()["outputs"]
            assert np.shape(scores) == (1, len(LABELS))
        for path, wanted in (
            ("/v1/models/half", "Latest(half)"),
            ("/v1/models/flowers/versions/2", "Specific(flowers, 2)"),
        ):
            for answer in (ask.get(path), ask.post(f"{path}:predict", json={})):
                assert answer.status_code == 404
                error = f"Servable not found for request: {wanted}"
                assert answer.json() == {"error": error}
