"""Opening a network by its name."""

from __future__ import annotations

import os

from graphnets.errors import GraphnetsError
from graphnets.files import sha256
from graphnets.networks import alexnet, inception, vgg16
from graphnets.networks.declared import Declared
from graphnets.networks.precision import FLOAT32, check
from graphnets.networks.stack import Network
from graphnets.weights.arrays import RANDOM, RandomWeights, default_file, read_weights

DECLARED: dict[str, Declared] = {
    network.name: network for network in (vgg16.DECLARED, alexnet.CAFFE, alexnet.COURSE)
}
ARCHITECTURES = ("inception_v3", *DECLARED)


def open_network(
    architecture: str = "inception_v3",
    weights: str | os.PathLike[str] | None = None,
    model_dir: str | os.PathLike[str] | None = None,
    seed: int = 0,
    precision: str = FLOAT32,
) -> Network:
    """The network "inception_v3", "vgg16", "alexnet_caffe" or "alexnet" (the course's reading).

    weights: a frozen GraphDef (.pb) for Inception; .npz, .npy or .safetensors, or "random" (from
    the seed), for the others; or None for the file where `graphnets fetch` puts it. Nothing is
    downloaded. precision: what it computes in, see `Network.computing_in`.
    Raises GraphnetsError for an unknown name, for bfloat16 where the processor lacks it, and for a
    file that is missing or of another kind.
    """
    if architecture not in ARCHITECTURES:
        wanted = ", ".join(ARCHITECTURES)
        raise GraphnetsError(f"no architecture {architecture!r}; wanted one of {wanted}")
    check(precision)
    return _opened(architecture, weights, model_dir, seed).computing_in(precision)


def _opened(
    architecture: str,
    weights: str | os.PathLike[str] | None,
    model_dir: str | os.PathLike[str] | None,
    seed: int,
) -> Network:
    declared = DECLARED.get(architecture)
    if weights == RANDOM:
        if declared is None:
            raise GraphnetsError("random weights are not for Inception, which comes from a .pb")
        return declared.network(RandomWeights(declared.shapes(), seed), f"random {seed}")
    path = weights or default_file(architecture, model_dir)
    if declared is None:
        return inception.network(inception.inception_graph_def(path), sha256(path))
    return declared.network(read_weights(path), sha256(path))
