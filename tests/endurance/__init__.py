"""Memory that stays flat through 10,000 predictions and requests: `python -m tests.endurance`.

A classifier that `retrain` has just written is asked again and again, for photos that are good,
broken and not there, in this process and over HTTP. Memory is sampled behind the warm-up, and a
line is laid through the samples.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "helpers"))
