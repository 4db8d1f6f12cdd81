"""A worker that waits as long as a network takes; it has neither TensorFlow nor much memory."""

from __future__ import annotations

import time

SECONDS = 0.02  # a photo, as Inception takes on about three cores


def opened(_: None) -> None:
    """In place of a network."""


def waited(_: None, photos) -> None:
    """In place of running it."""
    time.sleep(SECONDS * len(photos))
