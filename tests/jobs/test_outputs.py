"""Outputs that cannot be written: told before a photo is run, or with nothing lost."""

import errno
import os
import resource
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from graphnets.cli.commands import main
from graphnets.errors import GraphnetsError
from graphnets.features.store import FeatureStore
from graphnets.files import check_target, write_whole, writing
from graphnets.jobs.compare import compare
from graphnets.jobs.options import RetrainOptions, check_outputs
from graphnets.jobs.retrain import retrain
from graphnets.training.options import TrainingOptions
from graphnets.training.summaries import Summaries


@contextmanager
def full_disk(limit):
    """No file can grow beyond `limit` bytes: the size limit stands in for the disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def options(folder, **others):
    settings = {
        "output_dir": folder / "out",
        "bottleneck_dir": folder / "bottleneck",
        "summaries_dir": None,
        "training": TrainingOptions(how_many_training_steps=20),
    }
    return RetrainOptions(**{**settings, **others})


FOLDERS = ["output_dir", "bottleneck_dir", "summaries_dir", "checkpoint_dir"]
FILES = ["output_graph", "output_labels"]


@pytest.mark.parametrize("name", [*FOLDERS, *FILES, "saved_model_dir"])
def test_an_output_under_a_file_cannot_be_written(tmp_path, name):
    (tmp_path / "file").write_text("kept")
    settings = options(tmp_path, **{name: tmp_path / "file" / "below" / "x"})
    with pytest.raises(GraphnetsError, match=r"file/below(/x)? cannot be written to: Not a dir"):
        check_outputs(settings)
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize("name", FOLDERS)
def test_an_output_folder_that_is_a_file(tmp_path, name):
    (tmp_path / "file").write_text("kept")
    wanted = "file cannot be written to: Not a directory; name another folder$"
    with pytest.raises(GraphnetsError, match=wanted):
        check_outputs(options(tmp_path, **{name: tmp_path / "file"}))


@pytest.mark.parametrize("name", FILES)
def test_an_output_file_that_is_a_folder(tmp_path, name):
    with pytest.raises(GraphnetsError, match=f"^{tmp_path} is a folder; name a file to write$"):
        check_outputs(options(tmp_path, **{name: tmp_path}))


@pytest.mark.parametrize("name", ["metrics.json", "photos.csv", "curves.csv", "report.html"])
def test_a_folder_where_a_figure_is_written(tmp_path, name):
    (tmp_path / "out" / name).mkdir(parents=True)
    with pytest.raises(GraphnetsError, match=f"{name} is a folder; name a file to write$"):
        check_outputs(options(tmp_path))


def test_two_outputs_of_one_name(tmp_path):
    settings = options(tmp_path, output_graph=tmp_path / "x", output_labels=tmp_path / "x")
    with pytest.raises(GraphnetsError, match="^two outputs have one name among .*different files$"):
        check_outputs(settings)


def test_a_folder_that_cannot_be_made_or_written():
    with pytest.raises(GraphnetsError, match="^/proc cannot be written to: .*; name another fo"):
        check_target("/proc/weights.npz")


@pytest.mark.parametrize(
    "command, message",
    [
        (["retrain", "--summaries_dir", "file"], "file cannot be written to: Not a directory"),
        (["retrain", "--output_labels", "photos"], "photos is a folder; name a file to write"),
        (["compare", "--from", "fc8", "--bottleneck_dir", "file"], "file cannot be written to"),
        (["compare", "--from", "fc8", "--output_dir", "out"], "compare.png is a folder"),
        (["extract", "--bottleneck_dir", "file"], "file cannot be written to: Not a directory"),
    ],
)
def test_commands_tell_it_before_the_network_is_opened(
    photo_folder, tmp_path, monkeypatch, command, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    (tmp_path / "out" / "compare.png").mkdir(parents=True)
    for module in ("photos", "training"):
        monkeypatch.setattr(f"graphnets.cli.{module}.opened", pytest.fail)
    run = CliRunner().invoke(
        main, [*command, "--image_dir", "photos", "--architecture", "vgg16", "--weights", "random"]
    )
    assert run.exit_code == 1 and message in run.output


def test_demo_tells_it_before_it_draws(tmp_path):
    (tmp_path / "file").write_text("")
    run = CliRunner().invoke(main, ["demo", "--output_dir", str(tmp_path / "file")])
    assert run.exit_code == 1
    assert "cannot be written to: Not a directory; name another folder" in run.output


def test_convert_tells_it_before_it_reads(tmp_path):
    (tmp_path / "w.npz").mkdir()
    run = CliRunner().invoke(main, ["convert", "none.npz", str(tmp_path / "w.npz")])
    assert run.exit_code == 1 and "w.npz is a folder; name a file to write" in run.output


def test_the_disk_full_at_the_end_keeps_the_classifier_that_was_there(
    photo_folder, network, tmp_path
):
    settings = options(tmp_path)
    retrain(photo_folder, network, settings)
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with full_disk(1000), pytest.raises(GraphnetsError, match="graph.pb cannot be written: File t"):
        retrain(photo_folder, network, settings)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


@pytest.mark.parametrize("name", ["labels.txt", "photos.csv", "curves.csv", "metrics.json"])
def test_the_disk_full_at_any_file(photo_folder, network, tmp_path, monkeypatch, name):
    def full(path, data):
        if Path(path).name.endswith(name):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_whole(path, data)

    monkeypatch.setattr("graphnets.jobs.retrain.write_whole", full)
    monkeypatch.setattr("graphnets.classifier.export.write_whole", full)
    with pytest.raises(GraphnetsError, match=f"{name} cannot be written: No space left on device"):
        retrain(photo_folder, network, options(tmp_path))


def test_the_disk_full_at_a_saved_model_leaves_none(photo_folder, network, tmp_path, monkeypatch):
    settings = options(tmp_path, saved_model_dir=tmp_path / "saved" / "1")

    def full(folder, *_):
        folder.mkdir()
        (folder / "half").write_text("")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("graphnets.exports.saved_model._build", full)
    with pytest.raises(GraphnetsError, match="saved/1 cannot be written: No space left on device"):
        retrain(photo_folder, network, settings)
    assert list((tmp_path / "saved").iterdir()) == []


def test_the_disk_full_at_the_table_of_depths(photo_folder, network, tmp_path):
    settings = options(tmp_path)
    compare(photo_folder, network, ["all"], settings)  # fills the store
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with full_disk(100), pytest.raises(GraphnetsError, match="out cannot be written: File too lar"):
        compare(photo_folder, network, ["all"], settings)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_the_disk_full_at_the_summaries(tmp_path):
    with pytest.raises(GraphnetsError, match="^the summaries in .* cannot be written: .*_dir$"):
        with full_disk(200), Summaries(tmp_path) as log:
            for step in range(100):
                log.add("train", step, 0.5, 0.5)


def test_a_store_that_is_removed_while_it_is_written_to(tmp_path):
    import numpy as np

    store = FeatureStore(tmp_path / "store", {"network": "tiny", "endpoint": "fc"})
    store.append(["0" * 32], np.zeros((1, 4), np.float32))
    shutil.rmtree(tmp_path / "store")
    with pytest.raises(GraphnetsError, match="was removed while it was written to; give the com"):
        store.close()


def test_other_errors_of_the_block_pass(tmp_path):
    with pytest.raises(KeyError), writing(tmp_path):
        raise KeyError


def test_a_saved_model_is_the_last_so_that_a_killed_run_can_begin_again(
    photo_folder, network, tmp_path, monkeypatch
):
    settings = options(tmp_path, saved_model_dir=tmp_path / "saved")

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("graphnets.jobs.retrain.report_on_run", killed)
        retrain(photo_folder, network, settings)
    assert (tmp_path / "out" / "metrics.json").exists()
    retrain(photo_folder, network, settings)
    assert (tmp_path / "saved" / "saved_model.pb").exists()
