"""Where the MobileNets of retrain.py can be had."""

from __future__ import annotations

from pathlib import Path

from graphnets.errors import GraphnetsError
from graphnets.zoo import archives, downloads

FROZEN = r"(\./)?([\w.]*\w/)?(frozen_graph|[\w.]+_frozen)\.pb"  # as the two releases call it
OFFICIAL = f"{downloads.TENSORFLOW}/models"


def places(name: str) -> tuple[str, ...]:
    """The official addresses of "mobilenet_v1_1.0_224": retrain.py's, and the release of 2018."""
    release = f"mobilenet_v1_2018_08_02/{name}.tgz"
    return tuple(f"{OFFICIAL}/{file}" for file in (f"{name}_frozen.tgz", release))


def unpack(name: str, downloaded: Path, target: Path) -> None:
    """Write the frozen graph of an archive, or of a .pb, and check that it is one of that size.

    Raises GraphnetsError if there is none, or another network.
    """
    from graphnets.zoo.graphs import opened_mobilenet

    if archives.is_tar(downloaded):
        target.write_bytes(archives.member(downloaded, "frozen graph", FROZEN))
    else:
        target.write_bytes(downloaded.read_bytes())
    try:
        opened_mobilenet(name, target)
    except GraphnetsError as error:
        reason = str(error).replace(str(target), "it")
        raise GraphnetsError(f"{downloaded} is not {name}: {reason}") from None
