"""Predictions of many photos in parts: files that are there when they are whole, or not at all.

Neither TensorFlow nor NumPy here, but where a part is computed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from graphnets import __version__, storage
from graphnets.classifier.counts import Counts
from graphnets.classifier.options import InputOptions, PartOptions
from graphnets.classifier.tables import as_json, check_table, escaped, new_table
from graphnets.errors import GraphnetsError, check_kind, check_path, refused, shown
from graphnets.files import check_apart, reading, remove_abandoned, sha256, write_whole, writing
from graphnets.photos.folders import BETWEEN, each_path, is_video, photo_paths
from graphnets.workers import check_version, unseen, workers

if TYPE_CHECKING:
    from graphnets.classifier.predict import Classifier

File = str | os.PathLike[str]
Say = Callable[[str], object]
JOB = "parts.json"
OURS = re.compile(r"(part|problems)-\d{5,}\.(jsonl|parquet)")
# What of a job may differ, in the order of being told.
TOLD = {
    "graph": "the graph", "labels": "the labels", "input": "how photos enter the graph",
    "list": "the list of photos", "photos": "the list of photos", "top_k": "top_k",
    "part_size": "part_size", "part_format": "part_format", "graphnets": "graphnets' version",
}  # fmt: skip


class Parts(NamedTuple):
    """What `predict_parts` has written.

    files: the parts, in the order of their photos. problems: the files that say which photos were
    left out, and why. counts: of all photos, `read`, `left_out`, `labels` ... there: how many of
    the parts an earlier run had written.
    """

    files: list[Path]
    problems: list[Path]
    counts: Counts
    there: int


def predict_parts(
    photos: File | Iterable[File],
    folder: File,
    graph: File,
    labels: File,
    options: PartOptions | None = None,
    entry: InputOptions | None = None,
    progress: Callable[..., Iterable] = lambda items, **_: items,
    say: Say = lambda line: None,
) -> Parts:
    """Classify any number of photos into files of some photos each, and go on after any end.

    photos: files and folders, or one; videos are refused. folder: a new one, or that of the same
    job. graph, labels, entry: as `graphnets.Classifier` takes them. progress: called as tqdm is.
    say: called with lines that tell of parts that are there, damaged, or not yet there.

    part-00000.jsonl has a row for each of the first photos that could be read, those that
    `graphnets.Classifier.predict` gives for all of them at once, to the bit; problems-00000.jsonl
    names the others, if there are any. A part takes its place when it is whole, behind its
    problems; parts.json says of what the parts are. In a block of `graphnets.on_ray` workers write
    the parts, who have to see the folder, the photos and the graph under the same names.
    Memory does not grow with the photos but by their paths.

    Raises GraphnetsError for a folder with anything else in it or with parts of another job, if
    there are no photos, and as `graphnets.Classifier` does.

    >>> found = graphnets.predict_parts(
    ...     "signs", "predicted", "trained/output_graph.pb", "trained/output_labels.txt")
    >>> found.counts.read, [file.name for file in found.files]
    (129, ['part-00000.jsonl'])
    """
    if not callable(progress):
        raise refused("progress", progress, "a function such as tqdm.tqdm")
    return planned(photos, folder, graph, labels, options, entry).run(progress, say)


class _Job(NamedTuple):
    """What workers need besides the photos of a part; small, as it goes to each of them.

    described: what parts.json has. here: where relative paths begin. first: a photo that is there.
    """

    folder: str
    graph: str
    labels: str
    entry: InputOptions
    described: dict[str, Any]
    here: str
    first: str | None


def _check_folder(folder: File, photos: Sequence[File], options: PartOptions) -> None:
    """Raise GraphnetsError unless parts can be written there, or are there already."""
    check_path("the folder for parts", folder, "the path of a folder")
    if os.path.isdir(folder):
        _described(Path(folder))
    check_apart("the folder for parts", folder, photos, "they would be read as photos")
    check_table(Path(folder, f"part-00000.{options.part_format}"))


def planned(
    photos: File | Iterable[File],
    folder: File,
    graph: File,
    labels: File,
    options: PartOptions | None = None,
    entry: InputOptions | None = None,
) -> Plan:
    """What `predict_parts` will do, once all is checked that can be without the graph."""
    options = PartOptions() if options is None else options
    check_kind("options", options, PartOptions, "a graphnets.PartOptions")
    entry = InputOptions() if entry is None else entry
    check_kind("entry", entry, InputOptions, "a graphnets.InputOptions")
    check_path("graph", graph, "the path of a frozen graph, a .pb file")
    check_path("labels", labels, "the path of a file with one label a line")
    named = list(each_path(photos))
    _check_folder(folder, named, options)
    paths, digest = _listed(named)
    described = {
        "graphnets": __version__, "graph": _sha256(graph), "labels": _sha256(labels),
        "input": json.loads(json.dumps(asdict(entry), default=float)), "top_k": int(options.top_k),
        "part_size": int(options.part_size), "part_format": options.part_format,
        "photos": len(paths), "list": digest,
    }  # fmt: skip
    first = paths[0] if os.path.exists(paths[0]) else None
    places = [os.path.abspath(path) for path in (folder, graph, labels)]
    job = _Job(places[0], places[1], places[2], entry, described, os.getcwd(), first)
    plan = Plan(job, paths, options, Path(folder))
    plan.check_same()
    return plan


class Plan:
    """Photos in parts of a job."""

    def __init__(self, job: _Job, paths: list[str], options: PartOptions, folder: Path) -> None:
        self._job, self._paths, self._options, self._folder = job, paths, options, folder
        self.count = -(-len(paths) // options.part_size)

    def check_same(self) -> None:
        """Raise GraphnetsError if the folder has parts of another job, and they are to stay."""
        before, now = _described(self._folder), self._job.described
        if before is None or not self._options.resume:
            return
        if not any(map(OURS.fullmatch, os.listdir(self._folder))):
            return  # it has not come to its first part
        different = [TOLD[name] for name in TOLD if before.get(name) != now[name]]
        if different:
            raise GraphnetsError(
                f"{self._folder} has parts of another job, which differs in "
                f"{' and '.join(dict.fromkeys(different))}; name another folder, or say "
                "--no_resume to have those parts replaced"
            )

    def run(self, progress: Callable[..., Iterable], say: Say) -> Parts:
        """Write the parts that are not there."""
        with writing(self._folder):
            self._begin()
        done = self._there(say)
        there = len(done)
        if there:
            say(f"{there} of {self.count} parts were there already")
        try:
            left = len(self._paths) - sum(len(self._photos(number)) for number in done)
            for _ in progress(self._each(done), total=left, unit="photos"):
                pass
        except (KeyboardInterrupt, GraphnetsError):
            if done:
                say(
                    f"{len(done)} of {self.count} parts are whole in {self._folder}; the same "
                    "command goes on from there"
                )
            raise
        return self._found(done, there)

    def _begin(self) -> None:
        """Take away what does not stay, and say of what the parts will be."""
        for name in sorted(os.listdir(self._folder)):
            temporary = re.fullmatch(r"(\..+\.)\w{8,12}(\.\w+)", name)
            if temporary and OURS.fullmatch(temporary[1].strip(".")):
                remove_abandoned(self._folder, temporary[1], temporary[2])
            elif OURS.fullmatch(name) and not self._options.resume:
                (self._folder / name).unlink()
        text = json.dumps(self._job.described, indent=1)
        write_whole(self._folder / JOB, f"{text}\n".encode())

    def _there(self, say: Say) -> dict[int, Counts]:
        """What is in the parts that are there, and hold what belongs to them."""
        done = {}
        for number in range(self.count):
            part, problems = self._files(number)
            if not part.exists():
                continue
            try:
                done[number] = _counted(part, problems, self._photos(number))
            except Exception:  # a stranger's file may be wrong in any way
                say(f"warning: {part.name} is not what was written there; it is computed again")
        return done

    def _files(self, number: int) -> tuple[Path, Path]:
        return _files(self._folder, self._options.part_format, number)

    def _photos(self, number: int) -> Sequence[str]:
        size = self._options.part_size
        return self._paths[number * size : (number + 1) * size]

    def _each(self, done: dict[int, Counts]) -> Iterator[str]:
        """The photos that are done, for the bar, while `done` grows by their parts."""
        left = [number for number in range(self.count) if number not in done]
        if not left:
            return
        shards = ((number, self._photos(number)) for number in left)
        for index, counts in workers().each(_opened, _work, self._job, shards):
            done[left[index]] = counts
            yield from self._photos(left[index])

    def _found(self, done: dict[int, Counts], there: int) -> Parts:
        files, problems, counts = [], [], Counts()
        for number in sorted(done):
            part, others = self._files(number)
            files.append(part)
            problems += [others] if done[number].left_out else []
            counts.update(done[number])
        return Parts(files, problems, counts, there)


def _listed(photos: Sequence[File]) -> tuple[list[str], str]:
    """The photos' paths, and a digest of them in this order."""
    paths, digest = [], hashlib.sha256()
    for path in photo_paths(photos):
        if is_video(path):
            raise GraphnetsError(
                f"{shown(path)} is a video, and parts are of photos alone; leave it out, and say "
                "--output for videos"
            )
        paths.append(path)
        digest.update(path.encode("utf-8", "surrogatepass") + b"\0")
    if not paths:
        raise GraphnetsError("no photo could be classified; wanted readable pictures")
    return paths, digest.hexdigest()


def _sha256(path: File) -> str:
    with reading(path):
        return sha256(path)


def _described(folder: Path) -> dict[str, Any] | None:
    """What a folder's parts.json says; None of an empty folder, GraphnetsError of any other."""
    if not os.path.lexists(folder / JOB):
        with writing(folder):
            others = sorted(name for name in os.listdir(folder) if name[0] != ".")
        if others:
            raise GraphnetsError(
                f"{folder} has no {JOB} and holds {shown(others[0])}; name a new folder for parts"
            )
        return None
    with reading(folder / JOB) as file:
        text = file.read()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not set(TOLD) <= set(found):
        raise GraphnetsError(f"{folder / JOB} does not describe parts; name a new folder for parts")
    return found


def _opened(job: _Job) -> tuple[Classifier, _Job]:
    """Called by each worker. GraphnetsError if it would not write what belongs into the folder."""
    from graphnets.classifier.predict import Classifier

    check_version(job.described["graphnets"])
    for path, name in ((job.graph, "graph"), (job.labels, "labels")):
        if _sha256(path) != job.described[name]:
            raise GraphnetsError(
                f"{shown(path)} is another file to a worker, or has changed since; wanted the same "
                "everywhere, to the end of the job"
            )
    _check_own(job)
    if job.first is not None and not os.path.exists(_place(job, job.first)):
        raise unseen(job.first, "No such file or directory")
    return Classifier(job.graph, job.labels, job.entry), job


def _check_own(job: _Job) -> None:
    """Raise GraphnetsError unless the folder is the job's, as two may begin at the same time."""
    if not os.path.isdir(job.folder) or _described(Path(job.folder)) != job.described:
        raise GraphnetsError(
            f"{shown(job.folder)} is another folder to a worker, or has another job's {JOB} now; "
            "name one that all machines see, for this job alone"
        )


def _files(folder: File, part_format: str, number: int) -> tuple[Path, Path]:
    """A part's file, and that of its problems."""
    part, problems = f"part-{number:05d}.{part_format}", f"problems-{number:05d}.jsonl"
    return Path(folder, part), Path(folder, problems)


def _work(opened: tuple[Classifier, _Job], shard: tuple[int, Sequence[str]]) -> Counts:
    """Called by a worker: write one part, whole, and before it what could not be read."""
    (classifier, job), (number, paths) = opened, shard
    part, problems = _files(job.folder, job.described["part_format"], number)
    top_k = job.described["top_k"]
    counts, left_out = Counts(), []
    predictions = classifier.predict((_place(job, path) for path in paths), top_k)
    with new_table(part, classifier.says(top_k), keep_rows=False) as table:
        for path, prediction in zip(paths, predictions, strict=True):
            found = as_json(replace(prediction, path=path))
            counts.add(found)
            if prediction.problem:
                left_out.append(f"{json.dumps(found)}\n")
            else:
                table.add(replace(prediction, path=path))
        _check_own(job)
        with writing(problems):
            if left_out:
                write_whole(problems, "".join(left_out).encode())
            else:  # an earlier try may have left some
                problems.unlink(missing_ok=True)
    return counts


def _place(job: _Job, path: str) -> str:
    """Where a photo is for a process that began in another folder; an address stays."""
    return path if storage.is_address(path) else os.path.join(job.here, path)


def _counted(part: Path, problems: Path, paths: Sequence[str]) -> Counts:
    """What a part holds; ValueError, or another error, unless it is what belongs to the photos."""
    counts, named = Counts(), []
    left_out = list(_lines(problems)) if problems.exists() else []
    rows = _parquet_rows(part) if part.suffix == ".parquet" else _lines(part)
    for found in rows:
        named.append(found["path"])
        counts.add(found)
    if counts.left_out:
        raise ValueError("a photo that was left out is in the part")
    for found in left_out:
        named.append(found["path"])
        counts.add({"problem": found["problem"]})
    if part.suffix == ".parquet":
        named, paths = ([escaped(path) for path in some] for some in (named, paths))
    if sorted(named) != sorted(paths):
        raise ValueError("other photos")
    return counts


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with open(path, "rb") as file:
        yield from map(json.loads, file)


def _parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Of each row what `Counts` and `_counted` take of it."""
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        wanted = [n for n in ("path", "label", "labels", "unknown") if n in file.schema_arrow.names]
        for batch in file.iter_batches(columns=wanted):
            for row in batch.to_pylist():
                if "labels" in row:
                    row["labels"] = [{"label": n} for n in row["labels"].split(BETWEEN) if n]
                yield row
