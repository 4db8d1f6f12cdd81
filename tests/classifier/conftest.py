"""The tiny network's classifier, exported."""

import pytest
from tiny import LABELS, a_head, tiny_network

from graphnets.classifier import export
from graphnets.classifier.predict import Classifier


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A folder with an exported graph and its labels."""
    folder = tmp_path_factory.mktemp("own")
    graph_def = export.classifier_graph_def(tiny_network(), ["conv2"], a_head())
    export.write_graph(folder / "graph.pb", graph_def)
    export.write_labels(folder / "labels.txt", LABELS)
    return folder


@pytest.fixture(scope="module")
def classifier(own):
    return Classifier(own / "graph.pb", own / "labels.txt")
