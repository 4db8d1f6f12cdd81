"""Classify a photo (pip install ai-edge-litert numpy pillow)."""

import argparse
import json
import sys
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("photo", type=Path)
path = parser.parse_args().photo
if not path.is_file():
    sys.exit(f"there is no file {path}")

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image, ImageOps

here = Path(__file__).parent
about = json.loads((here / "preprocessing.json").read_text(encoding="utf-8"))
try:
    photo = ImageOps.exif_transpose(Image.open(path)).convert("RGBA")
except Exception as error:  # Pillow raises many kinds
    sys.exit(f"{path} cannot be read as a photo: {error}")
photo = Image.alpha_composite(Image.new("RGBA", photo.size, "white"), photo).convert("RGB")
run = Interpreter(str(here / about["files"][0])).get_signature_runner("serving_default")
found = run(image=np.asarray(photo)[np.newaxis])
limits = about["label_thresholds"] or [0] * len(about["labels"])
rows = sorted(zip(found["scores"][0], about["labels"], limits, strict=True), reverse=True)
lines = [f"{score:.4f}  {label}" for score, label, limit in rows[:5] if score >= limit]
print("\n".join(lines or ["none of the labels"]))
if found.get("is_unknown"):
    print("unknown: none of the classes")
