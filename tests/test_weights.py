"""Weight files: what is read is what was written, and nothing else is taken for weights."""

import io
import os
import pickle
import zipfile

import numpy as np
import pytest

from graphnets import weights
from graphnets.errors import GraphnetsError
from graphnets.weights import NpzWeights, RandomWeights, write_npz


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


@pytest.mark.parametrize(
    "value",
    [
        np.array([1, np.nan], np.float32),
        np.array([1, -np.inf], np.float32),
        np.zeros(2, np.float64),
        np.zeros(2, np.float16),
        np.zeros(2, ">f4"),
        np.zeros(2, np.int32),
        np.array(["a", "b"]),
        b"no array at all",
    ],
)
@pytest.mark.parametrize("role", ["W", "b"])
def test_a_layer_must_be_finite_float32(role, value, tmp_path):
    members = {"fc/W": np.zeros(2, np.float32), "fc/b": np.zeros(2, np.float32)}
    read = NpzWeights(archive(tmp_path / "w.npz", **members | {f"fc/{role}": value}))
    message = rf"w\.npz: fc/{role} is .* or not finite; wanted finite float32$"
    with pytest.raises(GraphnetsError, match=message):
        read["fc"]


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
    "architecture, name",
    [("vgg16", "vgg16.npz"), ("inception_v3", "classify_image_graph_def.pb")],
)
def test_default_file_is_where_fetch_puts_it(architecture, name, monkeypatch, tmp_path):
    monkeypatch.setenv("GRAPHNETS_MODEL_DIR", str(tmp_path))
    with pytest.raises(GraphnetsError) as caught:
        weights.default_file(architecture)
    assert str(caught.value) == (
        f"the weights of {architecture} are not at {tmp_path / name}; get them with "
        f"`graphnets fetch {architecture}`"
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
