"""`python -m tests.fuzz --count 3000 [READER...]`; see the package."""

import argparse
import faulthandler
import importlib
import sys
import time
from pathlib import Path

from tests.fuzz import guided

# Of each kind of file, the module that has its reader, or all in READERS.
MODULES = (
    "tests.fuzz.graphs", "tests.fuzz.savedmodel", "tests.fuzz.weights", "tests.fuzz.store",
    "tests.fuzz.checkpoints", "tests.fuzz.pictures", "tests.fuzz.bombs",
)  # fmt: skip


def readers():
    """{name: reader} of all modules."""
    found = {}
    for name in MODULES:
        module = importlib.import_module(name)
        found |= getattr(module, "READERS", {name.rpartition(".")[2]: module})
    return found


def main():
    """Run the readers and say how many files were sound, refused, and at fault."""
    from tests.fuzz.judge import run

    known = readers()
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("readers", nargs="*", choices=[*known, []], default=[])
    parser.add_argument("--count", type=int, default=3000, help="files for each reader")
    parser.add_argument("--seed", type=int, default=0, help="of the first file")
    parser.add_argument("--guided", type=int, metavar="SECONDS", help="a reader, by atheris")
    chosen = parser.parse_args()
    if chosen.guided is not None:
        if guided.missing():
            parser.error(guided.missing())
        return run_guided(chosen.readers or [n for n in known if n not in guided.OTHERS], chosen)
    faults = 0
    for name in chosen.readers or known:
        start = time.perf_counter()

        def say(number, fault, name=name):
            print(f"{name} --seed {number} --count 1: {fault}", flush=True)

        counts = run(known[name], chosen.seed, chosen.count, say)
        told = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        print(f"{name}: {told}, {time.perf_counter() - start:.1f} s", flush=True)
        faults += counts["fault"]
    return 1 if faults else 0


def run_guided(names, chosen):
    """Run atheris on the readers, and say how many files each has read."""
    known, faults = readers(), 0
    for name in names:
        read, places, wrong = guided.run(
            name, known[name], chosen.guided, Path("fuzz-faults", name)
        )
        print(f"{name}: {read} files, {places} places reached{wrong and f', {wrong}'}", flush=True)
        faults += bool(wrong)
    return 1 if faults else 0


if __name__ == "__main__":
    faulthandler.enable()
    sys.exit(main())
