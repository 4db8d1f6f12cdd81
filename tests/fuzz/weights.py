"""The readers of weight files, labels and archives, each with small sound files to damage."""

import functools
import gzip
import importlib
import io
import os
import pickle
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torchfiles
from fetching import MEMBER
from foreign import caffe_blobs, caffemodel, initializers, keras_h5, keras_layers, model
from pickled import python_2_npy, saved
from safetensors.numpy import save
from weightfiles import pairs

from graphnets.weights import convert
from graphnets.weights.arrays import checked
from graphnets.weights.torches import torch_state
from graphnets.zoo import archives, fetch
from tests.fuzz.mutate import mutated


def sound_weights(path):
    """Read all; layers of finite float32, or an error."""
    for layer, pair in checked(path, convert.read(path)).items():
        assert isinstance(layer, str), layer
        for array in pair:
            assert array.dtype == np.float32 and np.isfinite(array).all(), layer


def tensors(path):
    """Read PyTorch's older file; arrays of its two types, or an error."""
    with open(path, "rb") as file:
        for name, array in torch_state(file, path).items():
            assert isinstance(name, str) and array.dtype in (np.float32, np.int64), name
            array.sum()  # every number is there


def archive_member(path):
    """Take Inception's graph out; how it is read then is another reader's."""
    target = path.with_name("member")
    target.write_bytes(archives.member(path, fetch.INCEPTION_MEMBER))
    target.unlink()


def label_file(random):
    """Damaged labels; TensorFlow is imported here, where no file's time runs."""
    importlib.import_module("graphnets.classifier.predict")
    return mutated(random, b"daisy\nroses\r\ntulpen \xc3\xa4\n")


def labels(path):
    """Read labels: text without line breaks."""
    from graphnets.classifier.predict import read_labels

    assert all("\n" not in label for label in read_labels(path))


@dataclass(frozen=True)
class Reader:
    """damaged: a file from a random generator; read: raises unless it is read as it should be."""

    suffix: str
    damaged: Callable
    read: Callable = sound_weights

    def cases(self, seed, count):
        """The files of the seeds from `seed` on."""
        for number in range(seed, seed + count):
            yield self.damaged(np.random.default_rng(number))

    def check(self, data):
        """Read the bytes as a file of this kind."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"case{self.suffix}"
            path.write_bytes(data)
            self.read(path)


def npz(random):
    """A zip of damaged arrays, whose sums are right, or a damaged zip."""
    inside = random.integers(3)
    buffer = io.BytesIO()
    packing = zipfile.ZIP_DEFLATED if random.integers(2) else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "w", packing) as archive:
        for layer, pair in pairs().items():
            for role, array in zip("Wb", pair, strict=True):
                member = io.BytesIO()
                np.save(member, array)
                content = member.getvalue()
                if inside and random.integers(2):
                    header = mutated(random, content[:128], 2)
                    content = header + content[128:] if inside == 1 else mutated(random, content)
                archive.writestr(f"{layer}/{role}.npy", content)
    return buffer.getvalue() if inside else mutated(random, buffer.getvalue())


@functools.cache
def _pickles():
    lists = {name: list(pair) for name, pair in pairs().items()}
    bare = [pickle.dumps(lists, protocol) for protocol in (0, 2, 4, 5)]
    python_2 = {name.encode(): pair for name, pair in lists.items()}
    return [python_2_npy(python_2), *(saved(lists, protocol) for protocol in (2, 4)), *bare]


def npy(random):
    """A damaged pickle, of any age, a third of them gzip'd."""
    data = mutated(random, _pickles()[random.integers(len(_pickles()))])
    return gzip.compress(data, 1) if random.integers(3) == 0 else data


@functools.cache
def _safetensors():
    arrays = {f"{n}/{role}": a for n, pair in pairs().items() for role, a in zip("Wb", pair)}  # noqa: B905
    return save(arrays)


def safetensors(random):
    """Damage in the JSON in front, its length put right, or anywhere."""
    data = _safetensors()
    if random.integers(2):
        return mutated(random, data)
    size = int.from_bytes(data[:8], "little")
    header = mutated(random, data[8 : 8 + size], 2)
    return len(header).to_bytes(8, "little") + header + data[8 + size :]


@functools.cache
def _caffemodels():
    return [caffemodel(caffe_blobs(), age) for age in ("layer", "V1", "V0")]


@functools.cache
def _h5():
    with tempfile.TemporaryDirectory() as folder:
        keras_h5(os.path.join(folder, "w.h5"), keras_layers(top=True))
        return Path(folder, "w.h5").read_bytes()


@functools.cache
def _onnx():
    return model(initializers(keras_layers(top=False)))


@functools.cache
def _pth():
    random = np.random.default_rng(0)
    arrays = {f"layer{i}.weight": random.standard_normal((3, i + 1)).astype(np.float32)
              for i in range(5)}  # fmt: skip
    return torchfiles.written({**arrays, "count": np.array(7)})


def tgz(random):
    """A damaged archive, gzip'd whole, or damaged after that."""
    buffer = io.BytesIO()
    kinds = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
    with tarfile.open(fileobj=buffer, mode="w", format=kinds[random.integers(3)]) as archive:
        for name in ("f" * 60 + "/" + "n" * 90, MEMBER):
            info = tarfile.TarInfo(name)
            info.size = 1000
            archive.addfile(info, io.BytesIO(bytes(1000)))
    data = buffer.getvalue()[:5000]
    if random.integers(3):
        return gzip.compress(mutated(random, data), 1)
    return mutated(random, gzip.compress(data, 1))


READERS = {
    "npy": Reader(".npy", npy),
    "npz": Reader(".npz", npz),
    "safetensors": Reader(".safetensors", safetensors),
    "caffemodel": Reader(
        ".caffemodel", lambda random: mutated(random, _caffemodels()[random.integers(3)])
    ),
    "h5": Reader(".h5", lambda random: mutated(random, _h5())),
    "onnx": Reader(".onnx", lambda random: mutated(random, _onnx())),
    "tgz": Reader(".tgz", tgz, archive_member),
    "pth": Reader(".pth", lambda random: mutated(random, _pth()), tensors),
    "labels": Reader(".txt", label_file, labels),
}
