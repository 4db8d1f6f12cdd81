"""The whole job on drawn traffic signs, for a machine that has nothing but the package."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from graphnets import signs
from graphnets.architectures import open_network
from graphnets.fetch import fetch
from graphnets.images import Progress, no_progress
from graphnets.network import Network
from graphnets.pipeline import Result, RetrainOptions, retrain

ENDPOINT = "conv3_3,conv4_3"  # signs are told apart by strokes, not by what objects they show


def demo(
    output_dir: str | os.PathLike,
    per_class: int = 20,
    network: Network | None = None,
    progress: Progress = no_progress,
    say: Callable[[str], object] = lambda line: None,
) -> Result:
    """Draw per_class photos of each of the 43 signs in output_dir, train on them, write it all.

    network: VGG16, fetched if need be, unless another is given.
    """
    folder = Path(output_dir)
    photos = folder / "photos"
    count = signs.write(
        photos, per_class, progress=lambda jobs: progress(jobs, desc="drawing", unit="photos")
    )
    say(f"{count} photos of {len(signs.NAMES)} signs drawn in {photos}")
    if network is None:
        network = open_network("vgg16", fetch("vgg16", say=say))
    options = RetrainOptions(
        endpoint=ENDPOINT,
        output_dir=folder,
        bottleneck_dir=folder / "bottleneck",
        summaries_dir=folder / "retrain_logs",
    )
    return retrain(photos, network, replace(options, testing_percentage=20), progress, say)
