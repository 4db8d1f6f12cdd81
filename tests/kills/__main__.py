"""`python -m tests.kills --count 100 [JOB...]`; see the package."""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.kills.process import SIGNALS

NAMES = (
    "extract", "arrays", "head", "deeper", "resumed", "augmented", "export", "fetch", "wheel",
    "convert", "csv", "jsonl", "parts",
)  # fmt: skip


def main():
    """Kill the jobs, and say in a table how often, and what was wrong after it."""
    parser = argparse.ArgumentParser(prog="python -m tests.kills")
    parser.add_argument("jobs", nargs="*", choices=[*NAMES, []], default=[])
    parser.add_argument("--count", type=int, default=100, help="kills, over all jobs")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--at_once", type=int, default=os.cpu_count(), help="jobs at a time")
    parser.add_argument("--work_dir", type=Path, help="for a look at what failed; it is kept")
    chosen = parser.parse_args()
    start = time.monotonic()
    if chosen.work_dir:
        tallies = _killed(chosen, chosen.work_dir)
    else:
        with tempfile.TemporaryDirectory() as folder:
            tallies = _killed(chosen, Path(folder))
    print(f"\n{table(tallies)}\n{time.monotonic() - start:.0f} s")
    return 1 if any(tally.failures for tally in tallies.values()) else 0


def _killed(chosen, work):
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from tests.kills.fetching import served
    from tests.kills.jobs import jobs, made_inputs
    from tests.kills.run import run

    inputs = work.resolve() / "inputs"
    inputs.mkdir(parents=True)
    made_inputs(inputs)
    with served(inputs / "weights.npz") as address:
        wanted = [job for job in jobs(inputs, address) if job.name in (chosen.jobs or NAMES)]

        def say(line):
            print(line, flush=True)

        return run(wanted, work.resolve(), chosen.count, chosen.seed, chosen.at_once, say)


def table(tallies):
    """Rows of a job each: kills that landed, by signal, and failures."""
    names = [number.name for number in SIGNALS]
    rows = [
        [name, *(one.landed[each] for each in names), sum(one.landed.values()), len(one.failures)]
        for name, one in tallies.items()
    ]
    rows.append(["all", *(sum(column) for column in list(zip(*rows, strict=True))[1:])])
    rows.insert(0, ["job", *names, "landed", "failures"])
    return "\n".join(f"{row[0]:10s}" + "".join(f"{cell:>10}" for cell in row[1:]) for row in rows)


if __name__ == "__main__":
    sys.exit(main())
