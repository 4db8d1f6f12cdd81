"""extract writes the file that is named, or says at once why it cannot."""

import os

import numpy as np
import pytest
from click.testing import CliRunner

from graphnets.cli.commands import main


def extract(photo_folder, tmp_path, output):
    flags = ["--architecture", "alexnet", "--weights", "random", "--endpoint", "conv1"]
    folders = ["--image_dir", photo_folder, "--bottleneck_dir", tmp_path / "B", "--output", output]
    return CliRunner().invoke(main, ["extract", *flags, *map(str, folders)])


@pytest.mark.parametrize(
    "named, written",
    [("feats_0.5", "feats_0.5.npz"), ("feats.npz", "feats.npz"), ("FEATS.NPZ", "FEATS.NPZ")],
)
def test_what_is_named_is_what_is_written(photo_folder, tmp_path, named, written):
    for path in sorted(photo_folder.glob("*/*"))[9:]:
        if path.stem not in ("000", "001", "002"):
            path.unlink()  # a pass of AlexNet takes its time
    result = extract(photo_folder, tmp_path, tmp_path / "new" / named)
    assert result.exit_code == 0, result.output
    assert os.listdir(tmp_path / "new") == [written]
    assert f"{tmp_path / 'new' / written}: " in result.output
    with np.load(tmp_path / "new" / written) as found:
        assert len(found["features"]) == len(found["paths"]) == len(found["labels"]) > 8


@pytest.mark.parametrize("ending", [".csv", ".npy", ".h5", ".tar.gz"])
def test_another_format_is_refused_before_a_photo_is_run(photo_folder, tmp_path, ending):
    result = extract(photo_folder, tmp_path, tmp_path / f"feats{ending}")
    assert result.exit_code == 1
    assert result.output == (
        f"Error: --output {tmp_path}/feats{ending} names another format, features are written as "
        ".npz; name a file that ends in .npz\n"
    )
    assert not (tmp_path / "B").exists()


@pytest.mark.parametrize("output", ["photos", "photos/"])
def test_a_folder_is_refused(photo_folder, tmp_path, output):
    result = extract(photo_folder, tmp_path, f"{tmp_path}/{output}")
    assert result.exit_code == 1
    assert "photos is a folder; name a file in it" in result.output.replace("/ is", " is")
    assert not (tmp_path / "B").exists()


def test_the_photos_of_a_table(photo_folder, tmp_path):
    paths = sorted(photo_folder.glob("*/*"))[::20] + sorted(photo_folder.glob("*/*"))[1::20]
    rows = [f"{path.relative_to(photo_folder)},{n % 2},training" for n, path in enumerate(paths)]
    (tmp_path / "t.csv").write_text("\n".join(["path,label,split", *rows]))
    flags = ["--architecture", "alexnet", "--weights", "random", "--endpoint", "conv1"]
    flags += ["--images", tmp_path / "t.csv", "--image_root", photo_folder]
    flags += ["--bottleneck_dir", tmp_path / "B", "--output", tmp_path / "f.npz"]
    result = CliRunner().invoke(main, ["extract", *map(str, flags)])
    assert result.exit_code == 0, result.output
    with np.load(tmp_path / "f.npz") as found:
        assert sorted(zip(found["labels"], found["paths"], strict=True)) == sorted(
            (str(n % 2), str(path)) for n, path in enumerate(paths)
        )
    (tmp_path / "t.csv").write_text("path,kind\nx,y\n")
    result = CliRunner().invoke(main, ["extract", *map(str, flags)])
    assert "t.csv has no column 'label' among path, kind; wanted path" in result.output


def test_a_gpu_that_is_not_there_is_told_and_no_feature_is_stored(
    photo_folder, tmp_path, monkeypatch
):
    monkeypatch.setenv("GRAPHNETS_DEVICE", "cpu")  # and is what it was afterwards
    flags = ["--architecture", "alexnet", "--weights", "random", "--endpoint", "conv1"]
    flags += ["--images", photo_folder, "--bottleneck_dir", tmp_path / "B", "--device", "gpu"]
    result = CliRunner().invoke(main, ["extract", *map(str, flags)])
    assert result.exit_code == 1
    assert "TensorFlow sees no GPU, and --device gpu wants one; if `nvidia-smi`" in result.output
    assert not any((tmp_path / "B").glob("*"))
