"""What a network is to the rest of graphnets, and how declared layers become a graph."""

from __future__ import annotations

import copy
import functools
import math
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.errors import GraphnetsError
from graphnets.networks.layers import Layer
from graphnets.networks.precision import AUTO, FLOAT32, check, faster, session_config
from graphnets.weights.arrays import ALIGNMENT, Weights, aligned_empty

Rows = Sequence[tuple[str, Layer]]
Trainable = bool | str | Sequence[str]


class Endpoints(dict):
    """Named tensors of a network, first to last; a missing name's error lists those there are."""

    def __missing__(self, name: str) -> tf.Tensor:
        raise unknown("endpoint", name, self)


def unknown(what: str, name: object, names: Mapping | Sequence) -> GraphnetsError:
    """The error for a layer or endpoint that a network does not have."""
    return GraphnetsError(f"no {what} {name!r}; this network has {', '.join(names)}")


class LayerInfo(NamedTuple):
    """A layer as `graphnets inspect` lists it; `shape` is that of its output, None where free."""

    name: str
    kind: str
    shape: tuple[int | None, ...]
    parameter_shapes: tuple[tuple[int, ...], ...]

    @property
    def parameters(self) -> int:
        """How many numbers the layer learns."""
        return sum(math.prod(shape) for shape in self.parameter_shapes)


class Cut(NamedTuple):
    """Where a network is cut so that all that trains lies behind.

    after: the deepest endpoint before every layer that trains ("": they begin at the photos).
    layers: the layers that train, first to last. behind: the endpoints asked for that depend on
    them; the others are as frozen as `after`.
    """

    after: str
    layers: list[str]
    behind: list[str]


class Network(ABC):
    """A pretrained network, as the feature store, the exporter and the commands see it.

    size is the height and width of the pictures it takes; fingerprint tells its weights from all
    others; default_endpoint may name several endpoints, with commas between. precision: what it
    computes in, "float32" or "bfloat16".
    """

    name: str
    size: tuple[int, int]
    default_endpoint: str
    fingerprint: str
    precision: str = FLOAT32

    def session(self) -> tf.Session:
        """A session on the default graph that computes in the network's precision."""
        return tf.Session(config=session_config(self.precision))

    def computing_in(self, precision: str) -> Network:
        """The same network in another precision: "float32", "bfloat16", or the faster ("auto").

        "auto" keeps float32 unless bfloat16 is measured to be faster here. Raises GraphnetsError
        for another name, and for bfloat16 on a processor that does not have it.
        """
        check(precision)
        found = copy.copy(self)
        found.precision = faster(self) if precision == AUTO else precision
        return found

    @abstractmethod
    def build(
        self, x: tf.Tensor, names: Sequence[str], after: str = "", trainable: Sequence[str] = ()
    ) -> Endpoints:
        """Add the network to the default graph and return at least the named endpoints.

        x: float32 (n, height, width, 3), RGB, 0 to 255, of `size`: whatever the network wants
        instead (channel order, mean, range) happens inside. With `after`, x is the value of that
        endpoint, and only what lies behind is built. The parameters of the layers `trainable`
        (those of a Cut) are trainable variables, named SCOPE/parameter.
        """

    @abstractmethod
    def layers(self) -> list[LayerInfo]:
        """All layers, first to last."""

    @abstractmethod
    def cut(self, names: Sequence[str], trainable: Trainable) -> Cut:
        """Where to cut for training the chosen layers and a head on the endpoints `names`.

        trainable: as for `layers_to_train`; the network's own last layer (fc8, softmax) stands for
        the head, which always trains. Raises GraphnetsError for a layer that cannot train.
        """

    @abstractmethod
    def parameter(self, name: str) -> np.ndarray:
        """The value of a parameter, as `build` names its variable, in the weight file."""

    @abstractmethod
    def tuned(self, values: Mapping[str, np.ndarray]) -> Network:
        """The network with other values for some of its parameters, {parameter: array}."""


def float_images(title: str, images: tf.Tensor) -> tf.Tensor:
    """Images as float32 (n, height, width, 3) of the default graph; GraphnetsError if they are not.

    title: the network's name, for the message.
    """
    if tf.executing_eagerly() or hasattr(images, "numpy"):
        raise GraphnetsError(
            f"{title} builds a graph, and got eager tensors or was called eagerly; call it under "
            "`with tf.Graph().as_default():`, or after tf.disable_v2_behavior(), on a placeholder "
            "or an array"
        )
    images = tf.convert_to_tensor(images)
    if not images.dtype.is_floating or not images.shape.is_compatible_with([None, None, None, 3]):
        raise GraphnetsError(
            f"{title} got {images.dtype.name} images of the shape {images.shape}, wanted floats "
            "(n, height, width, 3), RGB, 0 to 255, as tf.cast(images, tf.float32) gives"
        )
    return tf.cast(tf.ensure_shape(images, [None, None, None, 3]), tf.float32)


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
    known = [name for name, layer in rows if layer.learns]
    rows = rows_until(rows, until)[len(rows_until(rows, after)) if after else 0 :]
    shapes = {i.name: i.parameter_shapes for i in declared_layers(rows, x.shape)}
    biases = checked({name: pair for name, pair in shapes.items() if pair}, known, weights)
    endpoints = Endpoints()
    for name, layer in rows:
        with tf.variable_scope(name):
            values = {
                "W": functools.partial(_filters, weights, name),
                "b": functools.partial(biases.__getitem__, name),
            }
            try:
                x = layer.build(x, _variables(values, name in chosen))
            except GraphnetsError:
                raise
            except ValueError as error:
                raise GraphnetsError(f"layer {name}: {error}") from None
        endpoints[name] = x
    return endpoints


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
        pair = weights[name]
        for role, value, shape in zip("Wb", pair, shapes[name], strict=True):
            value = np.asarray(value)
            if value.shape != shape or value.dtype != np.float32:
                got = f"{value.dtype} {value.shape}"
                problems.append(f"{name}/{role} is {got}, wanted float32 {shape}")
            elif not np.isfinite(value).all():
                problems.append(f"{name}/{role} has NaN or infinite numbers")
        biases[name] = pair[1]
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


def aligned(value: np.ndarray) -> np.ndarray:
    """The array where TensorFlow takes it over without a copy (but copies it before it writes)."""
    if value.ctypes.data % ALIGNMENT == 0 and value.flags.c_contiguous:
        return value
    copy = aligned_empty(value.shape)
    copy[...] = value
    return copy


def _variables(
    values: Mapping[str, Callable[[], np.ndarray]], trainable: bool
) -> Callable[[str, list[int]], tf.Tensor]:
    """What gives a layer its variables; their values are read when the initializer runs."""

    def variable(role: str, shape: list[int]) -> tf.Tensor:
        def initializer(shape, dtype=None, partition_info=None):
            # As a constant, the array would be part of the GraphDef.
            return tf.ensure_shape(tf.numpy_function(values[role], [], dtype), shape)

        found = tf.get_variable(
            role, shape, tf.float32, initializer=initializer, trainable=trainable
        )
        if found.trainable != trainable:  # TensorFlow would keep the first and say nothing
            raise GraphnetsError(
                f"the shared variable {found.op.name} was made with trainable={found.trainable}; "
                "give every call that shares it the same `trainable`"
            )
        return found

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
                return tf.placeholder(tf.float32, shape)

            try:
                x = layer.build(x, variable)
            except ValueError as error:
                raise GraphnetsError(f"layer {name}: {error}") from None
            found.append(LayerInfo(name, layer.kind, tuple(x.shape.as_list()), tuple(shapes)))
    return found
