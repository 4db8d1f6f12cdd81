"""The options of `retrain`, `compare` and `predict`, and what can be checked of them at once.

Neither TensorFlow nor pandas nor NumPy here.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from graphnets.errors import GraphnetsError
from graphnets.files import check_writable, refuse_existing
from graphnets.photos.augmentation import PHOTO, Augmentation
from graphnets.photos.folders import check_percentages
from graphnets.training.options import TrainingOptions

COPIES = 8  # variants of a training photo, where none is said
INPUT, OUTPUT = "DecodeJPGInput", "final_result"  # names of retrain.py and label_image.py
TEMPORARY = Path(tempfile.gettempdir())  # retrain.py's defaults lie in /tmp


@dataclass(frozen=True)
class RetrainOptions:
    """What `retrain` reads, splits, trains and writes; names and defaults of retrain.py, and more.

    trainable: the layers that train with the head ("fc7", "conv5:", "all"; "": none).
    augmentation: how variants of the training photos are drawn; augmented_copies: how many of
    each (None: 8 if the augmentation is on, else 0; with 0 < copies and no augmentation, PHOTO).
    split_seed: another split. checkpoint_every: steps between checkpoints (0: none, but for the one
    on SIGTERM), in checkpoint_dir (None: in output_dir); resume: go on from the newest.
    """

    endpoint: str | None = None  # None: the network's default
    output_dir: str | os.PathLike[str] = TEMPORARY
    output_graph: str | os.PathLike[str] | None = None  # None: in output_dir
    output_labels: str | os.PathLike[str] | None = None  # None: in output_dir
    saved_model_dir: str | os.PathLike[str] | None = None
    bottleneck_dir: str | os.PathLike[str] = TEMPORARY / "bottleneck"
    summaries_dir: str | os.PathLike[str] | None = TEMPORARY / "retrain_logs"
    final_tensor_name: str = OUTPUT
    testing_percentage: float = 10
    validation_percentage: float = 10
    split_seed: int = 0
    test_batch_size: int = -1
    trainable: str = ""
    augmentation: Augmentation = Augmentation()
    augmented_copies: int | None = None
    checkpoint_every: int = 0
    checkpoint_dir: str | os.PathLike[str] | None = None
    max_to_keep: int = 5
    resume: bool = False
    training: TrainingOptions = field(default_factory=TrainingOptions)

    def __post_init__(self) -> None:
        for name in ("augmented_copies", "checkpoint_every"):
            if (getattr(self, name) or 0) < 0:
                raise GraphnetsError(f"{name} is {getattr(self, name)}, wanted 0 or more")
        if self.augmented_copies == 0 and self.augmentation.active:
            raise GraphnetsError(
                "augmented_copies is 0, and an augmentation is on; wanted 1 or more"
            )
        check_percentages(self.testing_percentage, self.validation_percentage)

    @property
    def graph_path(self) -> Path:
        """Where the frozen classifier is written."""
        return Path(self.output_graph or Path(self.output_dir) / "output_graph.pb")

    @property
    def labels_path(self) -> Path:
        """Where the labels are written."""
        return Path(self.output_labels or Path(self.output_dir) / "output_labels.txt")

    @property
    def splitting(self) -> dict:
        """The arguments of `images.split`."""
        return {
            "testing_percentage": self.testing_percentage,
            "validation_percentage": self.validation_percentage,
            "split_seed": self.split_seed,
        }

    @property
    def copies(self) -> int:
        """How many variants of each training photo are drawn."""
        if self.augmented_copies is None:
            return COPIES if self.augmentation.active else 0
        return self.augmented_copies

    @property
    def drawn(self) -> Augmentation:
        """How variants are drawn."""
        return PHOTO if self.copies and not self.augmentation.active else self.augmentation


def check_outputs(options: RetrainOptions) -> None:
    """Fail now, not after the photos were run, if what comes out cannot be written."""
    if not re.fullmatch(r"[A-Za-z0-9.][A-Za-z0-9_./-]*", options.final_tensor_name):
        raise GraphnetsError(
            f"{options.final_tensor_name!r} cannot name the output; wanted letters, digits, '_', "
            "'.', '/' or '-'"
        )
    if options.saved_model_dir:
        refuse_existing(options.saved_model_dir)
    folders = {Path(options.output_dir), options.graph_path.parent, options.labels_path.parent}
    for folder in folders:
        check_writable(folder)


def depth_names(depths: Sequence[str]) -> list[str]:
    """The layers that `compare` is to train from on, bare; GraphnetsError unless they differ."""
    depths = [depth.strip().removesuffix(":") for depth in depths]
    if not depths or "" in depths or len(set(depths)) < len(depths):
        raise GraphnetsError(
            f"got the depths {', '.join(depths) or 'none'}; wanted different layers, such as "
            "fc8, fc7: the first that trains"
        )
    return depths


@dataclass(frozen=True)
class InputOptions:
    """How photos enter another tool's graph; the names are label_image's.

    An input of strings takes the photo's bytes. Any other takes float32
    (1, height, width, 3), (pixel - input_mean) / input_std with pixels from 0 to 255; height and
    width are read off the graph where it tells them. Such a graph runs on batches if its input and
    its output leave the first dimension free.
    """

    input_layer: str = INPUT
    output_layer: str = OUTPUT
    input_height: int | None = None
    input_width: int | None = None
    input_mean: float = 0
    input_std: float = 255

    def __post_init__(self) -> None:
        for name in ("input_height", "input_width"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise GraphnetsError(f"{name} is {value}, wanted 1 or more")
        if not self.input_std:
            raise GraphnetsError("input_std is 0, and the pixels are divided by it")
