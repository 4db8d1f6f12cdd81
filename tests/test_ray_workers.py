"""A Ray cluster of this machine's cores: what it gives is what one process gives."""

import os
import signal
import time

import graphs
import pytest
from click.testing import CliRunner

import graphnets
from graphnets.cli.commands import main
from graphnets.errors import GraphnetsError
from graphnets.features.bottlenecks import Bottlenecks
from graphnets.photos.listing import scan
from graphnets.ray_workers import on_ray
from graphnets.workers import cluster

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.long  # a worker takes seconds to begin
HELPERS = os.path.join(os.path.dirname(__file__), "helpers")


@pytest.fixture(scope="module", autouse=True)
def running():
    """One cluster for all tests; `on_ray` takes the Ray that runs."""
    path = os.pathsep.join([os.getcwd(), HELPERS, os.environ.get("PYTHONPATH", "")])
    ray.init(
        "local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=40,
        runtime_env={"env_vars": {"PYTHONPATH": path}},
    )  # fmt: skip
    yield
    ray.shutdown()


def opened(shared):
    return shared


def worker(thing, shard):
    return thing, shard, os.getpid()


def refusing(thing, shard):
    if shard == 3:
        raise GraphnetsError("got 3, wanted another")
    return shard


def dying(folder, shard):
    """Ends its worker with SIGKILL on the first two tries of shard 1."""
    tries = os.path.join(folder, str(shard))
    with open(tries, "a") as file:
        file.write("x")
    if shard == 1 and os.path.getsize(tries) <= 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return shard


def test_each_shard_comes_once_with_its_number():
    with on_ray() as workers:
        found = list(workers.each(opened, worker, "shared", (n * n for n in range(50))))
    assert sorted(found)[7][:1] + sorted(found)[7][1][:2] == (7, "shared", 49)
    assert [number for number, _ in sorted(found)] == list(range(50))
    assert os.getpid() not in {pid for _, (_, _, pid) in found}


def test_the_workers_are_for_the_block():
    assert cluster() is None
    with on_ray() as workers:
        assert cluster() is workers
    assert cluster() is None


def test_what_a_shard_is_refused_for_is_raised_when_those_in_hand_are_done():
    found = []
    with on_ray() as workers, pytest.raises(GraphnetsError, match="got 3, wanted another"):
        found.extend(number for number, _ in workers.each(opened, refusing, None, range(6)))


def test_a_shard_whose_worker_dies_is_run_again_and_told(tmp_path):
    with on_ray() as workers:
        found = list(workers.each(opened, dying, str(tmp_path), range(4)))
        assert sorted(found) == [(n, n) for n in range(4)]
        assert workers.retried == 2
    assert (tmp_path / "1").read_text() == "xxx"


def test_features_are_those_of_one_process_to_the_bit(photo_folder, tmp_path):
    file = graphs.write(tmp_path / "small.pb", graphs.inception_like())
    network = graphnets.open_network("inception_v3", file)
    alone = Bottlenecks(network, None, tmp_path / "alone")
    expected = alone.read(alone.add(scan(photo_folder)))
    with on_ray(shard_size=16):
        photos = scan(photo_folder)
        spread = Bottlenecks(network, None, tmp_path / "spread")
        photos = spread.add(photos)
    assert spread.read(photos).tobytes() == expected.tobytes()
    assert len(list((tmp_path / "spread").glob("*/*.keys"))) == 4


def test_the_command_runs_on_the_cluster(photo_folder, tmp_path):
    file = graphs.write(tmp_path / "small.pb", graphs.inception_like())
    flags = ["--image_dir", photo_folder, "--architecture", "inception_v3", "--graph", file]

    def extracted(name, *more):
        folders = ["--bottleneck_dir", tmp_path / name, "--output", tmp_path / f"{name}.npz"]
        result = CliRunner().invoke(main, ["extract", *map(str, [*flags, *folders, *more])])
        assert result.exit_code == 0, result.output
        return (tmp_path / f"{name}.npz").read_bytes()

    assert extracted("spread", "--cluster", "ray", "--shard_size", 16) == extracted("alone")


def test_a_task_that_fits_on_no_machine_is_refused_at_once():
    start = time.perf_counter()
    message = "a task wants 64 CPU and 0 GPU, and no machine of the cluster has that"
    with pytest.raises(GraphnetsError, match=message), on_ray(num_cpus=64):
        pass
    assert time.perf_counter() - start < 5
