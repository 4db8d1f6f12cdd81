"""An earlier run to start from: its head, its classes, and what it said of its test photos."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import tensorflow.compat.v1 as tf

from graphnets.classifier.run_files import GRAPH, METRICS, PHOTOS, read_photos
from graphnets.errors import GraphnetsError, shown
from graphnets.jobs.options import RetrainOptions
from graphnets.networks.frozen import read_graph_def
from graphnets.networks.network import Network
from graphnets.photos.folders import SPLITS
from graphnets.training.heads import Head
from graphnets.training.options import head_shape

FILES = f"{METRICS}, {GRAPH} and {PHOTOS}"
WEIGHTS = ("final_weights", "final_biases")
HIDDEN = ("hidden_weights", "hidden_biases")


class Earlier(NamedTuple):
    """What a run has left in its folder.

    head: on features as stored. labels: in the order of its outputs. photos: its photos.csv.
    """

    folder: str
    head: Head
    labels: list[str]
    photos: pd.DataFrame

    def start(self, labels: Sequence[str], seed: int) -> Head:
        """Its head for these classes: what is new is drawn as a new head's weights are."""
        W = np.random.default_rng(seed).normal(0, 0.001, (len(self.head.weights), len(labels)))
        b = np.zeros(len(labels))
        for number, label in enumerate(labels):
            if label in self.labels:
                old = self.labels.index(label)
                W[:, number], b[number] = self.head.weights[:, old], self.head.biases[old]
        return self.head._replace(weights=W.astype(np.float32), biases=b.astype(np.float32))

    def learnt(self, photos: pd.DataFrame) -> int:
        """How many of the photos that are for testing now trained it, or chose its step."""
        old = self.photos[self.photos.split.isin(SPLITS[:2])]
        return int((photos.key[photos.split == "testing"]).isin(old.key).sum())

    def compared(self, photos: pd.DataFrame, labels: Sequence[str]) -> dict:
        """What has changed on the photos that it was tested on and that are tested again.

        photos: those of the new run, with `predicted`.
        """
        old = self.photos[self.photos.split == "testing"].drop_duplicates(["key", "label"])
        both = photos.merge(old, on=["key", "label"], suffixes=("", "_before"))
        again = both[both.split == "testing"]
        before = (again.predicted_before == again.label).to_numpy()
        now = (again.predicted == again.label).to_numpy()
        return {
            "folder": self.folder,
            "new_classes": [label for label in labels if label not in self.labels],
            "classes_left_out": [label for label in self.labels if label not in labels],
            "tested_before": len(old),
            "tested_again": len(again),
            "accuracy_before": float(before.mean()) if len(again) else None,
            "accuracy_now": float(now.mean()) if len(again) else None,
            "right_now": int((now & ~before).sum()),
            "wrong_now": int((before & ~now).sum()),
            "learnt_before": self.learnt(photos),  # they flatter the figures
            "not_for_testing_now": int((both.split != "testing").sum()),
        }


def earlier(options: RetrainOptions, network: Network, names: Sequence[str]) -> Earlier | None:
    """The run that `options.earlier` names, None if it names none.

    names: the endpoints of the head. Raises GraphnetsError for a folder that is no run's, and for a
    run whose head is not one for these features.
    """
    if options.earlier is None:
        return None
    folder = shown(options.earlier)
    try:
        metrics = json.loads((Path(options.earlier) / METRICS).read_text())
        os.stat(Path(options.earlier) / GRAPH)
        photos = read_photos(Path(options.earlier) / PHOTOS)
        graph_def = read_graph_def(Path(options.earlier) / GRAPH)
        _check_same(folder, metrics, network, names, options)
        head = _head(graph_def, metrics)
        labels = [str(label) for label in metrics["labels"]]
        photos = photos[["key", "label", "split", "predicted"]]
    except GraphnetsError:  # a ValueError
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__
        raise GraphnetsError(
            f"{folder} is no folder of an earlier run ({reason}); wanted its {FILES}"
        ) from None
    if head.weights.shape[1] != len(labels):
        raise GraphnetsError(
            f"{folder} has {len(labels)} labels and a head of {head.weights.shape[1]} classes; "
            "wanted the files of one run"
        )
    return Earlier(os.fspath(options.earlier), head, labels, photos)


def _check_same(
    folder: str, metrics: dict, network: Network, names: Sequence[str], options: RetrainOptions
) -> None:
    """Raise GraphnetsError if the earlier head is for other features, or another kind of head."""
    trained = ", ".join(metrics["fine_tuning"]["trainable"])
    if trained:
        raise GraphnetsError(
            f"the layers {trained} have trained in {folder}, and its head is for what they give; "
            "wanted a run on frozen features"
        )
    for what, found, wanted in (
        ("network", metrics["architecture"], network.name),
        ("weights", metrics["weights"], network.fingerprint),
        ("endpoint", metrics["endpoint"], ",".join(names)),
        ("precision", metrics["precision"], network.precision),
        ("head", metrics["options"]["head"], options.training.head),
        ("multi_label", metrics["options"]["multi_label"], options.multi_label),
    ):
        if found != wanted:
            raise GraphnetsError(
                f"the {what} of {folder} is {shown(found)}, and here it is {shown(wanted)}; wanted "
                "the same"
            )


def _head(graph_def: tf.GraphDef, metrics: dict) -> Head:
    """KeyError for a graph without one."""
    constants = {
        node.name: node
        for node in graph_def.node
        if node.op == "Const" and node.name in (*WEIGHTS, *HIDDEN)
    }

    def value(name: str) -> np.ndarray:
        return tf.make_ndarray(constants[name].attr["value"].tensor).astype(np.float32)

    shape = head_shape(metrics["options"]["head"])
    hidden = (value(HIDDEN[0]), value(HIDDEN[1])) if shape.units else None
    W, b = map(value, WEIGHTS)
    independent = bool(metrics["options"]["multi_label"])
    if W.ndim != 2 or b.shape != W.shape[1:]:
        raise ValueError(W.shape)
    return Head(W, b, 0, hidden, shape.flatten, independent)
