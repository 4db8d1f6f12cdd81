"""What goes on beside training."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

from graphnets.networks.network import Network
from graphnets.photos.images import Progress, no_progress
from graphnets.training.checkpoints import Checkpoints
from graphnets.training.heads import Head
from graphnets.training.summaries import Summaries


@dataclass(frozen=True)
class Beside:
    """Summaries, checkpoints and a progress bar of a run.

    store is given the head and the network as they are after each `store_every` steps (0: never) of
    the last phase; head.step tells the number. warn: told, in a line, of what a run does otherwise.
    """

    log: Summaries = field(default_factory=lambda: Summaries(None))
    checkpoints: Checkpoints = field(default_factory=Checkpoints)
    progress: Progress = no_progress
    store_every: int = 0
    store: Callable[[Head, Network], object] = lambda head, network: None
    warn: Callable[[str], object] = warnings.warn
