"""Threads are kept for the next who asks, one pool of each size, and not into a fork."""

import os
import threading
from concurrent.futures import CancelledError

import pytest

from graphnets.photos import threads
from graphnets.photos.threads import kept_pool


@pytest.fixture(autouse=True)
def none_idle(monkeypatch):
    monkeypatch.setattr(threads, "_idle", {})


def at_work(submit, count=1):
    return {submit(threading.current_thread).result(20) for _ in range(count)}


def test_the_same_threads_serve_one_after_the_other_and_never_two_at_a_time():
    with kept_pool(1) as first, kept_pool(1) as second:
        [one], [other] = at_work(first), at_work(second)
    assert one != other
    with kept_pool(1) as again, kept_pool(2) as larger:
        assert at_work(again, 3) in ({one}, {other})
        assert not at_work(larger, 3) & {one, other}
    assert one.is_alive() != other.is_alive()


def test_what_has_not_begun_is_dropped_with_the_block_and_what_has_is_waited_for():
    begun, go_on, done = threading.Event(), threading.Event(), []

    def work():
        begun.set()
        go_on.wait(20)
        done.append(True)

    with pytest.raises(KeyboardInterrupt), kept_pool(1) as submit:
        futures = [submit(work) for _ in range(3)]
        begun.wait(20)
        threading.Timer(0.05, go_on.set).start()
        raise KeyboardInterrupt
    assert done == [True]
    for future in futures[1:]:
        with pytest.raises(CancelledError):
            future.result(0)
    with kept_pool(1) as submit:
        assert submit(len, "abc").result(20) == 3


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_fork_begins_threads_of_its_own(monkeypatch):
    monkeypatch.undo()
    with kept_pool(1) as submit:
        submit(len, "abc").result(20)
    child = os.fork()
    if not child:
        with kept_pool(1) as submit:
            os._exit(submit(len, "abc").result(20))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
