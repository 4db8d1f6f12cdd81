"""The command that makes a page of a run: report."""

from __future__ import annotations

from pathlib import Path

import click

from graphnets.classifier.run_files import REPORT
from graphnets.cli.terminal import quiet_tensorflow, say
from graphnets.files import check_target


@click.command()
@click.argument("folder", type=click.Path())
def report(folder: str) -> None:
    """Write report.html into FOLDER, the --output_dir of an earlier retrain or compare."""
    check_target(Path(folder) / REPORT)
    with quiet_tensorflow():
        from graphnets.report.write import write_report

        say(write_report(folder))
