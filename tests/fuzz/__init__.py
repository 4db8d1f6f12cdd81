"""Damaged files for every reader: `python -m tests.fuzz --count 3000 [READER...]`.

`--guided SECONDS` lets atheris (`pip install atheris`) damage them, by what they reach here.

A reader is anything with `cases(seed, count)`, which yields the bytes of files, and `check(data)`,
which raises unless they are read as they should be; GraphnetsError is how a file is refused.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "helpers"))
