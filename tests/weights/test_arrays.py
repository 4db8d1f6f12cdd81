"""Weight files of every format: what is read is what was written, and nothing else is taken."""

import gzip
import os
import pickle
import struct

import numpy as np
import pytest
from pickled import Runs
from safetensors.numpy import save_file
from weightfiles import NOT_FINITE, NOT_FLOAT32, PAGE, ZERO, pairs

from graphnets.errors import GraphnetsError
from graphnets.weights.arrays import SafetensorsWeights, read_weights, write_npz, write_weights


def as_npy(path, layers):
    np.save(path, {name: list(pair) for name, pair in layers.items()})


def as_safetensors(path, layers):
    arrays = {}
    for name, (W, b) in layers.items():
        arrays |= {f"{name}/W": W, f"{name}/b": b}
    save_file(arrays, path)


def assert_same(read, layers):
    assert set(read) == set(layers) and len(read) == len(layers)
    for name, pair in layers.items():
        for got, wanted in zip(read[name], pair, strict=True):
            np.testing.assert_array_equal(got, wanted)
            assert got.dtype == np.float32


@pytest.mark.parametrize("write", [write_npz, as_npy, as_safetensors])
@pytest.mark.parametrize("suffix", [".npz", ".npy", ".safetensors"])
def test_every_format_is_read_under_any_name(write, suffix, tmp_path):
    write(tmp_path / "made", pairs())
    (made,) = tmp_path.iterdir()
    made.rename(tmp_path / f"w{suffix}")
    assert_same(read_weights(tmp_path / f"w{suffix}"), pairs())


def test_a_gzipped_npy_is_read(tmp_path):
    as_npy(tmp_path / "w.npy", pairs())
    (tmp_path / "w.npy.gz").write_bytes(gzip.compress((tmp_path / "w.npy").read_bytes()))
    assert_same(read_weights(tmp_path / "w.npy.gz"), pairs())


@pytest.mark.parametrize("write", [write_npz, as_npy, as_safetensors])
@pytest.mark.parametrize("value, reason", [*NOT_FLOAT32[:2], *NOT_FINITE])
def test_every_format_is_checked(write, value, reason, tmp_path):
    write(tmp_path / "w.npy", {"conv1": pairs()["conv1"], "fc": (np.zeros(2, np.float32), value)})
    with pytest.raises(GraphnetsError) as caught:
        dict(read_weights(tmp_path / "w.npy"))
    assert str(caught.value) == f"{tmp_path / 'w.npy'}: fc/b {reason}"


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_with_a_command_is_refused_by_its_name(protocol, tmp_path):
    evil = {**pairs(), "fc8": Runs(tmp_path / "created")}
    (tmp_path / "w.npz").write_bytes(pickle.dumps(evil, protocol))
    with pytest.raises(GraphnetsError, match=r"w\.npz is a pickle that would run 'posix\.system'"):
        read_weights(tmp_path / "w.npz")
    assert not (tmp_path / "created").exists()


NO_WEIGHTS = "is no .npz, .npy or .safetensors of weights"


@pytest.mark.parametrize(
    "name, content, reason",
    [
        ("w.npy", PAGE, "is a web page, not weights: download the file itself"),
        ("w.npy", b"", NO_WEIGHTS),
        ("w.bin", bytes(100), NO_WEIGHTS),
        ("a b.caffemodel", b"\n\x07AlexNet",
         f"{NO_WEIGHTS}; make one of it with `graphnets convert '{{}}' weights.npz`"),
        ("w.onnx", b"\x08\x07",
         f"{NO_WEIGHTS}; make one of it with `graphnets convert {{}} weights.npz`"),
        ("w", b"\x89HDF\r\n\x1a\n",
         f"{NO_WEIGHTS}; make one of it with `graphnets convert {{}} weights.npz`"),
    ],
)  # fmt: skip
def test_other_files_are_refused_with_what_to_do(name, content, reason, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(GraphnetsError) as caught:
        read_weights(path)
    assert str(caught.value) == f"{path} {reason.format(path)}"


def test_a_missing_file_of_any_format(tmp_path):
    for read in (read_weights, SafetensorsWeights):
        with pytest.raises(GraphnetsError) as caught:
            read(tmp_path / "w")
        assert str(caught.value) == f"{tmp_path / 'w'}: there is no such file"


def test_tensors_are_read_when_asked_for(tmp_path):
    bad = (np.full(2, np.nan, np.float32), np.zeros(2, np.float32))
    as_safetensors(tmp_path / "w", {**pairs(), "bad": bad})
    read = read_weights(tmp_path / "w")
    assert set(read) == {"bad", "conv1", "mixed/fc2"}
    np.testing.assert_array_equal(read["conv1"][0], pairs()["conv1"][0])
    with pytest.raises(GraphnetsError, match="w: bad/W holds NaN or infinite numbers"):
        read["bad"]
    with pytest.raises(KeyError, match="fc8"):
        read["fc8"]


def test_tensors_that_are_out_of_place(tmp_path):
    save_file({"conv1.weight": ZERO, "conv1.bias": ZERO}, tmp_path / "w")
    with pytest.raises(GraphnetsError) as caught:
        read_weights(tmp_path / "w")
    assert str(caught.value) == (
        f"{tmp_path / 'w'}: /W, /b, conv1.bias, conv1.weight is missing or out of place; "
        "wanted a .safetensors with the tensors layer/W and layer/b"
    )


def test_tensors_of_a_type_that_numpy_does_not_have(tmp_path):
    header = b'{"fc/W":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]},'
    header += b'"fc/b":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[2,4]}}'
    (tmp_path / "w").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(GraphnetsError, match=r"w(: fc/W)? (cannot be read|is .*; wanted float32)"):
        read_weights(tmp_path / "w")["fc"]


@pytest.mark.parametrize("share", [0.05, 0.5, 0.999])
def test_tensors_that_were_cut_off(share, tmp_path):
    as_safetensors(tmp_path / "w", pairs())
    content = (tmp_path / "w").read_bytes()
    (tmp_path / "w").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(GraphnetsError, match=r"w cannot be read \(.*\); wanted a \.safetensors"):
        read_weights(tmp_path / "w")


@pytest.mark.parametrize("suffix", [".npz", ".npy", ".safetensors", ".NPZ"])
def test_every_format_is_written_by_its_suffix(suffix, tmp_path):
    path = tmp_path / f"w{suffix}"
    write_weights(path, pairs())
    assert os.listdir(tmp_path) == [path.name]
    assert_same(read_weights(path), pairs())
    content = path.read_bytes()
    fortran = {name: (np.asfortranarray(W), b) for name, (W, b) in pairs().items()}
    write_weights(path, fortran)
    assert path.read_bytes() == content
    write_weights(path, read_weights(path))
    assert_same(read_weights(path), pairs())


def test_the_npy_is_what_older_code_loads(tmp_path):
    write_weights(tmp_path / "w.npy", pairs())
    found = np.load(tmp_path / "w.npy", encoding="latin1", allow_pickle=True).item()
    assert [type(pair) for pair in found.values()] == [list, list]
    assert_same(found, pairs())


@pytest.mark.parametrize("suffix", [".npz", ".npy", ".safetensors"])
@pytest.mark.parametrize("value, reason", [*NOT_FLOAT32[:4], *NOT_FINITE])
def test_what_would_not_be_read_is_not_written(suffix, value, reason, tmp_path):
    path = tmp_path / f"w{suffix}"
    with pytest.raises(GraphnetsError) as caught:
        write_weights(path, {**pairs(), "fc": (value, np.zeros(2, np.float32))})
    assert str(caught.value) == f"{path}: fc/W {reason}"
    with pytest.raises(GraphnetsError, match="fc has 1 arrays, wanted W and b"):
        write_weights(path, {"fc": (np.zeros(2, np.float32),)})
    assert os.listdir(tmp_path) == []


def test_another_suffix_lists_the_three(tmp_path):
    with pytest.raises(GraphnetsError) as caught:
        write_weights(tmp_path / "w.h5", pairs())
    assert str(caught.value) == (
        f"{tmp_path / 'w.h5'} has no suffix of a weight format; "
        "wanted one of .npz, .safetensors, .npy"
    )


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(GraphnetsError, match=r"w\.npz cannot be written: Not a directory"):
        write_weights(tmp_path / "file" / "folder" / "w.npz", pairs())
