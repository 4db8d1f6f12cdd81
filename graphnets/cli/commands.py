"""The command `graphnets`, with its commands."""

from __future__ import annotations

import os
import sys
import warnings

import click

from graphnets import __version__
from graphnets.cli.check import check
from graphnets.cli.explain import explain
from graphnets.cli.export import export
from graphnets.cli.photos import classify, extract, predict
from graphnets.cli.report import report
from graphnets.cli.serve import serve
from graphnets.cli.terminal import open_closed_streams, printing, stopping
from graphnets.cli.training import compare, demo, retrain
from graphnets.cli.weights import convert, fetch, inspect
from graphnets.errors import GraphnetsError


class Group(click.Group):
    """Commands whose GraphnetsErrors and signals end in one line; nothing else is caught."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            with stopping(), printing():
                return super().invoke(ctx)
        except GraphnetsError as error:
            raise click.ClickException(str(error)) from None


def _underscores(name: str) -> str:
    return name.replace("-", "_")


@click.group(
    cls=Group,
    context_settings={
        "token_normalize_func": _underscores,  # --image-dir is --image_dir
        "help_option_names": ["-h", "--help"],
        "show_default": True,
        "max_content_width": 100,
    },
)
@click.version_option(__version__, prog_name="graphnets")
def main() -> None:
    """From a folder of photos to a classifier, with plain TensorFlow graphs.

    Flags may be written with dashes or underscores.
    """
    open_closed_streams()
    # Smaller blocks stay with the process when a large picture is done with.
    os.environ.setdefault("PILLOW_BLOCK_SIZE", "64m")
    # Of large pictures; what is too large is named among what is left out.
    warnings.filterwarnings("ignore", "Image size .* exceeds limit")
    for stream in (sys.stdout, sys.stderr):  # a file's name may be no text at all
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


COMMANDS = (
    check, retrain, compare, report, predict, explain, export, serve, extract, fetch, inspect,
    convert, classify, demo,
)  # fmt: skip
for command in COMMANDS:
    main.add_command(command)
