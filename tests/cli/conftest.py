"""`graphnets predict` with the tiny network's classifier."""

import pytest
from click.testing import CliRunner
from tiny import LABELS, a_head, tiny_network

from graphnets.classifier import export
from graphnets.cli.commands import main


@pytest.fixture(scope="session")
def exported():
    """The flags of the tiny network's classifier with a head, written to a folder."""

    def exported(folder, head):
        graph_def = export.classifier_graph_def(tiny_network(), ["conv2"], head)
        export.write_graph(folder / "graph.pb", graph_def)
        export.write_labels(folder / "labels.txt", LABELS)
        return ["--graph", str(folder / "graph.pb"), "--labels", str(folder / "labels.txt")]

    return exported


@pytest.fixture(scope="module")
def flags(tmp_path_factory, exported):
    return exported(tmp_path_factory.mktemp("own"), a_head())


@pytest.fixture
def predict(flags):
    def predict(*more, expect=0):
        result = CliRunner().invoke(main, ["predict", *flags, *map(str, more)])
        assert result.exit_code == expect, result.output
        return result

    return predict
