"""Photos that are frames of one film or of one object, as far as their names tell."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd

from graphnets.photos.images import check_photos, plain_text
from graphnets.photos.labels import each_label
from graphnets.photos.splits import named

# A numbered track, then a short number: 00012_00003.ppm, video3-frame12.jpg. Without a number in
# the track it is more often a camera's name, or a breed's: IMG_0012.jpg, beagle_12.jpg.
BETWEEN = r"[_.-](?:frame|f)?[_-]?"
FRAME = re.compile(rf"(?P<track>[^/]*\d[^/]*?)(?P<between>{BETWEEN})(?P<frame>\d{{1,5}})\.\w+$")
DATE = re.compile(r"(19|20)\d\d([_.-])[01]\d\2[0-3]\d\.\w+$")
ALL_NAMES = rf"{BETWEEN}\d+(?=\.\w+$)"
GAP = 30  # frames of which one at least is there, as data sets are often thinned


class Tracks(NamedTuple):
    """Photos whose names look like frames of tracks.

    first, last: names of the frames of a track that lies in several splits. number: of tracks with
    two photos or more. torn: how many of those lie in several splits. group_by: the expression with
    which `graphnets.split` keeps them together.
    """

    first: str
    last: str
    number: int
    torn: int
    group_by: str


@plain_text
def looks_like_tracks(photos: pd.DataFrame) -> Tracks | None:
    """What the names of the photos of `graphnets.split` tell of tracks that splits tear.

    In some class more than half of the usable photos must have names such as 00012_00003.ppm, and
    two tracks or more have two frames or more, with numbers close together. None where that is not
    so, where no track is torn, and where photos have a group. Raises GraphnetsError for another
    table.
    """
    check_photos(photos, "path", "label", "problem", "split")
    if "group" in photos:
        return None
    usable = photos[photos.problem == ""]
    names = usable.path.map(named)
    found = names.map(lambda name: None if DATE.search(name) else FRAME.search(name))
    rows = each_label(usable.assign(name=names, found=found))
    usual = rows.found.notna().groupby(rows.label).mean() > 0.5
    rows = rows[rows.found.notna() & rows.label.map(usual).astype(bool)]
    rows = rows.assign(track=rows.name.map(_track), frame=rows.found.map(lambda f: int(f["frame"])))
    of_track = rows.groupby(["label", "track"])
    span = of_track.frame.transform("max") - of_track.frame.transform("min")
    counts = of_track.frame.transform("nunique")
    rows = rows[(counts > 1) & (span < GAP * counts)]
    several = rows.groupby("label").track.transform("nunique") > 1
    rows = rows[several].sort_values(["label", "track", "frame"], kind="stable")
    torn = rows[rows.groupby("track").split.transform("nunique") > 1]
    if not len(torn):
        return None
    frames = torn[torn.track == torn.track.iloc[0]]
    return Tracks(
        frames.name.iloc[0].rpartition("/")[2],
        frames.name.iloc[-1].rpartition("/")[2],
        rows.track.nunique(),
        torn.track.nunique(),
        _expression(names, torn.found.iloc[0]["between"]),
    )


def _track(name: str) -> str:
    return re.sub(ALL_NAMES, "", name)


def _expression(names: Iterable[str], between: str) -> str:
    """The shortest expression that groups these names as their tracks do."""
    number = between.replace(".", r"\.") + r"\d+"
    pairs = [(name, _track(name)) for name in names]
    count = len({track for _, track in pairs})
    for shorter in (number, rf"{number}(?=\.\w+$)"):
        together = {(track, re.sub(shorter, "", name)) for name, track in pairs}
        if len(together) == count == len({group for _, group in together}):
            return shorter
    return ALL_NAMES
