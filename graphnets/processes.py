"""Other programs, which are run to their end or ended: none is left behind."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def run(command: Sequence[str], **options: Any) -> subprocess.CompletedProcess:
    """What `subprocess.run` does; also a signal's exception while it begins leaves no program.

    options: of `subprocess.Popen`.
    """
    begun: list[subprocess.Popen] = []
    pool = ThreadPoolExecutor(1)  # exceptions of signals come in the main thread alone
    pool.submit(int).result()  # a thread whose start is interrupted would not be waited for
    try:
        pool.submit(lambda: begun.append(subprocess.Popen(command, **options))).result()
        out, err = begun[0].communicate()
    except BaseException:
        pool.shutdown()
        for process in begun:
            process.kill()
            process.communicate()
        raise
    pool.shutdown()
    return subprocess.CompletedProcess(command, begun[0].returncode, out, err)
