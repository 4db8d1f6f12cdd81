"""Whether this process is a fork that lacks the threads that TensorFlow counts on.

What it computes there, eagerly or in a session made anew, waits for ever. No TensorFlow here: this
is loaded with the library, so that forks after that are seen, whoever used TensorFlow before them.
"""

from __future__ import annotations

import os
from pathlib import Path

COMPUTES = "tf_Compute"  # TensorFlow's name for a thread of its pool, there from a first use on
TASKS = Path("/proc/self/task")

used = False  # by a session of this library, or seen as this process was forked
lost = False


def _look() -> None:
    global used
    used = used or any(_name(task) == COMPUTES for task in TASKS.glob("*"))


def _name(task: Path) -> str:
    try:
        return (task / "comm").read_text().strip()
    except OSError:  # it has ended
        return ""


def _lose() -> None:
    global lost
    lost = used


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_look, after_in_child=_lose)
