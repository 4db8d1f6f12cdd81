"""Files appear whole or not at all."""

import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from graphnets.errors import GraphnetsError
from graphnets.files import (
    _machine,
    check_readable,
    check_target,
    check_writable,
    reading,
    refuse_existing,
    remove_abandoned,
    scratch_folder,
    sha256,
    temporary_folder,
    whole_file,
    write_whole,
)


def test_a_file_is_written_and_its_folders_made(tmp_path):
    write_whole(tmp_path / "new" / "folder" / "file.bin", b"\x00\xffdata\n")
    assert (tmp_path / "new" / "folder" / "file.bin").read_bytes() == b"\x00\xffdata\n"


def test_a_path_may_be_a_string_relative_and_no_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_whole("caf\udce9 \n.txt", b"data")
    assert os.listdir(os.fsencode(tmp_path)) == [b"caf\xe9 \n.txt"]


def test_what_was_there_is_replaced_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "file"
    write_whole(path, b"a long first content")
    write_whole(path, b"second")
    assert path.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_file_gets_the_permissions_of_any_new_file(tmp_path, mask):
    before = os.umask(mask)
    try:
        write_whole(tmp_path / "file", b"")
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~mask


def test_nothing_is_seen_at_the_path_until_the_block_ends(tmp_path):
    path = tmp_path / "array.npz"
    path.write_bytes(b"old")
    with whole_file(path) as temporary:
        assert temporary.parent == path.parent  # the same file system: a move is one step
        assert temporary.suffix == ".npz"  # NumPy would add it to a name without it
        assert temporary.name.startswith(".")
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, SystemExit])
def test_an_error_in_the_block_leaves_what_was_there(tmp_path, error):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(error), whole_file(path) as temporary:
        temporary.write_bytes(b"half of the n")
        raise error
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_path_that_cannot_be_written_is_an_oserror_and_leaves_nothing(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path / "folder", b"data")
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises((NotADirectoryError, FileExistsError)):
        write_whole(tmp_path / "file" / "below", b"data")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]
    assert (tmp_path / "file").read_bytes() == b"old"


def test_a_reader_never_sees_half_a_file(tmp_path):
    path = tmp_path / "file"
    contents = [bytes([i]) * 300_000 for i in range(40)]
    write_whole(path, contents[0])
    writer = threading.Thread(target=lambda: [write_whole(path, c) for c in contents])
    writer.start()
    seen = {path.read_bytes()}
    while writer.is_alive():
        seen.add(path.read_bytes())
    writer.join()
    assert seen <= set(contents)
    assert path.read_bytes() == contents[-1]


def test_a_killed_writer_leaves_what_was_there(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    script = """if True:
        import sys, time
        from graphnets.files import whole_file
        with whole_file(sys.argv[1]) as temporary:
            temporary.write_bytes(b"half of the n")
            print("written", flush=True)
            time.sleep(60)
    """
    writer = subprocess.Popen(
        [sys.executable, "-c", script, str(path)],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout.readline() == "written\n"
    writer.kill()
    writer.communicate()
    assert writer.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"


def test_sha256(tmp_path):
    (tmp_path / "f").write_bytes(b"abc" * 1_000_000)
    assert sha256(tmp_path / "f") == (
        "f4096a131e7e6ebfa7a512b5c299e13b065df34d15624ee1202ab394cc4d7e90"
    )


def test_a_file_that_cannot_be_read_is_told_with_its_name_made_safe(tmp_path):
    for path, reason in (("no\nfile", "No such file or directory"), (".", "Is a directory")):
        for read in (check_readable, lambda path: reading(path).__enter__()):
            with pytest.raises(GraphnetsError) as caught:
                read(tmp_path / path)
            shown = str(tmp_path / path).replace("\n", "\\n")
            assert str(caught.value) == f"{shown} cannot be read: {reason}"


@pytest.mark.parametrize("refuse", [check_readable, check_writable, check_target, refuse_existing])
def test_what_is_to_be_of_this_machine_is_no_address(tmp_path, monkeypatch, refuse):
    monkeypatch.chdir(tmp_path)
    for path in ("s3://bucket/a.pb", Path("s3://bucket/a.pb")):
        with pytest.raises(GraphnetsError, match="^s3:/+bucket(/a.pb)? is an address; only photos"):
            refuse(path)
    assert os.listdir(tmp_path) == []


def test_a_disk_of_windows_is_no_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_writable(Path("c:/out"))
    assert (tmp_path / "c:" / "out").is_dir()


def test_a_pipe_is_not_opened_by_the_check(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    check_readable(tmp_path / "pipe")  # opening it would wait for ever


def test_what_a_killed_writer_left_is_removed_by_the_next_and_no_other(tmp_path):
    names = ("abcd1234", "abcd5678", f"{_machine()}abcd9012", "notes")
    old, young, own, foreign = (tmp_path / f".w.npz.{name}.npz" for name in names)
    ahead = time.time() + 1e6  # a clock may be; no witness of what this machine wrote
    for path, age in ((old, 0), (young, ahead), (own, ahead), (foreign, 0)):
        path.write_bytes(b"half")
        os.utime(path, (age, age))
    with whole_file(tmp_path / "w.npz") as at_work:
        at_work.write_bytes(b"new")
        os.utime(at_work, (0, 0))
        write_whole(tmp_path / "w.npz", b"other")  # does not take that which is at work
        assert at_work.exists()
    assert sorted(tmp_path.iterdir()) == sorted([young, foreign, tmp_path / "w.npz"])


def test_a_writer_that_is_taken_for_abandoned_before_it_has_locked_begins_again(
    tmp_path, monkeypatch
):
    made = []

    def watched(make):
        def others_first(**where):
            found = make(**where)
            name = found if isinstance(found, str) else found[1]
            made.append(name)
            if len(made) % 2:
                prefix = where["prefix"].removesuffix(_machine())
                remove_abandoned(tmp_path, prefix, where.get("suffix", ""))
                assert not os.path.exists(name)
            return found

        return others_first

    for name in ("mkstemp", "mkdtemp"):
        monkeypatch.setattr(tempfile, name, watched(getattr(tempfile, name)))
    write_whole(tmp_path / "file", b"data")
    with scratch_folder(tmp_path, ".s-") as folder:
        (folder / "in it").touch()
        remove_abandoned(tmp_path, ".s-")
        assert (folder / "in it").exists()
    assert len(made) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_where_nothing_temporary_can_be_written_its_folder_still_has_a_name(monkeypatch):
    def nowhere():
        raise FileNotFoundError

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    monkeypatch.delenv("TMPDIR", raising=False)
    assert temporary_folder() == "/tmp"


def test_a_file_system_without_permissions_is_written_to(tmp_path, monkeypatch):
    def chmod(*_):
        raise PermissionError

    monkeypatch.setattr(os, "chmod", chmod)
    write_whole(tmp_path / "file", b"data")
    assert (tmp_path / "file").read_bytes() == b"data"


def test_a_scratch_folder_that_a_kill_left_is_removed_by_the_next(tmp_path):
    left = tmp_path / ".fetch-abcd1234"
    left.mkdir()
    (left / "download").write_bytes(b"half")
    os.utime(left, (0, 0))
    with scratch_folder(tmp_path, ".fetch-") as folder:
        assert list(tmp_path.iterdir()) == [folder]
    assert list(tmp_path.iterdir()) == []
