"""What Prometheus is told of a server."""

from __future__ import annotations

import time
from collections.abc import Callable

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graphnets.photos.reading import BATCH

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
SIZES = [1 << power for power in range(BATCH.bit_length())]
PATHS = ("/", "/predict", "/health", "/metrics")  # others share a name: strangers make them up
SERVING = "/v1/models"


class Metrics:
    """Counts of requests, photos and batches."""

    def __init__(self, requests: Callable[[], float], photos: Callable[[], float]) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "graphnets_requests", "Requests.", ["path", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "graphnets_request_seconds", "From a request's head to its answer's end.", ["path"],
            buckets=SECONDS, registry=self.registry,
        )  # fmt: skip
        self._photos = Counter(
            "graphnets_photos", "Photos that were answered.", ["outcome"], registry=self.registry
        )
        for outcome in ("classified", "refused"):
            self._photos.labels(outcome)
        self._batches = Histogram(
            "graphnets_batch_photos", "Photos that ran together.", buckets=SIZES,
            registry=self.registry,
        )  # fmt: skip
        for name, what, now in (
            ("graphnets_requests_at_work", "Requests that came and are not answered.", requests),
            ("graphnets_photos_waiting", "Photos that came and have not run.", photos),
        ):
            Gauge(name, what, registry=self.registry).set_function(now)
        ProcessCollector(registry=self.registry)

    def batch(self, photos: int) -> None:
        """A batch of so many photos runs."""
        self._batches.observe(photos)

    def photo(self, refused: bool) -> None:
        """A photo was answered."""
        self._photos.labels("refused" if refused else "classified").inc()

    def request(self, path: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self._requests.labels(path, status).inc()
        self._seconds.labels(path).observe(seconds)

    def answer(self) -> Response:
        """All of it, as Prometheus reads it."""
        return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)


class Counted:
    """Tells `Metrics` of each request."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, as ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            path = scope["path"].removeprefix(scope.get("root_path", ""))
            name = SERVING if path.startswith(f"{SERVING}/") else path if path in PATHS else "other"
            self._metrics.request(name, status, time.perf_counter() - begun)
