"""Layouts of named arrays that are not `layer/W`, `layer/b`: Frossard's VGG16, PyTorch's."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphnets.errors import GraphnetsError

Read = Callable[[str], Any]


def from_frossards(names: Sequence[str], read: Read) -> tuple[Sequence[str], Read]:
    """Names and reader of `vgg16_weights.npz`, conv1_1_W to fc8_b, as `layer/W` and `layer/b`.

    His graph is fed red, green, blue, less the means of ImageNet; the first filters come in the
    order blue, green, red, which all other files of VGG16 have. Other files stay as they are.
    """
    if "conv1_1_W" not in names or any("/" in name for name in names):
        return names, read
    given = {f"{n[:-2]}/{n[-1]}" if n.endswith(("_W", "_b")) else n: n for n in names}

    def renamed(name: str) -> np.ndarray:
        array = np.asarray(read(given[name]))
        turned = name == "conv1_1/W" and array.ndim == 4
        return np.ascontiguousarray(array[:, :, ::-1]) if turned else array

    return list(given), renamed


def refuse_pytorchs(path: str | os.PathLike[str], names: Sequence[str]) -> None:
    """Raise GraphnetsError for a state dict of torchvision, also a .pth, with what to do.

    Its networks want pixels from 0 to 1, red, green, blue, less other means and divided. Folding
    that into conv1 would not be exact: it pads with zeros, which are another colour there.
    """
    if any(n.startswith(("features.", "classifier.")) or n.endswith("/data.pkl") for n in names):
        raise GraphnetsError(
            f"{path} is a state dict of PyTorch, whose VGG16 and AlexNet were trained on pixels "
            "from 0 to 1 with other means, which the preprocessing here does not give; wanted the "
            "original weights, as `graphnets fetch vgg16` and `graphnets fetch alexnet` get them"
        )
