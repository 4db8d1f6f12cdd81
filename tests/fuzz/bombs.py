"""Small files that would take all memory or never end, through every reader that is for them.

A file is made in the graphs' child, out of the time and the memory that are measured.
"""

import gzip
import io
import os
import pickle
import resource
import struct
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from graphnets.errors import GraphnetsError
from tests.fuzz import graphbombs, graphs, weights

SECONDS = 5  # of the processor
ROOM = 128 << 20  # bytes that reading anything may take
ABOVE = 8 << 30  # bytes of address space beyond, so that what goes wrong ends here
HUGE = 1 << 40


@dataclass(frozen=True)
class Bomb:
    """make(path) writes it, read(path) reads it; needs: bytes of the network that is in it."""

    name: str
    make: Callable
    read: Callable = weights.sound_weights
    needs: int = 0


def sparse(start=b"", end=b"", size=HUGE):
    """What writes a file of holes with these bytes at its ends."""

    def make(path):
        with open(path, "wb") as file:
            file.write(start)
            file.truncate(size)
            file.seek(0, os.SEEK_END)
            file.write(end)

    return make


def written(data):
    """What writes these bytes, or those that a function gives."""
    return lambda path: path.write_bytes(data() if callable(data) else data)


def npy_header(shape, padding=0, kind="<f4"):
    """The start of an .npy."""
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}{' ' * padding}\n"
    return b"\x93NUMPY\x02\x00" + struct.pack("<I", len(text)) + text.encode()


def zipped(members, lie=None):
    """An .npz; lie: the size that its directory says that its first member unpacks to."""

    def make(path):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, parts in members.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                    for part in parts:
                        file.write(part)
        if lie is not None:
            data = bytearray(path.read_bytes())
            place = data.index(b"PK\x01\x02")
            data[place + 24 : place + 28] = struct.pack("<I", lie)
            path.write_bytes(data)

    return make


def zeros(count):
    """That many bytes, a MiB at a time."""
    return (bytes(1 << 20) for _ in range(count >> 20))


def gzipped(start, count):
    """The bytes, and zeros, packed in pieces."""

    def make(path):
        piece = gzip.compress(bytes(1 << 26), 1)
        path.write_bytes(gzip.compress(start, 1) + piece * (count >> 26))

    return make


def tensor_file(size, shape, dtype="F32"):
    """A .safetensors whose header is for `size` bytes."""
    header = f'{{"a/W":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[0,{size}]}}}}'.encode()
    return len(header).to_bytes(8, "little") + header


def nested_h5(path):
    """Groups in groups, 5,000 deep, in the place of a layer."""
    import h5py

    with h5py.File(path, "w") as file:
        file.create_group("block1_conv1" + "/g" * 5000)


def wide_h5(path):
    """A layer of 20,000 empty groups."""
    import h5py

    with h5py.File(path, "w") as file:
        for number in range(20_000):
            file.create_group(f"block1_conv1/{number}")


def circles_h5(path):
    """Groups that hold themselves, by soft and by hard links."""
    import h5py

    with h5py.File(path, "w") as file:
        group = file.create_group("block1_conv1")
        group["soft"] = h5py.SoftLink("/block1_conv1")
        for number in range(20):
            group[f"again{number}"] = group


def one_h5(**options):
    """An array in the place of a layer, with these of h5py's options."""

    def make(path):
        import h5py

        with h5py.File(path, "w") as file:
            file.create_dataset("block1_conv1/W", dtype="f4", **options)

    return make


def linked_h5(path):
    """A layer in another file, and one whose values are in any file of this machine."""
    import h5py

    with h5py.File(path, "w") as file:
        file["block1_conv1"] = h5py.ExternalLink("/dev/zero", "/")
        file.create_dataset("block1_conv2/W", (1 << 28,), "f4", external=[("/dev/zero", 0, HUGE)])


def virtual_h5(path):
    """A virtual array of a TB, of itself."""
    import h5py

    layout = h5py.VirtualLayout((1 << 38,), "f4")
    layout[:] = h5py.VirtualSource(".", "block1_conv1/W", (1 << 38,))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("block1_conv1/W", layout)


def archive(kind, size):
    """A tar file whose first header says that it is followed by a header of `size` bytes."""
    info = tarfile.TarInfo("long")
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def nested_pickle():
    """A list of lists of lists ..., and numbers of a million digits."""
    return b"\x80\x02" + b"]" * 1_000_000 + b"a" * 999_999 + b"."


def long_number():
    """A number of 40 MB in binary, and one of a million digits."""
    return b"\x80\x02}X\x01\0\0\0a\x8b" + struct.pack("<i", 40 << 20) + bytes(40 << 20) + b"s."


def frame(size):
    """A pickle that says it is one frame of this size."""
    return b"\x80\x04\x95" + size.to_bytes(8, "little") + pickle.dumps({"a": 1}, 2)


def onnx(external=False, dims=(1 << 40,)):
    """VGG16 whose first tensor says that it is huge, or that it lies in another file."""
    from foreign import field, initializers, keras_layers, model, tensor

    name = "functional_1/block1_conv1_1/convolution/ReadVariableOp:0"
    more = field(13, field(1, b"location") + field(2, b"/dev/zero")) + field(14, 1)
    first = tensor(name, np.zeros(1), dims=dims) + (more if external else b"")
    return model([first, *initializers(keras_layers(top=False))[1:]])


WEIGHTS = (
    Bomb("sparse.npy", sparse(npy_header((1 << 38,)))),
    Bomb("sparse.pickle.npy", sparse(b"\x80\x02}")),
    Bomb("sparse.npz", sparse(b"PK\x03\x04")),
    Bomb("sparse.h5", sparse(b"\x89HDF\r\n\x1a\n")),
    Bomb("sparse.safetensors", sparse(tensor_file(HUGE, [1 << 38]))),
    Bomb("sparse.caffemodel", sparse(b"\x0a\x03abc")),
    Bomb("sparse.onnx", sparse(b"\x08\x08")),
    Bomb("zeros.onnx", sparse(b"", size=(1 << 31) - 1)),
    Bomb("header.npy", written(npy_header((1,), 16 << 20))),
    Bomb("header.npz", zipped({"a/W": [npy_header((1,), 4 << 20)], "a/b": [b""]})),
    Bomb("header.safetensors", written((1 << 60).to_bytes(8, "little") + b"{}")),
    Bomb("long.safetensors", written((30 << 20).to_bytes(8, "little") + b"{" + b" " * (30 << 20))),
    Bomb("shape.npz", zipped({"a/W": [npy_header((1 << 40,))], "a/b": [npy_header((1 << 40,))]})),
    Bomb("lying.npz", zipped({"a/W": [npy_header((1 << 28,)), *zeros(1 << 24)]}, lie=200)),
    Bomb("frame.npy", written(frame(1 << 62))),
    Bomb("nested.npy", written(nested_pickle)),
    Bomb("number.npy", written(long_number)),
    Bomb("circles.h5", circles_h5),
    Bomb("links.h5", linked_h5),
    Bomb("virtual.h5", virtual_h5),
    Bomb("shape.h5", one_h5(shape=(1 << 40,), chunks=(1 << 20,))),
    Bomb("chunk.h5", one_h5(shape=(1 << 28,), chunks=(1 << 28,), compression="gzip")),
    Bomb("shape.onnx", written(onnx)),
    Bomb("external.onnx", written(lambda: onnx(external=True, dims=(64, 3, 3, 3)))),
    Bomb("longname.tgz", gzipped(archive(tarfile.GNUTYPE_LONGNAME, 1 << 32), 1 << 29),
         weights.archive_member),
    Bomb("pax.tar", sparse(archive(tarfile.XHDTYPE, 1 << 32), size=1 << 33),
         weights.archive_member),
    Bomb("member.tar", sparse(archive(tarfile.REGTYPE, 1 << 33), size=1 << 34),
         weights.archive_member),
    Bomb("sparse.pth", sparse(b"\x80\x02"), weights.tensors),
    Bomb("sparse.txt", sparse(b"daisy\n"), weights.labels),
)  # fmt: skip
SLOW = (
    Bomb("empty.onnx", written(lambda: b"\x3a\xff\xff\xff\x04" + b"\x2a\x00" * 5_242_879 + b"x")),
    Bomb("empty.caffemodel", written(lambda: b"\xa2\x06\x00" * 4_000_000)),
    Bomb("nested.h5", nested_h5),
    Bomb("wide.h5", wide_h5),
    Bomb("zeros.npy.gz", gzipped(b"\x80\x02}X\1\0\0\0aB\0\0\0\xc0", 3 << 30)),
    Bomb("zeros.npz", zipped({"a/W": [npy_header((1 << 40,)), *zeros(1 << 28)]})),
    Bomb("zeros.tgz", gzipped(archive(tarfile.REGTYPE, 3 << 30), 3 << 30), weights.archive_member),
)
BOMBS = {bomb.name: bomb for bomb in (*WEIGHTS, *graphbombs.bombs(Bomb), *SLOW)}
MOST = len(BOMBS)
IN_SUITE = MOST - len(SLOW) - graphbombs.SLOW


def cases(seed, count):
    """The names of bombs, one after another."""
    for number in range(seed, seed + count):
        yield [*BOMBS][number % MOST].encode()


def check(data):
    """Have the child make and read a bomb."""
    graphs.in_child(judged, data)


def judged(data):
    """In the child: "sound" or "refused", or what is wrong."""
    bomb = BOMBS[data.decode()]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, bomb.name)
        bomb.make(path)
        found, seconds, memory = measured(bomb.read, path)
    if found not in ("sound", "refused"):
        return f"{bomb.name}: {found}"
    if seconds > SECONDS or memory > 2 * bomb.needs + ROOM:
        return f"{bomb.name}: {seconds:.1f} s, {memory >> 20} MiB ({found})"
    return found


def measured(read, path):
    """What reading a file ends in, the seconds and the bytes that it takes."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_memory("VmSize") + ABOVE, limits[1]))
    before, start = _forget_peak(), time.process_time()
    try:
        read(path)
        found = "sound"
    except GraphnetsError as error:
        found = "refused" if str(error).isprintable() else f"no printable line: {error!r}"
    except Exception as error:
        found = f"{type(error).__name__}: {error}"[:300]
    finally:
        seconds = time.process_time() - start
        resource.setrlimit(resource.RLIMIT_AS, limits)
    return found, seconds, _memory("VmHWM") - before


def _forget_peak():
    """The bytes in memory, which become the most that ever were."""
    Path("/proc/self/clear_refs").write_text("5")
    return _memory("VmRSS")


def _memory(name):
    lines = io.StringIO(Path("/proc/self/status").read_text())
    [line] = [line for line in lines if line.startswith(f"{name}:")]
    return 1024 * int(line.split()[1])
