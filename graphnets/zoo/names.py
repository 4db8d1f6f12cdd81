"""The names of the classes that pretrained networks tell apart. TensorFlow is not imported."""

from __future__ import annotations

import csv
from pathlib import Path

from graphnets.errors import GraphnetsError

PACKAGE = Path(__file__).parent.parent
INSTALLED, CHECKOUT = PACKAGE / "names_data", PACKAGE.parent / "weights"  # see setup.py
FOLDERS = (INSTALLED, CHECKOUT)

INCEPTION_OUTPUTS = 1008  # ImageNet's 1000 are 1 to 1000


def imagenet_names() -> list[str]:
    """The 1000 classes of ILSVRC 2012 in the order of AlexNet's and VGG16's outputs.

    The order is that of the synsets' numbers, n01440764 first; a name is all the words of the
    synset in WordNet 3.0, "tench, Tinca tinca". Two classes are called "crane": 134, the bird, and
    517, the machine. Raises GraphnetsError if the file is not there.

    >>> graphnets.imagenet_names()[207]
    'golden retriever'
    """
    return [row["names"] for row in _rows("imagenet_classes.csv")]


def imagenet_names_behind_background() -> list[str]:
    """The same names behind a class 0 for none of them, as TF-Slim's networks have them: 1001."""
    return ["(background)", *imagenet_names()]


def inception_names() -> list[str]:
    """The same names in the order of the 1008 outputs of the Inception graph of 2015-12-05.

    Outputs 1 to 1000 have the challenge's own numbers (ILSVRC2012_ID of its development kit); 0
    and 1001 to 1007 mean nothing and are called "(unused 0)" and so on.
    Raises GraphnetsError if the file is not there.

    >>> names = graphnets.inception_names()
    >>> len(names), names[0]
    (1008, '(unused 0)')
    """
    names = [f"(unused {output})" for output in range(INCEPTION_OUTPUTS)]
    for row in _rows("imagenet_classes.csv"):
        names[int(row["inception_2015"])] = row["names"]
    return names


def sign_names() -> list[str]:
    """The 43 classes of the German traffic signs (GTSRB) by ClassId, as `jobs.signs.NAMES`.

    Raises GraphnetsError if the file is not there.

    >>> graphnets.sign_names()[14]
    'Stop'
    """
    return [row["SignName"] for row in _rows("signnames.csv")]


def _rows(name: str) -> list[dict[str, str]]:
    for folder in FOLDERS:
        if (folder / name).is_file():
            with open(folder / name, encoding="utf-8", newline="") as file:
                return list(csv.DictReader(file))
    places = " nor in ".join(str(folder) for folder in FOLDERS)
    raise GraphnetsError(f"{name} is neither in {places}; install graphnets again")
