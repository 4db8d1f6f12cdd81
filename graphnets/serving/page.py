"""The page to drop photos on, as HTML that needs nothing else."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path

import jinja2
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse

from graphnets.classifier.predictions import Prediction
from graphnets.errors import shown
from graphnets.serving.options import MEGABYTE, ServeOptions

TEMPLATE = Path(__file__).with_name("page.html")
POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
    "img-src blob: data:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


class Page:
    """The page of a classifier with these labels."""

    def __init__(self, labels: Sequence[str], options: ServeOptions) -> None:
        environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
        environment.filters["shown"] = shown
        self._template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
        self._given = {"labels": labels, "options": options, "megabyte": MEGABYTE}

    def answer(
        self,
        predictions: Sequence[Prediction] = (),
        problem: str = "",
        error: HTTPException | None = None,
    ) -> HTMLResponse:
        """The page with predictions on it, or with the problem and the status of an error."""
        nonce = secrets.token_urlsafe(16)
        text = self._template.render(
            **self._given, nonce=nonce, predictions=predictions, problem=problem
        )
        headers = dict((error and error.headers) or {})
        headers["Content-Security-Policy"] = POLICY.format(nonce=nonce)
        return HTMLResponse(text, error.status_code if error else 200, headers)
