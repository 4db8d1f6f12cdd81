"""The command that writes a classifier for other runtimes: export."""

from __future__ import annotations

import click

from graphnets.classifier.options import OUTPUT
from graphnets.cli.flags import options
from graphnets.cli.terminal import progress_bar, quiet_tensorflow, say
from graphnets.exports.options import FORMATS, PRECISIONS, ExportOptions, chosen_formats


@click.command()
@click.argument("run", type=click.Path())
@options(
    click.option(
        "--to",
        "formats",
        type=click.Choice(FORMATS),
        multiple=True,
        required=True,
        help="What to write; may be given several times.",
    ),
    click.option(
        "--precision",
        "precisions",
        type=click.Choice(PRECISIONS),
        multiple=True,
        help="Of TFLite's files; may be given several times.  [default: all]",
    ),
    click.option(
        "--output_dir",
        type=click.Path(),
        help="Where a folder a format is made.  [default: RUN/export]",
    ),
    click.option("--output_layer", default=OUTPUT, help="As retrain's --final_tensor_name."),
    click.option(
        "--test_photos",
        type=click.IntRange(0),
        help="On how many of the test photos to compare.  [default: all]",
    ),
    click.option("--force", is_flag=True, help="Replace exports that are there."),
)
def export(run: str, formats: tuple[str, ...], precisions: tuple[str, ...], **flags) -> None:
    """Write the classifier of RUN, a retrain's --output_dir, for other runtimes.

    Each export is loaded by its own runtime and compared with the graph on the run's test photos.
    """
    chosen = ExportOptions(precisions=precisions or None, **flags)
    chosen_formats(formats, chosen)
    with quiet_tensorflow():
        from graphnets.exports.export import export_classifier

    exports = export_classifier(run, formats, chosen, progress_bar(), say)
    _say_table(exports)
    for one in exports:
        say(f"{one.format:11s} {one.folder}")


def _say_table(exports) -> None:
    graph: dict = next((one.figures["graph"] for one in exports if one.figures["graph"]), {})
    rows = [(name, None, row) for name, row in graph.items()]
    for one in exports:
        figures = one.figures
        rows += [
            (f"{one.format}, {name}", figures["bytes"][name], figures["compared"].get(name, {}))
            for name in figures["files"]
        ]
    width = max(len(name) for name, *_ in rows)
    click.echo(f"\n{'':{width}s}      MB  accuracy  same labels  largest difference  ms a photo")
    for name, size, row in rows:
        line = f"{name:{width}s}  {'' if size is None else f'{size / 1e6:.1f}':>6s}"
        if row.get("photos"):
            same = f"{row['same_labels']} of {row['photos']}"
            line += f"  {row['accuracy']:8.1%}  {same:>11s}  {row['largest_difference']:18.1e}"
            line += f"  {row['milliseconds']:10.1f}"
            if "same_unknown" in row:
                line += f"  (unknown or not: {row['same_unknown']} as the graph)"
        say(line)
    click.echo()
