"""Whole commands, from start to finish, in processes of their own."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.contender import DEFAULT
from tests.benchmarks.report import print_rows, shown, spread
from tests.benchmarks.turns import TAIL, Failed, environment

PHOTOS, QUICK_PHOTOS = 3670, 100
STARTS = {  # name: (arguments of python, exit status)
    "python -m graphnets --help": (["-m", "graphnets", "--help"], 0),
    "python -m graphnets retrain": (["-m", "graphnets", "retrain"], 2),  # a usage error
    "import graphnets": (
        ["-c", "import graphnets, sys; assert 'tensorflow' not in sys.modules"],
        0,
    ),
}
IMPORT = {"import tensorflow": (["-c", "import tensorflow"], 0)}


def timed(arguments, status=0):
    """Wall-clock seconds of python with these arguments. Raises Failed for another exit status."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=environment(DEFAULT)
    )
    seconds = time.perf_counter() - start
    if done.returncode != status:
        tail = "\n    ".join(done.stderr.strip().splitlines()[-TAIL:])
        raise Failed(f"{' '.join(arguments[:3])} ended with {done.returncode}\n    {tail}")
    return seconds


def _in_turn(commands, rounds):
    """{name: seconds of each round}."""
    seconds = {name: [] for name in commands}
    for _ in range(rounds):
        for name, (arguments, status) in commands.items():
            seconds[name].append(timed(arguments, status))
    return seconds


def _result(title, seconds, **more):
    rows = [{"name": n, "seconds": spread(s), "rounds": s} for n, s in seconds.items()]
    print_rows(["", "seconds", "min..max"], [[r["name"], *shown(r["seconds"], 2)] for r in rows])
    return {"title": title, "rows": rows, **more}


def startup(setting):
    """The commands that have no need of TensorFlow."""
    title = "startup: whole processes"
    print(f"\n{title}")
    return _result(title, _in_turn(STARTS, 2 if setting.quick else 5))


def second_run(setting):
    """retrain with all features in the store."""
    count = QUICK_PHOTOS if setting.quick else PHOTOS
    architecture = "inception_v3" if setting.graph else "alexnet"
    title = f"second-run: `graphnets retrain` of {count} photos stored for {architecture}"
    print(f"\n{title}")
    weights = setting.graph or setting.alexnet
    photos, store = setting.drawn(count), str(setting.folder / "second-run")
    setting.prepare(
        "filled_store", architecture=architecture, weights=weights, photos=photos, folder=store
    )
    with tempfile.TemporaryDirectory(dir=setting.folder) as output:
        arguments = [
            "-m", "graphnets", "retrain", "--image_dir", photos, "--bottleneck_dir", store,
            "--architecture", architecture, "--graph" if setting.graph else "--weights", weights,
            "--output_dir", output, "--summaries_dir", str(Path(output) / "logs"),
        ]  # fmt: skip
        seconds = _in_turn({"the command": (arguments, 0), **IMPORT}, 1 if setting.quick else 3)
        metrics = json.loads((Path(output) / "metrics.json").read_text())
    result = _result(title, seconds, metrics_seconds=metrics["seconds"])
    print(f"  metrics.json, of the last run: {metrics['seconds']}")
    return result
