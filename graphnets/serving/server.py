"""Running a server until it is told to stop."""

from __future__ import annotations

import contextlib
import io
import socket

import numpy as np
import uvicorn
from PIL import Image
from starlette.applications import Starlette

from graphnets.classifier.predict import Classifier
from graphnets.errors import PhotoError
from graphnets.photos.images import Held

# Seconds that a connection may be idle: more than clients have it, who lose a request that they
# send as it is closed. httpx has 5, proxies have 60.
KEEP_ALIVE = 75


def warm_up(classifier: Classifier) -> None:
    """Run a grey picture, and a broken one: first runs take seconds.

    Raises GraphnetsError for a graph that fails.
    """
    buffer = io.BytesIO()
    Image.fromarray(np.full((32, 32, 3), 128, np.uint8)).save(buffer, "JPEG")
    data = buffer.getvalue()
    classifier.row(Held("a grey picture", data))
    with contextlib.suppress(PhotoError):
        classifier.row(Held("half of one", data[: len(data) // 2]))


def run(app: Starlette, listening: socket.socket, timeout: float, access_log: bool = False) -> None:
    """Serve until SIGINT or SIGTERM, then finish what is at work, for `timeout` seconds at most.

    A second SIGINT ends that, too.
    """
    config = uvicorn.Config(
        app,
        log_level="info" if access_log else "warning",
        access_log=access_log,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=max(1, round(timeout)),
        ws="none",
    )
    with contextlib.suppress(KeyboardInterrupt):  # the signal, which comes again at the end
        uvicorn.Server(config).run(sockets=[listening])
