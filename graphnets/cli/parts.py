"""`predict --parts`: predictions of very many photos, in files that are whole or not there."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import click

from graphnets.classifier.options import BATCH, PART_FORMATS, InputOptions, PartOptions
from graphnets.classifier.parts import planned
from graphnets.cli.flags import options
from graphnets.cli.keeping import Keeping, check_any, say_counts
from graphnets.cli.terminal import progress_bar, quiet_tensorflow, say

part_flags = options(
    click.option(
        "--parts",
        type=click.Path(),
        help="A folder for the rows of --output in files of some photos each; the same command "
        "goes on where one ended.",
    ),
    click.option(
        "--part_size",
        type=int,
        help=f"Photos of a part, a multiple of {BATCH}.  [default: {PartOptions.part_size}]",
    ),
    click.option(
        "--part_format",
        type=click.Choice(PART_FORMATS),
        help=f"[default: {PartOptions.part_format}]",
    ),
    click.option(
        "--resume/--no_resume",
        default=True,
        help="Keep the parts that are there, or replace all of them.",
    ),
)


class Cutting(NamedTuple):
    """The flags of parts."""

    parts: str | None
    part_size: int | None
    part_format: str | None
    resume: bool

    def options(self, top_k: int) -> PartOptions:
        """What they say, once `check_cutting` found nothing."""
        given = {"part_size": self.part_size, "part_format": self.part_format}
        given = {name: value for name, value in given.items() if value is not None}
        return PartOptions(top_k=top_k, resume=self.resume, **given)  # type: ignore[arg-type]


def check_cutting(cutting: Cutting, keeping: Keeping) -> None:
    """Raise an error for flags that contradict."""
    if cutting.parts is None:
        given = [
            name for name in ("part_size", "part_format") if getattr(cutting, name) is not None
        ]
        given += [] if cutting.resume else ["no_resume"]
        if given:
            raise click.UsageError(f"--{given[0]} is for --parts; name a folder")
        return
    if keeping.output is not None or keeping.as_json:
        other = "output" if keeping.output is not None else "json"
        raise click.UsageError(
            f"--parts writes what --{other} would, in many files; leave one of them out"
        )
    if keeping.copy_to is not None:
        raise click.UsageError(
            "--copy_to does not go with --parts, whose runs may end at any photo and go on; leave "
            "one of them out"
        )


def write_parts(
    folder: str,
    photos: Sequence[str],
    classifier: tuple[str, str, InputOptions],
    options: PartOptions,
) -> None:
    """Write the parts that are not there, and say what is in all of them.

    classifier: its graph, its labels, and how photos enter it.
    """
    graph, labels, entry = classifier
    plan = planned(photos, folder, graph, labels, options, entry)
    with quiet_tensorflow():
        import graphnets.classifier.predict  # noqa: F401
    found = plan.run(progress_bar(), partial(say, err=True))
    say_counts(found.counts)
    say(f"{folder}: {plan.count} parts")
    if found.problems:
        others = len(found.problems) - 1
        more = f" and {others} more files say" if others else " says"
        say(f"{found.counts.left_out} left out: {found.problems[0]}{more} why", err=True)
    check_any(found.counts.read)
