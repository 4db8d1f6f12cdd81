"""What TensorBoard shows of the test photos: confusion matrix, mistakes, and their features.

The folder `test` of a run has an events file with the pictures, and the files of the embedding
projector beside it, in the format of tensorboard.plugins.projector.
"""

from __future__ import annotations

import io
import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow.compat.v1 as tf
from PIL import Image

from graphnets.errors import GraphnetsError, shown
from graphnets.jobs.drawings import confusion_picture, mistakes_sheet
from graphnets.jobs.judge import Judged
from graphnets.photos.labels import positions
from graphnets.photos.thumbnails import squares
from graphnets.training.summaries import add_event, event_file, writing_summaries

MOST_PHOTOS = 5000  # in the projector, which is slow with more
MOST_VALUES = 1 << 24  # of their features: 64 MB that a browser loads
MOST_MISTAKES = 24
SIDE = 48  # pixels of a photo in the projector; a sprite of 5,000 is 3,408 pixels wide of 8,192
CONFIG = """embeddings {{
  tensor_name: "features of test photos"
  tensor_shape: {count}
  tensor_shape: {width}
  tensor_path: "features.bytes"
  metadata_path: "metadata.tsv"
  sprite {{
    image_path: "sprite.jpg"
    single_image_dim: {side}
    single_image_dim: {side}
  }}
}}
"""


def write_board(
    run: Path, found: Judged, tested: pd.DataFrame, say: Callable[[str], object]
) -> None:
    """Write what TensorBoard shows of the test photos to a run's folder; nothing of none.

    found: how they were judged; tested: their rows in the table of photos. The classifier is
    written by then: where these files cannot be, a warning says so.
    """
    if not len(tested):
        return
    folder = run / "test"
    try:
        with writing_summaries(folder):
            folder.mkdir()
            _write_pictures(folder, found, tested)
            _write_projector(folder, found, tested, say)
    except GraphnetsError as error:
        shutil.rmtree(folder, ignore_errors=True)
        say(f"warning: {error}")


def _write_pictures(folder: Path, found: Judged, tested: pd.DataFrame) -> None:
    values = []
    if "confusion_matrix" in found.figures:
        labels = list(found.figures["per_class"])
        matrix = np.array(found.figures["confusion_matrix"])
        values.append(_value("confusion_matrix", confusion_picture(matrix, labels)))
    places, scores = most_confident_mistakes(found, tested)
    if len(places):
        wrong = tested.iloc[places]
        predicted = [found.predicted[place] for place in places]
        sheet = mistakes_sheet(list(wrong.path), predicted, list(wrong.label), scores)
        values.append(_value("most_confident_mistakes", sheet))
    with event_file(folder) as writer:
        add_event(writer, found.head.step, values)


def _value(tag: str, picture: Image.Image) -> tf.Summary.Value:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    image = tf.Summary.Image(
        height=picture.height,
        width=picture.width,
        colorspace=3,
        encoded_image_string=buffer.getvalue(),
    )
    return tf.Summary.Value(tag=tag, image=image)


def most_confident_mistakes(found: Judged, tested: pd.DataFrame) -> tuple[list[int], list[float]]:
    """The places in `tested` of MOST_MISTAKES wrong photos, the surest first, and how sure.

    As sure as the probability of the label that was given; of several labels, as that of the
    surest wrong decision: that of a label too many, or 1 less that of one too few.
    """
    probabilities = found.scores
    wrong = np.array(found.predicted, object) != tested.label.to_numpy(object)
    sure = probabilities.max(axis=1)
    if found.head.thresholds is not None:
        truth = positions(tested, list(found.figures["per_class"])) > 0
        named = probabilities >= found.head.thresholds
        each = np.where(named, probabilities, 1 - probabilities)
        sure = np.where(named != truth, each, 0).max(axis=1)
    places = np.flatnonzero(wrong)
    places = places[np.argsort(-sure[places], kind="stable")][:MOST_MISTAKES]
    return places.tolist(), sure[places].tolist()


def _write_projector(
    folder: Path, found: Judged, tested: pd.DataFrame, say: Callable[[str], object]
) -> None:
    width = found.testing.shape[1]
    most = min(MOST_PHOTOS, max(1, MOST_VALUES // width))
    places = np.arange(len(tested))
    if len(places) > most:
        say(f"TensorBoard's projector shows {most} of {len(places)} test photos, drawn at random")
        places = np.sort(np.random.default_rng(0).choice(places, most, replace=False))
    shown_photos = tested.iloc[places]
    features = found.testing[places].astype("<f4")
    # TensorBoard takes a file for text until it fails to decode a line; the first one is to fail.
    features.view(np.uint8)[0, 0] = 0x80
    features.tofile(folder / "features.bytes")
    lines = ["label\tpredicted\tright\tpath"]
    for place, row in zip(places, shown_photos.itertuples(), strict=True):
        predicted = found.predicted[place]
        right = "right" if predicted == row.label else "wrong"
        lines.append("\t".join(map(shown, (row.label, predicted, right, row.path))))
    (folder / "metadata.tsv").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    _sprite(list(shown_photos.path)).save(folder / "sprite.jpg", quality=85)
    config = CONFIG.format(count=len(places), width=width, side=SIDE)
    (folder / "projector_config.pbtxt").write_text(config)


def _sprite(paths: Sequence[str]) -> Image.Image:
    """The photos in rows of a square, as the projector cuts them out again."""
    across = math.ceil(math.sqrt(len(paths)))
    sprite = Image.new("RGB", (across * SIDE, across * SIDE), "white")
    for number, picture in enumerate(squares(paths, SIDE)):
        row, column = divmod(number, across)
        sprite.paste(picture, (column * SIDE, row * SIDE))
    return sprite
