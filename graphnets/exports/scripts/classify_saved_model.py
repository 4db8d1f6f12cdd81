"""Classify a photo (pip install tensorflow)."""

import argparse
import json
import sys
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("photo", type=Path, help="a JPEG or PNG")
path = parser.parse_args().photo
if not path.is_file():
    sys.exit(f"there is no file {path}")
try:
    contents = path.read_bytes()
except OSError as error:
    sys.exit(f"{path} cannot be read: {error.strerror}")
if not contents.startswith((b"\xff\xd8\xff", b"\x89PNG")):
    sys.exit(f"{path} is no JPEG or PNG, which are what the model reads")

import tensorflow as tf

here = Path(__file__).parent
about = json.loads((here / "preprocessing.json").read_text(encoding="utf-8"))
photos = tf.saved_model.load(here / about["files"][0]).signatures["photos"]
try:
    found = photos(image_bytes=tf.constant([contents]))
except tf.errors.InvalidArgumentError:
    sys.exit(f"{path} cannot be read as a photo: it is damaged or cut off")
found = {name: value.numpy() for name, value in found.items()}
limits = about["label_thresholds"] or [0] * len(about["labels"])
rows = sorted(zip(found["scores"][0], about["labels"], limits, strict=True), reverse=True)
lines = [f"{score:.4f}  {label}" for score, label, limit in rows[:5] if score >= limit]
print("\n".join(lines or ["none of the labels"]))
if found.get("is_unknown"):
    print("unknown: none of the classes")
