"""What becomes of predictions: lines on the terminal, or a table, copies, and a summary."""

from __future__ import annotations

import contextlib
import json
import math
import sys
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import click

from graphnets.classifier.counts import Counts
from graphnets.classifier.sorting import NONE, UNKNOWN, Sorter, check_sorting, sorting
from graphnets.classifier.tables import Says, Table, as_json, check_table, new_table
from graphnets.cli.terminal import progress_bar, say
from graphnets.errors import GraphnetsError, shown
from graphnets.photos.folders import is_video, photo_paths

NAMED = 5  # photos that were left out, in a summary, where a table names them all
CLASSES = 50  # labels in a summary


class Keeping(NamedTuple):
    """The flags that say what is kept, and how."""

    output: str | None
    copy_to: str | None
    min_score: float | None
    as_json: bool


def check_keeping(keeping: Keeping, photos: Sequence[str]) -> None:
    """Raise an error for flags that contradict, and if what is to be written cannot be."""
    if keeping.min_score is not None:
        if keeping.copy_to is None:
            raise click.UsageError("--min_score is for the folders of --copy_to; name one")
        if not (math.isfinite(keeping.min_score) and 0 <= keeping.min_score <= 1):
            raise click.UsageError(f"--min_score is {keeping.min_score}, wanted 0 to 1")
    if keeping.output is not None:
        if keeping.as_json:
            raise click.UsageError(
                "--json prints what --output FILE.jsonl writes; leave one of them out"
            )
        check_table(keeping.output)
    if keeping.copy_to is not None:
        check_sorting(keeping.copy_to, photos)


def say_predictions(predictions: Iterable, json_lines: bool) -> None:
    """Print some lines a photo, or one JSON object; GraphnetsError if none could be classified."""
    read = left_out = 0
    for prediction in predictions:
        if prediction.problem:
            left_out += 1
            click.echo(f"{shown(prediction.path)}: left out, {shown(prediction.problem)}", err=True)
        else:
            read += 1
        if json_lines:
            click.echo(json.dumps(as_json(prediction)))
        elif not prediction.problem:
            _say_prediction(prediction)
    if left_out:
        click.echo(f"{read} photos classified, {left_out} left out", err=True)
    check_any(read)


def _say_prediction(prediction) -> None:
    time = "" if prediction.time is None else f" {prediction.time:.3f} s"
    click.echo(f"{shown(prediction.path)}{time}")
    if prediction.unknown:
        click.echo("  unknown: none of the classes; the likeliest of them:")
    if prediction.labels == []:
        click.echo("  none of the labels")
    for label, score in prediction.top if prediction.labels is None else prediction.labels:
        click.echo(f"  {score:.4f}  {shown(label)}")


def check_any(read: int) -> None:
    """Raise GraphnetsError if no photo could be classified."""
    if not read:
        raise GraphnetsError("no photo could be classified; wanted readable pictures")


def bar(predictions: Iterable, photos: Sequence[str]) -> Iterable:
    """Predictions with a bar on the terminal; without an end where videos have frames to come."""
    count, videos = 0, False
    for path in photo_paths(photos):
        count, videos = count + 1, videos or is_video(path)
    return progress_bar()(predictions, total=None if videos else count, unit="photos")


def keep(predictions: Iterable, keeping: Keeping, labels: Sequence[str], says: Says) -> None:
    """Write a table, copy photos into folders, or both, and say what came of it.

    Also of a run that breaks off. Raises GraphnetsError if no photo could be classified.
    """
    table = sorter = None
    found = _Found(NAMED if keeping.output else sys.maxsize)
    try:
        with contextlib.ExitStack() as stack:
            if keeping.copy_to is not None:
                sorter = stack.enter_context(sorting(keeping.copy_to, labels, keeping.min_score))
            if keeping.output is not None:
                table = stack.enter_context(new_table(keeping.output, says))
            for prediction in predictions:
                found.add(prediction)
                if table:
                    table.add(prediction)
                if sorter:
                    sorter.add(prediction)
                if keeping.as_json:
                    click.echo(json.dumps(as_json(prediction)))
    except (KeyboardInterrupt, GraphnetsError):
        _say_broken_off(keeping, table, sorter)
        raise
    _say_found(found, err=keeping.as_json)
    if table:
        say(f"{keeping.output}: {table.count} rows", err=keeping.as_json)
    if sorter:
        _say_copied(keeping, sorter)
    check_any(found.counts.read)


class _Found:
    """What predictions say, counted; the problems of the first that were left out."""

    def __init__(self, named: int) -> None:
        self._named = named
        self.counts = Counts()
        self.problems: list[tuple[str, str]] = []

    def add(self, prediction) -> None:
        self.counts.add(prediction.found())
        if prediction.problem and len(self.problems) < self._named:
            self.problems.append((prediction.path, prediction.problem))


def _say_found(found: _Found, err: bool) -> None:
    say_counts(found.counts, err)
    for path, problem in found.problems:
        say(f"{path}: left out, {problem}", err=True)
    if found.counts.left_out > len(found.problems):
        more = found.counts.left_out - len(found.problems)
        click.echo(f"and {more} more left out: the table says why", err=True)


def say_counts(counts: Counts, err: bool = False) -> None:
    """Say how many photos were classified, and how many as what."""
    say(f"{counts.read} photos classified, {counts.left_out} left out", err=err)
    rows = [(shown(label), count) for label, count in counts.labels.most_common(CLASSES)]
    others = ((UNKNOWN, counts.unknown), (NONE, counts.none))
    rows += [(f"({name})", count) for name, count in others if count]
    width = max((len(name) for name, _ in rows), default=0)
    for name, count in rows:
        click.echo(f"  {name:{width}s}  {count:6d}", err=err)
    if len(counts.labels) > CLASSES:
        click.echo(f"  and {len(counts.labels) - CLASSES} labels more", err=err)


def _say_copied(keeping: Keeping, sorter: Sorter) -> None:
    there = f", {sorter.there} were there already" if sorter.there else ""
    frames = f", {sorter.frames} frames of videos are no files to copy" if sorter.frames else ""
    say(f"{keeping.copy_to}: {sorter.copied} copies in folders by label{there}{frames}",
        err=keeping.as_json)  # fmt: skip
    for path, problem in sorter.failed:
        say(f"{path}: not copied, {problem}", err=True)


def _say_broken_off(keeping: Keeping, table: Table | None, sorter: Sorter | None) -> None:
    if table:
        kept = f"; its {table.count} rows so far are in {table.kept}" if table.kept else ""
        say(f"{keeping.output} is not written, the run broke off{kept}", err=True)
    if sorter and sorter.copied:
        say(f"{sorter.copied} photos have been copied to {keeping.copy_to} and stay", err=True)
