"""What the tables share: how long to measure, and what is prepared when a table first needs it."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.benchmarks.contender import Contender
from tests.benchmarks.photos import draw, prepared
from tests.benchmarks.turns import once

PHOTOS, QUICK_PHOTOS = 160, 64


@dataclass
class Setting:
    """folder: temporary; graph: the Inception file of 2015 or None; given: a folder of photos."""

    folder: Path
    rounds: int
    graph: str | None
    given: str | None
    quick: bool

    @cached_property
    def photos(self):
        """The folder of photos for the tables that begin with files."""
        count = QUICK_PHOTOS if self.quick else PHOTOS
        return str(prepared(self.folder / "photos", count, self.given))

    def drawn(self, count):
        """A folder of at least so many drawn photos."""
        folder = self.folder / f"drawn-{count}"
        return str(folder if folder.exists() else draw(folder, count))

    @cached_property
    def alexnet(self):
        """Random weights of AlexNet as a file."""
        path = str(self.folder / "alexnet.npz")
        self.prepare("weights", architecture="alexnet", path=path)
        return path

    def frozen(self, architecture, weights, endpoint):
        """The frozen graph that the other libraries run."""
        path = str(self.folder / f"{architecture}.pb")
        if architecture == "alexnet":
            self.prepare("frozen_course", weights=weights, path=path)
        else:
            self.prepare(
                "frozen", architecture=architecture, weights=weights, endpoint=endpoint, path=path
            )
        return path

    def prepare(self, function, **options):
        """Run a function of `prepare` in a process of its own."""
        return once(Contender(function, f"prepare:{function}", options), self.folder)
