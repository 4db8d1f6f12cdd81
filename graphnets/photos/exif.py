"""The EXIF orientation of a JPEG without a graph: what `graphnets.photos.jpeg` finds in one."""

from __future__ import annotations

import struct

MARK, HEAD = b"Exif\x00\x00", 1 << 16  # in front of the TIFF header; bytes that are searched
SEGMENT = b"\xff\xe1"  # APP1, whose length stands between it and MARK
TAG, SHORT, LONG, ENTRY = 0x0112, 3, 4, 12  # EXIF 2.3; bytes of an entry


def orientation(data: bytes) -> int:
    """1 to 8; 1 where there is none, or no whole entry that says it."""
    head = data[:HEAD]
    place = head.find(SEGMENT)
    while place >= 0 and head[place + 4 : place + 10] != MARK:
        place = head.find(SEGMENT, place + 1)
    if place < 0:
        return 1
    end = place + 2 + int.from_bytes(head[place + 2 : place + 4], "big")
    exif = head[place + 10 : end].ljust(8, b"\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None or data[:2] != b"\xff\xd8":
        return 1
    first = struct.unpack(f"{order}I", exif[4:8])[0]
    count = exif[first : first + 2]
    declared = struct.unpack(f"{order}H", count)[0] if len(count) == 2 else 0
    room = exif[first + 2 : first + 2 + ENTRY * declared]
    entries = struct.iter_unpack(f"{order}HHI4s", room[: len(room) // ENTRY * ENTRY])
    found = [_value(order, kind, v) for tag, kind, n, v in entries if (tag, n) == (TAG, 1)]
    value = max(found, default=1)
    return value if 1 <= value <= 8 else 1


def _value(order: str, kind: int, field: bytes) -> int:
    if kind not in (SHORT, LONG):
        return 0
    return struct.unpack(f"{order}H" if kind == SHORT else f"{order}I", field[: 2 * (kind - 2)])[0]
