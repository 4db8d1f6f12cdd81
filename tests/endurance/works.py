"""What is done again and again: each a number of calls out of 10,000, and what is called."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
from world import options, small_network, write_photos

import graphnets
from graphnets.errors import PhotoError
from tests.endurance.memory import Grown, watched

LABELS = 3
Work = Callable[[int], object]


def made(folder: Path) -> None:
    """A classifier, its photos, and some that are none."""
    photos = write_photos(folder / "photos", per_class=6)
    graphnets.retrain(photos, small_network(), options(folder))
    broken = folder / "photos" / "grass" / "000.jpg"
    (photos / "cut.jpg").write_bytes(broken.read_bytes()[:400])
    (photos / "text.jpg").write_bytes(b"no photo")


def opened(folder: Path, kind: type = graphnets.Classifier) -> graphnets.Classifier:
    """The classifier."""
    return kind(folder / "out" / "output_graph.pb", folder / "out" / "output_labels.txt")


def photos_in(folder: Path) -> list[Path]:
    """18 good ones, and three that have a problem, the last of which is not there."""
    return [*sorted(folder.glob("photos/*/*.jpg")), *sorted(folder.glob("photos/*.jpg")),
            folder / "gone.jpg"]  # fmt: skip


def in_process(folder: Path) -> dict[str, tuple[float, Work]]:
    """{name: (share of the calls, what is called)} of a classifier in this process."""
    classifier, explainer = opened(folder), opened(folder, graphnets.Explainer)
    paths = photos_in(folder)

    def scores(number: int) -> None:
        with contextlib.suppress(PhotoError):
            assert len(classifier.scores(paths[number % len(paths)])) == LABELS

    def one(number: int) -> None:
        [found] = classifier.predict(paths[number % len(paths)])
        assert bool(found.problem) != bool(found.top)

    def batch(_: int) -> None:
        found = list(classifier.predict(paths))
        assert sum(bool(each.problem) for each in found) == 3 and len(found) == len(paths)

    def dropped(_: int) -> None:
        next(classifier.predict(paths))

    def explained(_: int) -> None:
        found = list(explainer.explain(paths))
        assert sum(each.heat is None for each in found) == 3

    return {
        "scores, one photo": (1, scores),
        "predict, one photo": (1, one),
        "predict, 21 photos": (0.2, batch),
        "predict, dropped": (0.1, dropped),
        "explain, 21 photos": (0.1, explained),
    }


@contextlib.contextmanager
def server(folder: Path) -> Iterator[tuple[httpx.Client, int]]:
    """A client of `graphnets serve`, and the number of its process."""
    command = [sys.executable, "-m", "graphnets", "serve", str(folder / "out"), "--port", "0"]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        address = run.stdout.readline().split()[0]
        with httpx.Client(base_url=address, timeout=60) as client:
            yield client, run.pid
    finally:
        run.terminate()
        run.communicate(timeout=60)


def asked(client: httpx.Client, folder: Path) -> dict[str, tuple[float, Work]]:
    """{name: (share of the calls, what is called)} of a server."""
    data = [path.read_bytes() for path in photos_in(folder)[:-1]]
    encoded = [b64encode(photo).decode() for photo in data]

    def form(number: int) -> None:
        photo = data[number % len(data)]
        answer = client.post("predict", files={"photo": ("a", photo)})
        assert len(answer.json()["predictions"]) == 1

    def batch(_: int) -> None:
        forms = [("photo", (str(place), photo)) for place, photo in enumerate(data)]
        answer = client.post("predict", files=forms).json()["predictions"]
        assert sum("error" in each for each in answer) == 2

    def serving(number: int) -> None:
        asks = {"instances": [{"b64": encoded[number % 18]}]}
        answer = client.post("v1/models/default:predict", content=json.dumps(asks))
        assert answer.status_code == 200

    def refused(number: int) -> None:
        path, sent = (("predict", b"no form"), ("v1/models/default:predict", b"{"),
                      ("nowhere", b""), ("", bytes(1 << 20)))[number % 4]  # fmt: skip
        assert client.post(path, content=sent).status_code >= 400

    def looked(number: int) -> None:
        assert client.get(("", "health", "metrics")[number % 3]).status_code == 200

    def anew(number: int) -> None:
        with httpx.Client(base_url=client.base_url) as other:
            assert other.get("health").status_code == 200

    return {
        "serve, one photo": (0.5, form),
        "serve, 20 photos": (0.05, batch),
        "serve, TensorFlow's API": (0.3, serving),
        "serve, refused": (0.2, refused),
        "serve, page and metrics": (0.2, looked),
        "serve, new connections": (0.1, anew),
    }


def endured(folder: Path, calls: int, names: list[str]) -> Iterator[tuple[str, Grown]]:
    """What became of the process of each work whose name begins as one of the names (none: all)."""

    def wanted(works: dict[str, tuple[float, Work]]) -> Iterator[tuple[str, int, Work]]:
        for name, (share, call) in works.items():
            if not names or name.startswith(tuple(names)):
                yield name, round(share * calls), call

    for name, count, call in wanted(in_process(folder)):
        yield name, watched(call, count)
    if not names or any(name.startswith("serve") for name in names):
        with server(folder) as (client, pid):
            for name, count, call in wanted(asked(client, folder)):
                yield name, watched(call, count, pid)
