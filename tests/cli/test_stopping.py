"""What ends a command ends it with a word, and leaves nothing."""

import signal
import subprocess
import sys
import time

import pytest

SCRIPT = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # jobs of a shell ignore it
from graphnets.cli import weights
from graphnets.cli.commands import main
from graphnets.files import whole_file

def slow(source, target):
    with whole_file(target) as temporary:
        temporary.write_bytes(b"half")
        print("written", flush=True)
        time.sleep(60)

import graphnets.weights.convert
graphnets.weights.convert.convert = slow
main(["convert", "x.npz", sys.argv[1]])
"""


@pytest.mark.parametrize("number, status", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_command_with_a_word_and_leaves_nothing(tmp_path, number, status):
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "w.npz")]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert run.stdout.readline() == "written\n"
    run.send_signal(number)
    _, errors = run.communicate(timeout=30)
    assert (run.returncode, errors) == (status, f"stopped by {number.name}\n")
    assert list(tmp_path.iterdir()) == []


SWALLOWED = """
import sys, time
from graphnets.cli.terminal import stopping

class Dropping:
    def __del__(self):
        time.sleep(60)

with stopping():
    print("ready", flush=True)
    {body}
"""
BODIES = {
    "a destructor drops it": "x = Dropping(); del x; time.sleep(60)",
    "it becomes another": "try: time.sleep(60)\n    except KeyboardInterrupt: raise SystemError",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("number, status", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_command_whatever_becomes_of_its_exception(body, number, status):
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code += SWALLOWED.format(body=body)
    run = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert run.stdout.readline() == "ready\n"
    time.sleep(0.1)
    run.send_signal(number)
    _, errors = run.communicate(timeout=30)
    assert (run.returncode, errors) == (status, f"stopped by {number.name}\n")
