"""Jobs that are killed at any moment, and begun again: `python -m tests.kills [JOB...]`.

Each job runs once undisturbed, as a process of its own, and is measured. Then it is killed, at
moments spread over that length and at changes in its folders, with SIGKILL, SIGTERM and SIGINT in
turn. What lies there must be whole; the same command again must leave what the undisturbed run
left, and nothing else.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "helpers"))
