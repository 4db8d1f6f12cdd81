"""Small videos, drawn by the tests."""

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


def turned(path):
    """An .mp4 whose track header says to turn it by a quarter, as phones write them."""
    data = bytearray(path.read_bytes())
    header = data.index(b"tkhd")
    matrix = header + 4 + 40  # version 0: 40 bytes before the matrix
    one, minus = (0x00010000).to_bytes(4, "big"), (0xFFFF0000).to_bytes(4, "big")
    none = bytes(4)
    # ISO 14496-12, 6.2.2: a quarter clockwise.
    data[matrix : matrix + 36] = (
        none + one + none + minus + none + none + none + none + (0x40000000).to_bytes(4, "big")
    )
    found = path.with_name(f"turned_{path.name}")
    found.write_bytes(data)
    return found
