"""Runs of the tiny network: with one label a photo, with several, and with photos of no class."""

import pytest
from runs import LIMITS, unknown, write_run
from tiny import a_head

from graphnets.exports.run import read_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def run(folder):
    return read_run(folder, "final_result")


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    head = a_head()._replace(independent=True, thresholds=LIMITS)
    return read_run(write_run(tmp_path_factory.mktemp("several"), head), "final_result")


@pytest.fixture(scope="module")
def open_set(tmp_path_factory):
    head = a_head()._replace(unknown=unknown())
    return read_run(write_run(tmp_path_factory.mktemp("open"), head), "final_result")
