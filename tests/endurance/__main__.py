"""`python -m tests.endurance [--calls 10000] [NAME...]`; see the package."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

SETTINGS = ("TF_ENABLE_ONEDNN_OPTS", "TF_USE_LEGACY_KERAS")

ROW = "{:25s} | {:>6} | {:>9} | {:>8} | {:>7} | {:>5} | {:>5}"


def row(name, grown) -> str:
    """A line of the table."""
    start, rise, seconds = f"{grown.start:.1f}", f"{grown.rise:+.2f}", f"{grown.seconds:.0f}"
    return ROW.format(name, grown.calls, start, rise, grown.threads, grown.files, seconds)


def main() -> int:
    """Do all of it, and say in a table what became of the memory."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for setting in SETTINGS:  # as the commands have them
        os.environ.setdefault(setting, "1")
    from tests.endurance.memory import MOST
    from tests.endurance.works import endured, made

    parser = argparse.ArgumentParser(prog="python -m tests.endurance")
    parser.add_argument("names", nargs="*", help="what they begin with; all of them if none")
    parser.add_argument("--calls", type=int, default=10_000)
    chosen = parser.parse_args()
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        made(Path(folder))
        print(ROW.format("", "calls", "MiB", "rise", "threads", "files", "s"), flush=True)
        for name, grown in endured(Path(folder), chosen.calls, chosen.names):
            print(row(name, grown), flush=True)
            faults += [f"{name}: {fault}" for fault in grown.faults()]
    print(*faults, f"{len(faults)} faults; a rise of {MOST:g} MiB is none", sep="\n")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
