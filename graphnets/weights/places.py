"""Where weight files lie."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from graphnets.errors import GraphnetsError, check_path

FILES = {
    "inception_v3": "classify_image_graph_def.pb",
    "vgg16": "vgg16.npz",
    "alexnet": "bvlc_alexnet.npz",
    "alexnet_caffe": "bvlc_alexnet.npz",  # the same weights, read in another way
}


def model_dir() -> Path:
    """Where weight files lie unless told otherwise: $GRAPHNETS_MODEL_DIR or the user's cache."""
    import platformdirs

    return Path(os.environ.get("GRAPHNETS_MODEL_DIR") or platformdirs.user_cache_dir("graphnets"))


def fetched_as(architecture: str) -> str:
    """The name under which `graphnets fetch` knows the architecture's file."""
    return next(name for name, file in FILES.items() if file == FILES[architecture])


def fetch_command(architecture: str, folder: str | os.PathLike[str] | None = None) -> str:
    """What to type to get the architecture's weights into the folder (None: the usual one)."""
    usual = folder is None or Path(folder) == model_dir()
    option = "" if usual else f" --model_dir {shlex.quote(str(folder))}"
    return f"graphnets fetch {fetched_as(architecture)}{option}"


def weight_file(architecture: str, folder: str | os.PathLike[str] | None = None) -> Path:
    """Where `graphnets fetch` puts the architecture's weights.

    Raises GraphnetsError for an unknown architecture, and with the command to run if they are not
    there.
    """
    if architecture not in list(FILES):
        raise GraphnetsError(f"no architecture {architecture!r}; wanted one of {', '.join(FILES)}")
    if folder is not None:
        check_path("the folder of weights", folder)
    path = Path(folder or model_dir()) / FILES[architecture]
    if not path.exists():
        raise GraphnetsError(
            f"the weights of {architecture} are not at {path}; get them with "
            f"`{fetch_command(architecture, folder)}`"
        )
    return path
