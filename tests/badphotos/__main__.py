"""`python -m tests.badphotos --count 1600 --seed 0`: every case, and what came of it, in a table.

The fair run has as many files: in place of each bad one what it was before it was damaged.
"""

import argparse
import os
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import tensorflow.compat.v1 as tf

from tests.badphotos import runs
from tests.badphotos.damage import of_seed
from tests.badphotos.judge import Judge
from tests.badphotos.places import bombs, of_places

RATIO = 1.5  # of the time and memory that as many good photos take
GROUPS = ("cases", "equal", "fast", "alone", "refused", "failure")


def written(folder, cases, whole=False):
    """Make the files of the cases, or what they were; {case: path}."""
    folder.mkdir(parents=True)
    paths = {}
    for number, case in enumerate(cases):
        path = os.path.join(os.fsencode(folder), os.fsencode(case.name))
        make = case.source if whole else case.make
        if whole:
            path = os.path.join(os.fsencode(folder), b"%05d" % number)
            make = make or case.make
        if callable(make):
            make(path)
        else:
            with open(path, "wb") as file:
                file.write(make)
        paths[case] = path
    return paths


class Table:
    """What came of the cases, by their groups."""

    def __init__(self):
        self.counts, self.faults = defaultdict(Counter), 0

    def add(self, group, found, name="", why=""):
        self.counts[group].update({"cases": 1, found: 1})
        if found == "failure":
            self.faults += 1
            print(f"FAILURE {group}: {name!r}: {why}", flush=True)

    def check(self, group, what, right):
        self.add(group, "equal" if right else "failure", what, "not so")

    def show(self):
        print(f"{'':32s}" + "".join(f"{name:>9s}" for name in GROUPS))
        total = Counter()
        for group, counts in self.counts.items():
            total.update(counts)
            print(f"{group:32s}" + "".join(f"{counts[name]:9d}" for name in GROUPS))
        print(f"{'all':32s}" + "".join(f"{total[name]:9d}" for name in GROUPS), flush=True)


def judge_all(table, paths):
    """Read every case in this process; the paths of those that are refused."""
    refused = set()
    with tf.Graph().as_default(), tf.Session() as session:
        judge = Judge(session)
        for case, path in paths.items():
            if case.group == "mode" and os.geteuid() == 0:
                refused.add(path)  # root reads it
                continue
            found, why = judge.judged(case, path)
            table.add(case.group, found, case.name, why)
            if found == "refused":
                refused.add(path)
    return refused


def judge_names(table, group, counts, wanted):
    """Whether each path is named once, or never; wanted: {path: whether it is to be}."""
    for path, once in wanted.items():
        table.check(group, (path, counts[path]), counts[path] == once)


def compared(mixed, fair):
    """{what was taken: how many times as much as for good photos alone}."""
    found = {what: getattr(mixed, what) / getattr(fair, what) for what in ("wall", "cpu", "memory")}
    print(", ".join(f"{what} {ratio:.2f}" for what, ratio in found.items()), "times, bad to good")
    return found


def compare_runs(table, work, paths, refused):
    """`extract` of the good photos, of those and the bad ones, and of as many good ones."""
    alone, rows_alone = runs.extracted(work, "alone", work / "alone")
    mixed, rows = runs.extracted(work, "mixed", work / "mixed")
    fair, _ = runs.extracted(work, "fair", work / "fair")
    group = "extract"
    for name, run in (("alone", alone), ("mixed", mixed), ("fair", fair)):
        table.check(group, f"{name}: status {run.status} {run.err[-200:]}", run.status == 0)
        print(f"{name}: {run.wall:.1f} s, {run.cpu:.1f} s of processor, {run.memory >> 20} MiB")
    for name, row in rows_alone.items():
        same = name in rows and rows[name].tobytes() == row.tobytes()
        table.check("good rows equal", name, same)
    taken = {os.path.join(work / "mixed", name) for name in rows}
    files = {os.fsdecode(path): case for case, path in paths.items()}
    counts = runs.named(mixed.out, files, "  ", ": ")
    judge_names(table, "extract names", counts, {path: path not in taken for path in files})
    for path in files:
        same = (path in taken) == (os.fsencode(path) not in refused)
        table.check("extract leaves out the same", path, same)
    ratios = compared(mixed, fair)
    if max(ratios.values()) > RATIO:  # other work on the machine comes and goes
        again = (
            runs.extracted(work, f"{name}_again", work / name)[0] for name in ("mixed", "fair")
        )
        ratios = {what: min(ratios[what], ratio) for what, ratio in compared(*again).items()}
    for what, ratio in ratios.items():
        table.check(group, f"{what} {ratio:.2f}", ratio <= RATIO)
    return taken, files


def other_commands(table, work, taken, files):
    """`check` and `predict` over the same folder."""
    from runs import write_run

    checked = runs.ran(work, "check", "--json", work / "mixed")
    table.check("check", f"status {checked.status} {checked.err[-300:]}", checked.status == 1)
    counts = runs.checked(checked) if checked.status == 1 else Counter()
    judge_names(table, "check names", counts, {path: path not in taken for path in files})
    model = write_run(work / "model")
    graph = ("--graph", model / "output_graph.pb", "--labels", model / "output_labels.txt")
    said = runs.ran(work, "predict", *graph, work / "mixed")
    table.check("predict", f"status {said.status} {said.err[-300:]}", said.status == 0)
    counts = runs.named(said.err, files, "", ": left out, ")
    wanted = {path: case.named and path not in taken for path, case in files.items()}
    judge_names(table, "predict names", counts, wanted)


def main():
    """Make the photos, run everything over them, and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.badphotos")
    parser.add_argument("--count", type=int, default=1600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no_bombs", action="store_true", help="without the largest pictures")
    chosen = parser.parse_args()
    table = Table()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        work.chmod(0o777)
        cases = [*of_places(chosen.seed), *bombs(below=False)]
        cases += of_seed(chosen.seed, max(0, chosen.count - len(cases)))
        for folder in ("alone", "mixed", "fair"):
            runs.good_classes(work / folder, chosen.seed)
        paths = written(work / "mixed" / "z_bad", cases)
        written(work / "fair" / "z_bad", [c for c in cases if c.source], whole=True)
        refused = judge_all(table, paths)
        taken, files = compare_runs(table, work, paths, refused)
        other_commands(table, work, taken, files)
        if not chosen.no_bombs:
            judge_all(table, written(work / "large", bombs(below=True)))
    table.show()
    return 1 if table.faults else 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent / "helpers"))
    sys.exit(main())
