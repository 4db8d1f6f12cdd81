"""Networks that are declared as rows of layers: AlexNet and VGG16."""

from __future__ import annotations

import os
from bisect import bisect_left, bisect_right
from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.errors import (
    GraphnetsError,
    check_flag,
    check_kind,
    check_names,
    check_seed,
    check_whole,
)
from graphnets.networks.layers import fc
from graphnets.networks.network import (
    Cut,
    Endpoints,
    LayerInfo,
    Network,
    Trainable,
    check_graph,
    check_trainable,
    chosen_names,
    float_images,
    unknown,
)
from graphnets.networks.stack import (
    Rows,
    declared_layers,
    keys,
    layers_to_train,
    parameter_shapes,
    rows_until,
    stack,
)
from graphnets.weights.arrays import Weights, read_weights
from graphnets.weights.drawn import RANDOM, RandomWeights
from graphnets.weights.places import weight_file

WeightSource = str | os.PathLike[str] | Weights | None
LARGEST = 4096  # pixels, where looking for the sizes that a network takes ends


class Building(TypedDict, total=False):
    """Options of building a declared network, as `alexnet_endpoints` explains them."""

    skip: Sequence[str]
    classes: int | None
    seed: int


@dataclass(frozen=True)
class Declared:
    """A network's rows with what its weights want of pictures.

    name is that of the weight file (see `weights.FILES`), title the variable scope. features,
    logits: the endpoints of the last features, and of the classes.
    preprocess: float32 (n, height, width, 3), RGB, 0 to 255 -> what the first layer takes.
    """

    name: str
    title: str
    rows: Rows
    size: tuple[int, int]
    preprocess: Callable[[tf.Tensor], tf.Tensor]
    default_endpoint: str
    features: str = "fc7"
    logits: str = "fc8"

    def layers(self, rows: Rows = ()) -> list[LayerInfo]:
        """The layers on pictures of the size that the network was trained on."""
        return declared_layers(rows or self.rows, (None, *self.size, 3))

    def shapes(self, rows: Rows = ()) -> dict[str, tuple[tuple[int, ...], ...]]:
        """{layer: (shape of W, shape of b)} of the layers that learn."""
        return parameter_shapes(rows or self.rows, (None, *self.size, 3))

    def endpoints(
        self,
        images: tf.Tensor,
        weights: WeightSource = None,
        trainable: Trainable = False,
        until: str = "",
        skip: Sequence[str] = (),
        classes: int | None = None,
        seed: int = 0,
        preprocess: bool = True,
    ) -> Endpoints:
        """Add the network to the default graph; see `alexnet_endpoints` for the arguments.

        Here preprocess is on unless it is turned off.
        """
        images = float_images(self.title, images)
        check_flag("preprocess", preprocess)
        check_trainable(trainable)
        rows = self._with_classes(classes)
        self._check_size(rows_until(rows, until), images.shape.as_list()[1:3])
        chosen = self._weights(rows, weights, skip, seed)
        sharing = tf.get_variable_scope().reuse  # the user's wish; a new name would ignore it
        with tf.variable_scope(self.title if sharing else None, default_name=self.title):
            x = self.preprocess(images) if preprocess else images
            return stack(rows, x, chosen, trainable, until)

    def network(self, weights: Weights, fingerprint: str) -> Network:
        """The network with these weights, for the feature store and the commands."""
        return DeclaredNetwork(self, weights, fingerprint)

    def _with_classes(self, classes: int | None) -> Rows:
        if classes is None:
            return self.rows
        if check_whole("classes", classes) < 1:
            raise GraphnetsError(f"{self.title} got classes={classes}, wanted 1 or more")
        head = fc(classes, relu=False)
        return tuple((name, head if name == self.logits else layer) for name, layer in self.rows)

    def _weights(self, rows: Rows, given: WeightSource, skip: Sequence[str], seed: int) -> Weights:
        check_seed(seed)
        shapes = self.shapes(rows)
        skip = [skip] if isinstance(skip, str) else check_names("skip", skip)
        for name in skip:
            if name not in shapes:
                raise unknown("layer to skip", name, shapes)
        if isinstance(given, str) and given == RANDOM:
            return RandomWeights(shapes, seed)
        weights = given
        if weights is None or isinstance(weights, str | os.PathLike):
            weights = read_weights(weights or weight_file(self.name))
        check_kind("weights", weights, Mapping, "a file, {layer: (W, b)}, 'random' or None")
        drawn = set(skip)
        if rows is not self.rows and not _fits(weights, self.logits, shapes):
            drawn.add(self.logits)
        if not drawn:
            return weights
        return ChainMap(RandomWeights({name: shapes[name] for name in drawn}, seed), weights)  # type: ignore[arg-type]

    def _check_size(self, rows: Rows, size: Sequence[int | None]) -> None:
        """Raise GraphnetsError, with the sizes that would do, if pictures are of another one."""
        try:
            declared_layers(rows, (None, *size, 3))
        except GraphnetsError:
            least, most = self._sizes(rows)
            wanted = f"{least} x {least} or more" if most is None else f"{least} to {most}"
            got = " x ".join("?" if n is None else str(n) for n in size)
            raise GraphnetsError(
                f"{self.title} up to {rows[-1][0]} got pictures of {got}, wanted {wanted} pixels "
                f"high and wide; resize them, with tf.image.resize_images say"
            ) from None

    def _sizes(self, rows: Rows) -> tuple[int, int | None]:
        """The least and the largest size of square pictures that the rows take (None: any)."""
        maps = [row for row in rows if row[1].kind != "fc" and row[1].kind != "softmax"]

        def height(n: int) -> int:
            try:
                return declared_layers(maps, (None, n, n, 3))[-1].shape[1] or 0
            except GraphnetsError:
                return 0

        sizes = range(LARGEST)
        if len(maps) == len(rows):
            return bisect_left(sizes, 1, key=height), None
        wanted = height(self.size[0])
        return bisect_left(sizes, wanted, key=height), bisect_right(sizes, wanted, key=height) - 1


class DeclaredNetwork(Network):
    """A declared network with its weights."""

    def __init__(self, declared: Declared, weights: Weights, fingerprint: str) -> None:
        self.name, self.size = declared.name, declared.size
        self.default_endpoint, self.fingerprint = declared.default_endpoint, fingerprint
        self._declared, self._weights = declared, weights
        self._names = [name for name, _ in declared.rows]

    def build(
        self, x: tf.Tensor, names: Sequence[str], after: str = "", trainable: Sequence[str] = ()
    ) -> Endpoints:
        """See `Network.build`."""
        until = self._last(names)
        if not after:
            return self._declared.endpoints(x, self._weights, trainable, until)
        check_graph(self._declared.title, x)
        with tf.variable_scope(None, default_name=self._declared.title):
            return stack(self._declared.rows, x, self._weights, trainable, until, after)

    def layers(self) -> list[LayerInfo]:
        """See `Network.layers`."""
        return self._declared.layers()

    def cut(self, names: Sequence[str], trainable: Trainable) -> Cut:
        """See `Network.cut`."""
        until = self._last(names)
        chosen = layers_to_train(
            self._declared.rows, without(self._declared.logits, trainable), until
        )
        if not chosen:
            return Cut(until, [], [])
        first = self._names.index(chosen[0])
        behind = [name for name in names if self._names.index(name) >= first]
        return Cut(self._names[first - 1] if first else "", chosen, behind)

    def parameters(self, layer: str) -> list[str]:
        """See `Network.parameters`."""
        rows = dict(self._declared.rows)
        if layer not in rows:
            raise unknown("layer", layer, self._names)
        return [f"{key}/{role}" for key in keys(layer, rows[layer]) for role in "Wb"]

    def parameter(self, name: str) -> np.ndarray:
        """See `Network.parameter`; a parameter is `layer/W` or `layer/b`."""
        layer, role = self._parameter(name)
        return self._weights[layer]["Wb".index(role)]

    def tuned(self, values: Mapping[str, np.ndarray]) -> Network:
        """See `Network.tuned`."""
        pairs = {}
        for layer in {self._parameter(name)[0] for name in values}:
            W, b = self._weights[layer]
            pairs[layer] = values.get(f"{layer}/W", W), values.get(f"{layer}/b", b)
        weights = ChainMap(pairs, self._weights)  # type: ignore[arg-type]
        tuned = DeclaredNetwork(self._declared, weights, f"{self.fingerprint}, fine-tuned")
        return tuned.computing_in(self.precision)

    def _parameter(self, name: str) -> tuple[str, str]:
        """The layer and "W" or "b"."""
        layer, _, role = str(name).rpartition("/")
        if layer not in self._weights or role not in ("W", "b"):
            raise unknown("parameter", name, [f"{known}/W, {known}/b" for known in self._weights])
        return layer, role

    def _last(self, names: Sequence[str]) -> str:
        for name in check_names("names", names):
            if name not in self._names:
                raise unknown("endpoint", name, self._names)
        return max(names, key=self._names.index, default=self._names[0])


def without(name: str, trainable: Trainable) -> Trainable:
    """The choice of layers but for the one of that name, which stands for the head."""
    names = chosen_names(trainable)
    if isinstance(names, bool):
        return names
    return [part for part in names if part.removesuffix(":") != name]


def _fits(weights: Weights, layer: str, shapes: dict[str, tuple[tuple[int, ...], ...]]) -> bool:
    return layer in weights and np.shape(weights[layer][1]) == shapes[layer][1]
