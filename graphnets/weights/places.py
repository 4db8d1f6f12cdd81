"""Where weight files lie."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from graphnets.errors import GraphnetsError, check_path

FILES = {
    "inception_v3": "classify_image_graph_def.pb",
    "vgg16": "vgg16.npz",
    "alexnet": "bvlc_alexnet.npz",
    "alexnet_caffe": "bvlc_alexnet.npz",  # the same weights, read in another way
    "efficientnet_lite0": "efficientnet_lite0.npz",
    "efficientnet_lite2": "efficientnet_lite2.npz",
}

# retrain.py's names: share of the channels, size of the pictures.
MOBILENET = re.compile(r"mobilenet(?:_v1)?_(1\.0|0\.75|0\.50|0\.25)_(224|192|160|128)")
MOBILENETS = "mobilenet_v1_SHARE_SIZE (1.0, 0.75, 0.50 or 0.25; 224, 192, 160 or 128)"


def mobilenet(architecture: str) -> str:
    """The full name of a MobileNet v1: "mobilenet_1.0_224" is mobilenet_v1_1.0_224; "": none.

    Raises GraphnetsError for a quantized one.
    """
    name = str(architecture)
    if name.startswith("mobilenet") and name.endswith("_quantized"):
        raise GraphnetsError(
            f"{name} computes in 8 bits, from which nothing trains on; take "
            f"{name.removesuffix('_quantized')}"
        )
    found = MOBILENET.fullmatch(name)
    return f"mobilenet_v1_{found[1]}_{found[2]}" if found else ""


def file_name(architecture: str) -> str:
    """The name of an architecture's weight file. Raises GraphnetsError if it is unknown."""
    if name := mobilenet(architecture):
        return f"{name}_frozen.pb"
    if architecture not in list(FILES):
        raise GraphnetsError(
            f"no architecture {architecture!r}; wanted one of {', '.join(FILES)}, {MOBILENETS}"
        )
    return FILES[architecture]


def model_dir() -> Path:
    """Where weight files lie unless told otherwise: $GRAPHNETS_MODEL_DIR or the user's cache."""
    import platformdirs

    return Path(os.environ.get("GRAPHNETS_MODEL_DIR") or platformdirs.user_cache_dir("graphnets"))


def fetched_as(architecture: str) -> str:
    """The name under which `graphnets fetch` knows the architecture's file."""
    file = file_name(architecture)
    return next((name for name, known in FILES.items() if known == file), mobilenet(architecture))


def fetch_command(architecture: str, folder: str | os.PathLike[str] | None = None) -> str:
    """What to type to get the architecture's weights into the folder (None: the usual one)."""
    usual = folder is None or Path(folder) == model_dir()
    option = "" if usual else f" --model_dir {shlex.quote(str(folder))}"
    return f"graphnets fetch {fetched_as(architecture)}{option}"


def weight_file(architecture: str, folder: str | os.PathLike[str] | None = None) -> Path:
    """Where `graphnets fetch` puts the architecture's weights.

    Raises GraphnetsError for an unknown architecture, and with the command to run if they are not
    there.

    >>> graphnets.weight_file("inception_v3").name
    'classify_image_graph_def.pb'
    """
    file = file_name(architecture)
    if folder is not None:
        check_path("the folder of weights", folder)
    path = Path(folder or model_dir()) / file
    if not path.exists():
        raise GraphnetsError(
            f"the weights of {architecture} are not at {path}; get them with "
            f"`{fetch_command(architecture, folder)}`"
        )
    return path
