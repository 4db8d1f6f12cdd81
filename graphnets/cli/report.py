"""The command that makes a page of a run: report."""

from __future__ import annotations

import click

from graphnets.cli.terminal import say
from graphnets.files import check_target


@click.command()
@click.argument("folder", type=click.Path())
def report(folder: str) -> None:
    """Write report.html into FOLDER, the --output_dir of an earlier retrain or compare."""
    from pathlib import Path

    from graphnets.report.write import FILE, write_report

    check_target(Path(folder) / FILE)
    say(write_report(folder))
