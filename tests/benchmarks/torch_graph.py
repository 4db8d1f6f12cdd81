"""A frozen GraphDef of one input and one output, run by torch node by node."""

from collections import Counter

import numpy as np
import tensorflow.compat.v1 as tf
import torch
from torch.nn import functional

from tests.benchmarks.contender import FEATURES, IMAGES

PRODUCTS = ("Conv2D", "DepthwiseConv2dNative", "MatMul")
NCHW = {0: 0, 1: 2, 2: 3, 3: 1}  # where the axes of (n, height, width, channels) go


class TorchGraph:
    """graph(images): float32 (n, height, width, 3) -> the features, both NumPy arrays.

    Maps are (n, channels, height, width) inside; weights are laid out for that once.
    """

    def __init__(self, path, layout=torch.contiguous_format):
        with open(path, "rb") as file:
            graph_def = tf.GraphDef.FromString(file.read())
        self._layout = layout
        self._constants = {}
        self._steps = []  # (name, node, names of its inputs); in the end (name, function, names)
        for node in graph_def.node:
            self._add(node)
        self._uses = Counter(name for _, _, inputs in self._steps for name in inputs)
        self._give_biases_to_products()
        self._fold()
        self._bind()

    def _add(self, node):
        if node.op == "Const":
            self._constants[node.name] = tf.make_ndarray(node.attr["value"].tensor)
        elif "/batch_shape" not in node.name and node.op not in ("Placeholder", "NoOp"):
            inputs = [name.removesuffix(":0") for name in node.input if name[0] != "^"]
            # What counts the pictures for a Reshape; `_reshape` does without.
            inputs = [name for name in inputs if not name.endswith("/batch_shape")]
            self._steps.append((node.name, node, inputs))

    def _give_biases_to_products(self):
        products = {n: i for n, node, i in self._steps if node.op in PRODUCTS}
        for _, node, inputs in self._steps:
            if node.op == "BiasAdd" and inputs[0] in products and self._uses[inputs[0]] == 1:
                products[inputs[0]].append(inputs.pop())
                node.op = "Identity"

    def _fold(self):
        """Steps that depend on constants alone (reads, parts of weights) become constants."""
        steps = []
        for name, node, inputs in self._steps:
            if all(i in self._constants for i in inputs):
                self._fold_node(name, node, inputs)
            else:
                steps.append((name, node, inputs))
        self._steps = steps

    def _bind(self):
        """Each step becomes a function of what is not constant."""
        steps = []
        for name, node, inputs in self._steps:
            constants = [self._constants.get(i) for i in inputs]
            function = OPS[node.op](node, constants, self._layout)
            if node.op == "Relu" and self._uses[inputs[0]] == 1:
                function = torch.relu_
            steps.append((name, function, [i for i in inputs if i not in self._constants]))
        self._steps = steps

    def _fold_node(self, name, node, inputs):
        values = [self._constants[i] for i in inputs]
        if node.op == "Split":
            axis, value = values
            for number, part in enumerate(np.split(value, node.attr["num_split"].i, int(axis))):
                self._constants[f"{name}:{number}" if number else name] = part
        elif node.op == "Identity":
            self._constants[name] = values[0]
        else:
            raise NotImplementedError(f"{node.op} of constants, {name}")

    def __call__(self, images):
        with torch.inference_mode():
            x = torch.from_numpy(np.ascontiguousarray(images))
            x = x.to(torch.get_default_device()).permute(0, 3, 1, 2)
            found = {IMAGES: x.contiguous(memory_format=self._layout)}
            for name, function, inputs in self._steps:
                value = function(*(found[i] for i in inputs))
                if isinstance(value, tuple):
                    found.update({f"{name}:{n}": part for n, part in enumerate(value) if n})
                    value = value[0]
                found[name] = value
            return found[FEATURES].float().cpu().numpy()


def _window(node, key):
    _, height, width, _ = node.attr[key].list.i
    return int(height), int(width)


def _padded(node, size, stride, value=0.0):
    """(function that pads where torch's own padding cannot, torch's own padding).

    TensorFlow's SAME puts the odd row below and the odd column to the right.
    """
    if node.attr["padding"].s == b"VALID":
        return (lambda x: x), (0, 0)
    if stride == (1, 1) and size[0] % 2 == size[1] % 2 == 1:
        return (lambda x: x), (size[0] // 2, size[1] // 2)

    def pad(x):
        sides = []
        for length, k, s in zip(x.shape[2:], size, stride, strict=True):
            total = max((-(-length // s) - 1) * s + k - length, 0)
            sides[:0] = [total // 2, total - total // 2]
        return functional.pad(x, sides, value=value)

    return pad, (0, 0)


def _conv(node, constants, layout):
    depthwise = node.op == "DepthwiseConv2dNative"
    order = (2, 3, 0, 1) if depthwise else (3, 2, 0, 1)
    weights = torch.as_tensor(constants[1].transpose(order).copy())
    groups = len(weights) if depthwise else 1
    weights = weights.contiguous(memory_format=layout)
    stride = _window(node, "strides")
    pad, padding = _padded(node, tuple(weights.shape[2:]), stride)
    bias = _bias(constants)
    return lambda x: functional.conv2d(pad(x), weights, bias, stride, padding, 1, groups)


def _bias(constants):
    return torch.as_tensor(constants[2].copy()) if len(constants) > 2 else None


def _max_pool(node, constants, layout):
    size, stride = _window(node, "ksize"), _window(node, "strides")
    pad, padding = _padded(node, size, stride, -torch.inf)
    return lambda x: functional.max_pool2d(pad(x), size, stride, padding)


def _avg_pool(node, constants, layout):
    size, stride = _window(node, "ksize"), _window(node, "strides")
    _, padding = _padded(node, size, stride)
    if node.attr["padding"].s == b"SAME" and padding == (0, 0):
        raise NotImplementedError(f"the padding of {node.name}")
    return lambda x: functional.avg_pool2d(x, size, stride, padding, count_include_pad=False)


def _bias_add(node, constants, layout):
    bias = torch.as_tensor(constants[1].copy())
    return lambda x: x + (bias[:, None, None] if x.ndim == 4 else bias)


def _elementwise(function):
    def prepare(node, constants, layout):
        given = [None if c is None else torch.tensor(c) for c in constants]
        for value in given:  # a vector lies along the channels
            if value is not None and value.ndim > 1:
                raise NotImplementedError(f"the constant of {node.name}")
        given = [g[:, None, None] if g is not None and g.ndim else g for g in given]

        def run(*values):
            rest = iter(values)
            return function(*(next(rest) if g is None else g for g in given))

        return run

    return prepare


def _concat(node, constants, layout):
    axis = NCHW[int(constants[-1])]
    return lambda *parts: torch.cat(parts, axis)


def _split(node, constants, layout):
    axis, count = NCHW[int(constants[0])], node.attr["num_split"].i
    return lambda x: tuple(torch.chunk(x, count, axis))


def _lrn(node, constants, layout):
    size = 2 * node.attr["depth_radius"].i + 1
    alpha, beta, bias = (node.attr[key].f for key in ("alpha", "beta", "bias"))
    # torch divides alpha by the size
    return lambda x: functional.local_response_norm(x, size, alpha * size, beta, bias)


def _mean(node, constants, layout):
    axes, keep = [NCHW[int(axis)] for axis in constants[1]], node.attr["keep_dims"].b
    return lambda x: x.mean(axes, keepdim=keep)


def _reshape(node, constants, layout):
    if len(constants) > 1 and len(constants[1]) == 4:  # the course's, to the shape that is there
        return lambda x: x
    # TensorFlow flattens height, width, channel
    return lambda x: x.permute(0, 2, 3, 1).reshape(x.shape[0], -1)


def _product(node, constants, layout):
    weights = torch.as_tensor(constants[1].T.copy())
    bias = _bias(constants)
    return lambda x: functional.linear(x, weights, bias)


def _reversed_channels(node, constants, layout):
    strides = constants[3]
    if list(strides) != [1, -1] or node.attr["ellipsis_mask"].i != 1:
        raise NotImplementedError(f"the slice of {node.name}")
    return lambda x: x.flip(1).contiguous(memory_format=layout)


def _same(node, constants, layout):
    return lambda x: x


OPS = {
    "Add": _elementwise(torch.add),
    "AddV2": _elementwise(torch.add),
    "AvgPool": _avg_pool,
    "BiasAdd": _bias_add,
    "ConcatV2": _concat,
    "Conv2D": _conv,
    "DepthwiseConv2dNative": _conv,
    "EnsureShape": _same,
    "Identity": _same,
    "LRN": _lrn,
    "MatMul": _product,
    "MaxPool": _max_pool,
    "Mean": _mean,
    "Mul": _elementwise(torch.mul),
    "RealDiv": _elementwise(torch.div),
    "Relu": lambda node, constants, layout: torch.relu,
    "Relu6": lambda node, constants, layout: functional.relu6,
    "Reshape": _reshape,
    "Split": _split,
    "StridedSlice": _reversed_channels,
    "Sub": _elementwise(torch.sub),
}
