"""The network that the flags name, and what can be checked of it before TensorFlow's import."""

from __future__ import annotations

from graphnets.errors import GraphnetsError
from graphnets.files import check_readable
from graphnets.networks.precision import AUTO, FLOAT32, PRECISIONS, check
from graphnets.photos.folders import check_class_count, class_files

# The flags of a network; not all commands have the last.
NETWORK = ("architecture", "graph_file", "weights", "model_dir", "precision")


def opened(flags: dict, seed: int = 0):
    """The network that the flags name; seed: of weights that are drawn."""
    from graphnets.zoo.architectures import open_network

    architecture, graph, weights, model_dir = (flags[name] for name in NETWORK[:-1])
    precision = flags.get("precision", FLOAT32)
    return open_network(architecture, graph or weights, model_dir, seed, precision)


def check_network(flags: dict) -> None:
    """Raise GraphnetsError if the flags that name the network contradict, or its file is missing.

    Like all checks before `quiet_tensorflow`, so that a mistake is told at once: the import takes
    seconds.
    """
    from graphnets.weights.drawn import RANDOM
    from graphnets.weights.formats import kind
    from graphnets.weights.places import weight_file

    architecture, graph, weights, model_dir = (flags[name] for name in NETWORK[:-1])
    check(flags.get("precision", FLOAT32), (*PRECISIONS, AUTO))
    if graph and architecture != "inception_v3":
        raise GraphnetsError(f"--graph is for inception_v3; {architecture} takes --weights")
    if weights and architecture == "inception_v3":
        raise GraphnetsError("--weights is not for inception_v3; it takes --graph FILE.pb")
    if graph:
        check_readable(graph)
    elif not weights:
        weight_file(architecture, model_dir)
    elif weights != RANDOM:
        kind(weights)


def check_photos(image_dir: str) -> None:
    """Raise GraphnetsError if the folder has no classes of photos."""
    classes = {label for label, _ in class_files(image_dir)}
    check_class_count(len(classes))
