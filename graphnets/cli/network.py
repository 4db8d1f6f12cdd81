"""The network that the flags name, and what can be checked of it before TensorFlow's import."""

from __future__ import annotations

import os

from graphnets.errors import GraphnetsError
from graphnets.files import check_readable
from graphnets.networks.pictures import PictureOptions
from graphnets.networks.precision import AUTO, FLOAT32, PRECISIONS, check
from graphnets.photos.folders import TEXTS, check_class_count, class_files, is_table
from graphnets.storage import is_address

PICTURES = tuple(PictureOptions.__dataclass_fields__)
# The flags of a network; not all commands have the last.
NETWORK = ("architecture", "graph_file", "weights", "model_dir", *PICTURES, "precision")


def architecture(flags: dict) -> str:
    """The architecture that the flags name; a graph by itself is of none that is known."""
    return flags["architecture"] or ("graph" if flags["graph_file"] else "inception_v3")


def opened(flags: dict, seed: int = 0):
    """The network that the flags name; seed: of weights that are drawn."""
    from graphnets.zoo.architectures import open_network

    name, file = architecture(flags), flags["graph_file"] or flags["weights"]
    precision = flags.get("precision", FLOAT32)
    pictures = _pictures(flags) if name == "graph" else {}
    return open_network(name, file, flags["model_dir"], seed, precision, **pictures)


def inspected(flags: dict):
    """The network that the flags name, to be looked at: its pixels' range may be left open."""
    if architecture(flags) != "graph":
        return opened(flags)
    from graphnets.zoo.graphs import opened_graph

    return opened_graph(flags["graph_file"], PictureOptions(**_pictures(flags)), to_run=False)


def _pictures(flags: dict) -> dict:
    return {name: flags[name] for name in PICTURES if flags[name] not in (None, "", "RGB")}


def check_network(flags: dict) -> None:
    """Raise GraphnetsError if the flags that name the network contradict, or its file is missing.

    Like all checks before `quiet_tensorflow`, so that a mistake is told at once: the import takes
    seconds.
    """
    from graphnets.weights.drawn import RANDOM
    from graphnets.weights.formats import kind
    from graphnets.weights.places import mobilenet, weight_file

    name, graph, weights = architecture(flags), flags["graph_file"], flags["weights"]
    check(flags.get("precision", FLOAT32), (*PRECISIONS, AUTO))
    frozen = name in ("inception_v3", "graph") or bool(mobilenet(name))
    if graph and not frozen:
        raise GraphnetsError(f"--graph is for frozen graphs; {name} takes --weights")
    if weights and frozen:
        raise GraphnetsError(f"--weights is not for {name}; it takes --graph FILE.pb")
    if name != "graph" and (given := _pictures(flags)):
        raise GraphnetsError(
            f"{', '.join(f'--{flag}' for flag in given)} go with --architecture graph; {name} "
            "knows its pictures"
        )
    PictureOptions(**_pictures(flags))
    if graph:
        _check_graph_file(graph)
    elif name == "graph":
        raise GraphnetsError("--architecture graph wants --graph, a .pb or a SavedModel's folder")
    elif not weights:
        weight_file(name, flags["model_dir"])
    elif weights != RANDOM:
        kind(weights)


def _check_graph_file(graph: str) -> None:
    if graph.startswith(("http://", "https://")):
        raise GraphnetsError(
            f"{graph} is an address: download it with `curl -L '{graph}?tf-hub-format=compressed' "
            "-o module.tgz`, unpack that into a folder, and name the folder"
        )
    if not os.path.isdir(graph):
        check_readable(graph)


def check_photos(images: str, image_root: str | os.PathLike[str] | None, multi_label: bool) -> None:
    """Raise GraphnetsError if the folder has no classes of photos, or the table is not sound."""
    if is_table(images):
        if not is_address(images):
            check_readable(images)
        if images.lower().endswith(TEXTS):  # the others are large, or slow to begin with
            from graphnets.photos.tables import listed

            listed(images, image_root, multi_label)
        return
    classes = {label for label, _ in class_files(images)}
    check_class_count(len(classes))
