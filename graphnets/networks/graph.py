"""A frozen graph as a network: its endpoints by name, its layers to train, its cuts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.errors import GraphnetsError, check_names
from graphnets.networks import unfreeze
from graphnets.networks.folding import SCALED
from graphnets.networks.found import Found
from graphnets.networks.layering import parts
from graphnets.networks.network import (
    Cut,
    Endpoints,
    LayerInfo,
    Network,
    Trainable,
    chosen_names,
    unknown,
)
from graphnets.networks.nodes import (
    by_name,
    constant,
    dependents,
    full_name,
    in_order,
    needed,
    node_name,
    shape_of,
)


class GraphNetwork(Network):
    """A frozen graph (see `rewriting.modernised`), whose layers can be un-frozen by name.

    title: the scope of its nodes; with `bare` they keep the file's names where the network is
    whole and frozen. A layer is known by the node that it ends in; batch norm is folded into its
    weights and its bias.
    """

    def __init__(
        self,
        name: str,
        graph_def: tf.GraphDef,
        found: Found,
        fingerprint: str,
        title: str = "graph",
        bare: bool = False,
    ) -> None:
        self.name, self.found, self.size = name, found, found.size
        self.fingerprint = fingerprint
        self._graph_def, self._title, self.bare = graph_def, title, bare
        self._nodes = by_name(graph_def)
        self._order = in_order(self._nodes)
        self._parts = parts(self._nodes, self._order, node_name(found.entry))
        self._head = dependents(self._nodes, [found.head]) if found.head else set()

    @property
    def default_endpoint(self) -> str:  # type: ignore[override]
        """The features that the graph's own classifier takes. Raises GraphnetsError for none."""
        if self.found.problem:
            raise GraphnetsError(self.found.problem)
        return self.found.endpoint

    @property
    def output(self) -> str:  # type: ignore[override]
        """The probabilities of the graph's own classes; "" where it has none."""
        softmaxes = [n for n, part in self._parts.items() if part.kind == "softmax"]
        return next((name for name in reversed(softmaxes) if name in self._head), "")

    def build(
        self, x: tf.Tensor, names: Sequence[str], after: str = "", trainable: Sequence[str] = ()
    ) -> Endpoints:
        """See `Network.build`.

        As a whole and frozen, a `bare` one keeps the file's names, `mixed_7/join:0`, where the
        default graph does not have them yet.
        """
        wanted = [self._checked(name) for name in check_names("names", names)]
        entry = self._checked(after) if after else self.found.entry
        if after and node_name(self.found.entry) in needed(self._nodes, wanted, {entry}):
            raise GraphnetsError(
                f"{', '.join(names)} cannot be computed from {after} alone; name endpoints all "
                "whose paths lead through it, or an earlier one to begin behind"
            )
        self._check_fed(wanted, entry)
        parameters: list[str] = []
        for layer in trainable:
            if layer not in self._parts or not self._parts[layer].parameters:
                raise unknown("layer to train", layer, self._learning())
            parameters += self._parts[layer].parameters
        x = x if after else self._pixels(of_size(self._title, x, self.size))
        scope = "" if self.bare and not after and not parameters else self._title
        tensors = unfreeze.import_unfrozen(self._graph_def, parameters, {entry: x}, wanted, scope)
        return Endpoints(zip(names, tensors, strict=True))

    def _pixels(self, x: tf.Tensor) -> tf.Tensor:
        """What the graph takes, of pixels from 0 to 255."""
        mean, std = self.found.mean, self.found.std
        if self.found.channels == "BGR":
            x = x[..., ::-1]
        if any(mean):
            x = x - tf.constant(mean)
        return x / tf.constant(std) if any(value != 1 for value in std) else x

    def _check_fed(self, wanted: Sequence[str], entry: str) -> None:
        for name in needed(self._nodes, wanted, {entry}):
            if self._nodes[name].op in ("Placeholder", "PlaceholderV2"):
                raise GraphnetsError(
                    f"{', '.join(wanted)} of {self.name} also depends on the placeholder {name!r}, "
                    "which nothing is known of; freeze the graph as it is for inference"
                )

    def told(self) -> list[str]:
        """See `Network.told`: what was found of how pictures enter, and where features are."""
        if self.bare:
            return []
        found, (height, width) = self.found, self.size
        mean, std = ((v[0] if len(v) == 1 else v) for v in (found.mean or "?", found.std or "?"))
        lines = [
            f"pictures enter at {found.entry}: {height} x {width}, {found.channels}, "
            f"(pixel - {mean}) / {std}",
            f"features: {found.endpoint or found.problem}",
            f"classifier: {found.head or 'none'}",
        ]
        left = [name for name, part in self._parts.items() if part.kind == "scale"]
        if left:
            lines.append(
                f"not folded: {len(left)} batch norms or scales, {left[0]} the first, stand where "
                "nothing in front can take them"
            )
        return [*lines, found.no_range] if found.no_range else lines

    def layers(self) -> list[LayerInfo]:
        """See `Network.layers`."""
        with tf.Graph().as_default():
            endpoints = self.build(
                tf.placeholder(tf.float32, [None, *self.size, 3]), [*self._parts]
            )
        return [
            LayerInfo(
                name,
                part.kind,
                tuple(endpoints[name].shape.as_list() if endpoints[name].shape.rank else ()),
                tuple(shape_of(self._nodes[parameter]) for parameter in part.parameters),
            )
            for name, part in self._parts.items()
        ]

    def cut(self, names: Sequence[str], trainable: Trainable) -> Cut:
        """See `Network.cut`; layers are also chosen by what they lie under, and by shell patterns.

        "mixed_10" is for all layers under it, "mixed_9:" for those and all behind the first of
        them, in the order of `layers`, "mixed_?/tower*" for those that it matches. A name that is
        found nowhere else may begin at a part of a layer's name and end before a "_": "block_13" is
        for "net/block_13_expand/Relu6".
        """
        ends = {n: node_name(self._checked(n)) for n in check_names("names", names)}
        chosen = self._chosen(needed(self._nodes, ends.values()), trainable)
        if not chosen:
            return Cut(max(ends.values(), key=self._order.index, default=""), [], [])
        parameters = [parameter for layer in chosen for parameter in self._parts[layer].parameters]
        trained = dependents(self._nodes, parameters)
        behind = [name for name, end in ends.items() if end in trained]
        passes = self._passes([ends[name] for name in behind])
        before = [name for name in self._parts if name in passes and name not in trained]
        return Cut(before[-1] if before else "", chosen, behind)

    def _passes(self, ends: Sequence[str]) -> set[str]:
        """The nodes through which all paths lead from the pictures to the nodes `ends`."""
        entry = node_name(self.found.entry)
        way = needed(self._nodes, ends) & dependents(self._nodes, [entry])
        order = [name for name in self._order if name in way]
        places = {name: place for place, name in enumerate(order)}
        last = [*range(len(order))]  # the place of the last reader of each
        for name in order:
            for read in self._nodes[name].input:
                if node_name(read) in places:
                    place = places[node_name(read)]
                    last[place] = max(last[place], places[name])
        for end in ends:
            last[places[end]] = len(order)
        passed: set[str] = set()
        reach = 0
        for place, name in enumerate(order):
            if reach <= place:
                passed.add(name)
            reach = max(reach, last[place])
        return passed

    def parameters(self, layer: str) -> list[str]:
        """See `Network.parameters`."""
        if layer not in self._parts:
            raise unknown("layer", layer, list(self._parts))
        return self._parts[layer].parameters

    def parameter(self, name: str) -> np.ndarray:
        """See `Network.parameter`; a parameter is a Const of the graph."""
        if name not in self._nodes:
            known = (parameter for part in self._parts.values() for parameter in part.parameters)
            raise unknown("parameter", name, list(known))
        return constant(self._nodes, name)

    def tuned(self, values: Mapping[str, np.ndarray]) -> Network:
        """See `Network.tuned`."""
        graph_def = unfreeze.with_values(self._graph_def, values)
        print_ = f"{self.fingerprint}, fine-tuned"
        tuned = GraphNetwork(self.name, graph_def, self.found, print_, self._title, self.bare)
        return tuned.computing_in(self.precision)

    def _checked(self, name: str) -> str:
        """The name of a tensor, with its ":0"."""
        tensor = full_name(name)
        node = node_name(tensor)
        if node not in self._nodes or tensor != f"{node}:0":
            joints = ", ".join(n for n, part in self._parts.items() if part.kind != "conv")
            raise GraphnetsError(
                f"no endpoint {tensor!r}; wanted a tensor of the graph, such as "
                f"{joints or ', '.join(self._parts)}"
            )
        if SCALED in self._nodes[node].attr:
            behind = next(n for n, part in self._parts.items() if node in part.members)
            raise GraphnetsError(
                f"{tensor!r} is no endpoint: the batch norm behind it is part of its layer here; "
                f"wanted {behind!r}"
            )
        return tensor

    def _learning(self) -> list[str]:
        return [name for name, part in self._parts.items() if part.parameters]

    def _chosen(self, used: set[str], trainable: Trainable) -> list[str]:
        """The layers to train among the nodes needed, in their order."""
        built = [name for name in self._learning() if name in used]
        patterns = chosen_names(trainable)
        if isinstance(patterns, bool) or patterns == ["all"]:
            return built if patterns else []
        names = list(self._parts)
        chosen: set[str] = set()
        for pattern in patterns:
            first = pattern.removesuffix(":")
            found = self._matching(first)
            if set(found) <= self._head and names[-1] in found:
                continue  # the network's own head stands for the one that trains
            if pattern.endswith(":"):
                found = names[names.index(found[0]) :]
            if not set(found) & set(built):
                raise GraphnetsError(
                    f"the layer {pattern!r} cannot train: it has no parameters, or no endpoint "
                    f"asked for depends on it; wanted among {', '.join(built) or 'none'}"
                )
            chosen.update(found)
        return [name for name in built if name in chosen]

    def _matching(self, pattern: str) -> list[str]:
        """The layers that a pattern names, by their end or by another of their members."""
        for form in (pattern, f"*/{pattern}", f"{pattern}_*", f"*/{pattern}_*"):
            for only_ends in (True, False):
                found = [
                    name
                    for name, part in self._parts.items()
                    if any(
                        unfreeze.matches(member, form)
                        for member in ([name] if only_ends else part.members)
                    )
                ]
                if found:
                    return found
        raise unknown("layer", pattern, list(self._parts))


def of_size(title: str, images: tf.Tensor, size: tuple[int, int], where: str = "") -> tf.Tensor:
    """The images; GraphnetsError if they are of another size, or TensorFlow's when they run."""
    shape = [None, *size, 3]
    if not images.shape.is_compatible_with(shape):
        raise GraphnetsError(
            f"{title} got images of the shape {images.shape}, wanted {size[0]} x {size[1]}{where}"
        )
    return images if images.shape[1:].is_fully_defined() else tf.ensure_shape(images, shape)
