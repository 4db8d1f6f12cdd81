"""What a network is to the rest of graphnets."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.errors import GraphnetsError, check_names, refused
from graphnets.networks import soundness
from graphnets.networks.precision import FLOAT32, check, session_config
from graphnets.sessions import Session

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


class Opening(NamedTuple):
    """How a network was opened, for whoever opens it again: arguments of `open_network`."""

    architecture: str
    weights: str
    seed: int
    pictures: tuple[tuple[str, Any], ...]


class Network(ABC):
    """A pretrained network, as the feature store, the exporter and the commands see it.

    size is the height and width of the pictures it takes; fingerprint tells its weights from all
    others; default_endpoint may name several endpoints, with commas between. precision: what it
    computes in, "float32", "bfloat16" or "float16". output: the endpoint with the probabilities of
    its own classes. bare: whether its nodes keep a file's names where it is whole and frozen, in
    place of lying under a scope. opening: how it was opened; None of one whose layers have trained.
    """

    name: str
    size: tuple[int, int]
    default_endpoint: str
    fingerprint: str
    precision: str = FLOAT32
    output: str = "prob"
    bare: bool = False
    opening: Opening | None = None

    def session(self) -> tf.Session:
        """A session on the default graph that computes in the network's precision."""
        return Session(config=session_config(self.precision))

    def run(
        self, session: tf.Session, tensors: Sequence[tf.Tensor], x: tf.Tensor, pictures: np.ndarray
    ) -> list[np.ndarray]:
        """The values of tensors, (n, ...) each, for n pictures (or maps) fed to x.

        Raises GraphnetsError if a network from a stranger's graph fails, or gives other rows.
        """
        with soundness.running(self.name):
            values = session.run(tensors, {x: pictures})
        for tensor, value in zip(tensors, values, strict=True):
            if value.shape[:1] != (len(pictures),):
                raise GraphnetsError(
                    f"{self.name} gives {value.shape} as {tensor.name} for {len(pictures)} "
                    "pictures, wanted a row for each: name another endpoint or graph"
                )
        return values

    def computing_in(self, precision: str) -> Network:
        """The same network in another precision, "float32", "bfloat16" or "float16".

        Raises GraphnetsError for another name, for bfloat16 on a processor that does not have it,
        and for float16 without a GPU.
        """
        check(precision)
        found = copy.copy(self)
        found.precision = precision
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

    def told(self) -> list[str]:
        """What `graphnets inspect` says of the network before its layers, a line each."""
        return []

    @abstractmethod
    def layers(self) -> list[LayerInfo]:
        """All layers, first to last."""

    @abstractmethod
    def cut(self, names: Sequence[str], trainable: Trainable) -> Cut:
        """Where to cut for training the chosen layers and a head on the endpoints `names`.

        trainable: as for `stack.layers_to_train`; the network's own last layer (fc8, softmax)
        stands for the head, which always trains. Raises GraphnetsError for a layer that cannot
        train.
        """

    @abstractmethod
    def parameters(self, layer: str) -> list[str]:
        """The parameters of a layer of `layers`, as `build` names their variables."""

    @abstractmethod
    def parameter(self, name: str) -> np.ndarray:
        """The value of a parameter, as `build` names its variable, in the weight file."""

    @abstractmethod
    def tuned(self, values: Mapping[str, np.ndarray]) -> Network:
        """The network with other values for some of its parameters, {parameter: array}."""


def check_network(network: object) -> None:
    """Raise GraphnetsError unless it is a Network; a name is told how to open it."""
    if not isinstance(network, Network):
        name = network if isinstance(network, str) else "vgg16"
        raise refused("network", network, f"a network, as graphnets.open_network({name!r}) gives")


def check_trainable(trainable: object) -> None:
    """Raise GraphnetsError unless it is a choice of layers."""
    if not isinstance(trainable, bool | str):
        try:
            check_names("trainable", trainable)
        except GraphnetsError:
            wanted = "True, False, a layer's name or a list of names"
            raise refused("trainable", trainable, wanted) from None


def chosen_names(trainable: Trainable) -> bool | list[str]:
    """A choice of layers as True, False or a list of names: "fc7, fc8" -> ["fc7", "fc8"].

    Raises GraphnetsError for what is none.
    """
    check_trainable(trainable)
    if isinstance(trainable, bool):
        return trainable
    parts = trainable.split(",") if isinstance(trainable, str) else trainable
    return [part.strip() for part in parts if part.strip()]


def check_graph(title: str, *tensors: object) -> None:
    """Raise GraphnetsError unless ops can be added to a default graph of TensorFlow 1's kind.

    The graph of a tf.function is none: it is traced again and again. That of a `tf.cond`, or of a
    loop, is one.
    """
    what = ""
    if tf.executing_eagerly() or any(hasattr(tensor, "numpy") for tensor in tensors):
        what = "got eager tensors or was called eagerly"
    elif type(tf.get_default_graph()).__name__ == "FuncGraph":
        what = "was called inside tf.function"
    if what:
        raise GraphnetsError(
            f"{title} builds a graph, and {what}; call it under `with tf.Graph().as_default():`, "
            "or after tf.disable_v2_behavior(), on a placeholder or an array"
        )


def float_images(title: str, images: tf.Tensor) -> tf.Tensor:
    """Images as float32 (n, height, width, 3) of the default graph; GraphnetsError if they are not.

    title: the network's name, for the message.
    """
    check_graph(title, images)
    try:
        images = tf.convert_to_tensor(images)
    except (TypeError, ValueError):
        wanted = "a placeholder or an array of floats (n, height, width, 3)"
        raise refused(f"{title}'s images", images, wanted) from None
    if not images.dtype.is_floating or not images.shape.is_compatible_with([None, None, None, 3]):
        raise GraphnetsError(
            f"{title} got {images.dtype.name} images of the shape {images.shape}, wanted floats "
            "(n, height, width, 3), as tf.cast(images, tf.float32) gives"
        )
    return tf.cast(tf.ensure_shape(images, [None, None, None, 3]), tf.float32)


def endpoint_names(network: Network, endpoint: str | Sequence[str] | None) -> list[str]:
    """ "conv4_3,conv5_3" -> ["conv4_3", "conv5_3"]; None is the network's default endpoint.

    A sequence of names is taken as it is. Tensor names lose their ":0", so that both spellings
    are one endpoint.
    """
    text = network.default_endpoint if endpoint is None or endpoint == "" else endpoint
    parts = text.split(",") if isinstance(text, str) else check_names("endpoint", text)
    names = [name.strip().removesuffix(":0") for name in parts]
    if "" in names or len(set(names)) < len(names):
        raise GraphnetsError(
            f"got the endpoint {text!r}; wanted different names, with commas between them"
        )
    return names


def features(name: str, tensor: tf.Tensor, whole: bool = False) -> tf.Tensor:
    """An endpoint as (n, features), a map averaged over height and width; `whole`: as it is.

    Raises GraphnetsError, with the endpoint's name, unless it is float32 (n, features) or
    (n, height, width, channels).
    """
    if tensor.shape.rank not in (2, 4) or tensor.dtype != tf.float32:
        raise GraphnetsError(
            f"the endpoint {name!r} is {tensor.dtype.name} {tensor.shape}; wanted float32 "
            "(n, features) or (n, height, width, channels)"
        )
    return tf.reduce_mean(tensor, [1, 2]) if tensor.shape.rank == 4 and not whole else tensor
