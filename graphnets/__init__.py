"""Transfer learning on images with plain TensorFlow graphs.

Importing this module does not import TensorFlow; using one of the names below
does, but for the options.
"""

from __future__ import annotations

import importlib

__version__ = "0.1.0"

_MODULES = {
    "AlexNet": "alexnet",
    "Bottlenecks": "features",
    "Classifier": "predict",
    "GraphnetsError": "errors",
    "Inception": "inception",
    "RetrainOptions": "run_options",
    "TrainingOptions": "options",
    "VGG16": "vgg16",
    "alexnet_endpoints": "alexnet",
    "import_unfrozen": "unfreeze",
    "inception_endpoints": "inception",
    "inception_graph_def": "inception",
    "modernised": "frozen",
    "open_network": "architectures",
    "parameter_names": "unfreeze",
    "read_graph_def": "frozen",
    "retrain": "pipeline",
    "scan": "images",
    "session_config": "precision",
    "split": "images",
    "train_head": "train",
    "vgg16_endpoints": "vgg16",
    "with_values": "unfreeze",
}

__all__ = sorted(_MODULES)


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'graphnets' has no attribute {name!r}")
    return getattr(importlib.import_module(f"graphnets.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
