"""Feature stores whose rows are told by their numbers."""

import hashlib

import numpy as np

from graphnets.features.store import FeatureStore

IDENTITY = {
    "network": "vgg16",
    "weights": "abc",
    "endpoint": "fc7",
    "preprocessing": "upright (224, 224)",
}
WIDTH = 3


def keys_of(*numbers):
    return [hashlib.sha256(b"%d" % n).hexdigest()[:32] for n in numbers]


def rows_of(*numbers, width=WIDTH):
    """Different for every number, and not what zeros or another row would be."""
    values = np.array([[n + i / 8 for i in range(width)] for n in numbers], np.float32)
    return values.reshape(-1, width)


def filled(folder, *numbers, identity=IDENTITY):
    store = FeatureStore(folder, identity)
    store.append(keys_of(*numbers), rows_of(*numbers))
    store.close()
    return store


def assert_holds(store, *numbers, missing=()):
    np.testing.assert_array_equal(store.read(keys_of(*numbers)), rows_of(*numbers))
    assert store.has(keys_of(*numbers)).all()
    assert not store.has(keys_of(*missing)).any()


def pair(store):
    (features,) = store.folder.glob("*.features")
    return features, features.with_suffix(".keys")
