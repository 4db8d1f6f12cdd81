"""Two layers to write as weight files, and what is taken for no weights."""

import numpy as np


def pairs():
    random = np.random.default_rng(0)
    return {
        "conv1": (random.standard_normal((3, 3, 2, 4), np.float32), np.ones(4, np.float32)),
        "mixed/fc2": (random.standard_normal((8, 5), np.float32), np.zeros(5, np.float32)),
    }


NOT_FLOAT32 = [
    (np.zeros(2, np.float64), "is float64; wanted float32"),
    (np.zeros(2, np.float16), "is float16; wanted float32"),
    (np.zeros(2, ">f4"), "is >f4; wanted float32"),
    (np.zeros(2, np.int32), "is int32; wanted float32"),
    (np.array(["a", "b"]), "is <U1; wanted float32"),
]
NOT_FINITE = [
    (np.array([1, np.nan], np.float32), "holds NaN or infinite numbers; wanted finite ones"),
    (np.array([1, -np.inf], np.float32), "holds NaN or infinite numbers; wanted finite ones"),
]
ZERO = np.zeros(1, np.float32)
PAGE = b"<!DOCTYPE html>\n<html><title>404 Not Found</title></html>\n"
