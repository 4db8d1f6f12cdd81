"""Folders as `retrain` leaves them, of the tiny network and a head that nobody trained."""

import numpy as np
import pandas as pd
from tiny import LABELS, a_head, pixels, saved, tiny_network

from graphnets.classifier import export
from graphnets.photos.folders import SPLITS
from graphnets.training.unknown import Distance, Unknown

LIMITS = np.array([0.3, 0.9, 0.2], np.float32)


def unknown(threshold=0.6):
    """It calls unknown what the softmax is least sure of."""
    axes = np.eye(6, dtype=np.float32)
    distance = Distance(axes[:3], axes[:2], np.zeros(2, np.float32), 1.0)
    return Unknown(distance, np.array([0, 1], np.float32), 0.0, threshold)


def write_run(folder, head=None, per_split=4, output="final_result"):
    """A run's graph, labels and photos; every photo is of another size, one is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    graph_def = export.classifier_graph_def(tiny_network(), ["conv2"], head or a_head(), output)
    export.write_graph(folder / "output_graph.pb", graph_def)
    export.write_labels(folder / "output_labels.txt", LABELS)
    rows = []
    for number in range(3 * per_split):
        path = folder / f"{number}.png"
        saved(path, pixels(number, 18 + number, 30 - number))
        rows.append([path, LABELS[number % 3], "", SPLITS[number // per_split]])
    rows.append([folder / "gone.png", LABELS[0], "", "testing"])
    rows.append([folder / "broken.png", LABELS[0], "damaged or cut off", ""])
    table = pd.DataFrame(rows, columns=["path", "label", "problem", "split"])
    table.to_csv(folder / "photos.csv", index=False)
    return folder
