"""TIFF files of the kinds that Pillow reads but does not write, tag by tag."""

import struct

TYPES = {1: "B", 2: "B", 3: "H", 4: "I", 12: "d", 16: "Q"}
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, STRIPS = 256, 257, 258, 259, 262, 273
SAMPLES, ROWS, STRIP_BYTES, PLANES, COLOUR_MAP = 277, 278, 279, 284, 320
TILE_WIDTH, TILE_HEIGHT, TILES, TILE_BYTES = 322, 323, 324, 325
EXTRA, FORMAT, ORIENTATION, EXIF = 338, 339, 274, 34665


def tiff(tags, parts, order="<", big=False):
    """tags: {tag: number or numbers, or (type, numbers)}; parts: the bytes of the strips or tiles.

    The parts' tags are added unless they are there; None leaves a tag out.
    """
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "H", 43 if big else 42)
    start = 16 if big else 8
    tiled = TILE_WIDTH in tags
    places, at = [], start
    for part in parts:
        places.append(at)
        at += len(part)
    more = {
        TILES if tiled else STRIPS: (4, places),
        TILE_BYTES if tiled else STRIP_BYTES: (4, [len(part) for part in parts]),
    }
    entries, behind = [], b""
    wanted = sorted((k, v) for k, v in {**more, **tags}.items() if v is not None)
    count, entry, room = ("Q", "HHQ", 8) if big else ("H", "HHI", 4)
    end = at + struct.calcsize("<" + count) + len(wanted) * (12 if not big else 20) + room
    for tag, value in wanted:
        kind, numbers = value if isinstance(value, tuple) else (4, value)
        numbers = numbers if isinstance(numbers, list) else [numbers]
        data = struct.pack(f"{order}{len(numbers)}{TYPES[kind]}", *numbers)
        if len(data) > room:
            place, behind = end + len(behind), behind + data
            data = struct.pack(order + ("Q" if big else "I"), place)
        entries.append(
            struct.pack(order + entry, tag, kind, len(numbers)) + data.ljust(room, b"\0")
        )
    first = struct.pack(order + ("HHQ" if big else "I"), *((8, 0) if big else ()), at)
    ifd = struct.pack(order + count, len(entries)) + b"".join(entries) + bytes(room)
    return head + first + b"".join(parts) + ifd + behind
