"""What counted for the classes that mistaken photos were called, for the page."""

from __future__ import annotations

import os
from collections.abc import Mapping

from PIL import Image

from graphnets.classifier.explain import Explainer
from graphnets.classifier.options import InputOptions
from graphnets.errors import PhotoError
from graphnets.photos.overlay import heated
from graphnets.photos.thumbnails import thumbnail


def heats(
    graph: str | os.PathLike[str],
    labels: str | os.PathLike[str],
    output: str,
    called: Mapping[str, str],
    side: int,
) -> dict[str, Image.Image]:
    """A small picture of each photo with the heat (Grad-CAM) of the class that it was called.

    graph, labels: the files of the classifier, whose output has the name `output`. called: of each
    path the class. side: of the pictures, in pixels. Photos that are gone by now have none. Raises
    GraphnetsError for a graph that has no map to look at.
    """
    if not called:
        return {}
    explainer = Explainer(graph, labels, InputOptions(output_layer=output))
    numbers = [explainer.labels.index(label) for label in called.values()]
    found = {}
    for explanation in explainer.explain(list(called), numbers):
        if explanation.heat is None:
            continue
        try:
            photo = thumbnail(explanation.path, side)
        except PhotoError:
            continue
        found[explanation.path] = heated(photo, explanation.heat)
    return found
