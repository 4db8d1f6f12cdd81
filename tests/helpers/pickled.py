"""Pickled weights, as both Pythons write them, and a pickle that would run a command."""

import io
import os
import pickle
import struct

import numpy as np

from graphnets.weights.pickles import pickled_weights


def pairs():
    random = np.random.default_rng(0)
    return {
        "conv1": [random.standard_normal((3, 3, 2, 4), np.float32), np.ones(4, np.float32)],
        "fc2": [random.standard_normal((30, 40), np.float32), np.zeros(40, np.float32)],
    }


def npy(data):
    """The header that np.save writes in front of a pickled array of one object."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|O", "fortran_order": False, "shape": ()}
    )
    return header.getvalue() + data


def saved(thing, protocol):
    return npy(pickle.dumps(np.array(thing, object), protocol))


def read(path, content):
    path.write_bytes(content)
    return pickled_weights(path)


def assert_same(found, layers):
    assert list(found) == list(layers)
    for name, pair in layers.items():
        for got, wanted in zip(found[name], pair, strict=True):
            np.testing.assert_array_equal(got, wanted)
            assert got.dtype == wanted.dtype


def string(data):
    """Python 2's str."""
    if len(data) < 256:
        return b"U" + bytes([len(data)]) + data
    return b"T" + struct.pack("<i", len(data)) + data


class Python2:
    """Pickles arrays as Python 2.7 with NumPy 1.16 does (protocol 2): a name in full once."""

    def __init__(self):
        self.numbers = {}

    def name(self, name):
        if name in self.numbers:
            return b"h" + bytes([self.numbers[name]])
        self.numbers[name] = len(self.numbers) + 1
        return b"c" + name + b"\nq" + bytes([self.numbers[name]])

    def start(self, shape, code, order, flags):
        sizes = b"".join(b"J" + struct.pack("<i", size) for size in shape)
        return (
            self.name(b"numpy.core.multiarray\n_reconstruct") + self.name(b"numpy\nndarray")
            + b"K\0\x85" + string(b"b") + b"\x87R(K\x01(" + sizes + b"t"
            + self.name(b"numpy\ndtype") + string(code) + b"K\0K\x01\x87R(K\x03" + string(order)
            + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK" + bytes([flags]) + b"tb\x89"
        )  # fmt: skip

    def array(self, array):
        values = string(np.asarray(array, "<f4").tobytes())
        return self.start(array.shape, b"f4", b"<", 0) + values + b"tb"


def python_2_npy(layers, layout=list):
    """What `np.save(path, layers)` writes under Python 2.7: bvlc_alexnet.npy and vgg16.npy."""
    writer = Python2()
    content = b"\x80\x02" + writer.start((), b"O8", b"|", 63) + b"]}"
    for name, (W, b) in layers.items():
        if layout is list:
            pair = b"](" + writer.array(W) + writer.array(b) + b"e"
        elif layout is tuple:
            pair = writer.array(W) + writer.array(b) + b"\x86"
        else:
            pair = b"}(" + string(b"weights") + writer.array(W)
            pair += string(b"biases") + writer.array(b) + b"u"
        content += string(name) + pair + b"s"
    return npy(content + b"atb.")


class Runs:
    """Pickled, it is the call that makes a file."""

    def __init__(self, target):
        self.command = f"touch {target}"

    def __reduce__(self):
        return os.system, (self.command,)
