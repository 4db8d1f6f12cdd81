"""What a file is, told by its first bytes."""

import functools
import gzip
import io
import pickle

import numpy as np
import pytest

from graphnets.errors import GraphnetsError
from graphnets.weights.formats import kind, most_bytes, opened


def npz():
    buffer = io.BytesIO()
    np.savez(buffer, a=np.zeros(3))
    return buffer.getvalue()


compressed = functools.partial(gzip.compress, mtime=0)  # bytes that name a test stay the same


@pytest.mark.parametrize(
    "content, wanted",
    [
        (npz(), "zip"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "hdf5"),
        (b"\x93NUMPY\x01\x00", "npy"),
        (b"\x41\0\0\0\0\0\0\0" + b'{"conv1/W":{}}', "safetensors"),
        (b"\x3c\x21\0\0\0\0\0\0" + b'{"conv1/W":{}}', "safetensors"),  # the length begins like <!
        *((pickle.dumps({"a": 1}, protocol), "pickle") for protocol in range(6)),
        (compressed(pickle.dumps({"a": 1})), "pickle"),
        (compressed(b"\x93NUMPY\x01\x00"), "npy"),
        (compressed(b"text"), ""),
        (b"", ""),
        (b"\n\x07AlexNet\x12", ""),  # a Caffe model
        (b"daisy\nroses\n", ""),
    ],
)
def test_kind(content, wanted, tmp_path):
    (tmp_path / "file.xyz").write_bytes(content)
    assert kind(tmp_path / "file.xyz") == wanted


@pytest.mark.parametrize(
    "content",
    [
        b"<html><head>",
        b"<!DOCTYPE html>\n",
        b"\xef\xbb\xbf\r\n  <!doctype html>",
        b'<?xml version="1.0"?><Error>',
        b"<script>{}</script>",
    ],
)
def test_a_web_page_is_told_as_such(content, tmp_path):
    path = tmp_path / "vgg16.npz"
    path.write_bytes(content)
    with pytest.raises(GraphnetsError) as caught:
        kind(path)
    assert str(caught.value) == f"{path} is a web page, not weights: download the file itself"


def test_what_cannot_be_read(tmp_path):
    with pytest.raises(GraphnetsError, match=r"/none: there is no such file$"):
        kind(tmp_path / "none")
    with pytest.raises(GraphnetsError, match="cannot be read: Is a directory$"):
        kind(tmp_path)
    (tmp_path / "cut.gz").write_bytes(compressed(bytes(1000))[:12])
    with pytest.raises(GraphnetsError, match=r"cut\.gz cannot be read: Compressed file ended"):
        kind(tmp_path / "cut.gz")


def test_opened_unpacks(tmp_path):
    (tmp_path / "plain").write_bytes(b"some bytes")
    (tmp_path / "zipped").write_bytes(compressed(b"some bytes"))
    for name in ("plain", "zipped"):
        with opened(tmp_path / name) as file:
            assert file.read() == b"some bytes"


def test_a_file_of_holes_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "w.npy"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY")
        file.truncate(1 << 40)
    with pytest.raises(GraphnetsError) as caught:
        kind(path)
    assert str(caught.value) == (
        f"{path} has 1,099,511,627,776 bytes, most of which are holes in the file"
    )


@pytest.mark.parametrize(
    "size, most", [(0, 64 << 20), (1 << 20, 165 << 20), (20 << 20, 1044 << 20)]
)
def test_a_packed_file_may_become_a_hundred_times_its_bytes(size, most, tmp_path):
    (tmp_path / "w.npz").write_bytes(bytes(size))
    assert most_bytes(tmp_path / "w.npz") == most
