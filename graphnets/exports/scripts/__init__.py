"""Files that go with an export as they stand."""

from __future__ import annotations

from pathlib import Path


def folder() -> Path:
    """Where they lie."""
    return Path(__file__).parent
