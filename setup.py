"""Packaging of graphnets."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
SERVE = ["starlette>=1.0", "uvicorn>=0.30", "python-multipart>=0.0.20", "prometheus-client>=0.20"]
REMOTE = ["fsspec>=2024.2", "s3fs>=2024.2"]

setup(
    name="graphnets",
    version=re.search(r'__version__ = "(.+)"', (HERE / "graphnets/__init__.py").read_text())[1],
    description="Transfer learning on images with plain TensorFlow graphs",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=[*find_packages(include=["graphnets", "graphnets.*"]), "graphnets.names_data"],
    package_dir={"graphnets.names_data": "weights"},  # graphnets/zoo/names.py finds either
    package_data={
        "graphnets": ["py.typed"],
        "graphnets.report": ["page/*"],
        "graphnets.serving": ["*.html"],
        "graphnets.exports.scripts": ["*.cjs", "*.html"],
        "graphnets.names_data": ["*.csv", "*.txt"],
    },
    python_requires=">=3.10",
    install_requires=[
        "tensorflow>=2.16,<3",
        "numpy>=1.26",
        "pandas>=2.0",
        "imageio>=2.31",
        "pillow>=11.3",
        "click>=8.2",
        "tqdm>=4.62",
        "pooch>=1.7",
        "requests>=2.28",
        "platformdirs>=3.0",
        "scikit-learn>=1.3",
        "h5py>=3.10",
        "safetensors>=0.4",
        "matplotlib>=3.7",
        "jinja2>=3.1",
        "py-cpuinfo>=9",
    ],
    extras_require={
        # the last three are what the networks are compared with
        "test": [
            "pytest>=7.4",
            "pytest-xdist>=3.3",
            "imagehash>=4.3",
            "opencv-python-headless>=4.8,<5",
            "onnx>=1.16",
            "onnxruntime>=1.18",
            "pyarrow>=15",
            "av>=17.1",
            "pillow_heif>=1.1",
            "tensorboard>=2.16",
            "httpx>=0.27",
            *SERVE,
            *REMOTE,
            "moto[server]>=5.0.15",
            "ai-edge-litert>=2",
            "tf2onnx>=1.16",
            "nbclient>=0.10",
            "ipykernel>=6.29",
            "ipywidgets>=8.1",
            "pdoc>=15",
            "ray>=2.40",
        ],
        "beam": ["apache-beam>=2.77"],
        "check": ["imagehash>=4.3"],
        "heic": ["pillow_heif>=1.1"],
        "onnx": ["onnx>=1.16", "onnxruntime>=1.18", "tf2onnx>=1.16"],
        "parquet": ["pyarrow>=15"],
        "ray": ["ray>=2.40"],
        "remote": REMOTE,
        "serve": SERVE,
        "tflite": ["ai-edge-litert>=2"],
        # takes TensorFlow back to 2.19; `pip install --no-deps tensorflowjs` does not, and will do
        "tfjs": ["tensorflowjs>=4.22"],
        "video": ["av>=17.1"],
        "notebooks": ["notebook>=7", "ipywidgets>=8.1"],
        "docs": ["pdoc>=15"],
        # what tests/benchmarks compares with; each is left out where it is missing
        "bench": ["onnx>=1.16", "onnxruntime>=1.18", "openvino>=2024", "tf2onnx>=1.16", "torch"],
        "lint": ["ruff>=0.6", "mypy>=1.8", "pandas-stubs", "import-linter>=2.6"],
    },
    entry_points={"console_scripts": ["graphnets=graphnets.__main__:main"]},
)
