"""What a graph does not tell of the pictures that it takes; the names are label_image.py's.

Neither TensorFlow nor NumPy here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TypedDict, cast

from graphnets.errors import GraphnetsError, check_kind, check_whole, refused

CHANNELS = ("RGB", "BGR")
Scale = float | str | Sequence[float] | None


class Pictures(TypedDict, total=False):
    """The fields of `PictureOptions`, by name; any may be left out."""

    input_layer: str
    input_height: int | None
    input_width: int | None
    input_mean: Scale
    input_std: Scale
    input_channels: str
    signature: str


@dataclass(frozen=True)
class PictureOptions:
    """How pictures enter a graph, where it does not tell.

    input_layer: the tensor that takes float32 pictures (n, height, width, 3), "" for the one that
    does. input_height and input_width: their size in pixels. What is fed is (pixel - input_mean) /
    input_std with pixels from 0 to 255; either is a number, or three, one for each channel as the
    graph takes them ("103.939,116.779,123.68" or a sequence). input_channels: the order of the
    channels, "RGB" or "BGR". signature: that of a SavedModel, "" for the one it serves.

    Raises GraphnetsError for what cannot be one.
    """

    input_layer: str = ""
    input_height: int | None = None
    input_width: int | None = None
    input_mean: Scale = None
    input_std: Scale = None
    input_channels: str = "RGB"
    signature: str = ""

    def __post_init__(self) -> None:
        for name in ("input_layer", "signature"):
            check_kind(name, getattr(self, name), str, "a name")
        for name in ("input_height", "input_width"):
            if getattr(self, name) is not None:
                check_whole(name, getattr(self, name), 1)
        if self.input_channels not in CHANNELS:
            raise refused("input_channels", self.input_channels, "RGB or BGR")
        if (self.input_mean is None) != (self.input_std is None):
            raise GraphnetsError(
                "got one of input_mean and input_std; wanted both: pixels become (pixel - mean) / "
                "std"
            )
        std = self.mean and self.std  # either raises for what is none
        if std and 0 in std:
            raise GraphnetsError("input_std is 0, and the pixels are divided by it")

    @property
    def mean(self) -> tuple[float, ...] | None:
        """input_mean as one number or three; None where it is not given."""
        return _numbers("input_mean", self.input_mean)

    @property
    def std(self) -> tuple[float, ...] | None:
        """input_std as one number or three; None where it is not given."""
        return _numbers("input_std", self.input_std)


def _numbers(name: str, value: Scale) -> tuple[float, ...] | None:
    if value is None:
        return None
    try:
        if isinstance(value, Real):
            found: tuple[float, ...] = (float(value),)
        else:
            parts = value.split(",") if isinstance(value, str) else cast(Sequence[float], value)
            found = tuple(float(part) for part in parts)
    except (TypeError, ValueError):
        found = ()
    if len(found) not in (1, 3) or not all(map(math.isfinite, found)):
        raise refused(name, value, "a number, or three with commas between")
    return found
