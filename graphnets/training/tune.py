"""Training a head, and chosen layers of the network with it, on what the frozen layers gave.

The network is cut (see `network.Cut`): what lies before has run once per photo and is stored, and
the training graph holds what lies behind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.errors import GraphnetsError
from graphnets.features.rows import Table
from graphnets.networks.network import Cut, Network
from graphnets.networks.precision import session_config
from graphnets.photos.reading import photo_reader
from graphnets.sessions import Session
from graphnets.training.alone import head_alone
from graphnets.training.beside import Beside
from graphnets.training.fed import Data, rows_per_run
from graphnets.training.heads import (
    Head,
    Standardisation,
    TrainableHead,
    head_input,
    standardisation,
    unfolded,
)
from graphnets.training.options import TrainingOptions, head_shape, with_usual_decay
from graphnets.training.train import Fitted, Model, checked_head, fit, model_with_head

FLOOR = 0.5  # see `heads.standardisation`; AlexNet trains smoothly with it at every depth


class Stored(NamedTuple):
    """What is stored of some photos.

    features: for each endpoint of the head float32 (n, features), with the network as it was.
    at_cut: the values of the cut's endpoint, or the pictures; None where no layer of the network
    trains. labels, weights: as in `train.Data`; the weights are for training alone.
    """

    features: Sequence[Table]
    at_cut: Any
    labels: np.ndarray
    weights: np.ndarray | None = None


class Tuned(NamedTuple):
    """A trained head, and the network with its trained layers.

    moved: the parameters that have trained. seconds_per_step: of the last phase.
    """

    head: Head
    network: Network
    moved: list[str]
    seconds_per_step: float


class Pictures:
    """Pictures as the network takes them, decoded anew whenever they are asked for."""

    def __init__(self, paths: Sequence[str], size: tuple[int, int]) -> None:
        self._paths = list(paths)
        self.shape = (len(self._paths), *size, 3)
        with tf.Graph().as_default() as graph:
            self._read = photo_reader(Session(graph=graph), size)

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        with ThreadPoolExecutor() as pool:
            found = list(pool.map(self._read, [self._paths[i] for i in indices]))
        return np.concatenate([np.empty((0, *self.shape[1:]), np.float32), *found])


def train(
    network: Network,
    cut: Cut,
    names: Sequence[str],
    splits: tuple[Stored, Stored],
    classes: int,
    options: TrainingOptions,
    beside: Beside | None = None,
    start: Head | None = None,
) -> Tuned:
    """Train a head on the endpoints `names`, and the layers of the cut with it.

    splits: for training and for validation. Where layers train, the head may begin alone
    (`warmup_steps`), and their start counts as a candidate for the best step, so that
    fine-tuning cannot end worse on the validation split. start: a head to start from, a candidate
    likewise, where no layer trains. Equal arguments give equal weights.
    Raises Diverged if the loss is no longer finite, Stopped after SIGTERM.
    """
    beside = beside or Beside()
    options = with_usual_decay(options, alone=not cut.layers)
    initial: dict[str, np.ndarray] = {}
    if options.warmup_steps and not beside.checkpoints.latest("training"):
        alone = replace(
            options,
            how_many_training_steps=options.warmup_steps,
            learning_rate=options.warmup_learning_rate,
            optimizer=options.warmup_optimizer,
            learning_rate_schedule="constant",
        )
        unstored = replace(beside, store_every=0)
        _, fitted = _train_head(network, splits, classes, alone, unstored, "warmup", start=start)
        initial = fitted.best
    beside.log.offset = options.warmup_steps
    if not cut.layers:
        head, fitted = _train_head(
            network, splits, classes, options, beside, "training", initial,
            floored=bool(options.warmup_steps),  # not whether it ran in this process
            start=None if initial else start,
        )  # fmt: skip
        return Tuned(checked_head(head, fitted, options), network, [], fitted.seconds_per_step)
    with tf.Graph().as_default():
        model, head = _tail(network, cut, names, splits[0], classes, options, initial)
        training, validation = (_data(cut, names, split) for split in splits)
        fitted = fit(
            model, training, validation, options, beside, "training", True,
            lambda values, step: beside.store(
                head.folded(values, step), network.tuned(parameters(values))
            ),
        )  # fmt: skip
    check_frozen(network, fitted)
    best = parameters(fitted.best)
    return Tuned(
        checked_head(head, fitted, options),
        network.tuned(best),
        list(best),
        fitted.seconds_per_step,
    )


def _train_head(
    network: Network,
    splits: tuple[Stored, Stored],
    classes: int,
    options: TrainingOptions,
    beside: Beside,
    phase: str,
    initial: dict[str, np.ndarray] | None = None,
    floored: bool = True,
    start: Head | None = None,
) -> tuple[TrainableHead, Fitted]:
    """Train the head alone on stored features, from `initial` or `start` if that is given."""
    floored = floored or head_shape(options.head).flatten
    standard = _standard(splits[0].features, FLOOR if floored else 0)
    if start is not None:
        initial = unfolded(start, standard)
    with tf.Graph().as_default():
        model, head, rows = head_alone(
            [split.features for split in splits], standard, classes, options, initial
        )
        training, validation = (
            Data([table], split.labels, split.weights)
            for table, split in zip(rows, splits, strict=True)
        )
        fitted = fit(
            model, training, validation, options, beside, phase, bool(initial),
            lambda values, step: beside.store(head.folded(values, step), network),
        )  # fmt: skip
        return head, fitted


def _tail(
    network: Network,
    cut: Cut,
    names: Sequence[str],
    training: Stored,
    classes: int,
    options: TrainingOptions,
    initial: dict[str, np.ndarray],
) -> tuple[Model, TrainableHead]:
    """What lies behind the cut, and the head, in the default graph."""
    x = tf.placeholder(tf.float32, [None, *training.at_cut.shape[1:]], "AtCut")
    endpoints = network.build(x, cut.behind, cut.after, cut.layers)
    frozen = {
        name: tf.placeholder(tf.float32, [None, part.shape[1]])
        for name, part in zip(names, training.features, strict=True)
        if name not in cut.behind
    }
    shape = head_shape(options.head)
    tuned = dict(zip(cut.behind, head_input(endpoints, cut.behind, shape.flatten), strict=True))
    features = tf.concat([{**tuned, **frozen}[name] for name in names], 1)
    standard = _standard(training.features, FLOOR)
    features = (features - standard.mean) * standard.scale
    layers = [_variables_of(network, layer) for layer in reversed(cut.layers)]
    model, head = model_with_head(
        [*frozen.values(), x], features, layers, standard, classes, options, initial
    )
    return model._replace(config=session_config(network.precision)), head


def _standard(features: Sequence[Table], floor: float) -> Standardisation:
    """Of each endpoint by itself; with a floor, units that hardly ever fire are not blown up.

    Without it they upset the layers that train: AlexNet from fc6 on diverged.
    """
    parts = [standardisation(part, floor) for part in features]
    return Standardisation(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _variables_of(network: Network, layer: str) -> list[tf.Variable]:
    """The trainable variables of a layer, which are named SCOPE/parameter."""
    parameters = network.parameters(layer)
    return [v for v in tf.trainable_variables() if _parameter(v.op.name) in parameters]


def _data(cut: Cut, names: Sequence[str], split: Stored) -> Data:
    frozen = [
        part for name, part in zip(names, split.features, strict=True) if name not in cut.behind
    ]
    return Data([*frozen, split.at_cut], split.labels, split.weights)


def _parameter(variable: str) -> str:
    return variable.partition("/")[2]


def parameters(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Of {variable: value} those of the network, by the parameter's name."""
    return {_parameter(name): value for name, value in values.items() if "/" in name}


def check_frozen(network: Network, fitted: Fitted) -> None:
    """Raise GraphnetsError unless the frozen parameters are the file's and all others moved."""
    strayed = [
        name
        for name, value in parameters(fitted.frozen).items()
        if value.tobytes() != np.asarray(network.parameter(name)).tobytes()
    ]
    stuck = [
        name
        for name, value in fitted.last.items()
        if value.tobytes() == fitted.initial[name].tobytes()
    ]
    if strayed or stuck:
        raise GraphnetsError(
            f"the freeze audit fails: frozen but changed: {', '.join(strayed) or 'none'}; trained "
            f"but as before: {', '.join(stuck) or 'none'}; a larger learning_rate moves the latter"
        )


def audit(network: Network, graph_def: tf.GraphDef, trained: Sequence[str]) -> dict:
    """Compare every parameter in an exported graph with the weight file, bit for bit.

    trained: those that may differ. Returns how many are as they were and the names of the
    others; raises GraphnetsError if a frozen one differs.
    """
    frozen, moved = 0, []
    for node in graph_def.node:
        if node.op != "Const" or node.attr["dtype"].type != tf.float32.as_datatype_enum:
            continue
        found = _source(network, node.name)
        if found is None:
            continue
        name, source = found
        if tf.make_ndarray(node.attr["value"].tensor).tobytes() == np.asarray(source).tobytes():
            frozen += 1
        else:
            moved.append(name)
    strayed = sorted(set(moved) - set(trained))
    if strayed:
        raise GraphnetsError(
            f"the freeze audit fails: {', '.join(strayed)} should be frozen and differ from the "
            "weight file"
        )
    return {"frozen_as_in_the_file": frozen, "moved": moved}


def _source(network: Network, constant: str) -> tuple[str, np.ndarray] | None:
    """The parameter that a constant of an exported graph holds, by name, and its file's value."""
    # A graph that has a head of this library's making has names like those of the new one.
    for name in (constant, _parameter(constant)) if network.bare else (_parameter(constant),):
        try:
            return name, network.parameter(name)
        except (KeyError, ValueError):
            continue
    return None


def features_behind(
    network: Network, cut: Cut, names: Sequence[str], split: Stored, flatten: bool
) -> np.ndarray:
    """The head's features of photos with a tuned network: float32 (n, features)."""
    found = dict(zip(names, split.features, strict=True))
    if cut.layers and len(split.labels):
        with tf.Graph().as_default(), network.session() as session:
            x = tf.placeholder(tf.float32, [None, *split.at_cut.shape[1:]])
            tensors = head_input(network.build(x, cut.behind, cut.after), cut.behind, flatten)
            session.run(tf.global_variables_initializer())
            runs = [
                network.run(session, tensors, x, split.at_cut[indices])
                for indices in rows_per_run([split.at_cut], len(split.labels))
            ]
        tuned = [np.concatenate(parts) for parts in zip(*runs, strict=True)]
        found.update(zip(cut.behind, tuned, strict=True))
    return np.concatenate([found[name][:] for name in names], axis=1)
