"""Pictures of how training went."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from graphnets.files import whole_file

MARKERS = "os^Dv"  # lines that run together, or lose their colour in print, stay apart
ACCURACY, LOSS = "accuracy (%)", "cross-entropy"
INK = "#010203"  # a page has its own, which is light on dark for some
STYLE: dict[Any, object] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "graphnets",  # equal figures are equal files
    "font.family": "sans-serif",
    "font.size": 11,
    **{
        f"{part}color": INK
        for part in ("text.", "axes.label", "axes.edge", "xtick.", "ytick.", "grid.")
    },
}


class Curve(NamedTuple):
    """Figures of the validation split after each of `steps`; accuracies are shares from 0 to 1."""

    steps: Sequence[int]
    losses: Sequence[float]
    accuracies: Sequence[float]


def validation_curves(curves: Mapping[str, Curve], path: str | os.PathLike[str]) -> None:
    """Write a PNG of {name: curve}: accuracy on the left, cross-entropy on the right.

    One line a name, in the order of the mapping. What is at `path` is replaced.
    """
    with whole_file(path) as temporary:
        _compared(curves).savefig(temporary, format="png", dpi=120)


def comparison(curves: Mapping[str, Curve]) -> str:
    """The same as two SVGs for a page."""
    return "".join(_svg(partial(_compare, place, curves)) for place in (ACCURACY, LOSS))


def training_curves(points: pd.DataFrame, kept: int | None) -> str:
    """SVGs of accuracy and cross-entropy of both splits, with the step that was kept.

    points: step, split ("train", "validation"), loss and accuracy (0 to 1).
    """

    def draw(place: str, axes: Axes) -> None:
        for split, own in points.groupby("split"):
            figures = 100 * own.accuracy if place == ACCURACY else own.loss
            axes.plot(own.step, figures, label=split, linewidth=1 if split == "train" else 2)
        if kept is not None:
            axes.axvline(kept, color=INK, linestyle=":", label=f"kept: step {kept}")
        _label(axes, place)
        axes.legend(framealpha=0)

    return "".join(_svg(partial(draw, place)) for place in (ACCURACY, LOSS))


def reliability(bins: Sequence[Mapping[str, float]]) -> str:
    """An SVG of how many photos were right (0 to 1) whose score was about so high."""

    def draw(axes: Axes) -> None:
        axes.plot([0, 100], [0, 100], color=INK, linestyle=":")
        most = max(row["count"] for row in bins)
        axes.scatter(
            [100 * row["score"] for row in bins],
            [100 * row["right"] for row in bins],
            [20 + 180 * row["count"] / most for row in bins],
        )
        _label(axes, "were right (%)", "score (%)")

    return _svg(draw)


def _compared(curves: Mapping[str, Curve]) -> Figure:
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    _compare(ACCURACY, curves, left)
    _compare(LOSS, curves, right)
    return figure


def _compare(place: str, curves: Mapping[str, Curve], axes: Axes) -> None:
    for number, (name, curve) in enumerate(curves.items()):
        figures = [100 * share for share in curve.accuracies] if place == ACCURACY else curve.losses
        axes.plot(
            curve.steps,
            figures,
            label=name.replace("$", r"\$"),  # which would begin a formula
            marker=MARKERS[number % len(MARKERS)],
            markersize=4,
            markevery=max(1, len(curve.steps) // 10),
        )
    _label(axes, f"validation {place}")
    if curves and place == ACCURACY:
        axes.legend(title="trained from", framealpha=0)


def _label(axes: Axes, y: str, x: str = "step") -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.3)
    if y.endswith(LOSS):
        axes.set_ylim(bottom=0)


def _svg(draw: Callable[[Axes], None]) -> str:
    """An <svg> in the colours of the page that it is put into."""
    text = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(5, 4), layout="constrained")
        draw(figure.subplots())
        figure.savefig(text, format="svg", transparent=True, metadata=nothing)
    svg = text.getvalue()
    return svg[svg.index("<svg") :].replace(INK, "currentColor")
