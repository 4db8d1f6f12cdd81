"""The command that looks at photos before training: check."""

from __future__ import annotations

import json

import click

from graphnets.cli.flags import options, split_flags, table_flags
from graphnets.cli.network import check_photos
from graphnets.cli.terminal import progress_bar, say
from graphnets.errors import GraphnetsError

NAMED = 5  # items of a finding in the report; --json has all
PATHS = 6  # of an item


class Failure(click.ClickException):
    """An error of a command whose status 1 is for what was found."""

    exit_code = 2


@click.command()
@click.argument("images", type=click.Path())
@table_flags
@split_flags
@options(
    click.option("--size", type=click.IntRange(1), default=224, help="Pixels the network takes."),
    click.option("--no_near_copies", is_flag=True, help="Look for equal files alone."),
    click.option("--contact_sheet", type=click.Path(), help="A .png to draw pairs of copies on."),
    click.option(
        "--move_to",
        type=click.Path(),
        help="Move unreadable files, and the later of equal ones of a class, to this folder.",
    ),
    click.option(
        "--json", "as_json", is_flag=True, help="One JSON object, with all that is found."
    ),
)
def check(images: str, as_json: bool, no_near_copies: bool, **flags) -> None:
    """Look at IMAGES, a folder or table of photos, before training on them.

    Flags for the split as for retrain. The status is 1 if something needs attention, 2 for an
    error.
    """
    try:
        check_photos(images, flags["image_root"], flags["multi_label"])
        from graphnets.jobs.check import check as run

        found = run(images, near_copies=not no_near_copies, progress=progress_bar(), **flags)
    except GraphnetsError as error:
        raise Failure(str(error)) from None
    if as_json:
        click.echo(json.dumps(_as_json(found, flags["contact_sheet"])))
    else:
        _report(found, flags["contact_sheet"])
    if found.attention:
        raise SystemExit(1)


def _as_json(found, sheet: str | None) -> dict:
    from graphnets.jobs.findings import class_sizes

    usable = found.photos[found.photos.problem == ""]
    return {
        "files": len(found.photos),
        "photos": len(usable),
        "attention": found.attention,
        "classes": class_sizes(found.photos),
        "splits": usable.split.value_counts().to_dict(),
        "modes": usable["mode"].value_counts().to_dict(),
        "findings": [vars(finding) for finding in found.findings],
        "contact_sheet": sheet if found.shown_pairs else None,
        "moved": found.moved,
    }


def _report(found, sheet: str | None) -> None:
    from graphnets.jobs.findings import class_sizes

    sizes = class_sizes(found.photos).values()
    usable = int((found.photos.problem == "").sum())
    say(
        f"{usable} photos in {len(sizes)} classes of {min(sizes, default=0)} to "
        f"{max(sizes, default=0)}; {len(found.photos) - usable} files left out"
    )
    for finding in found.findings:
        click.echo()
        say(f"{'! ' if finding.attention else '  '}{finding.what}")
        for item in [item for item in finding.items if item["paths"]][:NAMED]:
            say(f"    {_line(item)}")
        if len(finding.items) > NAMED and finding.items[0]["paths"]:
            say(f"    and {len(finding.items) - NAMED} more")
        if finding.advice:
            say(f"    -> {finding.advice}")
    _say_done(found, sheet)
    needing = sum(finding.attention for finding in found.findings)
    click.echo()
    say(f"{needing} things need attention (!)" if needing else "nothing needs attention")


def _line(item: dict) -> str:
    paths = item["paths"]
    more = f" = and {len(paths) - PATHS} more" if len(paths) > PATHS else ""
    line = " = ".join(paths[:PATHS]) + more
    if item.get("reason"):
        return f"{line}: {item['reason']}"
    splits = [name for name in dict.fromkeys(item.get("splits", [])) if name]
    told = ["mirrored"] if item.get("mirrored") else []
    told += [" and ".join(splits)] if len(splits) > 1 else []
    return f"{line} ({', '.join(told)})" if told else line


def _say_done(found, sheet: str | None) -> None:
    if sheet is not None:
        click.echo()
        pairs = found.shown_pairs
        say(f"{sheet}: {pairs} pairs of copies" if pairs else f"no copies to show on {sheet}")
    for number, row in enumerate(found.moved):
        if not number:
            click.echo()
        say(f"moved {row['path']} to {row['moved_to']}: {row['reason']}")
