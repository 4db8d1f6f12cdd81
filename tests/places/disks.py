"""Small disks, and processes of the commands on them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import NamedTuple

PAGE = os.sysconf("SC_PAGE_SIZE")  # what a file on a tmpfs grows by
SECONDS = 120  # of one command


class Limit(NamedTuple):
    """What a disk is short of: "pages", "files", "bytes" of one file, or "writes" (none at all)."""

    kind: str
    count: int = 0


ROOMY = Limit("pages", 1 << 16)


class Ended(NamedTuple):
    """What a command said, and its status; -9 if a signal, 9, ended it."""

    status: int
    out: str
    errors: str


def can_mount() -> bool:
    """Whether this process may make disks."""
    with tempfile.TemporaryDirectory() as folder:
        return _mount(folder, "size=4096") and not _call("umount", folder)


@contextlib.contextmanager
def disk(folder: Path):
    """A function that gives the folder, a disk of its own, another limit."""
    mounted = _mount(folder, "size=1m")
    try:
        yield lambda limit: mounted and _remount(folder, limit)
    finally:
        if mounted:
            _call("umount", "--lazy", folder)
        for path in folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _remount(folder: Path, limit: Limit) -> None:
    options = {
        "pages": f"rw,size={PAGE * limit.count},nr_inodes=0",
        "files": f"rw,size=1g,nr_inodes={limit.count}",
        "writes": "ro",
        "bytes": "rw,size=1g,nr_inodes=0",
    }[limit.kind]
    if _call("mount", "-o", f"remount,{options}", folder):
        raise RuntimeError(f"{folder} does not take {options}")


def _mount(folder: Path | str, options: str) -> bool:
    return not _call("mount", "-t", "tmpfs", "-o", options, "tmpfs", folder)


def _call(*command) -> int:
    try:
        return subprocess.run(
            [*map(str, command)], stderr=subprocess.DEVNULL, check=False
        ).returncode
    except FileNotFoundError:
        return 127


def used(folder: Path) -> tuple[int, int]:
    """Pages and files that a disk holds."""
    found = os.statvfs(folder)
    return found.f_blocks - found.f_bfree, found.f_files - found.f_ffree


def ended(work, limit: Limit = ROOMY, stdout: Path | None = None) -> Ended:
    """Call `work` in a process of its own, as a command is called."""
    pipes = [os.pipe() for _ in range(2)]  # no files, whose bytes would be limited, too
    for reader, _ in pipes:
        fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 1 << 20)
    child = os.fork()
    if not child:
        _be(work, limit, stdout or pipes[0][1], pipes[1][1])
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    texts = []
    for reader, writer in pipes:
        os.close(writer)
        with open(reader, "rb") as file:
            texts.append(file.read().decode(errors="replace"))
    return Ended(status, *texts)


def _be(work, limit: Limit, out: Path | int, errors: int) -> None:
    """Work and end, as the interpreter does: 120 where the last words cannot be said."""
    status = 1
    try:
        signal.alarm(SECONDS)
        if isinstance(out, Path):
            out = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        for number, name in ((out, "stdout"), (errors, "stderr")):
            os.dup2(number, 1 + (name == "stderr"))
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
        if limit.kind == "bytes":
            hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit.count, hard))
        try:
            work()
            status = 0
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else bool(error.code)
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
    except BaseException:
        status = 120
        os.write(errors, traceback.format_exc().encode())
    finally:
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os._exit(int(status or 0))
