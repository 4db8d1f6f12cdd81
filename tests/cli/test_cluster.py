"""What --cluster is, and is not, before Ray is started."""

import sys
import warnings
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from graphnets.cli.commands import main
from graphnets.errors import GraphnetsError
from graphnets.ray_workers import check_address, on_ray


@pytest.mark.parametrize("address", ["", "spark", "ray://", "ray://host", "ray://:1", "RAY"])
def test_other_addresses_are_refused(address):
    with pytest.raises(GraphnetsError, match=f"cluster is '{address}', wanted 'ray', 'ray://lo"):
        check_address(address)
    if address:
        result = CliRunner().invoke(main, ["extract", "--image_dir", "x", "--cluster", address])
        assert f"cluster is '{address}', wanted" in result.output


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"num_cpus": -1}, "num_cpus is -1, wanted a number from 0"),
        ({"num_cpus": "2"}, "num_cpus is '2', wanted a number from 0"),
        ({"num_cpus": 0}, "num_cpus and num_gpus are 0, wanted one of them above 0"),
        ({"shard_size": 0}, "shard_size is 0, wanted 1 or more"),
    ],
)
def test_what_no_task_can_be_is_refused(wrong, message):
    with pytest.raises(GraphnetsError, match=message), on_ray(**wrong):
        pass


def test_a_missing_ray_is_told_with_what_brings_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    message = r"a cluster needs Ray, which is not installed; pip install 'graphnets\[ray\]'"
    with pytest.raises(GraphnetsError, match=message), on_ray("ray://local"):
        pass


def test_a_video_is_not_for_a_cluster(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"x")
    flags = ["--image_dir", str(tmp_path / "a.mp4"), "--cluster", "ray://local"]
    flags += ["--architecture", "alexnet", "--weights", "random", "--output", str(tmp_path / "o")]
    result = CliRunner().invoke(main, ["extract", *flags])
    assert "--cluster is for photos, and a video is one file; leave it out" in result.output


def test_predictions_on_a_cluster_come_in_parts(tmp_path):
    for name in ("graph.pb", "labels.txt", "a.jpg"):
        (tmp_path / name).write_bytes(b"x")
    flags = ["--graph", str(tmp_path / "graph.pb"), "--labels", str(tmp_path / "labels.txt")]
    flags += ["--cluster", "ray://local", str(tmp_path / "a.jpg")]
    result = CliRunner().invoke(main, ["predict", *flags])
    assert "--cluster is for predictions in --parts; name their folder" in result.output


@pytest.mark.parametrize(
    "address, told",
    [
        ("ray://head:10001", "head`, set RAY_AUTH_MODE=token and .* wants a token, or take --clu"),
        ("ray", "start one with `ray start --head`, or take --cluster ray://local"),
    ],
)
def test_no_answer_is_one_sentence_and_a_client_hears_of_tokens(monkeypatch, address, told):
    def unanswered(*_, **__):
        warnings.warn("Ray Client connection timed out.", stacklevel=2)
        raise ConnectionError("ray client connection timeout\nmore")

    ray = SimpleNamespace(is_initialized=lambda: False, init=unanswered)
    monkeypatch.setitem(sys.modules, "ray", ray)
    message = rf"no Ray cluster answers at {address} \(ray client connection timeout\); .*{told}"
    with warnings.catch_warnings(), pytest.raises(GraphnetsError, match=message):
        warnings.simplefilter("error")
        with on_ray(address):
            pass
