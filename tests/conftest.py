"""The fixtures that all tests share; what they are made of is in `world`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
for setting in ("TF_ENABLE_ONEDNN_OPTS", "TF_USE_LEGACY_KERAS"):  # as the commands have them
    os.environ.setdefault(setting, "1")


@pytest.fixture
def photo_folder(tmp_path: Path) -> Path:
    """60 readable photos in 3 classes."""
    from world import write_photos

    return write_photos(tmp_path / "photos")


@pytest.fixture
def reads(monkeypatch) -> list:
    """The paths of the photos that are read, as it happens."""
    from graphnets.photos import images

    paths, opened = [], images.opened

    def watched(path):
        paths.append(path)
        return opened(path)

    monkeypatch.setattr(images, "opened", watched)
    return paths


@pytest.fixture
def network():
    """The small network."""
    from world import small_network

    return small_network()


@pytest.fixture
def memory(tmp_path, monkeypatch):
    """fsspec's storage in memory, empty, and an empty cache of the user's."""
    import fsspec

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    system = fsspec.filesystem("memory")
    for emptied in range(2):
        system.store.clear()
        system.pseudo_dirs[:] = [""]
        if not emptied:
            yield system
