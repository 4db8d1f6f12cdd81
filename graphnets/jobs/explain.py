"""Photos to pictures of where a classifier sees their class."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from graphnets.classifier.explain import Explainer, Explanation
from graphnets.errors import PhotoError, shown
from graphnets.files import whole_file, writing
from graphnets.photos.overlay import captioned, over

LONGEST_NAME = 150  # bytes, of 255 that a file's name may have
QUALITY = 90


class Drawn(NamedTuple):
    """An explanation with the JPEG that shows it, and where in the photo its heat is largest.

    peak: x and y in pixels of the upright photo.
    """

    explanation: Explanation
    picture: Path | None = None
    peak: tuple[int, int] | None = None


def draw_explanations(
    explainer: Explainer, paths: Iterable[str], folder: Path, number: int | None = None
) -> Iterator[Drawn]:
    """Write NAME_grad_cam.jpg, or NAME_occlusion.jpg, into the folder for each photo, in order.

    number: of the class to look for; None for each photo's likeliest. No two photos of a call
    have the same picture, whatever their names; one of an earlier call is replaced.
    Raises GraphnetsError if a picture cannot be written.
    """
    method = "grad_cam" if explainer.layer else "occlusion"
    taken: set[str] = set()
    for explanation in explainer.explain(paths, number):
        heat = explanation.heat
        if heat is None:
            yield Drawn(explanation)
            continue
        try:
            photo = explainer.picture(explanation.path)
        except PhotoError as error:  # gone by now
            yield Drawn(Explanation(explanation.path, problem=str(error)))
            continue
        target = folder / f"{_free_name(explanation.path, method, taken)}.jpg"
        drawn = captioned(over(photo, heat), _caption(explainer.layer, explanation, heat))
        with writing(target), whole_file(target) as temporary:
            drawn.save(temporary, "JPEG", quality=QUALITY)
        yield Drawn(explanation, target, peak(heat, photo.shape))


def _free_name(path: str, method: str, taken: set[str]) -> str:
    stem = Path(path).stem
    while len(os.fsencode(stem)) > LONGEST_NAME:
        stem = stem[:-1]
    name, count = f"{stem}_{method}", 1
    while name.casefold() in taken:  # some disks take a.jpg and A.jpg for one
        count += 1
        name = f"{stem}_{count}_{method}"
    taken.add(name.casefold())
    return name


def _caption(layer: str, explanation: Explanation, heat: np.ndarray) -> str:
    what = f"{shown(explanation.label)} {_told(explanation.score)}"
    if layer:
        return f"{what}, Grad-CAM of {shown(layer)}"
    return f"{what}, falls by up to {_told(max(0, float(heat.max())))} where covered"


def _told(score: float) -> str:
    return f"{score:.3f}" if score >= 0.001 else "<0.001"


def peak(heat: np.ndarray, shape: tuple[int, ...]) -> tuple[int, int]:
    """x and y, in a photo of that (height, width), of the middle of the heat's largest place."""
    row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    return (
        int((column + 0.5) * shape[1] / heat.shape[1]),
        int((row + 0.5) * shape[0] / heat.shape[0]),
    )
