"""Where weight files lie."""

import pytest

from graphnets.errors import GraphnetsError
from graphnets.weights import places


def test_model_dir_is_the_variable_or_in_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("GRAPHNETS_MODEL_DIR", str(tmp_path / "models"))
    assert places.model_dir() == tmp_path / "models"
    monkeypatch.delenv("GRAPHNETS_MODEL_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert places.model_dir().name == "graphnets"
    elsewhere = places.model_dir()
    monkeypatch.setenv("GRAPHNETS_MODEL_DIR", "")
    assert places.model_dir() == elsewhere


@pytest.mark.parametrize(
    "architecture, name, fetched",
    [
        ("vgg16", "vgg16.npz", "vgg16"),
        ("inception_v3", "classify_image_graph_def.pb", "inception_v3"),
        ("alexnet", "bvlc_alexnet.npz", "alexnet"),
        ("alexnet_caffe", "bvlc_alexnet.npz", "alexnet"),
    ],
)
def test_a_weight_file_is_where_fetch_puts_it(architecture, name, fetched, monkeypatch, tmp_path):
    monkeypatch.setenv("GRAPHNETS_MODEL_DIR", str(tmp_path))
    with pytest.raises(GraphnetsError) as caught:
        places.weight_file(architecture)
    assert str(caught.value) == (
        f"the weights of {architecture} are not at {tmp_path / name}; get them with "
        f"`graphnets fetch {fetched}`"
    )
    (tmp_path / name).write_bytes(b"")
    assert places.weight_file(architecture) == tmp_path / name


@pytest.mark.parametrize("folder, typed", [("models", "models"), ("my models", "'my models'")])
def test_the_command_names_the_folder_as_a_shell_takes_it(folder, typed, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GraphnetsError) as caught:
        places.weight_file("vgg16", folder)
    assert str(caught.value) == (
        f"the weights of vgg16 are not at {folder}/vgg16.npz; get them with "
        f"`graphnets fetch vgg16 --model_dir {typed}`"
    )
