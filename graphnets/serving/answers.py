"""Answers in JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from graphnets.errors import GraphnetsError


class Answer(JSONResponse):
    """JSON in ASCII: a label may hold what is no text in UTF-8."""

    def render(self, content: Any) -> bytes:
        """The bytes of the body."""
        return json.dumps(content).encode()


def error(status: int, reason: str, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer that says what is wrong, as TensorFlow Serving's do."""
    return Answer({"error": reason}, status, headers)


async def refused(_: Request, exception: Exception) -> Response:
    """The answer to what a handler refuses, or to a path or method that there is not."""
    assert isinstance(exception, HTTPException)
    return error(exception.status_code, exception.detail, exception.headers)


async def failed(_: Request, exception: Exception) -> Response:
    """The answer where the server is to blame; the log tells more."""
    if isinstance(exception, GraphnetsError):
        return error(500, str(exception))
    return error(500, "the server failed; its log tells why")
