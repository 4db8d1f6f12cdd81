"""Whether protobuf's bytes hold a message that fits in memory, told without making it.

Two bytes in a file can be a node, which takes a hundred in memory; numbers of one byte take eight.
"""

from __future__ import annotations

from typing import Any

MOST_FIELDS = 2_000_000  # 200 MB; a network's graph has some ten thousand nodes of thirty fields
LARGEST = (1 << 31) - 1  # bytes, of protobuf itself
HOLES = 1 << 30  # bytes that need not be on the disk: just written, none may be yet
DEEPEST = 100  # messages in messages, of protobuf itself
LONGEST_NUMBER = 10  # bytes
CUT_OFF = "it ends too early"
NUMBERS = {"INT32", "INT64", "UINT32", "UINT64", "SINT32", "SINT64", "ENUM"}  # of 1 byte or more

Bytes = Any  # bytes, a memoryview or a mapped file
Plan = dict[int, "Plan | None"]  # {field: that of its message, or None for numbers that are packed}


class TooLarge(ValueError):
    """What the file holds would take far more memory than a network does."""


def check_size(size: int, on_disk: int) -> None:
    """Raise TooLarge for more bytes than protobuf reads, or holes, before they are read."""
    if size > LARGEST:
        raise TooLarge(f"it has {size:,} bytes, wanted {LARGEST:,} at most")
    if size - on_disk > HOLES:
        raise TooLarge(f"it has {size:,} bytes, most of which are holes in the file")


def check(data: Bytes, descriptor: Any, most: int | None = None) -> None:
    """Raise TooLarge for a message of over `most` (MOST_FIELDS) fields, those of inner ones
    too, and ValueError for none.

    descriptor: that of its class, whose known fields are looked into; 16 bytes of packed numbers
    count as a field.
    """
    check_size(len(data), len(data))
    most = MOST_FIELDS if most is None else most
    place, end, plan, left = 0, len(data), _plan(descriptor, {}), most
    outer: list[tuple[int, Plan]] = []
    while True:
        while place == end:
            if not outer:
                return
            end, plan = outer.pop()
        left -= 1
        tag, place = _number(data, place, end)
        kind, number = tag & 7, tag >> 3
        if kind == 2:
            size, place = _number(data, place, end)
            if place + size > end:
                raise ValueError(CUT_OFF)
            if (inner := plan.get(number)) is not None:
                outer.append((end, plan))
                end, plan = place + size, inner
            else:
                left -= size >> 4 if number in plan else 0
                place += size
        elif kind == 0:
            _, place = _number(data, place, end)
        elif kind in (1, 5):
            place += 8 if kind == 1 else 4
        if place > end:
            raise ValueError(CUT_OFF)
        if not number or kind > 5 or len(outer) > DEEPEST:
            raise ValueError("it is no message")
        if left < 0:
            raise TooLarge(f"it has over {most:,} fields")


def _number(data: Bytes, place: int, end: int) -> tuple[int, int]:
    """The number at a place, and the place behind it."""
    # Most numbers are of one byte or two, and a check that knows takes half the time.
    if place < end and data[place] < 128:
        return data[place], place + 1
    if place + 1 < end and data[place + 1] < 128:
        return data[place] & 127 | data[place + 1] << 7, place + 2
    found = 0
    for count, byte in enumerate(data[place : min(place + LONGEST_NUMBER, end)]):
        found |= (byte & 127) << 7 * count
        if byte < 128:
            return found, place + count + 1
    raise ValueError(CUT_OFF)


def _plan(descriptor: Any, known: dict[str, Plan]) -> Plan:
    if descriptor.full_name in known:  # a message may hold its own kind
        return known[descriptor.full_name]
    plan = known.setdefault(descriptor.full_name, {})
    for field in descriptor.fields:
        if field.message_type is not None:
            plan[field.number] = _plan(field.message_type, known)
        elif field.type in [getattr(field, f"TYPE_{name}") for name in NUMBERS]:
            plan[field.number] = None
    return plan
