"""Transfer learning on images with plain TensorFlow graphs.

Importing this module does not import TensorFlow; using one of the names below
does, but for the options.
"""

from __future__ import annotations

import importlib

__version__ = "0.1.0"

_MODULES = {
    "AlexNet": "networks.alexnet",
    "Bottlenecks": "features.bottlenecks",
    "Classifier": "classifier.predict",
    "GraphnetsError": "errors",
    "Inception": "networks.inception",
    "RetrainOptions": "jobs.options",
    "TrainingOptions": "training.options",
    "VGG16": "networks.vgg16",
    "alexnet_endpoints": "networks.alexnet",
    "import_unfrozen": "networks.unfreeze",
    "inception_endpoints": "networks.inception",
    "inception_graph_def": "networks.inception",
    "modernised": "networks.frozen",
    "open_network": "zoo.architectures",
    "parameter_names": "networks.unfreeze",
    "read_graph_def": "networks.frozen",
    "retrain": "jobs.retrain",
    "scan": "photos.images",
    "session_config": "networks.precision",
    "split": "photos.images",
    "train_head": "training.train",
    "vgg16_endpoints": "networks.vgg16",
    "with_values": "networks.unfreeze",
}

__all__ = sorted(_MODULES)


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'graphnets' has no attribute {name!r}")
    return getattr(importlib.import_module(f"graphnets.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
