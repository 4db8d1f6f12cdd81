"""Runs of a small network, on whose files pages are made."""

import pytest
from world import options, small_network, write_photos

from graphnets.jobs.retrain import retrain

HOSTILE = ("<img src=x onerror=alert(1)>", "]]>&", "a|b\"'")


@pytest.fixture(scope="session")
def hostile_run(tmp_path_factory):
    """The output folder of a run on classes and files with hostile names."""
    root = tmp_path_factory.mktemp("hostile")
    photos = write_photos(root / "photos")
    for folder, name in zip(sorted(photos.iterdir()), HOSTILE, strict=True):
        folder.rename(photos / name.replace("/", "_"))
    first, second = photos / HOSTILE[0], photos / HOSTILE[1]
    for number in range(2, 10):  # labels to be doubted, and test photos to be mistaken
        (first / f"{number:03d}.jpg").rename(second / f"swapped {number}.jpg")
    (second / "swapped 2.jpg").rename(second / "<b>javascript:alert(2)&.jpg")
    (first / "broken.jpg").write_bytes(b"no picture")
    (photos / HOSTILE[1] / "copy.jpg").write_bytes((first / "001.jpg").read_bytes())
    quick = {"how_many_training_steps": 4}
    chosen = options(root, testing_percentage=40, report=True, training=quick)
    retrain(photos, small_network(), chosen)
    return root / "out"
