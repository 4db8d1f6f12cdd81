"""Opening a network by its name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from graphnets.errors import GraphnetsError, check_path, check_seed
from graphnets.files import sha256
from graphnets.networks import alexnet, efficientnet, inception, vgg16
from graphnets.networks.declared import Declared
from graphnets.networks.network import Network, Opening
from graphnets.networks.pictures import PictureOptions, Pictures
from graphnets.networks.precision import AUTO, FLOAT32, PRECISIONS, check
from graphnets.weights.arrays import read_weights
from graphnets.weights.drawn import RANDOM, RandomWeights
from graphnets.weights.places import MOBILENETS, mobilenet, weight_file
from graphnets.zoo.graphs import opened_graph, opened_mobilenet
from graphnets.zoo.trial import faster

if TYPE_CHECKING:
    from typing_extensions import Unpack

GRAPH = "graph"  # any frozen graph or SavedModel
DECLARED: dict[str, Declared] = {
    network.name: network
    for network in (
        vgg16.DECLARED,
        alexnet.CAFFE,
        alexnet.COURSE,
        efficientnet.LITE0,
        efficientnet.LITE2,
    )
}
ARCHITECTURES = ("inception_v3", *DECLARED, GRAPH)


def open_network(
    architecture: str = "inception_v3",
    weights: str | os.PathLike[str] | None = None,
    model_dir: str | os.PathLike[str] | None = None,
    seed: int = 0,
    precision: str = FLOAT32,
    **pictures: Unpack[Pictures],
) -> Network:
    """The network "inception_v3", "vgg16", "alexnet_caffe", "alexnet" (the course's reading) ...

    "efficientnet_lite0", "efficientnet_lite2", or "graph": any frozen graph or SavedModel that
    takes pictures.
    weights: a frozen GraphDef (.pb) for Inception; that or the folder of a SavedModel for "graph";
    .npz, .npy or .safetensors, or "random" (from the seed), for the others; or None for the file
    where `graphnets fetch` puts it. Nothing is downloaded. precision: what it computes in,
    "float32", "bfloat16", or "auto": bfloat16 if it is measured to be faster here.
    pictures: what a "graph" does not tell of the pictures that it takes, as `PictureOptions`
    explains it: input_layer, input_height, input_width, input_mean, input_std, input_channels,
    signature.
    Raises GraphnetsError for an unknown name, for bfloat16 where the processor lacks it, for a
    file that is missing or of another kind, and where a graph leaves open what it takes.

    >>> network = graphnets.open_network("efficientnet_lite0", "random")
    >>> network.size, network.default_endpoint, network.layers()[-3].name
    ((224, 224), 'pool', 'pool')
    """
    small = mobilenet(architecture)
    if architecture not in ARCHITECTURES and not small:
        wanted = ", ".join((*ARCHITECTURES, MOBILENETS))
        raise GraphnetsError(f"no architecture {architecture!r}; wanted one of {wanted}")
    check(precision, (*PRECISIONS, AUTO))
    check_seed(seed)
    if weights is not None:
        check_path("weights", weights, "a file, 'random' or None")
    if model_dir is not None:
        check_path("model_dir", model_dir)
    if architecture == GRAPH:
        network = opened_graph(weights, PictureOptions(**pictures))
    elif pictures:
        raise GraphnetsError(
            f"{', '.join(pictures)} go with the architecture 'graph'; {architecture} knows its "
            "pictures"
        )
    elif small:
        network = opened_mobilenet(small, weights or weight_file(small, model_dir))
    else:
        network = _opened(architecture, weights or weight_file(architecture, model_dir), seed)
    file = weights or weight_file(small or architecture, model_dir)
    place = RANDOM if weights == RANDOM else os.path.abspath(file)
    network.opening = Opening(architecture, place, seed, tuple(pictures.items()))
    return network.computing_in(faster(network) if precision == AUTO else precision)


def _opened(architecture: str, weights: str | os.PathLike[str], seed: int) -> Network:
    declared = DECLARED.get(architecture)
    if weights == RANDOM:
        if declared is None:
            raise GraphnetsError("random weights are not for Inception, which comes from a .pb")
        return declared.network(RandomWeights(declared.shapes(), seed), f"random {seed}")
    if declared is None:
        return inception.network(inception.inception_graph_def(weights), sha256(weights))
    return declared.network(read_weights(weights), sha256(weights))
