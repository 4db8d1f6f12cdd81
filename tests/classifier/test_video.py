"""Frames of videos, as `predict` and `extract` take them."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from tiny import tiny_network, write_png
from videos import cut_off, write_video

from graphnets.cli.commands import main
from graphnets.errors import GraphnetsError
from graphnets.features.bottlenecks import Bottlenecks
from graphnets.features.frames import frame_features
from graphnets.photos.listing import listed
from graphnets.photos.video import frames

pytest.importorskip("av")


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / "a.mkv", seconds=4)


def saved(video, folder, every):
    """The frames as PNG files."""
    folder.mkdir()
    paths = []
    for number, frame in enumerate(frames(video, every)):
        (folder / f"{number:03d}.png").write_bytes(frame.png)
        paths.append(folder / f"{number:03d}.png")
    return paths


def test_a_frame_scores_as_its_picture(classifier, video, tmp_path):
    found = list(classifier.predict(video, every=0.1))
    assert [one.time for one in found] == pytest.approx(np.arange(40) / 10)
    paths = saved(video, tmp_path / "png", 0.1)
    for one, other in zip(found, classifier.predict(paths), strict=True):
        assert one.path == str(video) and other.time is None
        assert [label for label, _ in one.top] == [label for label, _ in other.top]
        scores = [[score for _, score in prediction.top] for prediction in (one, other)]
        np.testing.assert_array_equal(*scores)


def test_videos_stand_among_photos_in_their_order(classifier, video, tmp_path):
    photo = write_png(tmp_path / "photo.png", np.zeros((9, 9, 3), np.uint8))
    found = list(classifier.predict([photo, cut_off(video), photo], every=1))
    assert [one.time for one in found][:2] == [None, 0]
    assert found[-1].time is None and found[-1].top == found[0].top
    [cut] = [one for one in found if one.problem]
    assert cut.problem.startswith("damaged or cut off after ") and cut.time < 4
    with pytest.raises(GraphnetsError, match="every is 0, wanted seconds"):
        classifier.predict(video, every=0)


def test_the_command_tells_times(own, video):
    files = ["--graph", str(own / "graph.pb"), "--labels", str(own / "labels.txt")]
    command = ["predict", *files, "--every", "2", "--top_k", "1", str(video)]
    text = CliRunner().invoke(main, command, catch_exceptions=False).output
    assert text.splitlines()[::2] == [f"{video} 0.000 s", f"{video} 2.000 s"]
    rows = CliRunner().invoke(main, [*command, "--json"]).output.splitlines()
    assert [json.loads(row)["time"] for row in rows] == [0, 2]
    assert CliRunner().invoke(main, [*command, "--every", "0"]).exit_code == 2


def test_features_of_frames_are_those_of_their_pictures(video, tmp_path):
    found = frame_features(tiny_network(), "conv1,conv2", video, 0.25)
    paths = saved(video, tmp_path / "class", 0.25)
    photos = listed(pd.DataFrame({"path": map(str, paths), "label": "x"}))
    store = Bottlenecks(tiny_network(), "conv1,conv2", tmp_path / "B")
    expected = store.read(store.add(photos))
    np.testing.assert_allclose(found.features, expected, rtol=1e-5, atol=1e-6)
    assert found.names == ["conv1", "conv2"] and found.problem == ""
    np.testing.assert_allclose(found.times, [frame.time for frame in frames(video, 0.25)])


def test_extract_writes_features_and_times(video, tmp_path):
    target = tmp_path / "f.npz"
    command = ["extract", "--architecture", "vgg16", "--weights", "random", "--endpoint", "conv1_1"]
    command += ["--every", "2", "--output", str(target)]
    result = CliRunner().invoke(main, [*command, "--images", str(video)], catch_exceptions=False)
    assert result.output == f"{target}: 2 frames, 64 features of conv1_1\n"
    with np.load(target) as found:
        assert found["features"].shape == (2, 64)
        assert list(found["times"]) == [0, 2] and list(found["paths"]) == [str(video)] * 2
    cut = CliRunner().invoke(main, [*command, "--images", str(cut_off(video))])
    assert "warning: " in cut.stderr and "damaged or cut off after" in cut.stderr
    nothing = tmp_path / "b.mp4"
    nothing.write_bytes(b"nothing")
    wrong = CliRunner().invoke(main, [*command, "--images", str(nothing)])
    assert wrong.exit_code != 0
