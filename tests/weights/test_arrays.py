"""Weight files: what is read is what was written, and nothing else is taken for weights."""

import gzip
import io
import os
import pickle
import struct
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save_file

from graphnets.errors import GraphnetsError
from graphnets.weights import arrays as weights
from graphnets.weights.arrays import (
    NpzWeights,
    RandomWeights,
    SafetensorsWeights,
    read_weights,
    write_npz,
    write_weights,
)


def pairs():
    random = np.random.default_rng(0)
    return {
        "conv1": (random.standard_normal((3, 3, 2, 4), np.float32), np.ones(4, np.float32)),
        "mixed/fc2": (random.standard_normal((8, 5), np.float32), np.zeros(5, np.float32)),
    }


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
    with pytest.raises(GraphnetsError, match=r"w\.npz: mixed/fc2/W cannot be read \(Bad CRC-32"):
        read["mixed/fc2"]


NOT_FLOAT32 = [
    (np.zeros(2, np.float64), "is float64; wanted float32"),
    (np.zeros(2, np.float16), "is float16; wanted float32"),
    (np.zeros(2, ">f4"), "is >f4; wanted float32"),
    (np.zeros(2, np.int32), "is int32; wanted float32"),
    (np.array(["a", "b"]), "is <U1; wanted float32"),
]
NOT_FINITE = [
    (np.array([1, np.nan], np.float32), "holds NaN or infinite numbers; wanted finite ones"),
    (np.array([1, -np.inf], np.float32), "holds NaN or infinite numbers; wanted finite ones"),
]


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


ZERO = np.zeros(1, np.float32)


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


PAGE = b"<!DOCTYPE html>\n<html><title>404 Not Found</title></html>\n"


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


class CommandRuns:
    def __init__(self, target):
        self.command = f"touch {target}"

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_with_a_command_is_refused_by_its_name(protocol, tmp_path):
    evil = {**pairs(), "fc8": CommandRuns(tmp_path / "created")}
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
    with pytest.raises(GraphnetsError, match="w: fc/W (cannot be read|is .*; wanted float32)"):
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


SHAPES = {"conv": ((3, 3, 20, 300), (300,)), "fc": ((200, 100), (100,))}


def test_random_weights_have_the_shapes_and_no_bias():
    drawn = RandomWeights(SHAPES)
    assert list(drawn) == ["conv", "fc"]
    assert len(drawn) == 2
    for name, shapes in SHAPES.items():
        assert tuple(array.shape for array in drawn[name]) == shapes
        assert all(array.dtype == np.float32 for array in drawn[name])
        assert not drawn[name][1].any()
    with pytest.raises(KeyError, match="fc8"):
        drawn["fc8"]


@pytest.mark.parametrize("layer, inputs", [("conv", 180), ("fc", 200)])
def test_random_weights_have_hes_scale(layer, inputs):
    W = RandomWeights(SHAPES)[layer][0]
    assert W.std() == pytest.approx(np.sqrt(2 / inputs), rel=0.02)
    assert W.mean() == pytest.approx(0, abs=0.002)


def test_random_weights_depend_on_seed_and_place_alone():
    once = RandomWeights(SHAPES, 7)
    W = once["conv"][0]
    backwards = RandomWeights(SHAPES, 7)
    assert backwards["fc"][0].tobytes() == once["fc"][0].tobytes()
    assert backwards["conv"][0].tobytes() == W.tobytes()
    assert RandomWeights(SHAPES, 8)["conv"][0].tobytes() != W.tobytes()
    two = RandomWeights({"a": SHAPES["fc"], "b": SHAPES["fc"]})
    assert two["a"][0].tobytes() != two["b"][0].tobytes()


def test_model_dir_is_the_variable_or_in_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("GRAPHNETS_MODEL_DIR", str(tmp_path / "models"))
    assert weights.model_dir() == tmp_path / "models"
    monkeypatch.delenv("GRAPHNETS_MODEL_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert weights.model_dir().name == "graphnets"
    elsewhere = weights.model_dir()
    monkeypatch.setenv("GRAPHNETS_MODEL_DIR", "")
    assert weights.model_dir() == elsewhere


@pytest.mark.parametrize(
    "architecture, name, fetched",
    [
        ("vgg16", "vgg16.npz", "vgg16"),
        ("inception_v3", "classify_image_graph_def.pb", "inception_v3"),
        ("alexnet", "bvlc_alexnet.npz", "alexnet"),
        ("alexnet_caffe", "bvlc_alexnet.npz", "alexnet"),
    ],
)
def test_default_file_is_where_fetch_puts_it(architecture, name, fetched, monkeypatch, tmp_path):
    monkeypatch.setenv("GRAPHNETS_MODEL_DIR", str(tmp_path))
    with pytest.raises(GraphnetsError) as caught:
        weights.default_file(architecture)
    assert str(caught.value) == (
        f"the weights of {architecture} are not at {tmp_path / name}; get them with "
        f"`graphnets fetch {fetched}`"
    )
    (tmp_path / name).write_bytes(b"")
    assert weights.default_file(architecture) == tmp_path / name


@pytest.mark.parametrize("folder, typed", [("models", "models"), ("my models", "'my models'")])
def test_the_command_names_the_folder_as_a_shell_takes_it(folder, typed, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GraphnetsError) as caught:
        weights.default_file("vgg16", folder)
    assert str(caught.value) == (
        f"the weights of vgg16 are not at {folder}/vgg16.npz; get them with "
        f"`graphnets fetch vgg16 --model_dir {typed}`"
    )
