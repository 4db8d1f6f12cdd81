"""Small videos, drawn by the tests."""

import struct

import numpy as np

COLOURS = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]


def picture(number, size=(64, 48)):
    """Half a second of each colour in turn, red in the upper left corner, brighter by the frame."""
    width, height = size
    found = np.full((height, width, 3), COLOURS[number // 5 % 3], np.uint8)
    found[: height // 4, : width // 4] = (250, 10, 10)
    return found


def write_video(path, seconds=3, rate=10, size=(64, 48), codec="mpeg4", **options):
    import av

    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for number in range(round(seconds * rate)):
            frame = av.VideoFrame.from_ndarray(picture(number, size), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def cut_off(path, share=0.6):
    """The beginning of the file."""
    data = path.read_bytes()
    cut = path.with_name(f"cut_{path.name}")
    cut.write_bytes(data[: int(len(data) * share)])
    return cut


QUARTER, MIRROR = (0, 1, -1, 0), (-1, 0, 0, 1)  # clockwise; left to right


def turned(path, matrix=QUARTER):
    """An .mp4 whose track header says how it is to be shown, as phones write them."""
    data = bytearray(path.read_bytes())
    header = data.index(b"tkhd")
    place = header + 4 + 40  # version 0: 40 bytes before the matrix
    a, b, c, d = (number * 0x10000 for number in matrix)
    # ISO 14496-12, 6.2.2
    data[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 0x40000000)
    found = path.with_name(f"turned_{path.name}")
    found.write_bytes(data)
    return found
