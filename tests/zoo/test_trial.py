"""The faster precision is found by trying, and bits are given up only for speed."""

import pytest

from graphnets.networks import precision
from graphnets.zoo import architectures, trial


@pytest.fixture
def opened(monkeypatch, network):
    """A function that sets the processor's instructions, and opens a network with "auto"."""

    def open_with(*flags):
        processor = {"brand_raw": "Plain CPU", "flags": ["avx2", *flags]}
        monkeypatch.setattr(precision, "_processor", lambda: processor)
        monkeypatch.setattr(architectures, "_opened", lambda *_: network)
        return architectures.open_network("vgg16", "random", precision="auto")

    return open_with


def test_auto_is_float32_without_a_trial_where_there_is_no_bfloat16(opened, monkeypatch):
    monkeypatch.setattr(trial, "_trial", None)
    assert opened().precision == "float32"
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert opened("amx_bf16").precision == "float32"


@pytest.mark.parametrize(("seconds", "chosen"), [(1.2, "bfloat16"), (1.1, "float32")])
def test_auto_gives_up_bits_only_for_speed(opened, network, monkeypatch, seconds, chosen):
    taken = {"float32": seconds, "bfloat16": 1.0}
    monkeypatch.setattr(trial, "_trial", lambda _, name: lambda: taken[name])
    assert opened("avx512_bf16").precision == chosen
    assert network.precision == "float32"  # the network itself stays as it is


def test_a_trial_runs_the_network(network):
    run = trial._trial(network, "float32")
    assert 0 < run() < 10
