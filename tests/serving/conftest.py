"""A client of a server with the tiny classifier."""

from contextlib import contextmanager

import pytest
from served import Client, classifier_in, write_classifier

from graphnets.serving.app import serving_app
from graphnets.serving.options import ServeOptions


@pytest.fixture(scope="session")
def classifier(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    write_classifier(folder)
    return classifier_in(folder)


@contextmanager
def asking(classifier, **options):
    client = Client(serving_app(classifier, ServeOptions(**options)))
    try:
        yield client
    finally:
        client.stop()


@pytest.fixture
def ask(classifier):
    """A client of a server."""
    with asking(classifier) as client:
        yield client


@pytest.fixture
def ask_with():
    """ask_with(classifier, **options) as ask: a client of a server with other limits."""
    return asking
