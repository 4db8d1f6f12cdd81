"""How heads, and layers before them, are trained: the options and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.errors import GraphnetsError
from graphnets.heads import head_shape

OPTIMIZERS = {
    "gradient_descent": tf.train.GradientDescentOptimizer,
    "momentum": lambda rate: tf.train.MomentumOptimizer(rate, 0.9),
    "adam": tf.train.AdamOptimizer,
    "rmsprop": tf.train.RMSPropOptimizer,
}
SCHEDULES = ("constant", "cosine", "step")


@dataclass(frozen=True)
class TrainingOptions:
    """How a head, and layers before it, are trained; retrain.py's names and defaults, and more.

    One default differs: validation looks at all its photos (-1) each time, not at 100 drawn
    anew, so that its figures can be compared from step to step.

    optimizer: "gradient_descent", "momentum" (0.9), "adam" or "rmsprop".
    learning_rate_schedule: "constant", "cosine" (to 0 at the last step) or "step" (a tenth after
    half of the steps, a hundredth after three quarters).
    learning_rate_decay_per_layer: the layer before the head learns at this share of the rate, the
    one before it at its square, and so on.
    early_stopping: stop after so many validations without a better one (0: never).
    class_weights: "", "balanced" (each class counts the same), or "roses=2,tulips=0.5".
    warmup_steps: steps of the head alone before the chosen layers train with it.
    head: see `heads.head_shape`.
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
    head: str = "linear"
    warmup_steps: int = 0
    warmup_learning_rate: float = 0.001
    warmup_optimizer: str = "rmsprop"

    def __post_init__(self) -> None:
        for name in ("how_many_training_steps", "train_batch_size", "eval_step_interval"):
            if getattr(self, name) < 1:
                raise GraphnetsError(f"{name} is {getattr(self, name)}, wanted 1 or more")
        for name in ("early_stopping", "warmup_steps"):
            if getattr(self, name) < 0:
                raise GraphnetsError(f"{name} is {getattr(self, name)}, wanted 0 or more")
        for name in ("learning_rate", "warmup_learning_rate", "learning_rate_decay_per_layer"):
            if not 0 < getattr(self, name) < float("inf"):
                raise GraphnetsError(f"{name} is {getattr(self, name)}, wanted above 0")
        for name, known in (
            ("optimizer", OPTIMIZERS),
            ("warmup_optimizer", OPTIMIZERS),
            ("learning_rate_schedule", SCHEDULES),
        ):
            if getattr(self, name) not in known:
                wanted = ", ".join(known)
                raise GraphnetsError(f"no {name} {getattr(self, name)!r}; wanted one of {wanted}")
        head_shape(self.head)


def class_weights(text: str, labels: np.ndarray, names: Sequence[str]) -> np.ndarray | None:
    """The weight of each example, float32 (n,), from `TrainingOptions.class_weights`.

    Raises GraphnetsError for a class that is not among `names` and a weight below 0.
    """
    if not text:
        return None
    weights = np.ones(len(names))
    if text == "balanced":
        counts = np.bincount(labels, minlength=len(names))
        weights = len(labels) / (len(names) * np.maximum(counts, 1))
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
    return weights[labels].astype(np.float32)
