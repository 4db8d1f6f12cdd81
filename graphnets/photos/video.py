"""A video's frames as photos, some seconds apart."""

from __future__ import annotations

import io
import math
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from graphnets import storage
from graphnets.errors import GraphnetsError, check_kind, check_path, shown
from graphnets.photos.folders import is_video
from graphnets.photos.images import MAX_PIXELS

if TYPE_CHECKING:
    import av

# A playlist or a list of files, of which a stranger's would name files of this machine, is none.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegvideo,mpegts,flv,asf"
DAMAGED = "damaged or cut off"
MISSING = 0.2  # seconds at the end, or two frames, without which a video is whole


@dataclass
class Frame:
    """One frame: of the video `path`, `time` seconds behind its start, upright.

    png: the bytes of a PNG file. value: what a network takes for it, where it has been read; png is
    let go then, as it is large. problem: "" or, of what is no frame, why there is none, or no more.
    """

    path: str
    time: float
    png: bytes = b""
    problem: str = ""
    value: np.ndarray | None = None

    def __fspath__(self) -> str:
        return self.path


def check_every(every: object) -> float:
    """The seconds from frame to frame; GraphnetsError unless they are a number above 0."""
    check_kind("every", every, Real, "seconds, a number above 0")
    if not 0 < every < math.inf:  # type: ignore[operator]
        raise GraphnetsError(f"every is {every}, wanted seconds, a number above 0")
    return float(every)  # type: ignore[arg-type]


def with_frames(
    paths: Iterator[str | os.PathLike[str]], every: float
) -> Iterator[str | os.PathLike[str] | Frame]:
    """The paths, and in place of those that end as videos do their frames."""
    for path in paths:
        if is_video(path):
            yield from frames(path, every)
        else:
            yield path


def frames(path: str | os.PathLike[str], every: float = 1.0) -> Iterator[Frame]:
    """The first frame, and the next one at or after each `every` seconds from there.

    They are decoded as they are taken: memory does not grow with the video. What cannot be
    decoded to its end gives a last Frame with the problem. Raises GraphnetsError unless `every` is
    above 0.
    """
    check_path("path", path, "the path of a video")
    return _frames(os.fspath(path), check_every(every))


def _frames(path: str, every: float) -> Iterator[Frame]:
    if storage.is_address(path):
        yield Frame(path, 0, problem="a video at an address; copy it to this machine")
        return
    try:
        import av

        # Before it, the limits below make it crash on MPEG files.
        found = tuple(map(int, av.__version__.split(".")[:2])) >= (17, 1)
    except ImportError:
        found = False
    if not found:
        yield Frame(path, 0, problem="a video; `pip install 'graphnets[video]'` reads it")
        return
    reached: float | None = None
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe would wait for ever
            raise GraphnetsError("not a regular file")
        # imageio's reader, which stands on this one, does not tell the times of frames.
        with (
            open(path, "rb") as file,
            av.open(
                file,
                io_open=_refuse,
                container_options={"format_whitelist": FORMATS, "protocol_whitelist": "none"},
            ) as container,
        ):
            end = _End(container)
            due, turns = 0.0, _Turns()
            for seconds, frame in _decoded(container, end):
                reached = seconds
                if seconds >= due - 1e-6:
                    yield Frame(path, round(seconds, 6), _png(turns.upright(frame)))
                    due = every * (math.floor(seconds / every + 1e-6) + 1)
            problem = end.problem()
    except GraphnetsError as error:
        problem = str(error)
    except FileNotFoundError as error:
        yield Frame(path, 0, problem=f"cannot be read ({shown(error.strerror)})")
        return
    except (av.FFmpegError, OSError, ValueError, MemoryError):
        problem = DAMAGED
    if reached is None:
        yield Frame(path, 0, problem=f"no video that can be read: {problem or 'it has no frames'}")
    elif problem:
        yield Frame(path, reached, problem=f"{problem} after {reached:.3f} s")


def _refuse(url: str, *_: object) -> None:
    raise PermissionError(f"{url} is another file")


def _decoded(
    container: av.container.InputContainer, end: _End
) -> Iterator[tuple[float, av.VideoFrame]]:
    """(seconds behind the first frame, frame) of the first stream with pictures."""
    if not container.streams.video:
        raise GraphnetsError("it has no pictures")
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    # FFmpeg's own limit, which counts with margins, for what is decoded before a frame is seen.
    stream.codec_context.options = {"max_pixels": str(2 * MAX_PIXELS)}
    start = None
    for packet in _whole(container, end):
        if packet is not None and packet.stream is not stream:
            continue
        _check_size(stream.codec_context.width, stream.codec_context.height)
        for frame in stream.decode(packet):
            if frame.pts is None or not stream.time_base:
                raise GraphnetsError("its frames have no times")
            _check_size(frame.width, frame.height)
            seconds = float(frame.pts * stream.time_base)  # what is flushed has no `time`
            start = seconds if start is None else start
            yield seconds - start, frame


def _whole(container: av.container.InputContainer, end: _End) -> Iterator[av.Packet | None]:
    """The packets up to the first that is damaged, of which decoders make grey; None at the end."""
    for packet in container.demux():
        end.see(packet)
        if packet.is_corrupt:
            yield None  # what is still in the decoder
            return
        yield packet


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise GraphnetsError(f"{width} x {height} pixels are too many")


class _End:
    """Whether all of a container was there: what it says of its length, and what was seen."""

    def __init__(self, container: av.container.InputContainer) -> None:
        self._start = (container.start_time or 0) / 1e6
        self._declared = (container.duration or 0) / 1e6
        rate = container.streams.video and container.streams.video[0].average_rate
        self._missing = max(MISSING, 2 / float(rate)) if rate else MISSING
        self._seen, self._damaged = 0.0, False

    def see(self, packet: av.Packet) -> None:
        self._damaged |= packet.is_corrupt
        if packet.pts is not None and packet.time_base:
            end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
            self._seen = max(self._seen, end)

    def problem(self) -> str:
        """ "" if nothing is missing."""
        short = self._seen - self._start < self._declared - self._missing
        return DAMAGED if short or self._damaged else ""


def _png(picture: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(buffer, "PNG", compress_level=0)
    return buffer.getvalue()


class _Turns:
    """How the frames of a video are turned and mirrored, as their display matrices say."""

    def __init__(self) -> None:
        self._found: dict[int, tuple[bool, int, int]] = {}

    def upright(self, frame: av.VideoFrame) -> np.ndarray:
        """uint8 (height, width, 3), RGB."""
        if frame.rotation not in self._found:
            # Not of each: a frame whose side data was looked at stays until garbage is collected.
            self._found[frame.rotation] = _turn(frame.side_data.get("DISPLAYMATRIX"))
        swapped, down, across = self._found[frame.rotation]
        picture = frame.to_ndarray(format="rgb24")
        picture = picture.transpose(1, 0, 2) if swapped else picture
        return picture[::down, ::across]


def _turn(matrix: Any) -> tuple[bool, int, int]:
    """Whether rows and columns change places, and the steps, 1 or -1, in which both then go."""
    if matrix is None:
        return False, 1, 1
    # A pixel x to the right and y down is shown at (a x + c y, b x + d y).
    a, b, _, c, d = (int(number) for number in np.frombuffer(bytes(matrix), np.int32)[:5])
    swapped = abs(a) < abs(b)  # by the nearest right angle
    down, across = (b, c) if swapped else (d, a)
    return swapped, -1 if down < 0 else 1, -1 if across < 0 else 1
