"""How the commands start TensorFlow."""

import gc
import importlib
import io
import json
import os
import platform
import subprocess
import sys
import time

import pandas as pd
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


HEAPS = """
import ctypes, os, sys, tempfile, threading
from graphnets.cli.terminal import quiet_tensorflow
with quiet_tensorflow():
    pass
gate = threading.Barrier(4 * os.cpu_count())
def work():
    bytearray(100_000)
    gate.wait()
threads = [threading.Thread(target=work) for _ in range(gate.parties)]
[thread.start() for thread in threads] + [thread.join() for thread in threads]
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
with tempfile.TemporaryFile() as file:
    stream = ctypes.c_void_p(libc.fdopen(file.fileno(), b"w"))
    libc.malloc_info(0, stream)
    libc.fflush(stream)
    file.seek(0)
    print(file.read().count(b"<heap nr"))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="heaps are glibc's")
@pytest.mark.parametrize("users, most", [(None, os.cpu_count()), ("1", 1)])
def test_threads_share_a_heap_for_each_core(users, most):
    environment = {k: v for k, v in os.environ.items() if k != "MALLOC_ARENA_MAX"}
    environment |= {"MALLOC_ARENA_MAX": users} if users else {}
    done = subprocess.run(
        [sys.executable, "-c", HEAPS], env=environment, capture_output=True, text=True, check=True
    )
    assert 1 <= int(done.stdout) <= most


def test_a_program_that_has_tensorflow_already_keeps_its_collector():
    importlib.import_module("tensorflow")
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


def tried(capsys, options, path="photos/a.jpg"):
    """The command that is said to try, of a run with a photo for testing at `path`."""
    rows = [("broken", "testing", "damaged"), ("learnt.jpg", "training", ""), (path, "testing", "")]
    say_where(options, pd.DataFrame(rows, columns=["path", "split", "problem"], dtype=object))
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.startswith("try it with `") and line.endswith("`")
    return line.removeprefix("try it with `").removesuffix("`")


def test_the_command_to_try_names_a_photo_of_the_test(capsys):
    assert tried(capsys, RetrainOptions(output_dir="out")) == (
        "graphnets predict --graph out/output_graph.pb --labels out/output_labels.txt photos/a.jpg"
    )


STRANGE = [
    "my $flowers `pwd`",
    'it\'s "quoted"; exit 3',
    "-dash",
    "line\nbreak\x07e",
    "\udcffe é",
    "~",
    "*",
]


@pytest.mark.parametrize("name", STRANGE)
def test_the_command_to_try_can_be_pasted_into_a_shell(capsys, name, tmp_path, monkeypatch):
    """With a `graphnets` that writes down what it was called with."""
    told = tmp_path / "told"
    program = tmp_path / "bin" / "graphnets"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nprintf '%s\\0' \"$@\" > {told}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    options = RetrainOptions(output_dir=name, final_tensor_name="a/scores")
    command = tried(capsys, options, f"{name}/1.jpg")
    assert command.isprintable()
    subprocess.run(["bash", "-c", command], check=True, cwd=tmp_path)
    *words, empty = os.fsdecode(told.read_bytes()).split("\0")
    photo = f"./{name}/1.jpg" if name == "-dash" else f"{name}/1.jpg"
    assert empty == "" and words == [
        "predict", "--graph", f"{name}/output_graph.pb", "--labels", f"{name}/output_labels.txt",
        "--output_layer", "a/scores", photo,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "started, found, program",
    [
        ("env/bin/graphnets", None, "env/bin/graphnets"),
        ("env/bin/graphnets", "other/graphnets", "env/bin/graphnets"),
        ("my env/graphnets", "my env/graphnets", "graphnets"),
        ("graphnets/__main__.py", "env/graphnets", f"{sys.executable} -m graphnets"),
    ],
)
def test_the_command_to_try_starts_this_program(capsys, monkeypatch, started, found, program):
    monkeypatch.setattr(sys, "argv", [started])
    monkeypatch.setattr("graphnets.cli.terminal.shutil.which", lambda name: found)
    assert tried(capsys, RetrainOptions()).startswith(f"{program} predict --graph ")


FULL = """
import sys
import time
from graphnets.cli.commands import main
main(sys.argv[1:])
"""


def test_an_output_that_is_full_is_told_in_a_sentence():
    with open("/dev/full", "w") as full:
        run = subprocess.run(
            [sys.executable, "-c", FULL, "fetch", "--list"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    told = "Error: the standard output cannot be written: No space left on device\n"
    assert (run.returncode, run.stderr) == (1, told)


def test_a_bar_goes_on_whatever_the_clock_is_set_to(monkeypatch):
    from graphnets.cli.terminal import progress_bar

    text, ticks, real = io.StringIO(), iter(range(1000)), time.time
    monkeypatch.setattr("time.monotonic", lambda: 10.0 * next(ticks))
    shift = [0]
    for module in ("time.time", "tqdm.std.time"):
        monkeypatch.setattr(module, lambda: real() + shift[0])
    text.isatty = lambda: True
    for number in progress_bar("INFO")(range(30), file=text, unit="photos"):
        shift[0] = {10: -1e6, 20: 1e8}.get(number, shift[0])
    last = text.getvalue().split("\r")[-1]
    assert "30/30 [" in last and "-" not in text.getvalue()
    minutes, seconds = last.partition("[")[2].partition("<")[0].split(":")
    assert 0 < 60 * int(minutes) + int(seconds) < 3600
