"""The REST API of TensorFlow Serving (tensorflow.org/tfx/serving/api_rest): predict and status."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from starlette.exceptions import HTTPException

from graphnets.exports.saved_model import BATCH, BYTES
from graphnets.serving.options import MEGABYTE, ServeOptions
from graphnets.serving.uploads import too_large

VERSION = 1
KEYS = {"instances": "predictions", "inputs": "outputs"}  # by row, by column


class Asked(NamedTuple):
    """The SavedModel's signature, "instances" or "inputs", and the photos' bytes."""

    signature: str
    key: str
    photos: list[bytes]


def asked(body: bytes, options: ServeOptions) -> Asked:
    """What a request asks for.

    body: {"instances": [{"b64": ...}, ...]} or {"inputs": ...}, each photo also under the name of
    an input; "signature_name": "serving_default", which may be left out, or "photos". Raises
    HTTPException 400 for what is none, 413 for too much.
    """
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body is no JSON") from None
    keys = [key for key in KEYS if isinstance(request, dict) and key in request]
    if len(keys) != 1:
        raise HTTPException(400, 'wanted an object with one of "instances" and "inputs"')
    signature = request.get("signature_name") or BYTES
    if signature not in (BYTES, BATCH):
        raise HTTPException(
            400, f'Serving signature name: "{signature}" not found in signature def'
        )
    (key,) = keys
    values = request[key]
    if key == "inputs":
        values = _unnamed(values)
        values = values if isinstance(values, list) else [values]
    if not isinstance(values, list) or not values:
        raise HTTPException(400, f'wanted photos in "{key}": [{{"b64": "..."}}, ...]')
    if len(values) > options.max_files:
        raise HTTPException(413, f"more than the {options.max_files} photos taken at once")
    photos = [_photo(value, key, place, options) for place, value in enumerate(values)]
    return Asked(signature, key, photos)


def _unnamed(value: object) -> object:
    """The value of the only input, where it is named."""
    if isinstance(value, dict) and len(value) == 1 and "b64" not in value:
        return next(iter(value.values()))
    return value


def _photo(value: object, key: str, place: int, options: ServeOptions) -> bytes:
    found = _unnamed(value)
    text = found.get("b64") if isinstance(found, dict) and len(found) == 1 else None
    try:
        if not isinstance(text, str):
            raise binascii.Error
        data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:  # what is no ASCII, too
        raise HTTPException(
            400, f'{key}[{place}] is no photo; wanted {{"b64": "..."}}, its file in base64'
        ) from None
    if len(data) > options.max_file_size * MEGABYTE:
        raise HTTPException(413, f"{key}[{place}] is {too_large(options.max_file_size)}")
    return data


def answer(signature: str, key: str, outputs: Mapping[str, np.ndarray]) -> dict:
    """What is answered to "instances", photo by photo, or "inputs", output by output.

    outputs: of `Classifier.outputs`. One that is alone goes without its name. The thresholds have
    a row a photo where the signature's have.
    """
    if signature == BATCH and key == "inputs" and "thresholds" in outputs:
        rows = np.broadcast_to(outputs["thresholds"], outputs["scores"].shape)
        outputs = {**outputs, "thresholds": rows}
    found: Any = {name: x.tolist() for name, x in outputs.items()}
    if len(found) == 1:
        (found,) = found.values()
    elif key == "instances":
        found = [
            {name: x if name == "thresholds" else x[i] for name, x in found.items()}
            for i in range(len(found["scores"]))
        ]
    return {KEYS[key]: found}


def status() -> dict:
    """What is answered to a question for the model's status."""
    version = {
        "version": str(VERSION),
        "state": "AVAILABLE",
        "status": {"error_code": "OK", "error_message": ""},
    }
    return {"model_version_status": [version]}
