"""How often each label was found: of predictions, and of rows that were written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Counts:
    """Photos by what was found in them.

    read, left_out: photos that could be classified, and that could not. labels: how many have each,
    one with several labels counts for each of them. unknown: of no class. none: without any of
    several labels.
    """

    read: int = 0
    left_out: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    unknown: int = 0
    none: int = 0

    def add(self, found: Mapping[str, Any]) -> None:
        """Count one more; found: as `Prediction.found` gives it."""
        if "problem" in found:
            self.left_out += 1
            return
        self.read += 1
        if found.get("unknown"):
            self.unknown += 1
        elif "labels" in found:
            self.labels.update({one["label"] for one in found["labels"]})
            self.none += not found["labels"]
        else:
            self.labels[found["label"]] += 1

    def update(self, other: Counts) -> None:
        """Count all of another's, too."""
        self.read += other.read
        self.left_out += other.left_out
        self.labels.update(other.labels)
        self.unknown += other.unknown
        self.none += other.none
