"""Pictures of how training went."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from graphnets.files import whole_file

MARKERS = "os^Dv"  # lines that run together, or lose their colour in print, stay apart


class Curve(NamedTuple):
    """Figures of the validation split after each of `steps`; accuracies are shares from 0 to 1."""

    steps: Sequence[int]
    losses: Sequence[float]
    accuracies: Sequence[float]


def validation_curves(curves: Mapping[str, Curve], path: str | os.PathLike[str]) -> None:
    """Write a PNG of {name: curve}: accuracy on the left, cross-entropy on the right.

    One line a name, in the order of the mapping. What is at `path` is replaced.
    """
    figure = Figure(figsize=(10, 4.2), dpi=120, layout="constrained")
    left, right = figure.subplots(1, 2)
    for number, (name, curve) in enumerate(curves.items()):
        style = {
            "label": name,
            "marker": MARKERS[number % len(MARKERS)],
            "markersize": 4,
            "markevery": max(1, len(curve.steps) // 10),
        }
        left.plot(curve.steps, [100 * share for share in curve.accuracies], **style)
        right.plot(curve.steps, curve.losses, **style)
    _label(left, "validation accuracy (%)")
    _label(right, "validation cross-entropy")
    right.set_ylim(bottom=0)
    if curves:
        left.legend(title="trained from")
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png")


def _label(axes: Axes, what: str) -> None:
    axes.set_xlabel("step")
    axes.set_ylabel(what)
    axes.grid(alpha=0.3)
