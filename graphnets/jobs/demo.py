"""The whole job on drawn traffic signs, for a machine that has nothing but the package."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from graphnets.jobs import signs
from graphnets.jobs.retrain import Result, RetrainOptions, retrain
from graphnets.networks.stack import Network
from graphnets.photos.images import Progress, no_progress
from graphnets.training.options import TrainingOptions
from graphnets.zoo.architectures import open_network
from graphnets.zoo.fetch import fetch

ENDPOINT = "conv4_3"  # behind it, what is left is about objects more than about strokes


def demo(
    output_dir: str | os.PathLike[str],
    per_class: int = 30,
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
        testing_percentage=20,
        # 43 classes share a batch: the default of 0.01 is still learning at the last step.
        training=TrainingOptions(learning_rate=0.05),
    )
    return retrain(photos, network, options, progress, say)
