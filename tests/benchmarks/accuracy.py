"""Accuracy per second: what each network and depth gives for which time, as a table and a plot.

usage: python -m tests.benchmarks.accuracy --photos DIR [--networks NAME[=WEIGHTS],...]
                                            [--output accuracy.json] [--plot accuracy.svg]

Each network runs through the photos once; its head alone, and its last block with the head, are
then trained on three splits. Seconds are of features (once for all splits) and of training (the
median); the accuracy is the mean over the splits, with the least and the most.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path
from statistics import mean, median

from tests.benchmarks import machine
from tests.benchmarks.report import print_rows

SPLITS = (0, 1, 2)
TESTING = 25  # percent: 10 of 800 photos would tell too little
LAST = {  # the head alone, and from where the last block trains, by network
    "efficientnet_lite0": ("fc", "block7a"),
    "efficientnet_lite2": ("fc", "block7a"),
    "inception_v3": ("softmax", "mixed_10"),
    "vgg16": ("fc8", "conv5_3"),
    "alexnet": ("fc8", "fc7"),
}


def flags():
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.accuracy", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--photos", required=True, metavar="DIR", help="class folders of photos")
    parser.add_argument(
        "--networks", default="efficientnet_lite0", metavar="NAME[=WEIGHTS],...",
        help=f"of {', '.join(LAST)}; WEIGHTS: a file  [default: %(default)s]",
    )  # fmt: skip
    parser.add_argument("--output", default="accuracy.json", help="default: %(default)s")
    parser.add_argument("--plot", metavar="FILE.svg", help="the plot (default: none)")
    found = parser.parse_args()
    pairs = [pair.partition("=") for pair in found.networks.split(",")]
    found.networks = {name.strip(): weights or None for name, _, weights in pairs}
    if unknown := [name for name in found.networks if name not in LAST]:
        parser.error(f"no network {', '.join(unknown)}; wanted some of {', '.join(LAST)}")
    return found


def training(alone, seed):
    """The recipe: the defaults for a head alone; a last block, behind a warm head, slowly."""
    from graphnets.training.options import TrainingOptions

    if alone:
        return TrainingOptions(seed=seed)
    return TrainingOptions(
        150, train_batch_size=32, seed=seed, eval_step_interval=50, optimizer="adam",
        learning_rate=1e-4, warmup_steps=500,
    )  # fmt: skip


def measured(name, weights, photos, folder):
    """A row for the head alone, then one for the last block."""
    from graphnets.jobs.compare import compare
    from graphnets.jobs.options import RetrainOptions
    from graphnets.zoo.architectures import open_network

    network = open_network(name, weights)
    for depth, alone in zip(LAST[name], (True, False), strict=True):
        found = []
        for seed in SPLITS:
            options = RetrainOptions(
                output_dir=folder / "out", bottleneck_dir=folder / "store", summaries_dir=None,
                testing_percentage=TESTING, split_seed=seed, report=False,
                training=training(alone, seed),
            )  # fmt: skip
            found += compare(photos, network, [depth], options)
            print(f"  {name} {depth}, split {seed}: {found[-1].test_accuracy:.1%}", flush=True)
        yield row(name, "head alone" if alone else f"from {depth}", found)


def row(name, depth, found):
    """A row from the Depths of each split; the features were computed for the first one."""
    shares = [one.test_accuracy for one in found]
    return {
        "network": name,
        "depth": depth,
        "features_seconds": found[0].shared_features_seconds,
        "training_seconds": median(one.training_seconds for one in found),
        "accuracy": {"mean": mean(shares), "min": min(shares), "max": max(shares)},
    }


def shown(rows, say=print):
    """Print the table."""
    cells = [
        [
            f"{r['network']}, {r['depth']}",
            f"{r['features_seconds']:.1f}",
            f"{r['training_seconds']:.1f}",
            f"{r['accuracy']['mean']:.1%}",
            f"{r['accuracy']['min']:.1%}..{r['accuracy']['max']:.1%}",
        ]
        for r in rows
    ]
    print_rows(["", "features s", "training s", "accuracy", "min..max"], cells, say)


def plot(rows, photos, path):
    """Accuracy over seconds, each network's head alone joined to its last block."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    with matplotlib.rc_context({"svg.hashsalt": "graphnets", "svg.fonttype": "none"}):
        figure = Figure(figsize=(7, 4), layout="constrained")
        axes = figure.subplots()
        for name in dict.fromkeys(r["network"] for r in rows):
            mine = [r for r in rows if r["network"] == name]
            seconds = [r["features_seconds"] + r["training_seconds"] for r in mine]
            shares = [100 * r["accuracy"]["mean"] for r in mine]
            spread = [
                [100 * abs(r["accuracy"][end] - r["accuracy"]["mean"]) for r in mine]
                for end in ("min", "max")
            ]
            axes.errorbar(seconds, shares, yerr=spread, marker="o", capsize=3, label=name)
            for x, y, one in zip(seconds, shares, mine, strict=True):
                axes.annotate(one["depth"], (x, y), (6, 6), textcoords="offset points", fontsize=8)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_locator(LogLocator(subs=(2, 5)))
        axes.xaxis.set_minor_formatter("{x:g}")
        axes.tick_params(axis="x", which="both", labelsize=8)
        axes.set_xlabel(
            f"seconds for features and training ({photos} photos, {os.cpu_count()} cores)"
        )
        axes.set_ylabel("test accuracy, %")
        axes.grid(alpha=0.3, which="both")
        axes.margins(x=0.2)
        axes.legend()  # where it hides the least
        nothing = dict.fromkeys(("Date", "Creator"))
        figure.savefig(path, format="svg", facecolor="white", metadata=nothing)


def main():
    """Measure, row by row; what is done is in the file if a later one is broken off."""
    found = flags()
    from graphnets.cli.terminal import quiet_tensorflow

    with quiet_tensorflow():
        from graphnets.photos.listing import scan
    photos = scan(found.photos)
    results = {"machine": machine.record(), "photos": len(photos), "rows": []}
    for name, weights in found.networks.items():
        with tempfile.TemporaryDirectory() as folder:
            for one in measured(name, weights, photos, Path(folder)):
                results["rows"].append(one)
                Path(found.output).write_text(json.dumps(results, indent=1) + "\n")
    shown(results["rows"])
    if found.plot:
        plot(results["rows"], len(photos), os.fspath(found.plot))


if __name__ == "__main__":
    main()
