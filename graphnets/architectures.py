"""Opening a network by its name."""

from __future__ import annotations

import os

from graphnets import inception, vgg16
from graphnets.errors import GraphnetsError
from graphnets.files import sha256
from graphnets.network import Network
from graphnets.weights import FILES, NpzWeights, RandomWeights, default_file

RANDOM = "random"


def open_network(
    architecture: str = "inception_v3",
    weights: str | os.PathLike[str] | None = None,
    model_dir: str | os.PathLike[str] | None = None,
    seed: int = 0,
) -> Network:
    """The network "inception_v3" or "vgg16".

    weights: a frozen GraphDef (.pb) for Inception, an .npz for VGG16, "random" (seeded) for VGG16,
    or None for the file where `graphnets fetch` puts it. Nothing is downloaded.
    Raises GraphnetsError for an unknown name, and for a file that is missing or of another kind.
    """
    if architecture not in FILES:
        raise GraphnetsError(f"no architecture {architecture!r}; wanted one of {', '.join(FILES)}")
    if weights == RANDOM:
        if architecture != "vgg16":
            raise GraphnetsError("random weights are for vgg16; Inception comes from a .pb file")
        shapes = {layer.name: layer.parameter_shapes for layer in vgg16.layers()}
        drawn = RandomWeights({name: pair for name, pair in shapes.items() if pair}, seed)
        return vgg16.network(drawn, f"random {seed}")
    path = weights or default_file(architecture, model_dir)
    if architecture == "vgg16":
        return vgg16.network(NpzWeights(path), sha256(path))
    return inception.network(inception.inception_graph_def(path), sha256(path))
