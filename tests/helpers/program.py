"""A program of a user's, with settings of its own: `python -m program FOLDER`, with this on path.

It prints as JSON what each thing that it does with the library has changed for all the program.
"""

import csv
import decimal
import gc
import json
import logging
import os
import random
import signal
import socket
import sys
import warnings
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import sklearn.model_selection  # noqa: F401 - as it is imported it sets filters and variables
import tensorflow as tf
from PIL import Image
from served import png
from state import changed, state
from world import options, small_network, write_photos

SHOWN = logging.NullHandler()


def set_up():
    """Settings that nothing else has."""
    random.seed(11)
    np.random.seed(12)
    tf.random.set_seed(13)
    logging.disable(logging.DEBUG)
    logging.getLogger().addHandler(SHOWN)
    for name, level in (("tensorflow", 17), ("PIL", 23)):
        logging.getLogger(name).setLevel(level)
    Image.MAX_IMAGE_PIXELS = 12_345_678
    csv.field_size_limit(234_567)
    sys.setrecursionlimit(1234)
    pd.set_option("display.max_rows", 7)
    np.seterr(under="ignore", over="warn")
    socket.setdefaulttimeout(99)
    for number in (signal.SIGUSR1, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    decimal.getcontext().prec = 9
    warnings.filterwarnings("error", "of this program alone")
    os.environ["OF_THIS_PROGRAM"] = "alone"
    os.umask(0o027)
    gc.set_threshold(701, 11, 9)
    matplotlib.rcParams["font.size"] = 9.5


def steps(folder):
    """What is done, by its name."""
    import graphnets

    photos = write_photos(folder / "photos", 12)
    (photos / "grass" / "broken.jpg").write_bytes(b"\xff\xd8half")
    paths, files = sorted(photos.glob("*/*")), [folder / "out" / f"output_{name}"
                                                for name in ("graph.pb", "labels.txt")]  # fmt: skip

    def retrained():
        more = {"summaries_dir": folder / "S", "saved_model_dir": folder / "M", "report": True}
        chosen = options(folder, checkpoint_every=20, training={"how_many_training_steps": 30},
                         **more)  # fmt: skip
        graphnets.retrain(photos, small_network(), chosen)

    def predicted():
        assert len(list(graphnets.Classifier(*files).predict(paths))) == 37
        assert len(list(graphnets.Explainer(*files).explain(paths))) == 37

    def exported():
        graphnets.export_classifier(folder / "out", ["saved_model"])

    def served():
        from served import Client, forms

        client = Client(graphnets.serving_app(graphnets.Classifier(*files)))
        assert client.post("/predict", files=forms(("a", png(1)), ("b", b""))).status_code == 200
        assert client.get("/metrics").status_code == client.get("/").status_code == 200
        client.stop()

    return {"retrain": retrained, "predict": predicted, "export": exported, "serve": served}


def main():
    """Say what each step has changed, and import what it needs before it."""
    import graphnets

    set_up()
    names, found = list(graphnets.__all__), {}
    before = state()
    for name in names:
        getattr(graphnets, name)
    found["import"] = changed(before, state())
    for name, step in steps(Path(sys.argv[1])).items():
        before = state()
        step()
        found[name] = changed(before, state())
    print(json.dumps(found))


if __name__ == "__main__":
    main()
