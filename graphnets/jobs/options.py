"""The options of `retrain` and `compare`, and what can be checked of them at once.

Neither TensorFlow nor pandas nor NumPy here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path

from graphnets.classifier.options import OUTPUT
from graphnets.classifier.run_files import CURVES, GRAPH, LABELS, METRICS, PHOTOS, REPORT
from graphnets.errors import GraphnetsError, check_flag, check_kind, check_names, check_path, shown
from graphnets.features.mirror import check_bottleneck_dir
from graphnets.files import check_target, check_writable, refuse_existing, temporary_folder
from graphnets.photos.augmentation import PHOTO_AUGMENTATION, Augmentation, check_augmentation
from graphnets.photos.folders import check_percentages
from graphnets.storage import is_folder
from graphnets.training.options import TrainingOptions, keep_batch_size, keep_whole

NEEDED = ("output_dir", "bottleneck_dir", "intermediate_output_graphs_dir")
PATHS = (
    *NEEDED, "output_graph", "output_labels", "saved_model_dir", "summaries_dir", "checkpoint_dir",
)  # fmt: skip
DEMO_ENDPOINT, DEMO_TRAINABLE = "pool", "block6a:"
FALSE_ALARMS = 0.05  # where photos of no class are given and no rate is
FIGURES = METRICS, PHOTOS, CURVES
COPIES = 8  # variants of a training photo, where none is said
TEMPORARY = Path(temporary_folder())  # retrain.py's defaults lie in /tmp


@dataclass(frozen=True)
class RetrainOptions:
    """What `retrain` reads, splits, trains and writes; names and defaults of retrain.py, and more.

    trainable: the layers that train with the head ("fc7", "conv5:", "all"; "": none).
    augmentation: how variants of the training photos are drawn; augmented_copies: how many of
    each (None: 8 if the augmentation is on, else 0; with 0 < copies and no augmentation,
    PHOTO_AUGMENTATION).
    image_root, trust_keys: see `graphnets.scan`; split_seed, group_by: see `graphnets.split`.
    checkpoint_every: steps between checkpoints (0: none, but for the one
    on SIGTERM), in checkpoint_dir (None: in output_dir); resume: go on from the newest.
    earlier: the output_dir of a run whose head this one starts from: the weights of classes that it
    has are taken, those of others are drawn (None: all are drawn).
    folds: also train and test so many heads, each on another part of the photos (0: none).
    search: train several heads with other rates, decays and shapes than `training`'s, too, and
    take the one that is best on the validation photos, or with folds over them and the training
    photos; see `jobs.search`.
    false_alarm_rate: the share of photos of the classes that the classifier may call unknown; with
    it, it tells photos of no class. unknown_dir: a folder of such photos, to learn from and to test
    with (false_alarm_rate is then 0.05, if it is None).
    report: also write report.html, the run to be looked at.
    intermediate_store_frequency: steps between graphs intermediate_STEP.pb of the classifier as it
    is then (0: none).
    Of outputs that may be None, "" is None.

    >>> options = graphnets.RetrainOptions(output_dir="flowers", testing_percentage=25)
    >>> options.graph_path.as_posix()
    'flowers/output_graph.pb'
    """

    endpoint: str | None = None  # None: the network's default
    output_dir: str | os.PathLike[str] = TEMPORARY
    output_graph: str | os.PathLike[str] | None = None  # None: in output_dir
    output_labels: str | os.PathLike[str] | None = None  # None: in output_dir
    saved_model_dir: str | os.PathLike[str] | None = None
    bottleneck_dir: str | os.PathLike[str] = TEMPORARY / "bottleneck"
    summaries_dir: str | os.PathLike[str] | None = TEMPORARY / "retrain_logs"
    intermediate_output_graphs_dir: str | os.PathLike[str] = TEMPORARY / "intermediate_graph"
    intermediate_store_frequency: int = 0
    final_tensor_name: str = OUTPUT
    testing_percentage: float = 10
    validation_percentage: float = 10
    split_seed: int = 0
    group_by: str | None = None
    image_root: str | os.PathLike[str] | None = None
    trust_keys: bool = False
    test_batch_size: int = -1
    trainable: str = ""
    augmentation: Augmentation = Augmentation()
    augmented_copies: int | None = None
    checkpoint_every: int = 0
    checkpoint_dir: str | os.PathLike[str] | None = None
    max_to_keep: int = 5
    resume: bool = False
    earlier: str | os.PathLike[str] | None = None
    folds: int = 0
    search: bool = False
    unknown_dir: str | os.PathLike[str] | None = None
    false_alarm_rate: float | None = None
    report: bool = True
    training: TrainingOptions = field(default_factory=TrainingOptions)

    def __post_init__(self) -> None:
        if self.augmented_copies is not None:
            keep_whole(self, "augmented_copies", 0)
        keep_whole(self, "checkpoint_every", 0)
        keep_whole(self, "intermediate_store_frequency", 0)
        keep_whole(self, "max_to_keep", 0)  # 0: all
        keep_whole(self, "split_seed")
        keep_batch_size(self, "test_batch_size")
        check_percentages(self.testing_percentage, self.validation_percentage)
        self._check_kinds()
        self._check_heads()
        self._check_unknown()
        if self.augmented_copies == 0 and self.augmentation.active:
            raise GraphnetsError(
                "augmented_copies is 0, and an augmentation is on; wanted 1 or more"
            )

    def _check_kinds(self) -> None:
        for name in PATHS:
            if getattr(self, name) == "" and name not in NEEDED:
                object.__setattr__(self, name, None)  # a script's empty variable
            if getattr(self, name) is not None or name in NEEDED:
                check_path(name, getattr(self, name))
        for name in ("testing_percentage", "validation_percentage"):
            object.__setattr__(self, name, float(getattr(self, name)))  # see `keep_whole`
        check_kind("final_tensor_name", self.final_tensor_name, str, "a name")
        check_augmentation(self.augmentation)
        check_kind("training", self.training, TrainingOptions, "a graphnets.TrainingOptions")
        check_flag("resume", self.resume)
        check_flag("report", self.report)
        check_flag("trust_keys", self.trust_keys)
        if self.image_root is not None:
            check_path("image_root", self.image_root)
        if self.group_by is not None:
            check_kind("group_by", self.group_by, str, "a regular expression")

    def _check_heads(self) -> None:
        """Those for more heads than one, which are trained on frozen features."""
        check_flag("search", self.search)
        keep_whole(self, "folds", 0)
        if self.folds == 1:
            raise GraphnetsError("folds is 1, wanted 2 or more, or 0 for none")
        if self.earlier is not None:
            check_path("earlier", self.earlier, "the output_dir of an earlier run")
        for name in ("folds", "search", "earlier"):
            if getattr(self, name) and self.trainable:
                raise GraphnetsError(
                    f"{name} is for heads on frozen features, and {self.trainable!r} is to train; "
                    "leave one of them out"
                )
        if self.search and self.earlier is not None:
            raise GraphnetsError(
                "search tries heads of several shapes, and an earlier run's head has one; leave "
                "one of them out"
            )
        if self.folds and self.copies:
            raise GraphnetsError(
                "folds are of the photos as they are, and the augmentation is on; leave one of "
                "them out"
            )

    def _check_unknown(self) -> None:
        """Those for photos of no class."""
        if self.unknown_dir is not None:
            check_path("unknown_dir", self.unknown_dir, "the path of a folder of photos")
            if not is_folder(self.unknown_dir):
                raise GraphnetsError(
                    f"unknown_dir {shown(self.unknown_dir)} is no folder; wanted one with photos "
                    "of no class"
                )
        rate = self.false_alarm_rate
        if rate is not None:
            check_kind("false_alarm_rate", rate, Real, "a number above 0 and below 1")
            if not 0 < rate < 1:
                raise GraphnetsError(f"false_alarm_rate is {rate}, wanted above 0 and below 1")
            object.__setattr__(self, "false_alarm_rate", float(rate))
        elif self.unknown_dir is not None:
            object.__setattr__(self, "false_alarm_rate", FALSE_ALARMS)
        if self.false_alarm_rate is not None and self.multi_label:
            raise GraphnetsError(
                "false_alarm_rate and unknown_dir are for photos of one label; with multi_label a "
                "photo may have none: give such photos an empty label"
            )

    @property
    def graph_path(self) -> Path:
        """Where the frozen classifier is written."""
        return Path(self.output_graph or Path(self.output_dir) / GRAPH)

    @property
    def labels_path(self) -> Path:
        """Where the labels are written."""
        return Path(self.output_labels or Path(self.output_dir) / LABELS)

    @property
    def splitting(self) -> dict:
        """The arguments of `splits.split`."""
        return {
            "testing_percentage": self.testing_percentage,
            "validation_percentage": self.validation_percentage,
            "split_seed": self.split_seed,
            "group_by": self.group_by,
        }

    @property
    def multi_label(self) -> bool:
        """Whether a photo may have several labels."""
        return self.training.multi_label

    @property
    def copies(self) -> int:
        """How many variants of each training photo are drawn."""
        if self.augmented_copies is None:
            return COPIES if self.augmentation.active else 0
        return self.augmented_copies

    @property
    def drawn(self) -> Augmentation:
        """How variants are drawn."""
        usual = self.copies and not self.augmentation.active
        return PHOTO_AUGMENTATION if usual else self.augmentation


def check_outputs(options: RetrainOptions) -> None:
    """Fail now, not after the photos were run, if what comes out cannot be written."""
    if not re.fullmatch(r"[A-Za-z0-9.][A-Za-z0-9_./-]*", options.final_tensor_name):
        raise GraphnetsError(
            f"{options.final_tensor_name!r} cannot name the output; wanted letters, digits, '_', "
            "'.', '/' or '-'"
        )
    if options.saved_model_dir:
        refuse_existing(options.saved_model_dir)
    files = [options.graph_path, options.labels_path]
    names = [*FIGURES, REPORT] if options.report else FIGURES
    files += [Path(options.output_dir) / name for name in names]
    if len({os.path.abspath(file) for file in files}) < len(files):
        raise GraphnetsError(
            f"two outputs have one name among {', '.join(map(str, files))}; name different files"
        )
    check_outputs_of_run(options, files)
    if options.checkpoint_dir:
        check_writable(Path(options.checkpoint_dir))
    if options.intermediate_store_frequency:
        check_writable(Path(options.intermediate_output_graphs_dir))
    if options.saved_model_dir:
        check_writable(Path(options.saved_model_dir).parent)


def check_outputs_of_run(options: RetrainOptions, files: Sequence[Path]) -> None:
    """Fail now if the files, or the features and summaries of a run, cannot be written."""
    for folder in (options.output_dir, options.summaries_dir):
        if folder:
            check_writable(Path(folder))
    check_bottleneck_dir(options.bottleneck_dir)
    for file in files:
        check_target(file)


def compared_files(options: RetrainOptions) -> list[Path]:
    """What `compare` writes."""
    names = [f"compare.{suffix}" for suffix in ("csv", "json", "png")]
    names += [REPORT] if options.report else []
    return [Path(options.output_dir) / name for name in names]


def demo_options(output_dir: str | os.PathLike[str]) -> RetrainOptions:
    """Those of `demo`, all of whose files lie in one folder."""
    check_path("output_dir", output_dir)
    folder = Path(output_dir)
    return RetrainOptions(
        endpoint=DEMO_ENDPOINT,
        output_dir=folder,
        bottleneck_dir=folder / "bottleneck",
        summaries_dir=folder / "retrain_logs",
        testing_percentage=20,
        trainable=DEMO_TRAINABLE,
        # Signs are far from ImageNet's classes: the frozen features alone give 58.8 %.
        training=TrainingOptions(
            how_many_training_steps=150,
            optimizer="adam",
            learning_rate=0.001,
            train_batch_size=32,
            warmup_steps=200,
        ),
    )


def depth_names(depths: str | Sequence[str]) -> list[str]:
    """The layers that `compare` is to train from on, bare; GraphnetsError unless they differ.

    depths: "fc8,fc7" or a sequence of names.
    """
    parts = depths.split(",") if isinstance(depths, str) else check_names("depths", depths)
    depths = [depth.strip().removesuffix(":") for depth in parts]
    if not depths or "" in depths or len(set(depths)) < len(depths):
        raise GraphnetsError(
            f"got the depths {', '.join(depths) or 'none'}; wanted different layers, such as "
            "fc8, fc7: the first that trains"
        )
    return depths
