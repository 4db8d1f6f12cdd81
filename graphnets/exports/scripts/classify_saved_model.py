"""Classify a photo: python classify.py PHOTO (pip install tensorflow)."""

import json
import sys
from pathlib import Path

import tensorflow as tf

here = Path(__file__).parent
about = json.loads((here / "preprocessing.json").read_text(encoding="utf-8"))
photos = tf.saved_model.load(here / about["files"][0]).signatures["photos"]
found = photos(image_bytes=tf.constant([Path(sys.argv[1]).read_bytes()]))
found = {name: value.numpy() for name, value in found.items()}
limits = about["label_thresholds"] or [0] * len(about["labels"])
rows = zip(found["scores"][0], about["labels"], limits, strict=True)
for score, label, limit in sorted(rows, reverse=True)[:5]:
    if score >= limit:
        print(f"{score:.4f}  {label}")
if found.get("is_unknown"):
    print("unknown: none of the classes")
