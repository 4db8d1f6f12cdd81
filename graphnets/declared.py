"""Networks that are declared as rows of layers: AlexNet and VGG16."""

from __future__ import annotations

import os
from bisect import bisect_left, bisect_right
from collections import ChainMap
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import tensorflow.compat.v1 as tf

from graphnets.errors import GraphnetsError
from graphnets.layers import fc
from graphnets.network import (
    Endpoints,
    LayerInfo,
    Network,
    Rows,
    Trainable,
    declared_layers,
    float_images,
    rows_until,
    stack,
    unknown,
)
from graphnets.weights import RandomWeights, Weights, default_file, read_weights

RANDOM = "random"
FEATURES, LOGITS = "fc7", "fc8"
LARGEST = 4096  # pixels, where looking for the sizes that a network takes ends


@dataclass(frozen=True)
class Declared:
    """A network's rows with what its weights want of pictures.

    name is that of the weight file (see `weights.FILES`), title the variable scope.
    preprocess: float32 (n, height, width, 3), RGB, 0 to 255 -> what the first layer takes.
    """

    name: str
    title: str
    rows: Rows
    size: tuple[int, int]
    preprocess: Callable[[tf.Tensor], tf.Tensor]
    default_endpoint: str

    def layers(self, rows: Rows = ()) -> list[LayerInfo]:
        """The layers on pictures of the size that the network was trained on."""
        return declared_layers(rows or self.rows, (None, *self.size, 3))

    def shapes(self, rows: Rows = ()) -> dict[str, tuple[tuple[int, ...], ...]]:
        """{layer: (shape of W, shape of b)} of the layers that learn."""
        layers = self.layers(rows)
        return {layer.name: layer.parameter_shapes for layer in layers if layer.parameter_shapes}

    def endpoints(
        self,
        images: tf.Tensor,
        weights: str | os.PathLike[str] | Weights | None = None,
        trainable: Trainable = False,
        until: str = "",
        skip: Sequence[str] = (),
        classes: int | None = None,
        seed: int = 0,
        preprocess: bool = True,
    ) -> Endpoints:
        """Add the network to the default graph; see `alexnet_endpoints` for the arguments."""
        images = float_images(self.title, images)
        rows = self._with_classes(classes)
        self._check_size(rows_until(rows, until), images.shape.as_list()[1:3])
        chosen = self._weights(rows, weights, skip, seed)
        sharing = tf.get_variable_scope().reuse  # the user's wish; a new name would ignore it
        with tf.variable_scope(self.title if sharing else None, default_name=self.title):
            x = self.preprocess(images) if preprocess else images
            return stack(rows, x, chosen, trainable, until)

    def network(self, weights: Weights, fingerprint: str) -> Network:
        """The network with these weights, for the feature store and the commands."""
        names = [name for name, _ in self.rows]

        def build(images: tf.Tensor, wanted: Sequence[str]) -> Endpoints:
            for name in wanted:
                if name not in names:
                    raise unknown("endpoint", name, names)
            until = max(wanted, key=names.index, default=names[0])
            return self.endpoints(images, weights, until=until)

        return Network(self.name, self.size, self.default_endpoint, fingerprint, build, self.layers)

    def _with_classes(self, classes: int | None) -> Rows:
        if classes is None:
            return self.rows
        if classes < 1:
            raise GraphnetsError(f"{self.title} got classes={classes}, wanted 1 or more")
        head = fc(classes, relu=False)
        return tuple((name, head if name == LOGITS else layer) for name, layer in self.rows)

    def _weights(
        self, rows: Rows, given: str | os.PathLike[str] | Weights | None, skip: Sequence[str],
        seed: int,
    ) -> Weights:  # fmt: skip
        shapes = self.shapes(rows)
        skip = [skip] if isinstance(skip, str) else skip
        for name in skip:
            if name not in shapes:
                raise unknown("layer to skip", name, shapes)
        if isinstance(given, str) and given == RANDOM:
            return RandomWeights(shapes, seed)
        weights = given
        if weights is None or isinstance(weights, str | os.PathLike):
            weights = read_weights(weights or default_file(self.name))
        drawn = set(skip)
        if rows is not self.rows and not _fits(weights, LOGITS, shapes):
            drawn.add(LOGITS)
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


def _fits(weights: Weights, layer: str, shapes: dict[str, tuple[tuple[int, ...], ...]]) -> bool:
    return layer in weights and weights[layer][1].shape == shapes[layer][1]
