"""Classify a photo: python classify.py PHOTO (pip install onnxruntime numpy pillow)."""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

here = Path(__file__).parent
about = json.loads((here / "preprocessing.json").read_text(encoding="utf-8"))
photo = ImageOps.exif_transpose(Image.open(sys.argv[1])).convert("RGBA")
photo = Image.alpha_composite(Image.new("RGBA", photo.size, "white"), photo).convert("RGB")
session = onnxruntime.InferenceSession(str(here / about["files"][0]))
values = session.run(list(about["outputs"]), {"image": np.asarray(photo)[np.newaxis]})
found = dict(zip(about["outputs"], values, strict=True))
limits = about["label_thresholds"] or [0] * len(about["labels"])
rows = zip(found["scores"][0], about["labels"], limits, strict=True)
for score, label, limit in sorted(rows, reverse=True)[:5]:
    if score >= limit:
        print(f"{score:.4f}  {label}")
if found.get("is_unknown"):
    print("unknown: none of the classes")
