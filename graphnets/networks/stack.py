"""How declared layers become a graph."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.errors import GraphnetsError
from graphnets.networks import run_only
from graphnets.networks.layers import Layer
from graphnets.networks.network import Endpoints, LayerInfo, Trainable, check_trainable, unknown
from graphnets.weights.arrays import Weights
from graphnets.weights.drawn import RandomWeights
from graphnets.weights.memory import aligned

Rows = Sequence[tuple[str, Layer]]


def rows_until(rows: Rows, until: str) -> Rows:
    """The rows up to and with the layer `until` ("": all). Raises GraphnetsError if unknown."""
    names = [name for name, _ in rows]
    if until and until not in names:
        raise unknown("layer", until, names)
    return rows[: names.index(until) + 1] if until else rows


def layers_to_train(rows: Rows, trainable: Trainable, until: str = "") -> list[str]:
    """The names of the layers that `trainable` chooses among those built, in their order.

    trainable: True or "all"; False or "" for none; "fc7,fc8" or a sequence of names; a name with
    a colon, "conv5:", stands for that layer and all behind it.
    Raises GraphnetsError for a layer that is unknown, has nothing to train or is not built.
    """
    check_trainable(trainable)
    names = [name for name, _ in rows]
    built = [name for name, layer in rows_until(rows, until) if layer.learns]
    if isinstance(trainable, str):
        trainable = [name.strip() for name in trainable.split(",") if name.strip()]
    if isinstance(trainable, bool) or list(trainable) == ["all"]:
        return built if trainable else []
    chosen: set[str] = set()
    for name in trainable:
        first = name.removesuffix(":")
        if first not in names:
            raise unknown("layer", first, names)
        behind = names[names.index(first) :] if name.endswith(":") else [first]
        if not set(behind) & set(built):
            reason = f"is not built, {until} is the last" if until else "has nothing to train"
            raise GraphnetsError(
                f"the layer {name!r} cannot train: it {reason}; wanted among {', '.join(built)}"
            )
        chosen.update(behind)
    return [name for name in built if name in chosen]


def stack(
    rows: Rows, x: tf.Tensor, weights: Weights, trainable: Trainable = False, until: str = "",
    after: str = "",
) -> Endpoints:  # fmt: skip
    """Build the layers of `rows` on `x`, the last one being `until` ("": all).

    With `after`, x is that layer's output and the first layer built is the one behind it.

    weights: {layer: (W, b)}, float32. trainable: the layers whose variables go into
    TRAINABLE_VARIABLES (see `layers_to_train`). A layer's variables are `layer/W` and `layer/b`;
    run `tf.global_variables_initializer()` to load them.

    Raises GraphnetsError for a name that is not in `rows`, for weights that are missing, of
    another shape or not finite, and for an input that a layer cannot take.
    """
    chosen = layers_to_train(rows, trainable, until)
    known = [key for name, layer in rows for key in keys(name, layer)]
    rows = rows_until(rows, until)[len(rows_until(rows, after)) if after else 0 :]
    biases = checked(parameter_shapes(rows, x.shape), known, weights)
    endpoints = Endpoints()
    for name, layer in rows:
        with tf.variable_scope(name):
            values = {}
            for part, key in zip(layer.parts, keys(name, layer), strict=True):
                role = f"{part}/" if part else ""
                values[f"{role}W"] = functools.partial(_filters, weights, key)
                values[f"{role}b"] = functools.partial(biases.__getitem__, key)
            try:
                x = layer.build(x, _variables(values, name in chosen))
            except GraphnetsError:
                raise
            except ValueError as error:
                raise GraphnetsError(f"layer {name}: {error}") from None
        endpoints[name] = run_only.exact(x)
    return endpoints


def keys(name: str, layer: Layer) -> list[str]:
    """Under which names weights have the parameters of a layer: its own, or "layer/part" ..."""
    return [f"{name}/{part}" if part else name for part in layer.parts]


def parameter_shapes(
    rows: Rows, input_shape: Sequence[int | None]
) -> dict[str, tuple[tuple[int, ...], ...]]:
    """{layer or layer/part: (shape of W, shape of b)} of the rows that learn."""
    found: dict[str, tuple[tuple[int, ...], ...]] = {}
    for info, (name, layer) in zip(declared_layers(rows, input_shape), rows, strict=True):
        shapes = iter(info.parameter_shapes)
        found.update({key: (next(shapes), next(shapes)) for key in keys(name, layer)})
    return found


def checked(
    shapes: Mapping[str, tuple[tuple[int, ...], ...]], known: Sequence[str], weights: Weights
) -> dict[str, np.ndarray]:
    """Check weights and return the biases, which are small: {layer: b}.

    shapes: {layer: (shape of W, shape of b)} of all layers that must be there; known: the
    layers that may be. Raises one GraphnetsError that lists all that is missing, extra or wrong.
    """
    missing = [name for name in shapes if name not in weights]
    extra = [name for name in weights if name not in known]
    problems = [f"{', '.join(missing)} missing"] if missing else []
    problems += [f"{', '.join(extra)} not in this network"] if extra else []
    biases = {}
    for name in shapes:
        if name in missing:
            continue
        if isinstance(weights, RandomWeights) and weights.shapes[name] == shapes[name]:
            biases[name] = np.zeros(shapes[name][1], np.float32)  # drawing takes its time
            continue
        try:
            W, b = map(np.asarray, weights[name])
        except (TypeError, ValueError, NotImplementedError) as error:  # the last, of tensors
            if isinstance(error, GraphnetsError):  # of a file
                raise
            problems.append(f"{name} has no pair of arrays (W, b)")
            continue
        for role, value, shape in zip("Wb", (W, b), shapes[name], strict=True):
            if value.shape != shape or value.dtype != np.float32:
                got = f"{value.dtype} {value.shape}"
                problems.append(f"{name}/{role} is {got}, wanted float32 {shape}")
            elif not np.isfinite(value).all():
                problems.append(f"{name}/{role} has NaN or infinite numbers")
        biases[name] = b
    if problems:
        raise GraphnetsError(
            f"the weights do not suit the network: {'; '.join(problems)}; choose a layer before "
            "those as the last one, or other weights"
        )
    return biases


_LOADING = threading.Lock()  # so that one layer at a time is in memory twice


def _filters(weights: Weights, layer: str) -> np.ndarray:
    with _LOADING:
        return aligned(weights[layer][0])


def _variables(
    values: Mapping[str, Callable[[], np.ndarray]], trainable: bool
) -> Callable[[str, list[int]], tf.Tensor]:
    """What gives a layer its variables; their values are read when the initializer runs."""

    def variable(role: str, shape: list[int]) -> tf.Tensor:
        def initializer(shape, dtype=None, partition_info=None):
            # As a constant, the array would be part of the GraphDef.
            value = tf.ensure_shape(tf.numpy_function(values[role], [], tf.float32), shape)
            return tf.cast(value, dtype)

        # Steps would be lost in the 8 bits of bfloat16, so that what trains is float32.
        wanted = run_only.dtype()
        kept = tf.float32 if trainable else wanted
        found = tf.get_variable(role, shape, kept, initializer=initializer, trainable=trainable)
        if found.trainable != trainable:  # TensorFlow would keep the first and say nothing
            raise GraphnetsError(
                f"the shared variable {found.op.name} was made with trainable={found.trainable}; "
                "give every call that shares it the same `trainable`"
            )
        return found if kept == wanted else tf.cast(found, wanted)

    return variable


def declared_layers(rows: Rows, input_shape: Sequence[int | None]) -> list[LayerInfo]:
    """The layers of `rows` on an input of that shape; no weights are needed.

    Raises GraphnetsError with the layer's name where one cannot take its input.
    """
    found = []
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, input_shape)
        for name, layer in rows:
            shapes: list[tuple[int, ...]] = []

            def variable(role: str, shape: list[int], shapes=shapes) -> tf.Tensor:
                shapes.append(tuple(shape))
                return tf.placeholder(run_only.dtype(), shape)

            try:
                x = layer.build(x, variable)
            except ValueError as error:
                raise GraphnetsError(f"layer {name}: {error}") from None
            found.append(LayerInfo(name, layer.kind, tuple(x.shape.as_list()), tuple(shapes)))
    return found
