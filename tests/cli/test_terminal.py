"""How the commands start TensorFlow."""

import gc
import json
import os
import subprocess
import sys

import pytest

from graphnets.cli.terminal import quiet_tensorflow, say_where
from graphnets.jobs.options import RetrainOptions

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


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(
    "command, status",
    [
        ("--help", 0),
        ("inspect --architecture alexnet", 0),
        ("predict --graph none.pb x.jpg", 1),
        ("retrain --no_such_flag", 2),
    ],
)
def test_closed_streams_are_no_error(command, status, closed):
    done = subprocess.run(
        f"{sys.executable} -m graphnets {command} {closed}",
        shell=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == status
    assert "Traceback" not in done.stdout + done.stderr


def test_no_file_takes_the_place_of_a_closed_stream(tmp_path):
    """What C++ logs to descriptor 2 must not end up in a file that is being written."""
    code = (
        "import os; from graphnets.cli.terminal import open_closed_streams\n"
        "open_closed_streams()\n"
        f"with open({str(tmp_path / 'kept')!r}, 'w') as file:\n"
        "    os.write(1, b'x'); os.write(2, b'logged')\n"
        "    file.write('data')\n"
    )
    command = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c", code]
    assert subprocess.run(command).returncode == 0
    assert (tmp_path / "kept").read_text() == "data"


@pytest.mark.parametrize(
    "options, command",
    [
        ({"output_dir": "out"},
         "graphnets predict --graph out/output_graph.pb --labels out/output_labels.txt"),
        ({"output_dir": "my $flowers"},
         "graphnets predict --graph 'my $flowers/output_graph.pb' "
         "--labels 'my $flowers/output_labels.txt'"),
        ({"output_dir": "o", "output_graph": "it's.pb", "final_tensor_name": "scores"},
         "graphnets predict --graph 'it'\"'\"'s.pb' --labels o/output_labels.txt "
         "--output_layer scores"),
    ],
)  # fmt: skip
def test_the_command_to_try_can_be_pasted_into_a_shell(options, command, capsys):
    say_where(RetrainOptions(**options))
    assert capsys.readouterr().out.splitlines()[-1] == f"try it with `{command} PHOTO...`"
