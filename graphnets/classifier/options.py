"""The names of a classifier's ends, how photos enter another tool's graph, and what parts are like.

Neither TensorFlow nor NumPy here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real

from graphnets.errors import GraphnetsError, check_flag, check_kind, check_whole, refused

INPUT, OUTPUT = "DecodeJPGInput", "final_result"  # names of retrain.py and label_image.py
PART_FORMATS = ("jsonl", "parquet")
# A TensorFlow-free copy of `reading.BATCH`; a test compares it.
BATCH = 16


@dataclass(frozen=True)
class InputOptions:
    """How photos enter another tool's graph; the names are label_image's.

    An input of strings takes the photo's bytes. Any other takes float32
    (1, height, width, 3), (pixel - input_mean) / input_std with pixels from 0 to 255; height and
    width are read off the graph where it tells them. At a placeholder, mean and std are 0 and 255
    (None); a tensor that the graph computes, such as retrain.py's `Mul`, wants both given.
    Such a graph runs on batches if its input and its output leave the first dimension free.

    >>> options = graphnets.InputOptions("Mul", input_mean=128, input_std=128)  # of retrain.py
    >>> options.output_layer
    'final_result'
    """

    input_layer: str = INPUT
    output_layer: str = OUTPUT
    input_height: int | None = None
    input_width: int | None = None
    input_mean: float | None = None
    input_std: float | None = None

    def __post_init__(self) -> None:
        for name in ("input_layer", "output_layer"):
            check_kind(name, getattr(self, name), str, "the name of a tensor")
        for name in ("input_height", "input_width"):
            if getattr(self, name) is not None:
                check_whole(name, getattr(self, name), 1)
        for name in ("input_mean", "input_std"):
            value = getattr(self, name)
            if value is None:
                continue
            check_kind(name, value, Real, "a number")
            if not math.isfinite(value):
                raise GraphnetsError(f"{name} is {value}, wanted a finite number")
        if self.input_std == 0:
            raise GraphnetsError("input_std is 0, and the pixels are divided by it")


@dataclass(frozen=True)
class PartOptions:
    """What the parts of `graphnets.predict_parts` are like.

    top_k: classes to name, 1 or more. part_size: photos of a part, whole batches, a multiple of 16:
    the scores are then those of one run to the bit. part_format: "jsonl" or "parquet". resume: keep
    the parts that are there, and refuse a folder with those of another job; else they are replaced.

    >>> graphnets.PartOptions(top_k=1, part_format="parquet").part_size
    1024
    """

    top_k: int = 5
    part_size: int = 1024
    part_format: str = PART_FORMATS[0]
    resume: bool = True

    def __post_init__(self) -> None:
        check_whole("top_k", self.top_k, 1)
        if check_whole("part_size", self.part_size, BATCH) % BATCH:
            raise GraphnetsError(
                f"part_size is {self.part_size}, wanted a multiple of {BATCH}, the photos of a "
                "batch"
            )
        if self.part_format not in PART_FORMATS:
            raise refused("part_format", self.part_format, " or ".join(map(repr, PART_FORMATS)))
        check_flag("resume", self.resume)
