"""The pictures of a page: each there once, however often it is shown."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from PIL import Image

from graphnets.errors import PhotoError
from graphnets.photos.thumbnails import thumbnail

SIDE = 160  # pixels, the longer side of a picture
QUALITY = 70
MOST_BYTES = 2_000_000  # of all pictures, so that a page can be mailed
AT_ONCE = 16


class Album:
    """Pictures by a name that a style sheet can use; what came first has its place for certain.

    asked, gone: how many photos were to be shown, and how many of those could not be read.
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._urls: dict[str, str] = {}
        self._bytes = 0
        self.full = False
        self.asked = self.gone = 0  # photos

    def fill(self, paths: Iterable[str]) -> None:
        """Take small pictures of photos in, until there is no room; those that are gone, grey."""
        new = [path for path in dict.fromkeys(paths) if path not in self._names]
        with ThreadPoolExecutor() as pool:
            for start in range(0, len(new), AT_ONCE):
                part = new[start : start + AT_ONCE]
                for path, picture in zip(part, pool.map(_small, part), strict=True):
                    self.asked, self.gone = self.asked + 1, self.gone + (picture is None)
                    self.add(path, picture or Image.new("RGB", (SIDE, SIDE), "grey"))
                if self.full:
                    return

    def add(self, name: str, picture: Image.Image) -> None:
        """Take a picture in under a name of its own, if there is room."""
        data = io.BytesIO()
        picture.save(data, "JPEG", quality=QUALITY)
        url = f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"
        if self._bytes + len(url) > MOST_BYTES:
            self.full = True
            return
        self._bytes += len(url)
        self._names[name] = f"p{len(self._names)}"
        self._urls[self._names[name]] = url

    def __getitem__(self, name: str) -> str:
        """The class of the elements that show it, "" if it is not in the album."""
        return self._names.get(name, "")

    def styles(self) -> str:
        """The rules of a style sheet that show the pictures."""
        rule = ".{}{{background-image:url({})}}"
        return "\n".join(rule.format(name, url) for name, url in self._urls.items())


def _small(path: str) -> Image.Image | None:
    try:
        return thumbnail(path, SIDE)
    except PhotoError:
        return None
