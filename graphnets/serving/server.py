"""Running a server until it is told to stop."""

from __future__ import annotations

import io
import socket

import numpy as np
import uvicorn
from PIL import Image
from starlette.applications import Starlette

from graphnets.classifier.predict import Classifier
from graphnets.photos.images import Held


def warm_up(classifier: Classifier) -> None:
    """Run a grey picture: the first run takes seconds, and a graph that fails, fails here."""
    buffer = io.BytesIO()
    Image.fromarray(np.full((32, 32, 3), 128, np.uint8)).save(buffer, "PNG")
    classifier.row(Held("a grey picture", buffer.getvalue()))


def run(app: Starlette, listening: socket.socket, timeout: float, access_log: bool = False) -> None:
    """Serve until SIGINT or SIGTERM, then finish what is at work, for `timeout` seconds at most.

    A second SIGINT ends that, too. Raises KeyboardInterrupt when it is done.
    """
    config = uvicorn.Config(
        app,
        log_level="info" if access_log else "warning",
        access_log=access_log,
        server_header=False,
        timeout_graceful_shutdown=max(1, round(timeout)),
        ws="none",
    )
    uvicorn.Server(config).run(sockets=[listening])
