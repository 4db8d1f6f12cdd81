"""graphnets against tutorials, other libraries and the machine's own limits, in tables.

usage: python -m tests.benchmarks [--only TABLES] [--rounds N] [--photos DIR] [--graph FILE.pb]
                                  [--output results.json] [--quick] [--compare OLD.json]

Every contender is a process that loads once; the contenders of a table then take turns, round
after round, so that whatever else the machine does meets all of them. Ratios are formed within
a round; the medians are printed. openvino, onnxruntime with tf2onnx, torch and psutil are used
where they are installed. The last results of each processor are in tests/benchmarks/results;
with --compare the status is 3 if something is slower than in them by more than the runs' spread.
Tables of a GPU, gpu-NETWORK, run only where they are named; gpu.sh beside this does.
"""

import argparse
import json
import signal
import sys
import tempfile
from functools import partial
from pathlib import Path

from graphnets.errors import GraphnetsError
from graphnets.weights.places import weight_file
from tests.benchmarks import commands, gpu, machine, networks, single, watch
from tests.benchmarks.setting import Setting
from tests.benchmarks.turns import Failed


def _networks(table, setting):
    return networks.run(table(setting), setting)


TABLES = {
    "inception-files": partial(_networks, networks.inception_files),
    "alexnet-files": partial(_networks, networks.alexnet_files),
    "inception": partial(_networks, networks.inception),
    "alexnet": partial(_networks, networks.alexnet),
    "vgg16": partial(_networks, networks.vgg16),
    "efficientnet": partial(_networks, networks.efficientnet),
    "head": single.head,
    "second-run": commands.second_run,
    "growth": single.growth,
    "startup": commands.startup,
}
ON_A_GPU = {f"gpu-{name}": partial(_networks, partial(gpu.table, name)) for name in gpu.NETWORKS}
NEED_GRAPH = ("inception-files", "inception", "gpu-inception_v3")


def flags():
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--only", metavar="TABLES", help=f"with commas between: {','.join(TABLES)}")
    parser.add_argument("--rounds", type=int, help="counted turns of each contender (default: 5)")
    parser.add_argument("--photos", metavar="DIR", help="class folders of JPEGs (default: drawn)")
    parser.add_argument("--graph", metavar="FILE.pb", help="Inception of 2015 (default: fetched)")
    parser.add_argument("--output", default="results.json", help="default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="a smoke run: few photos, one round")
    parser.add_argument(
        "--compare", metavar="OLD.json", help="say what is slower than it was there"
    )
    found = parser.parse_args()
    found.only = [name.strip() for name in found.only.split(",")] if found.only else [*TABLES]
    unknown = [name for name in found.only if name not in TABLES | ON_A_GPU]
    if unknown:
        parser.error(
            f"no table {', '.join(unknown)}; wanted some of {', '.join(TABLES | ON_A_GPU)}"
        )
    if found.rounds is None:
        found.rounds = 1 if found.quick else 5
    if found.rounds < 1:
        parser.error("--rounds must be 1 or more")
    return found


def inception_file(given, chosen):
    """(the file or None, the tables that can run)."""
    try:
        path = Path(given) if given else weight_file("inception_v3")
        if not path.exists():
            raise GraphnetsError(f"{path}: there is no such file")
        return str(path.resolve()), chosen
    except GraphnetsError as reason:
        without = [name for name in chosen if name in NEED_GRAPH]
        if without:
            print(f"{', '.join(without)} left out: {reason}")
        return None, [name for name in chosen if name not in NEED_GRAPH]


def main():
    """Run the tables; what is done is in the JSON file even if a later one is broken off."""
    found = flags()
    old = None
    if found.compare:
        old = watch.read(found.compare)
        watch.check(old, machine.record(), found.quick)
    graph, chosen = inception_file(found.graph, found.only)
    results = {"machine": machine.record(), "quick": found.quick, "tables": {}}
    print(json.dumps(results["machine"]))
    with tempfile.TemporaryDirectory() as folder:
        setting = Setting(Path(folder), found.rounds, graph, found.photos, found.quick)
        for name in chosen:
            try:
                results["tables"][name] = (TABLES | ON_A_GPU)[name](setting)
            except Failed as reason:
                results["tables"][name] = {"left_out": str(reason)}
                print(f"  {name} left out: {reason}")
            Path(found.output).write_text(json.dumps(results, indent=1) + "\n")
    print(f"\n{found.output}")
    return 3 if old and watch.tell(old, results) else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the workers end with it
    try:
        raise SystemExit(main())
    except watch.Unfit as reason:
        raise SystemExit(f"error: {reason}") from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
