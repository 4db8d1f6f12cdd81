"""The whole job on drawn traffic signs, for a machine that has nothing but the package."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from graphnets.jobs import signs
from graphnets.jobs.options import demo_options
from graphnets.jobs.retrain import Result, retrain
from graphnets.networks.network import Network
from graphnets.photos.images import Progress, no_progress
from graphnets.zoo.architectures import open_network
from graphnets.zoo.fetch import fetch


def demo(
    output_dir: str | os.PathLike[str],
    per_class: int = 30,
    network: Network | None = None,
    progress: Progress = no_progress,
    say: Callable[[str], object] = lambda line: None,
) -> Result:
    """Draw per_class photos of each of the 43 signs in output_dir, train on them, write it all.

    network: EfficientNet-Lite0, fetched if need be, unless another is given. Its last blocks train.
    """
    folder = Path(output_dir)
    photos = folder / "photos"
    count = signs.draw_signs(
        photos, per_class, progress=lambda jobs: progress(jobs, desc="drawing", unit="photos")
    )
    say(f"{count} photos of {len(signs.NAMES)} signs drawn in {photos}")
    if network is None:
        network = open_network("efficientnet_lite0", fetch("efficientnet_lite0", say=say))
    return retrain(photos, network, demo_options(folder), progress, say)
