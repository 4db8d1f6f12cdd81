"""The command that shows what a classifier looks at."""

from __future__ import annotations

import json
from pathlib import Path

import click

from graphnets.classifier.options import InputOptions
from graphnets.cli.flags import graph_flags
from graphnets.cli.terminal import quiet_tensorflow
from graphnets.errors import GraphnetsError, shown
from graphnets.files import check_apart, check_readable, check_writable


@click.command()
@click.argument("photos", nargs=-1, required=True, type=click.Path())
@click.option("--output_dir", type=click.Path(), required=True, help="Where the pictures go.")
@click.option("--label", help="The class to look for.  [default: each photo's likeliest]")
@click.option(
    "--layer", help="The map that Grad-CAM is of: a tensor or layer.  [default: the last one]"
)
@click.option(
    "--occlusion", is_flag=True, help="Cover place after place and look how the score falls; slow."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@graph_flags
def explain(photos: tuple[str, ...], output_dir: str, as_json: bool, **flags) -> None:
    """Show where in PHOTOS, files or whole folders, a trained graph sees their class.

    Of each photo a picture is written: the photo, and the same with the heat over it.
    """
    graph, labels, label = (flags.pop(name) for name in ("graph", "labels", "label"))
    layer, occlusion = flags.pop("layer"), flags.pop("occlusion")
    if layer and occlusion:
        raise click.UsageError("--layer is of Grad-CAM, and --occlusion looks at no layer")
    entry = InputOptions(**flags)
    for path in (graph, labels):
        check_readable(path)
    why = "pictures would be taken for photos the next time"
    check_apart("output_dir", output_dir, photos, why)
    check_writable(Path(output_dir))
    with quiet_tensorflow():
        from graphnets.classifier.explain import Explainer
        from graphnets.jobs.explain import draw_explanations
        from graphnets.photos.folders import photo_paths

    explainer = Explainer(graph, labels, entry, layer, occlusion)
    number = None if label is None else _number(label, explainer.labels)
    explained = left_out = 0
    once = dict.fromkeys(photo_paths(photos))  # a file may be named beside its folder
    for drawn in draw_explanations(explainer, once, Path(output_dir), number):
        if drawn.explanation.problem:
            left_out += 1
        else:
            explained += 1
        _say(drawn, explainer.layer, as_json)
    if left_out:
        click.echo(f"{explained} photos explained, {left_out} left out", err=True)
    if not explained:
        raise GraphnetsError("no photo could be explained; wanted readable pictures")


def _number(label: str, labels: list[str]) -> int:
    if label not in labels:
        raise GraphnetsError(f"there is no label {label!r}; wanted one of {', '.join(labels)}")
    return labels.index(label)


def _say(drawn, layer: str, as_json: bool) -> None:
    found = drawn.explanation
    if found.problem:
        click.echo(f"{shown(found.path)}: left out, {shown(found.problem)}", err=True)
        if as_json:
            click.echo(json.dumps({"path": found.path, "problem": found.problem}))
    elif as_json:
        told = {"path": found.path, "label": found.label, "score": found.score}
        told |= {"picture": str(drawn.picture), "layer": layer or None, "peak": drawn.peak}
        click.echo(json.dumps(told))
    else:
        click.echo(f"{shown(found.path)}\n  {found.score:.4f}  {shown(found.label)}")
        click.echo(f"  {shown(drawn.picture)}")
