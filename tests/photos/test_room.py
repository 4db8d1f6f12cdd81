"""Room in memory that threads share."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from graphnets.photos.room import Room


def test_what_is_inside_never_sums_up_to_more_than_the_limit_and_a_larger_thing_is_alone():
    room, lock, inside, seen = Room(100), threading.Lock(), [], []

    def work(size):
        with room.taking(size):
            with lock:
                inside.append(size)
                seen.append(list(inside))
            time.sleep(0.001)
            with lock:
                inside.remove(size)

    sizes = random.Random(0).choices([1, 20, 60, 100, 5000], k=60)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, sizes))
    assert len(seen) == 60
    assert all(sum(sizes) <= 100 or len(sizes) == 1 for sizes in seen)
    assert max(map(len, seen)) > 1


def test_an_error_gives_the_room_back():
    room = Room(1)
    with pytest.raises(KeyError), room.taking(1):
        raise KeyError
    with room.taking(1):
        pass
