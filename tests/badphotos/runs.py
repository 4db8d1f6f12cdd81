"""The commands over folders of photos, as processes of their own."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from typing import NamedTuple

import numpy as np

from graphnets.errors import shown
from tests.badphotos.pictures import ending, sound

# Root without these is held back by modes, as an ordinary user is.
HELD_BACK = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
SECONDS = 900
NETWORK = ("--architecture", "alexnet", "--weights", "random", "--endpoint", "conv1")


class Run(NamedTuple):
    """What a process said, and took: wall and processor seconds, bytes at the most."""

    status: int
    out: str
    err: str
    wall: float
    cpu: float
    memory: int


def ran(folder, *arguments):
    """`graphnets` with these arguments; root becomes nobody, whom modes hold back."""
    front = HELD_BACK if os.geteuid() == 0 else ()
    environment = os.environ | {"HOME": str(folder), "XDG_CACHE_HOME": str(folder / "cache")}
    start = time.perf_counter()
    with open(folder / "out", "wb") as out, open(folder / "err", "wb") as err:
        child = subprocess.Popen(
            [*front, "timeout", str(SECONDS), sys.executable, "-m", "graphnets", *arguments],
            stdout=out, stderr=err, stdin=subprocess.DEVNULL, env=environment,
        )  # fmt: skip
        _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    said = [(folder / name).read_text("utf-8", "replace") for name in ("out", "err")]
    wall, cpu = time.perf_counter() - start, used.ru_utime + used.ru_stime
    return Run(child.returncode, *said, wall, cpu, 1024 * used.ru_maxrss)


def good_classes(folder, seed, count=48):
    """Two classes of sound photos, which come before the bad ones."""
    random, kinds = np.random.default_rng([seed, 1 << 33]), ("jpeg", "png", "webp")
    for label in ("a_good", "b_good"):
        (folder / label).mkdir(parents=True)
        for number in range(count):
            kind = kinds[number % 3]
            path = folder / label / f"{number:03d}.{ending(kind)}"
            path.write_bytes(sound(kind, random))


def extracted(work, name, photos):
    """(run, {path below the folder: row}) of `graphnets extract`."""
    output = work / f"{name}.npz"
    run = ran(
        work, "extract", "--images", photos, *NETWORK, "--bottleneck_dir", work / f"store_{name}",
        "--output", output,
    )  # fmt: skip
    if run.status:
        return run, {}
    with np.load(output) as found:
        names = [os.path.relpath(path, photos) for path in found["paths"]]
        return run, dict(zip(names, found["features"], strict=True))


def named(text, paths, start, end):
    """How often each path is named at the beginning of a line, after `start`."""
    lines = text.splitlines()
    counts = Counter()
    for path in paths:
        front = f"{start}{shown(path)}{end}"
        counts[path] = sum(line.startswith(front) for line in lines)
    return counts


def checked(run):
    """How often each path is named by `graphnets check --json`, as left out."""
    found = json.loads(run.out)["findings"]
    kinds = ("unreadable", "passed_over")
    items = [item for finding in found if finding["kind"] in kinds for item in finding["items"]]
    return Counter(path for item in items for path in item["paths"])
