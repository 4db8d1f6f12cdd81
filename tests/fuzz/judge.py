"""Whether a damaged file is read as it should be."""

import resource
import time
from collections import Counter

from graphnets.errors import GraphnetsError

SECONDS = 5  # of the processor for one file: others may be at work
MEMORY = 256 << 20  # bytes more than ever before; the files have kilobytes


def verdict(reader, data):
    """ "sound", "refused", or what is wrong with how the reader takes the bytes."""
    before, start = _most_memory(), time.process_time()
    try:
        reader.check(data)
        found = "sound"
    except GraphnetsError as error:
        found = "refused" if str(error).isprintable() else f"no printable line: {error!r}"
    except Exception as error:
        found = f"{type(error).__name__}: {error}"[:300]
    seconds, memory = time.process_time() - start, _most_memory() - before
    if seconds > SECONDS:
        return f"{seconds:.1f} s ({found})"
    if memory > MEMORY:
        return f"{memory >> 20} MiB ({found})"
    return found


def _most_memory():
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def run(reader, seed, count, say=lambda number, fault: None):
    """How many of the files are "sound", "refused" and at "fault"; `say` is told of the last."""
    counts = Counter(sound=0, refused=0, fault=0)
    for number in range(seed, seed + min(count, getattr(reader, "MOST", count))):
        [data] = reader.cases(number, 1)
        found = verdict(reader, data)
        kind = found if found in counts else "fault"
        counts[kind] += 1
        if kind == "fault":
            say(number, found)
    return counts
