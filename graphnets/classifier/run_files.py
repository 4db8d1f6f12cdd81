"""The files that a run leaves in its folder.

Neither TensorFlow, nor pandas before one is read.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

GRAPH, LABELS = "output_graph.pb", "output_labels.txt"
METRICS, PHOTOS, CURVES, REPORT = "metrics.json", "photos.csv", "curves.csv", "report.html"


def read_photos(path: str | os.PathLike[str]) -> pd.DataFrame:
    """A photos.csv as text: a class called 1 or None stays what it is. Raises as pandas does."""
    import pandas as pd

    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding_errors="surrogateescape")
