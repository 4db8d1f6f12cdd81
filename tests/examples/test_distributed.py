"""Two processes of examples/distributed.py against one, on a network that takes no weight file."""

import json
import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from world import write_photos

ROOT = Path(__file__).parents[2]
RUN = """
import sys
import distributed
from world import deep_network
distributed.main(*sys.argv[1:3], bottleneck_dir=sys.argv[3], layers="fc6:", endpoint="fc7",
                 network=deep_network(), steps=20, batch=20)
"""


def trained(folder, count):
    """What `count` processes together print, and the variables that the first one writes."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for found in sockets:
            found.bind(("127.0.0.1", 0))
        workers = [f"127.0.0.1:{found.getsockname()[1]}" for found in sockets]
    processes = []
    for index in range(count):
        config = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
        rooms = os.pathsep.join(str(ROOT / part) for part in ("", "examples", "tests/helpers"))
        environment = {**os.environ, "PYTHONPATH": rooms, "TF_CONFIG": json.dumps(config)}
        if count == 1:
            del environment["TF_CONFIG"]
        command = [sys.executable, "-c", RUN, folder / "photos", folder / f"{count}-{index}.npz"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        processes.append(subprocess.Popen([*command, folder / "store"], env=environment, **pipes))
    try:
        told = [process.communicate(timeout=120) for process in processes]
    finally:
        for process in processes:
            process.kill()  # one that waits for another that has failed
    assert [process.returncode for process in processes] == [0] * count, told
    written = sorted(path.name for path in folder.glob(f"{count}-*.npz"))
    assert written == [f"{count}-0.npz"]
    return [out for out, _ in told], np.load(folder / written[0])


@pytest.mark.long
def test_two_processes_with_half_a_batch_each_train_what_one_trains(tmp_path):
    write_photos(tmp_path / "photos")
    [alone], one = trained(tmp_path, 1)
    (first, second), two = trained(tmp_path, 2)
    assert first == second
    step, accuracy = first.splitlines()
    assert float(step.removeprefix("step 20, loss ")) == pytest.approx(
        float(alone.splitlines()[0].removeprefix("step 20, loss ")), abs=2e-6
    )
    assert accuracy == alone.splitlines()[1] and accuracy.startswith("test accuracy ")
    assert sorted(one) == sorted(two)
    assert sorted(name.partition("/")[2] for name in one) == ["W", "b", *(
        f"{layer}/{role}" for layer in ("fc6", "fc7") for role in "Wb")]  # fmt: skip
    for name in one:
        np.testing.assert_allclose(two[name], one[name], rtol=1e-4, atol=1e-6, err_msg=name)
    assert np.abs(one["head/W"]).max() > 0.001  # it has learned
