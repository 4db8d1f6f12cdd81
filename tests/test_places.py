"""Commands on full disks; the long run is `python -m tests.places`."""

import subprocess
import sys
from pathlib import Path

from tests.places.judge import TEMPORARY, _in_step, _whole

# No run is made for these.
SHORT = ("convert, .safetensors", "check, files moved")


def test_some_commands_on_full_disks():
    words = ["--sizes", "2", "--together", "0", "--kinds", "bytes", *SHORT]
    done = subprocess.run(
        [sys.executable, "-m", "tests.places", *words], capture_output=True, text=True,
        cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert done.stdout.splitlines()[-1] == f"{2 * len(SHORT)} tried, 0 faults"


def test_what_is_half_is_seen(tmp_path):
    half = {"a.json": b'{"a": ', "a.csv": b"a,b\n1", "a.html": b"<html>", "a.png": b"\x89PNG"}
    for name, data in (half | {"a.npz": b"", "logs/x.tfevents": b"12345"}).items():
        assert not _whole(name, data, tmp_path)
    for name in (".w.npz.abcd1234.npz", "a/.fetch-abcd_234/x", "training.latest.tmp9cf4"):
        assert TEMPORARY.search(name)
    (tmp_path / "store.json").write_text('{"width": 2}')
    stem = tmp_path / ("0" * 32)
    for ending, size in ((".features", 16), (".sums", 16), (".keys", 32)):
        stem.with_suffix(ending).write_bytes(bytes(size))
    assert _in_step(stem.with_suffix(".keys"))
    stem.with_suffix(".sums").write_bytes(bytes(17))
    assert not _in_step(stem.with_suffix(".keys"))
