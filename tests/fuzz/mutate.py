"""Damage to bytes, drawn from a seed."""

import json

import numpy as np

NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, (1 << 62) + 1, (1 << 64) - 1)
TEXTS = (b"\x1b[31m", b"\n", b"\xff\xfe", b"-1", b"99999999999", b"((((", b"'", b"\x00", b"/..")


def mutated(random, data, most=4):
    """The bytes with 1 to `most` changes, of which many are small."""
    for _ in range(random.integers(1, most + 1)):
        data = _change(random, bytearray(data))
    return bytes(data)


def damaged_folders(files, stems, endings, seed, count):
    """JSON, {name: bytes in hex} of the damaged ones of a folder's files; null is one that is gone.

    Two files of one of the endings, named after the two stems, may have changed their names.
    """
    for number in range(seed, seed + count):
        random = np.random.default_rng(number)
        names = random.permutation(list(files))[: random.integers(1, 4)]
        damaged = {name: mutated(random, files[name]).hex() for name in names}
        kind = random.integers(10)
        if kind == 0:
            damaged[names[0]] = None
        elif kind == 1:
            ending = random.choice(endings)
            pair = [f"{stem}.{ending}" for stem in stems]
            damaged |= {
                name: files[other].hex() for name, other in zip(pair, pair[::-1], strict=True)
            }
        elif kind == 2:
            damaged[names[0]] = bytes(len(files[names[0]])).hex()
        yield json.dumps(damaged).encode()


def _change(random, data):
    place = int(random.integers(len(data) + 1))
    length = int(random.choice([1, 2, 4, 8, 40, 400]))
    kind = random.integers(8)
    if kind == 0:
        data[place:] = b""
    elif kind == 1:
        data[place : place + length] = b""
    elif kind == 2:
        data[place:place] = random.bytes(length)
    elif kind == 3:
        size = min(length, 8)
        number = int(random.choice(len(NUMBERS)))
        data[place : place + size] = (NUMBERS[number] % (1 << 8 * size)).to_bytes(size, "little")
    elif kind == 4:
        text = TEXTS[int(random.integers(len(TEXTS)))]
        data[place : place + len(text)] = text
    elif kind == 5:
        start = int(random.integers(len(data) + 1))
        data[place:place] = data[start : start + length]
    elif kind == 6 and any(byte in b"0123456789" for byte in data):
        digits = [i for i, byte in enumerate(data) if byte in b"0123456789"]
        data[int(random.choice(digits))] = int(random.choice(list(b"0123456789-,(")))
    elif place < len(data):
        data[place] ^= 1 << int(random.integers(8))
    return data
