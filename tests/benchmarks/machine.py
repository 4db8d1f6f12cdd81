"""The record of the machine and of the packages, without which figures say little."""

import datetime
import os
import platform
import re
from importlib import metadata
from pathlib import Path

PACKAGES = ("graphnets", "numpy", "tensorflow", "keras", "openvino", "onnxruntime", "tf2onnx",
            "torch", "pillow")  # fmt: skip
EXTENSIONS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")


def record():
    """What the results were measured on."""
    cpu = Path("/proc/cpuinfo")
    text = cpu.read_text() if cpu.exists() else ""
    flags = set(_field(text, "flags").split())
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "platform": platform.platform(),
        "processor": _field(text, "model name") or platform.processor(),
        "cores": os.cpu_count(),
        "extensions": [name for name in EXTENSIONS if name in flags],
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _field(text, name):
    found = re.search(rf"^{name}\s*: (.*)$", text, re.MULTILINE)
    return found[1] if found else ""


def _version(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
