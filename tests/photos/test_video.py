"""A video's frames: which, when, upright; and what is no video, or is cut off."""

import builtins
import io
import os

import numpy as np
import pytest
from PIL import Image
from videos import COLOURS, MIRROR, cut_off, picture, turned, write_video

from graphnets.errors import GraphnetsError
from graphnets.photos.video import frames

av = pytest.importorskip("av")


def pixels(frame):
    return np.asarray(Image.open(io.BytesIO(frame.png)))


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.mov"])
def test_a_frame_every_half_second(tmp_path, name):
    path = write_video(tmp_path / name)
    found = list(frames(path, 0.5))
    assert [frame.time for frame in found] == [0, 0.5, 1, 1.5, 2, 2.5]
    assert not any(frame.problem for frame in found)
    for number, frame in enumerate(found):
        assert frame.path == str(path)
        difference = pixels(frame).astype(int) - picture(5 * number)
        assert np.abs(difference[24:, 24:]).max() < 20  # MPEG-4 loses some
        assert np.abs(pixels(frame)[30, 40] - np.array(COLOURS[number % 3])).max() < 20


def test_frames_that_are_due_between_two_come_with_the_later_one(tmp_path):
    found = list(frames(write_video(tmp_path / "a.mp4", seconds=2, rate=4), 0.6))
    assert [frame.time for frame in found] == [0, 0.75, 1.25]
    every = list(frames(tmp_path / "a.mp4", 0.01))
    assert len(every) == 8


def test_times_are_those_of_the_frames_where_the_rate_changes(tmp_path):
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number, time in enumerate([0, 1, 2, 12, 13, 40]):  # tenths of a second
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            frame.pts = time
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert [f.time for f in frames(tmp_path / "a.mkv", 1)] == [0, 1.2, 4]


def test_a_phones_video_is_turned_upright(tmp_path):
    path = write_video(tmp_path / "a.mp4", seconds=1)
    plain, upright = pixels(next(frames(path))), pixels(next(frames(turned(path))))
    np.testing.assert_array_equal(upright, np.rot90(plain, -1))
    assert upright.shape == (64, 48, 3)
    assert upright[4, -4, 0] > 200 and plain[4, 4, 0] > 200  # the red corner went to the right
    mirrored = pixels(next(frames(turned(path, MIRROR))))
    np.testing.assert_array_equal(mirrored, plain[:, ::-1])


@pytest.mark.parametrize("name, options", [("a.mp4", {"movflags": "faststart"}), ("a.mkv", {})])
def test_a_video_that_is_cut_off_gives_what_was_before_and_says_so(tmp_path, name, options):
    whole = write_video(tmp_path / name, **options)
    *found, last = frames(cut_off(whole), 0.1)
    complete = [pixels(frame) for frame in frames(whole, 0.1)]
    assert 3 < len(found) < len(complete)
    for frame, expected in zip(found, complete, strict=False):
        np.testing.assert_array_equal(pixels(frame), expected)
    assert last.problem == f"damaged or cut off after {found[-1].time:.3f} s"


def test_what_is_no_video_is_told(tmp_path):
    cases = {
        "text.mp4": (b"no video\n", "no video that can be read: damaged or cut off"),
        "empty.mp4": (b"", "no video that can be read: damaged or cut off"),
        "head.mp4": (
            write_video(tmp_path / "a.mp4").read_bytes()[:300],
            "no video that can be read: damaged or cut off",
        ),
    }
    for name, (data, problem) in cases.items():
        (tmp_path / name).write_bytes(data)
        assert [frame.problem for frame in frames(tmp_path / name)] == [problem]
    [missing] = frames(tmp_path / "nowhere.mp4")
    assert missing.problem == "cannot be read (No such file or directory)"


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    [found] = frames(tmp_path / "pipe.mp4")
    assert found.problem == "no video that can be read: not a regular file"


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile '{0}'\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{0}\n#EXT-X-ENDLIST\n",
    ],
)
def test_a_list_of_other_files_reads_none_of_them(tmp_path, text):
    secret = write_video(tmp_path / "secret.mp4")
    listing = tmp_path / "list.mp4"
    listing.write_text(text.format(secret))
    [found] = frames(listing)
    assert found.problem == "no video that can be read: damaged or cut off"


def test_a_picture_that_is_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("graphnets.photos.video.MAX_PIXELS", 64 * 48 - 1)
    [found] = frames(write_video(tmp_path / "a.mp4"))
    assert found.problem == "no video that can be read: 64 x 48 pixels are too many"


def test_without_the_extra_it_is_named(tmp_path, monkeypatch):
    path, real = write_video(tmp_path / "a.mp4"), builtins.__import__

    def without(name, *rest):
        if name == "av":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    [found] = frames(path)
    assert found.problem == "a video; `pip install 'graphnets[video]'` reads it"


@pytest.mark.parametrize("every", [0, -1, float("nan"), float("inf"), "1"])
def test_seconds_are_above_0(every):
    with pytest.raises(GraphnetsError, match="every is .*, wanted seconds, a number above 0"):
        frames("a.mp4", every)
