"""What networks compute in; no processor without bfloat16 may be asked for it."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from graphnets.errors import GraphnetsError
from graphnets.features.bottlenecks import Bottlenecks
from graphnets.networks import precision
from graphnets.photos.listing import scan

PLAIN = {"brand_raw": "Plain CPU", "flags": ["avx2", "fma"]}


@pytest.fixture
def processor(monkeypatch):
    """A function that sets the instructions that the processor seems to have."""
    return lambda *flags: monkeypatch.setattr(
        precision, "_processor", lambda: {**PLAIN, "flags": ["avx2", *flags]}
    )


@pytest.mark.parametrize(
    ("flags", "has"),
    [((), False), (("avx512f",), False), (("avx512_bf16",), True), (("amx_bf16",), True)],
)
def test_which_processors_have_it(processor, flags, has):
    processor(*flags)
    assert (precision.no_bfloat16() == "") is has


def test_the_real_processor_is_named():
    assert precision._processor()["brand_raw"] and "flags" in precision._processor()


def test_bfloat16_is_refused_where_the_processor_lacks_it(processor, network):
    processor()
    with pytest.raises(GraphnetsError) as error:
        network.computing_in("bfloat16")
    assert str(error.value) == (
        "the processor, Plain CPU, does not have bfloat16 (the instructions amx_bf16 or "
        "avx512_bf16); use --precision float32"
    )
    with pytest.raises(GraphnetsError, match="does not have bfloat16"):
        precision.session_config("bfloat16")


def test_bfloat16_is_refused_where_onednn_is_off(processor, network, monkeypatch):
    processor("amx_bf16")
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    with pytest.raises(GraphnetsError) as error:
        network.computing_in("bfloat16")
    assert str(error.value) == (
        "bfloat16 needs oneDNN, which TF_ENABLE_ONEDNN_OPTS turns off; use --precision float32"
    )


@pytest.mark.parametrize("name", ["int8", "auto"])
def test_an_unknown_precision_is_refused_and_finding_one_is_not_the_networks_job(network, name):
    with pytest.raises(GraphnetsError) as error:
        network.computing_in(name)
    assert str(error.value) == f"no precision {name!r}; wanted one of float32, bfloat16, float16"
    with pytest.raises(GraphnetsError, match=f"no precision '{name}'"):
        precision.session_config(name)


def test_float16_is_for_a_gpu(network, monkeypatch):
    wanted = "^float16 needs a GPU, and there is none; use --precision float32$"
    with pytest.raises(GraphnetsError, match=wanted):
        precision.session_config("float16")
    monkeypatch.setattr(precision.devices, "used", lambda: "a card")
    assert network.computing_in("float16").precision == "float16"
    rewrite = precision.session_config("float16").graph_options.rewrite_options
    assert rewrite.auto_mixed_precision == rewrite.ON
    assert rewrite.auto_mixed_precision_onednn_bfloat16 == rewrite.DEFAULT


@pytest.fixture
def bfloat16(processor, network):
    """The small network in bfloat16, which TensorFlow emulates where the processor lacks it."""
    processor("avx512_bf16")
    return network.computing_in("bfloat16")


def test_features_differ_a_little_and_are_stored_apart(bfloat16, network, photo_folder, tmp_path):
    photos = scan(photo_folder)
    found = []
    for one in (network, bfloat16):
        store = Bottlenecks(one, "conv2", tmp_path / "store")
        assert len(store.missing(photos)) == 60
        store.add(photos)
        found.append(store.read(photos))
    assert found[1].dtype == np.float32
    share = np.abs(found[0] - found[1]).max() / np.abs(found[0]).max()
    assert 1e-5 < share < 0.02
    assert len(list((tmp_path / "store").iterdir())) == 2


def test_what_was_tuned_computes_as_before(bfloat16):
    W = bfloat16.parameter("conv2/W")
    assert bfloat16.tuned({"conv2/W": W + 1}).precision == "bfloat16"


def test_variables_stay_float32_and_gradients_flow(bfloat16):
    with tf.Graph().as_default(), bfloat16.session() as session:
        x = tf.constant(np.random.default_rng(0).uniform(0, 255, (4, 16, 16, 3)), tf.float32)
        y = bfloat16.build(x, ["conv2"], trainable=["conv2"])["conv2"]
        loss = tf.reduce_mean(y)
        step = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
        session.run(tf.global_variables_initializer())
        before = session.run(loss)
        session.run(step)
        assert session.run(loss) < before
        assert all(v.dtype.base_dtype == tf.float32 for v in tf.trainable_variables())


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="oneDNN is x86's here")
@pytest.mark.parametrize(("setting", "on"), [("0", False), ("1", True)])
def test_onednn_is_what_tensorflow_decided_when_it_was_loaded(setting, on):
    code = """
        import os, tensorflow
        os.environ["TF_ENABLE_ONEDNN_OPTS"] = "x"  # too late
        from graphnets.networks.precision import onednn
        print(onednn())
    """
    found = subprocess.run(
        [sys.executable, "-c", "\n".join(line.strip() for line in code.splitlines())],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": setting},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == str(on)
