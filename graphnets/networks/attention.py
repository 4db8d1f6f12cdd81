"""Where in its last map a network sees a class: Grad-CAM, and finding the map in a graph."""

from __future__ import annotations

import re
from collections.abc import Sequence
from numbers import Integral

import tensorflow.compat.v1 as tf

from graphnets.errors import GraphnetsError, refused
from graphnets.networks.network import check_graph
from graphnets.networks.nodes import operations_behind

SCORES = ("Softmax", "Sigmoid")
RENAMED = ("Identity", "Reshape", "Squeeze", "Cast")  # what can stand behind them
SAME = ("Identity", "EnsureShape")  # the map that they take
TOLD = 12  # maps, in a message


def grad_cam(
    logits: tf.Tensor, maps: tf.Tensor, classes: int | Sequence[int] | tf.Tensor | None = None
) -> tf.Tensor:
    """Add Grad-CAM to the default graph: how much each place of a map speaks for a class.

    Selvaraju et al. 2017, arXiv 1610.02391, equations 1 and 2: each channel of the map is weighted
    by the mean, over places, of the gradient of the class's logit; of the sum, what is below 0
    is 0.

    logits: floats (n, classes), in front of the softmax or sigmoid, where a class is not held
    back by the others. maps: floats (n, height, width, channels), what the logits are computed
    from, such as the endpoint conv5_3; photos of a batch must not mix, as in a batch norm that
    trains. classes: one for all, one for each photo (n,), or None for each photo's likeliest.
    Returns float32 (n, height, width), 0 or more, in no unit: of one photo the places compare.
    Raises GraphnetsError for other shapes and types, and where no gradient leads from the logits
    to the map.

    >>> with tf.Graph().as_default():
    ...     images = tf.placeholder(tf.float32, (None, 224, 224, 3))
    ...     layers = graphnets.efficientnet_lite0_endpoints(images, "random")
    ...     heat = graphnets.grad_cam(layers["fc"], layers["head"])
    >>> heat.shape.as_list()
    [None, 7, 7]
    """
    check_graph("grad_cam", logits, maps)
    _check_floats("logits", logits, 2, "(n, classes)")
    _check_floats("maps", maps, 4, "(n, height, width, channels)")
    chosen = tf.gather(logits, _each(logits, classes), axis=1, batch_dims=1)
    weights = tf.reduce_mean(_gradient(chosen, logits, maps), [1, 2], keepdims=True)
    return tf.cast(tf.nn.relu(tf.reduce_sum(weights * maps, 3)), tf.float32)


def _check_floats(name: str, tensor: object, rank: int, shape: str) -> None:
    if not isinstance(tensor, tf.Tensor):
        raise refused(name, tensor, f"a tensor of floats {shape}")
    if not tensor.dtype.is_floating or tensor.shape.rank != rank:
        raise GraphnetsError(
            f"{name} is {tensor.dtype.name} of the shape {tensor.shape}, wanted floats {shape}"
        )
    if tensor.graph is not tf.get_default_graph():
        raise GraphnetsError(
            f"{name} is of another graph than the default; call grad_cam under `with "
            f"{name}.graph.as_default():`"
        )


def _each(logits: tf.Tensor, classes: object) -> tf.Tensor:
    """A class for each photo, int64 (n,)."""
    if classes is None:
        return tf.argmax(logits, 1)
    if isinstance(classes, Integral) and not isinstance(classes, bool):
        count = logits.shape.as_list()[1]
        if not 0 <= int(classes) < (count or int(classes) + 1):
            raise GraphnetsError(f"classes is {classes}, wanted 0 to {(count or 1) - 1}")
        return tf.fill([tf.shape(logits)[0]], tf.constant(int(classes), tf.int64))
    wanted = "a class's number, a tensor of them (n,), or None for the likeliest"
    try:
        found = tf.convert_to_tensor(classes)
    except (TypeError, ValueError):
        raise refused("classes", classes, wanted) from None
    if not found.dtype.is_integer or found.shape.rank not in (1, None):
        raise GraphnetsError(
            f"classes is {found.dtype.name} of the shape {found.shape}, wanted {wanted}"
        )
    return tf.cast(found, tf.int64)


def _gradient(chosen: tf.Tensor, logits: tf.Tensor, maps: tf.Tensor) -> tf.Tensor:
    try:
        found = tf.gradients(chosen, maps)[0]
    except LookupError as error:
        raise GraphnetsError(
            f"no gradient leads from {logits.name} to {maps.name}: {error}; name a map that is "
            "nearer to the output, or take occlusion, which needs none"
        ) from None
    if found is None:
        raise GraphnetsError(
            f"{maps.name} does not lead to {logits.name}; wanted a map that the logits are "
            "computed from"
        )
    return tf.convert_to_tensor(found)


def logits_of(scores: tf.Tensor) -> tf.Tensor:
    """What the softmax or sigmoid takes that scores come of; the scores, if none is there."""
    op = scores.op
    while op.type in RENAMED:
        op = op.inputs[0].op
    return op.inputs[0] if op.type in SCORES else scores


def maps_between(entry: tf.Tensor, logits: tf.Tensor) -> list[tf.Tensor]:
    """The maps that convolutions make of what enters and the logits come of, first to last.

    float (n, height, width, channels), of more than one place.
    """
    needed = operations_behind(logits)
    reached, learnt = {entry.op.name}, set[str]()
    found: list[tf.Tensor] = []
    for op in entry.graph.get_operations():  # inputs first
        before = {source.op.name for source in op.inputs}
        if op.name not in needed or not before & reached:
            continue
        reached.add(op.name)
        if "Conv" in op.type or before & learnt:
            learnt.add(op.name)
            found += [tensor for tensor in op.outputs if _is_map(tensor)]
    return found


def _is_map(tensor: tf.Tensor) -> bool:
    return (
        tensor.dtype.is_floating
        and tensor.shape.rank == 4
        and tensor.shape.as_list()[1:3] != [1, 1]
    )


def chosen_map(entry: tf.Tensor, logits: tf.Tensor, layer: str | None, source: str) -> tf.Tensor:
    """The last map of `maps_between`, or that of a layer.

    layer: a tensor, the scope that it is in, or the beginning of one up to a _; the last such map.
    source: the graph's file, for messages. Raises GraphnetsError if there is none.
    """
    maps = maps_between(entry, logits)
    there = [m for m in maps if m.op.type not in SAME]
    if layer:
        named = rf"(^|/){re.escape(layer.removesuffix(':0'))}"
        there = _like(maps, named + "(/|$)") or _like(maps, named + "_")
    if there:
        return there[-1]
    if not maps:
        raise GraphnetsError(
            f"{source} has no map of a convolution between {entry.name} and {logits.name}, and "
            "Grad-CAM wants one; take occlusion, which needs none"
        )
    last = ", ".join(tensor.op.name for tensor in maps[-TOLD:])
    raise GraphnetsError(
        f"{source} has no map {layer!r} that leads to {logits.name}; the last of its {len(maps)} "
        f"are {last}"
    )


def _like(maps: Sequence[tf.Tensor], pattern: str) -> list[tf.Tensor]:
    return [tensor for tensor in maps if re.search(pattern, tensor.op.name)]
