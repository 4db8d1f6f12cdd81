"""Classifying photos with a pretrained network itself: ImageNet's classes, no training."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.classifier.predict import in_batches
from graphnets.classifier.predictions import Prediction, predictions
from graphnets.errors import GraphnetsError
from graphnets.networks.network import Network
from graphnets.photos.folders import File, each_path
from graphnets.photos.reading import photo_reader
from graphnets.sessions import Session
from graphnets.zoo import names

NAMES: dict[int, Callable[[], list[str]]] = {
    1000: names.imagenet_names,
    1 + 1000: names.imagenet_names_behind_background,
    names.INCEPTION_OUTPUTS: names.inception_names,
}


class ImageNetClassifier:
    """A pretrained network with the names of its 1000 classes (1001 of TF-Slim, 1008 of 2015).

    labels: the name of each output, in their order.
    Raises GraphnetsError if the network's weights do not reach its last layer, or if it has
    another number of outputs.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        with tf.Graph().as_default() as graph:
            self._session = Session(graph=graph)
            read = photo_reader(self._session, network.size)
            self._read = lambda path: read(os.fspath(path))
            self._photos = tf.placeholder(tf.float32, [None, *network.size, 3])
            self._scores = _probabilities(network, self._photos)
            self.labels = NAMES[int(self._scores.shape[1])]()
            self._session.run(tf.global_variables_initializer())

    def scores(self, path: File) -> np.ndarray:
        """float32 (classes,) of one photo, each 0 to 1. Raises PhotoError if it cannot be read."""
        return self._run(self._read(path))[0]

    def _run(self, photos: np.ndarray) -> np.ndarray:
        """float32 (n, classes) of photos (n, height, width, 3)."""
        return self._network.run(self._session, [self._scores], self._photos, photos)[0]

    def predict(self, paths: File | Iterable[File], top_k: int = 5) -> Iterator[Prediction]:
        """A prediction for each file, in order; one that cannot be read says why.

        See `Classifier.predict`.
        """
        results = in_batches(each_path(paths), self._read, self._run, self.scores)
        return predictions(results, self.labels, top_k)


def _probabilities(network: Network, photos: tf.Tensor) -> tf.Tensor:
    """Add the network to the default graph; float32 (n, 1000), or 1001, or 1008."""
    output = network.output
    if not output:
        raise GraphnetsError(
            f"{network.name} ends in no softmax behind its classifier, so it names no classes; "
            "train one on its features with `graphnets retrain`"
        )
    try:
        scores = network.build(photos, [output])[output]
    except GraphnetsError as error:
        raise GraphnetsError(
            f"classify needs the weights of all layers of {network.name}: `graphnets fetch --list` "
            "tells where to download a full file, `graphnets fetch NAME --file FILE` puts it in "
            f"place ({error})"
        ) from None
    if scores.shape.rank != 2 or scores.shape.as_list()[1] not in NAMES:
        wanted = " or ".join(str(count) for count in NAMES)
        raise GraphnetsError(
            f"the endpoint {output!r} of {network.name} is {scores.shape}, wanted (n, {wanted}), "
            "ImageNet's classes; a classifier of your own is for `graphnets predict`"
        )
    return scores
