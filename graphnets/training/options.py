"""How heads, and layers before them, are trained: the options and what follows from them.

Neither TensorFlow nor pandas here, and NumPy only where weights are computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import TYPE_CHECKING, NamedTuple

from graphnets.errors import GraphnetsError, check_flag, check_kind, check_seed, check_whole

if TYPE_CHECKING:
    import numpy as np

OPTIMIZERS = ("gradient_descent", "momentum", "adam", "rmsprop")
USUAL_DECAY = 0.03  # of a head alone: the best of 0 to 0.3 on three sets of photos, four networks
SCHEDULES = ("constant", "cosine", "step")


@dataclass(frozen=True)
class TrainingOptions:
    """How a head, and layers before it, are trained; retrain.py's names and defaults, and more.

    Two defaults differ: validation looks at all its photos (-1) each time, not at 100 drawn
    anew, so that its figures can be compared from step to step; and a head that trains alone has a
    weight decay, without which it loses a point to scikit-learn's logistic regression.

    optimizer: "gradient_descent", "momentum" (0.9), "adam" or "rmsprop".
    learning_rate_schedule: "constant", "cosine" (to 0 at the last step) or "step" (a tenth after
    half of the steps, a hundredth after three quarters).
    learning_rate_decay_per_layer: the layer before the head learns at this share of the rate, the
    one before it at its square, and so on.
    early_stopping: stop after so many validations without a better one (0: never).
    class_weights: "", "balanced" (each class counts the same), or "roses=2,tulips=0.5".
    multi_label: examples may have several labels, or none: a sigmoid and its cross-entropy for each
    class, summed, in place of the softmax; class_weights are those of a class's own photos
    ("balanced": the others count as much together).
    warmup_steps: steps of the head alone before the chosen layers train with it.
    head: see `head_shape`.
    weight_decay: this times half the squares of the head's weights, on standardised features and
    without biases, is added to the loss (1 / (C n) of scikit-learn's logistic regression). None:
    0.03 where the head trains alone, 0 where layers train with it.

    >>> graphnets.TrainingOptions(how_many_training_steps=500, optimizer="adam").learning_rate
    0.01
    """

    how_many_training_steps: int = 4000
    learning_rate: float = 0.01
    train_batch_size: int = 100
    validation_batch_size: int = -1
    eval_step_interval: int = 10
    seed: int = 0
    optimizer: str = "gradient_descent"
    learning_rate_schedule: str = "constant"
    learning_rate_decay_per_layer: float = 1.0
    early_stopping: int = 0
    class_weights: str = ""
    multi_label: bool = False
    head: str = "linear"
    warmup_steps: int = 0
    warmup_learning_rate: float = 0.001
    warmup_optimizer: str = "rmsprop"
    weight_decay: float | None = None

    def __post_init__(self) -> None:
        for name in ("how_many_training_steps", "train_batch_size", "eval_step_interval"):
            keep_whole(self, name, 1)
        for name in ("early_stopping", "warmup_steps"):
            keep_whole(self, name, 0)
        keep_batch_size(self, "validation_batch_size")
        for name in ("learning_rate", "warmup_learning_rate", "learning_rate_decay_per_layer"):
            check_kind(name, getattr(self, name), Real, "a number above 0")
            if not 0 < getattr(self, name) < float("inf"):
                raise GraphnetsError(f"{name} is {getattr(self, name)}, wanted above 0")
            object.__setattr__(self, name, float(getattr(self, name)))  # JSON has no NumPy numbers
        if self.weight_decay is not None:
            check_kind("weight_decay", self.weight_decay, Real, "a number from 0")
            if not 0 <= self.weight_decay < float("inf"):
                raise GraphnetsError(f"weight_decay is {self.weight_decay}, wanted 0 or more")
            object.__setattr__(self, "weight_decay", float(self.weight_decay))
        for name, known in (
            ("optimizer", OPTIMIZERS),
            ("warmup_optimizer", OPTIMIZERS),
            ("learning_rate_schedule", SCHEDULES),
        ):
            if getattr(self, name) not in known:
                wanted = ", ".join(known)
                raise GraphnetsError(f"no {name} {getattr(self, name)!r}; wanted one of {wanted}")
        check_flag("multi_label", self.multi_label)
        check_seed(self.seed)
        keep_whole(self, "seed", 0)
        check_kind("class_weights", self.class_weights, str, "'balanced' or 'CLASS=WEIGHT,...'")
        check_kind("head", self.head, str, "'linear' or '[flatten,]fc:UNITS[,dropout=SHARE]'")
        head_shape(self.head)


def with_usual_decay(options: TrainingOptions, alone: bool) -> TrainingOptions:
    """The options with a number for `weight_decay`; alone: whether the head trains alone."""
    if options.weight_decay is not None:
        return options
    return replace(options, weight_decay=USUAL_DECAY if alone else 0.0)


def keep_whole(options: object, name: str, least: int | None = None) -> None:
    """Make a field of frozen options an int; GraphnetsError unless it is whole, `least` or more."""
    # NumPy's are whole, too, but go into no JSON.
    object.__setattr__(options, name, check_whole(name, getattr(options, name), least))


def keep_batch_size(options: object, name: str) -> None:
    """The same for a number of examples, of which -1 is all."""
    keep_whole(options, name)
    size = getattr(options, name)
    if size < 1 and size != -1:
        raise GraphnetsError(f"{name} is {size}, wanted 1 or more, or -1 for all")


class Diverged(GraphnetsError):
    """The loss is no longer finite; `step` is where that was seen."""

    def __init__(self, step: int, options: TrainingOptions) -> None:
        super().__init__(
            f"training has left the finite numbers at step {step} with learning_rate "
            f"{options.learning_rate}; choose a smaller one"
        )
        self.step = step


class HeadShape(NamedTuple):
    """flatten: keep maps whole, not averaged; units: of the hidden layer, 0 for none.

    independent: each class has a probability of its own, see `TrainingOptions.multi_label`.
    """

    flatten: bool = False
    units: int = 0
    dropout: float = 0.0
    independent: bool = False


def head_shape(text: str) -> HeadShape:
    """ "linear", or parts with commas between: "flatten", "fc:UNITS", "dropout=SHARE".

    "fc:256,dropout=0.5" is FC, ReLU, dropout, FC on features averaged over the picture; with
    "flatten" in front, on whole maps. Raises GraphnetsError for anything else.
    """
    shape = HeadShape()
    parts = [part.strip() for part in text.split(",")]
    try:
        for part in parts if parts != ["linear"] else []:
            if part == "flatten":
                shape = shape._replace(flatten=True)
            elif part.startswith("fc:"):
                shape = shape._replace(units=int(part.removeprefix("fc:")))
            elif part.startswith("dropout="):
                shape = shape._replace(dropout=float(part.removeprefix("dropout=")))
            elif part != "linear":
                raise ValueError(part)
        sound = shape.units > 0 if "fc:" in text else not shape.dropout
        if not sound or not 0 <= shape.dropout < 1:
            raise ValueError(text)
    except ValueError:
        raise GraphnetsError(
            f"got the head {text!r}; wanted 'linear', or '[flatten,]fc:UNITS[,dropout=SHARE]' with "
            "a share from 0 to below 1"
        ) from None
    return shape


def class_weights(
    text: str, labels: np.ndarray, names: Sequence[str], counted: np.ndarray | None = None
) -> np.ndarray | None:
    """The weight of each example, float32 (n,), from `TrainingOptions.class_weights`.

    labels: int (n,), or (n, classes) of 0 and 1: then the weights are float32 (n, classes).
    counted: the labels that "balanced" balances (None: these).
    Raises GraphnetsError for a class that is not among `names` and a weight below 0.
    """
    import numpy as np

    if not text:
        return None
    weights = np.ones(len(names))
    counted = labels if counted is None else counted
    if text == "balanced" and counted.ndim == 2:
        counts = counted.sum(axis=0)
        weights = (len(counted) - counts) / np.maximum(counts, 1)
    elif text == "balanced":
        counts = np.bincount(counted, minlength=len(names))
        weights = len(counted) / (len(names) * np.maximum(counts, 1))
    else:
        for part in text.split(","):
            name, _, value = part.rpartition("=")
            try:
                weights[list(names).index(name.strip())] = float(value)
            except ValueError:
                raise GraphnetsError(
                    f"got the class weight {part!r}; wanted 'balanced', or CLASS=WEIGHT with "
                    f"commas between and classes among {', '.join(names)}"
                ) from None
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
        raise GraphnetsError(f"got the class weights {text!r}; wanted numbers from 0, not all 0")
    found = weights[labels] if labels.ndim == 1 else np.where(labels > 0, weights, 1)
    return found.astype(np.float32)
