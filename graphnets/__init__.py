"""Transfer learning on images with plain TensorFlow graphs.

Importing this module does not import TensorFlow; using one of the names below
does, but for the options.
"""

from __future__ import annotations

import importlib

from graphnets import forks as forks  # which has to be there before a fork is

__version__ = "0.1.0"

_ROOMS = {  # the public names, by the module that each lives in
    "errors": ["GraphnetsError"],
    "weights.places": ["weight_file"],
    "photos.listing": ["scan"],
    "photos.splits": ["split"],
    "photos.augmentation": ["Augmentation", "PHOTO_AUGMENTATION"],
    "photos.augment": ["contact_sheet"],
    "photos.reading": ["variants"],
    "networks.alexnet": ["AlexNet", "alexnet_endpoints"],
    "networks.vgg16": ["VGG16", "vgg16_endpoints"],
    "networks.efficientnet": ["EfficientNetLite0", "efficientnet_lite0_endpoints"],
    "networks.inception": ["Inception", "inception_endpoints", "inception_graph_def"],
    "networks.frozen": ["read_graph_def"],
    "networks.rewriting": ["modernised"],
    "networks.unfreeze": ["import_unfrozen", "parameter_names", "with_values"],
    "networks.attention": ["grad_cam"],
    "networks.precision": ["session_config"],
    "networks.run_only": ["run_only"],
    "zoo.architectures": ["open_network"],
    "zoo.names": ["imagenet_names", "inception_names", "sign_names"],
    "features.bottlenecks": ["Bottlenecks", "with_copies"],
    "features.shards": ["ShardSpec", "extract_shard", "shards"],
    "ray_workers": ["on_ray"],
    "training.options": ["TrainingOptions"],
    "training.examples": ["Examples"],
    "training.alone": ["train_head"],
    "report.write": ["write_report"],
    "classifier.options": ["InputOptions", "PartOptions"],
    "classifier.predict": ["Classifier"],
    "classifier.parts": ["predict_parts"],
    "classifier.explain": ["Explainer"],
    "exports.options": ["ExportOptions"],
    "exports.export": ["export_classifier"],
    "jobs.options": ["RetrainOptions"],
    "jobs.retrain": ["retrain"],
    "jobs.compare": ["compare"],
    "jobs.check": ["check"],
    "jobs.signs": ["draw_signs"],
    "serving.options": ["ServeOptions"],
    "serving.app": ["serving_app"],
}
_MODULES = {name: module for module, names in _ROOMS.items() for name in names}

__all__ = sorted(_MODULES)


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'graphnets' has no attribute {name!r}")
    return getattr(importlib.import_module(f"graphnets.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
