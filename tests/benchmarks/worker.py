"""The process of a contender: loads once, then does a round for each line "go" on stdin.

usage: python -m tests.benchmarks.worker MODULE:FUNCTION OPTIONS PROBE.npy

OPTIONS is a JSON object, the function's arguments. Answers are JSON lines: first the contender's
facts (or {"left_out": reason}), then one a round.
"""

import importlib
import json
import os
import sys

import numpy as np

from graphnets.errors import GraphnetsError
from tests.benchmarks.contender import LeftOut

OTHERS = ("courses", "others")  # they start TensorFlow by themselves, if at all


def main(start, options, probe):
    """Start the contender and do what stdin says until it ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not look like an answer
    module, _, function = start.partition(":")
    try:
        if module not in OTHERS:
            from graphnets.cli.terminal import quiet_tensorflow

            with quiet_tensorflow():
                pass
        contender = getattr(importlib.import_module(f"tests.benchmarks.{module}"), function)
        started = contender(**json.loads(options))
    except (LeftOut, GraphnetsError) as reason:
        print(json.dumps({"left_out": str(reason)}), file=answers, flush=True)
        return
    if started.probe is not None:
        np.save(probe, started.probe)
    print(json.dumps(dict(started.facts)), file=answers, flush=True)
    for _ in sys.stdin:
        print(json.dumps(started.turn()), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
