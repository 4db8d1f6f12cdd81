"""How the commands start TensorFlow."""

import gc
import json
import os
import subprocess
import sys

from graphnets.cli.terminal import quiet_tensorflow

START = """
import gc, json, os, sys
from graphnets.cli.terminal import quiet_tensorflow
with quiet_tensorflow():
    during = gc.isenabled()
print(json.dumps({
    "during": during, "after": gc.isenabled(), "frozen": gc.get_freeze_count(),
    "keras": [name for name in sys.modules if name.split(".")[0] == "keras"],
    "onednn": os.environ["TF_ENABLE_ONEDNN_OPTS"],
}))
"""


def test_tensorflow_starts_quietly_without_keras_and_stays_out_of_the_collectors_way():
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TF_")}
    environment["TF_ENABLE_ONEDNN_OPTS"] = "0"  # the user's word goes before
    done = subprocess.run(
        [sys.executable, "-c", START], env=environment, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    assert not found["during"] and found["after"]
    assert found["frozen"] > 100_000  # TensorFlow's modules have more objects than that
    assert found["keras"] == [] and found["onednn"] == "0"
    assert done.stderr == ""


def test_a_program_that_has_tensorflow_already_keeps_its_collector():
    frozen = gc.get_freeze_count()
    with quiet_tensorflow():
        assert gc.isenabled()
    assert gc.get_freeze_count() == frozen and gc.isenabled()
