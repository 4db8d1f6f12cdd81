"""The features of a video's frames; they go through once and are kept in no store."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.networks.network import Network, check_network, endpoint_names, features
from graphnets.photos.reading import ahead, batched, in_runs, photo_reader
from graphnets.photos.video import Frame, frames


class FrameFeatures(NamedTuple):
    """features: float32 (n, features), the endpoints `names` side by side, averaged over frames.

    times: float64 (n,), seconds behind the first frame. problem: "" if the video was whole.
    """

    features: np.ndarray
    times: np.ndarray
    names: list[str]
    problem: str


def frame_features(
    network: Network,
    endpoint: str | Sequence[str] | None,
    video: str | os.PathLike[str],
    every: float = 1.0,
) -> FrameFeatures:
    """The features of a frame each `every` seconds, as `graphnets.Bottlenecks` has them of photos.

    endpoint: as there. Raises GraphnetsError for an endpoint that the network does not have, and
    for an `every` that is not above 0.
    """
    check_network(network)
    names = endpoint_names(network, endpoint)
    rows: list[np.ndarray] = []
    times: list[float] = []
    problems: list[str] = []
    with tf.Graph().as_default(), network.session() as session:
        read = photo_reader(session, network.size)
        pictures = tf.placeholder(tf.float32, [None, *network.size, 3])
        found = network.build(pictures, names)
        tensors = [features(name, found[name]) for name in names]
        session.run(tf.global_variables_initializer())

        def picture(frame: Frame) -> np.ndarray | None:
            value = None if frame.problem else read(frame.png)
            frame.png = b""  # a whole batch of them is large
            return value

        def run(batch: list) -> tuple[list[Frame], list[np.ndarray]]:
            some = [(frame, result()) for frame, result in batch]
            values = [value for _, value in some if value is not None]
            if not values:
                return [frame for frame, _ in some], []
            columns = network.run(session, tensors, pictures, np.concatenate(values))
            return [frame for frame, _ in some], [np.concatenate(columns, axis=1)]

        for result in in_runs(batched(ahead(frames(video, every), picture)), run):
            taken, values = result()
            rows += values
            times += [frame.time for frame in taken if not frame.problem]
            problems += [frame.problem for frame in taken if frame.problem]
    width = rows[0].shape[1] if rows else 0
    whole = np.concatenate([np.empty((0, width), np.float32), *rows])
    return FrameFeatures(whole, np.array(times), names, "".join(problems))
