"""Cases that are files of a kind, a size, a name or a mode; and pictures about the largest."""

import os
import stat
import struct
import zlib

import numpy as np

from graphnets.photos.images import MAX_BYTES
from tests.badphotos.case import READ, REFUSED, Case
from tests.badphotos.pictures import sound

NAMES = (
    b"n" * 251 + b".jpg", b"\xff\xfe\x80 not utf-8.jpg", b"two\nlines.jpg",
    b"\x1b[31mred\x1b[0m.jpg",
    b"-rf.jpg", b"=cmd.jpg", "\u202egpj.exe".encode(), "\U0001f33c.jpg".encode(), b" space ",
    b"carriage\rreturn", b"tab\tand\x7f", b"per%s {0} $(id) `id`.jpg", b"quote'\".jpg",
    "e\u0301.jpg".encode(), "\u00e9.jpg".encode(), b"a\\b.jpg", "\u2028line".encode(),
    b"\xf0\x9f" * 120, b"no ending", b"wrong.gif",
)  # fmt: skip
SPARSE = (1 << 31, 1 << 33, 1 << 40, MAX_BYTES, MAX_BYTES + 1)
FRONTS = {
    "none": b"", "jpeg": b"\xff\xd8\xff", "png": b"\x89PNG\r\n\x1a\n", "gif": b"GIF89a",
    "bmp": b"BM" + bytes(12) + b"\xff\xff\xff\x3e", "tiff": b"II*\0\x08\0\0\0\xff", "ppm": b"P6 ",
    "webp": b"RIFF\xff\xff\xff\x3eWEBPVP8L\xff\xff\xff\x3e", "film": b"\0\0\0\x18ftypisom",
    "avif": b"\0\0\0\x10ftypavif", "heic": b"\0\0\0\x10ftypheic",
}  # fmt: skip
ENDLESS = ("/proc/self/pagemap", "/proc/kmsg", "/proc/self/mem", "/proc/kcore", "/dev/zero")
BELOW, ABOVE = 13_377, 13_378  # squared, about images.MAX_PIXELS


def of_places(seed):
    """What is a matter of file systems."""
    random = np.random.default_rng([seed, 1 << 32])
    good = sound("jpeg", random)
    for name in NAMES:
        yield Case("name, good photo", b"g" + name[:254], _holding(good), good, READ)
        yield Case("name, bad photo", b"b" + name[:254], _holding(good[:99]), good, REFUSED)
    for size in SPARSE:
        for kind, front in FRONTS.items():
            name = f"sparse_{size}_{kind}.jpg"
            yield Case("sparse file", name, _sparse(size, front), good, REFUSED)
    for number, target in enumerate((*ENDLESS, "nowhere", "loop_b", "loop_a", "..", "/")):
        name = {6: "loop_a", 7: "loop_b"}.get(number, f"link_{number}")
        folder = target in ("..", "/")
        yield Case("link", name, _link(target), good, REFUSED, named=not folder)
    for name, kind, device in _nodes():
        yield Case("pipe, socket, device", name, _node(kind, device), good, REFUSED)
    for mode in (0, 0o200, 0o111):
        yield Case("mode", f"mode_{mode:03o}.jpg", _holding(good, mode), good, REFUSED)
    yield Case("no picture", "empty.jpg", b"", good, REFUSED)


def _nodes():
    yield "pipe.jpg", stat.S_IFIFO, 0
    yield "socket.jpg", stat.S_IFSOCK, 0
    if os.geteuid() == 0:
        yield "zero.jpg", stat.S_IFCHR, os.makedev(1, 5)
        yield "null.jpg", stat.S_IFCHR, os.makedev(1, 3)
        yield "loop.jpg", stat.S_IFBLK, os.makedev(7, 0)


def _holding(data, mode=0o644):
    def make(path):
        with open(path, "wb") as file:
            file.write(data)
        os.chmod(path, mode)

    return make


def _sparse(size, front):
    def make(path):
        with open(path, "wb") as file:
            file.write(front)
            file.truncate(size)

    return make


def _link(target):
    return lambda path: os.symlink(target, path)


def _node(kind, device):
    return lambda path: os.mknod(path, kind | 0o644, device)


def bombs(below):
    """Pictures of as many pixels as are taken (really there), or of some more (or of very many)."""
    sides = (BELOW,) if below else (ABOVE, 60_000)
    for side in sides:
        for kind, make in (("png", _png), ("bmp", _bmp), ("pbm", _pbm), ("tif", _tiff)):
            wanted = READ if below else REFUSED
            group = "as large as allowed" if below else "bomb above the limit"
            yield Case(group, f"bomb_{side}.{kind}", make(side), None, wanted)


def _png(side):
    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    packer, row = zlib.compressobj(1), bytes(1 + (side + 7) // 8)
    pixels = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def _bmp(side):
    size = 4 * ((side + 31) // 32) * side
    head = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 1, 0, size, 0, 0, 2, 0)
    colours = bytes(4) + b"\xff\xff\xff\0"
    return _sparse(62 + size, b"BM" + struct.pack("<IHHI", 62 + size, 0, 0, 62) + head + colours)


def _pbm(side):
    front = b"P4 %d %d\n" % (side, side)
    return _sparse(len(front) + (side + 7) // 8 * side, front)


def _tiff(side):
    size = (side + 7) // 8 * side
    tags = ((256, side), (257, side), (258, 1), (259, 1), (262, 1), (273, 110), (277, 1),
            (278, side))  # fmt: skip
    entries = b"".join(
        struct.pack("<HHII", tag, 4, 1, value) for tag, value in (*tags, (279, size))
    )
    front = b"II*\0" + struct.pack("<IH", 8, len(tags) + 1) + entries + bytes(4)
    front = front.replace(
        struct.pack("<HHII", 273, 4, 1, 110), struct.pack("<HHII", 273, 4, 1, 122)
    )
    return _sparse(122 + size, front)
