"""An .npz of weights: what is read is what was written, and nothing else is taken for one."""

import io
import os
import pickle
import tracemalloc
import warnings
import zipfile

import numpy as np
import pytest
from weightfiles import NOT_FINITE, NOT_FLOAT32, PAGE, ZERO, pairs

from graphnets.errors import GraphnetsError
from graphnets.weights import formats
from graphnets.weights.arrays import NpzWeights, read_weights, write_npz


@pytest.fixture
def path(tmp_path):
    """An archive of two layers."""
    write_npz(tmp_path / "w.npz", pairs())
    return tmp_path / "w.npz"


def archive(path, **members):
    """A zip of these members; numbers become .npy files."""
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            if isinstance(content, bytes):
                file.writestr(name, content)
            else:
                buffer = io.BytesIO()
                np.save(buffer, content)
                file.writestr(f"{name}.npy", buffer.getvalue())
    return path


def test_what_is_written_is_read(path):
    read = NpzWeights(path)
    assert list(read) == ["conv1", "mixed/fc2"]
    assert len(read) == 2
    for name, (W, b) in pairs().items():
        np.testing.assert_array_equal(read[name][0], W)
        np.testing.assert_array_equal(read[name][1], b)
        assert read[name][0].dtype == read[name][1].dtype == np.float32


def test_the_file_is_an_ordinary_npz(path):
    with np.load(path) as file:
        assert file.files == ["conv1/W", "conv1/b", "mixed/fc2/W", "mixed/fc2/b"]
        np.testing.assert_array_equal(file["mixed/fc2/W"], pairs()["mixed/fc2"][0])


def test_the_same_weights_give_the_same_bytes(path, tmp_path, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 2e9)
    monkeypatch.setattr("time.localtime", lambda *_: (2033, 5, 18, 3, 33, 20, 2, 138, 0))
    write_npz(tmp_path / "again.npz", pairs())
    assert (tmp_path / "again.npz").read_bytes() == path.read_bytes()


def test_a_layer_without_a_pair_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="zip"):
        write_npz(tmp_path / "w.npz", {"conv1": (np.zeros(3, np.float32),)})


def test_a_layer_that_is_not_there_is_a_key_error(path):
    with pytest.raises(KeyError, match="fc8"):
        NpzWeights(path)["fc8"]
    assert "fc8" not in NpzWeights(path)
    assert "conv1" in NpzWeights(path)


def test_a_layer_is_read_when_asked_for(path):
    content = bytearray(path.read_bytes())
    place = content.index(pairs()["mixed/fc2"][0].tobytes())
    content[place + 20] ^= 0xFF
    path.write_bytes(content)
    read = NpzWeights(path)
    np.testing.assert_array_equal(read["conv1"][0], pairs()["conv1"][0])
    assert "mixed/fc2" in read
    with pytest.raises(GraphnetsError, match=r"w\.npz: mixed/fc2/W cannot be read \(Bad CRC-32"):
        read["mixed/fc2"]


@pytest.mark.parametrize(
    "value, reason",
    [*NOT_FLOAT32, *NOT_FINITE, (b"no array at all", "is |S15; wanted float32")],
)
@pytest.mark.parametrize("role", ["W", "b"])
def test_a_layer_must_be_finite_float32(role, value, reason, tmp_path):
    members = {"fc/W": np.zeros(2, np.float32), "fc/b": np.zeros(2, np.float32)}
    read = NpzWeights(archive(tmp_path / "w.npz", **members | {f"fc/{role}": value}))
    with pytest.raises(GraphnetsError) as caught:
        read["fc"]
    assert str(caught.value) == f"{tmp_path / 'w.npz'}: fc/{role} {reason}"


class CreatesFile:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_a_pickled_array_is_refused_and_not_run(tmp_path):
    target = str(tmp_path / "created")
    evil = np.array([CreatesFile(target)], object)
    path = archive(tmp_path / "w.npz", **{"fc/W": evil, "fc/b": np.zeros(1, np.float32)})
    with pytest.raises(GraphnetsError, match=r"fc/W cannot be read \(Object arrays cannot be load"):
        NpzWeights(path)["fc"]
    assert not os.path.exists(target)
    np.load(path, allow_pickle=True)["fc/W"]  # what would have been done
    assert os.path.exists(target)


def test_a_pickle_is_refused_and_not_run(tmp_path):
    target = str(tmp_path / "created")
    (tmp_path / "w.npz").write_bytes(pickle.dumps(CreatesFile(target)))
    with pytest.raises(GraphnetsError, match="is no weight archive"):
        NpzWeights(tmp_path / "w.npz")
    assert not os.path.exists(target)


def test_a_header_of_a_size_that_nobody_has_is_an_error(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (10**14,)}
    )
    members = {"fc/W.npy": header.getvalue(), "fc/b": np.zeros(1, np.float32)}
    with pytest.raises(GraphnetsError, match="fc/W cannot be read"):
        NpzWeights(archive(tmp_path / "w.npz", **members))["fc"]


def header(text, version=b"\x01\x00"):
    """An .npy of that header, its length in the two bytes of version 1 or the four of version 2."""
    length = len(text).to_bytes(2 * version[0], "little")
    return b"\x93NUMPY" + version + length + text.encode()


FOUR = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }\n"


@pytest.mark.parametrize(
    "content, reason",
    [
        (header(FOUR[:-3]), "its header cannot be understood: ("),
        (header("(" * 9000), "its header cannot be understood: "),
        (header("{1: 2, 'a': 3}"), "its header cannot be understood: "),
        (header(FOUR.replace("2, 2", "-2, -2")) + bytes(16),
         "an array of the shape (-2, -2) has 16 bytes"),
        (header(FOUR.replace("2, 2", "-1")), "shape is not valid: -1"),
        (header(FOUR.replace("2, 2", "-4, 0")), "an array of the shape (-4, 0) has 0 bytes"),
        (header(FOUR.replace("2, 2", "2, " * 33)) + bytes(16), "has 16 bytes"),
        (header(FOUR) + bytes(12), "an array of the shape (2, 2) has 12 bytes"),
        (header(FOUR) + bytes(20), "an array of the shape (2, 2) has 20 bytes"),
        (header(" " * 10_001), "it has a header of 10,001 bytes"),
        (header(FOUR, b"\x03\x00")[:12], "it has no header of NumPy's format 1 or 2"),
        (b"\x93NUMPY", "it has no header of NumPy's format 1 or 2"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff", "it has a header of 4,294,967,295 bytes"),
    ],
)  # fmt: skip
def test_headers_that_lie(content, reason, tmp_path):
    path = archive(tmp_path / "w.npz", **{"fc/W.npy": content, "fc/b": ZERO})
    with pytest.raises(GraphnetsError) as caught:
        NpzWeights(path)["fc"]
    assert str(caught.value).startswith(f"{path}: fc/W cannot be read (")
    assert reason in str(caught.value)


@pytest.mark.parametrize("version", [b"\x01\x00", b"\x02\x00"])
@pytest.mark.parametrize("order", ["True", "False"])
def test_every_order_and_version_of_a_sound_header_is_read(order, version, tmp_path):
    values = np.arange(6, dtype="<f4").reshape(2, 3)
    start = header(FOUR.replace("False", order).replace("2, 2", "2, 3"), version)
    content = start + values.tobytes("F" if order == "True" else "C")
    path = archive(tmp_path / "w.npz", **{"fc/W.npy": content, "fc/b": ZERO})
    np.testing.assert_array_equal(NpzWeights(path)["fc"][0], values)


def test_python_2s_numbers_are_read_without_a_warning(tmp_path):
    content = header(FOUR.replace("2, 2", "2L, 2L")) + bytes(16)
    path = archive(tmp_path / "w.npz", **{"fc/W.npy": content, "fc/b": ZERO})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert NpzWeights(path)["fc"][0].shape == (2, 2)


def test_an_archive_that_would_take_all_memory_is_refused_before_it_takes_any(
    tmp_path, monkeypatch
):
    big = np.zeros(3_000_000, np.float32)
    path = tmp_path / "w.npz"
    np.savez_compressed(path, **{"fc/W": big, "fc/b": big})
    monkeypatch.setattr(formats, "LARGEST", 20_000_000)
    tracemalloc.start()
    with pytest.raises(GraphnetsError) as caught:
        read_weights(path)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    most = 20_000_000 + path.stat().st_size
    assert str(caught.value) == (
        f"{path} cannot be read: it unpacks to 24,000,256 bytes, wanted at most {most:,}"
    )


@pytest.mark.parametrize(
    "members, odd",
    [
        ({"fc/W": ZERO}, "fc/b"),
        ({"fc/b": ZERO}, "fc/W"),
        ({"fc/W": ZERO, "fc/b": ZERO, "fc/m": ZERO}, "fc/m"),
        ({"fc/W": ZERO, "fc/b": ZERO, "labels.txt": b"daisy"}, "/W, /b, labels.txt"),
        ({"W": ZERO, "bias": ZERO}, "/W, /b, W, bias"),
        ({}, "nothing"),
    ],
)
def test_arrays_that_are_missing_or_out_of_place(members, odd, tmp_path):
    with pytest.raises(GraphnetsError) as caught:
        NpzWeights(archive(tmp_path / "w.npz", **members))
    assert str(caught.value) == (
        f"{tmp_path / 'w.npz'}: {odd} is missing or out of place; "
        "wanted an .npz with the arrays layer/W and layer/b"
    )


@pytest.mark.parametrize(
    "content", [b"", PAGE, bytes(100), b"PK\x03\x04" + bytes(99), b"\x93NUMPY"]
)
def test_a_file_of_another_kind(content, tmp_path):
    path = tmp_path / "w.npz"
    path.write_bytes(content)
    with pytest.raises(GraphnetsError) as caught:
        NpzWeights(path)
    assert str(caught.value) == (
        f"{path} is no weight archive; wanted an .npz with the arrays layer/W and layer/b"
    )


def test_an_error_does_not_list_all_of_a_large_archive(tmp_path):
    members = {f"layer{n}_W": ZERO for n in range(1000)}
    with pytest.raises(GraphnetsError) as caught:
        NpzWeights(archive(tmp_path / "w.npz", **members))
    assert str(caught.value) == (
        f"{tmp_path / 'w.npz'}: /W, /b, layer0_W, layer100_W, layer101_W, layer102_W, layer103_W, "
        "layer104_W, ... is missing or out of place; wanted an .npz with the arrays layer/W and "
        "layer/b"
    )


def test_a_single_array_is_no_archive(tmp_path):
    np.save(tmp_path / "w.npy", ZERO)
    with pytest.raises(GraphnetsError, match=r"w\.npy is no weight archive; wanted an .npz"):
        NpzWeights(tmp_path / "w.npy")


def test_a_folder_is_no_archive(tmp_path):
    with pytest.raises(GraphnetsError, match="is no weight archive"):
        NpzWeights(tmp_path)


def test_a_missing_file(tmp_path):
    with pytest.raises(GraphnetsError) as caught:
        NpzWeights(tmp_path / "w.npz")
    assert str(caught.value) == f"{tmp_path / 'w.npz'}: there is no such file"


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_an_archive_that_was_cut_off(share, path):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(GraphnetsError, match="is no weight archive"):
        NpzWeights(path)


def test_damage_anywhere_is_an_error_or_leaves_the_weights_as_they_were(path):
    content = path.read_bytes()
    wanted = {name: [a.tobytes() for a in pair] for name, pair in pairs().items()}
    random = np.random.default_rng(0)
    errors = 0
    for _ in range(300):
        damaged = bytearray(content)
        damaged[random.integers(len(content))] = random.integers(256)
        path.write_bytes(damaged)
        try:
            read = NpzWeights(path)
            assert {name: [a.tobytes() for a in read[name]] for name in read} == wanted
        except GraphnetsError:
            errors += 1
    assert errors > 100
