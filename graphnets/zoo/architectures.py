"""Opening a network by its name."""

from __future__ import annotations

import os

from graphnets.errors import GraphnetsError, check_path, check_seed
from graphnets.files import sha256
from graphnets.networks import alexnet, inception, vgg16
from graphnets.networks.declared import Declared
from graphnets.networks.network import Network
from graphnets.networks.precision import AUTO, FLOAT32, PRECISIONS, check
from graphnets.weights.arrays import read_weights
from graphnets.weights.drawn import RANDOM, RandomWeights
from graphnets.weights.places import weight_file
from graphnets.zoo.trial import faster

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
    downloaded. precision: what it computes in, "float32", "bfloat16", or "auto": bfloat16 if it is
    measured to be faster here.
    Raises GraphnetsError for an unknown name, for bfloat16 where the processor lacks it, and for a
    file that is missing or of another kind.
    """
    if architecture not in ARCHITECTURES:
        wanted = ", ".join(ARCHITECTURES)
        raise GraphnetsError(f"no architecture {architecture!r}; wanted one of {wanted}")
    check(precision, (*PRECISIONS, AUTO))
    check_seed(seed)
    if weights is not None:
        check_path("weights", weights, "a file, 'random' or None")
    if model_dir is not None:
        check_path("model_dir", model_dir)
    network = _opened(architecture, weights, model_dir, seed)
    return network.computing_in(faster(network) if precision == AUTO else precision)


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
    path = weights or weight_file(architecture, model_dir)
    if declared is None:
        return inception.network(inception.inception_graph_def(path), sha256(path))
    return declared.network(read_weights(path), sha256(path))
