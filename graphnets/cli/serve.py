"""The command that answers photos over HTTP."""

from __future__ import annotations

from pathlib import Path

import click

from graphnets.classifier.options import InputOptions
from graphnets.classifier.run_files import GRAPH, LABELS
from graphnets.cli.flags import entry_flags, options
from graphnets.cli.terminal import quiet_tensorflow, say
from graphnets.errors import GraphnetsError
from graphnets.files import check_readable
from graphnets.serving.options import ANY, LOCAL, ServeOptions, check_installed

USUAL = ServeOptions()
ABOVE_0 = click.FloatRange(0, min_open=True)


def _limit(name: str, kind: click.ParamType, help: str):
    return click.option(f"--{name}", type=kind, default=getattr(USUAL, name), help=help)


@click.command()
@click.argument("output_dir", required=False, type=click.Path())
@options(
    click.option("--graph", type=click.Path(), help="[default: OUTPUT_DIR/output_graph.pb]"),
    click.option("--labels", type=click.Path(), help="[default: OUTPUT_DIR/output_labels.txt]"),
    click.option("--host", default="127.0.0.1", help="Address to listen at; 0.0.0.0: all."),
    click.option("--port", type=click.IntRange(0, 65535), default=8501, help="0: a free one."),
    click.option(
        "--allow_host",
        multiple=True,
        help="A name that the server is called by, besides this machine's own; several times for "
        "several.  [default: any, at a --host that others reach]",
    ),
    click.option("--access_log", is_flag=True, help="Print a line for each request."),
    _limit("top_k", click.IntRange(1), "Classes to name."),
    _limit("model_name", click.STRING, "In the paths of TensorFlow Serving's API."),
    _limit("max_files", click.IntRange(1), "Photos of a request."),
    _limit("max_file_size", ABOVE_0, "Of a photo, in MB."),
    _limit("max_request_size", ABOVE_0, "Of a request, in MB."),
    _limit("max_memory", ABOVE_0, "Of all requests at work, in MB."),
    _limit("max_megapixels", ABOVE_0, "Of a photo."),
    _limit("max_waiting", click.IntRange(1), "Requests at work; others are to try again."),
    _limit("timeout", ABOVE_0, "Seconds to receive a request in, and to answer it in."),
    entry_flags,
)
def serve(**flags) -> None:
    """Classify photos over HTTP with what a `retrain` wrote to OUTPUT_DIR: a page and a JSON API.

    It is for this machine alone unless --host says otherwise: there is no password and no TLS.
    """
    from graphnets.serving.listening import is_local, listen

    entry = InputOptions(**{name: flags.pop(name) for name in InputOptions.__dataclass_fields__})
    graph, labels = _files(*(flags.pop(name) for name in ("output_dir", "graph", "labels")))
    host, port, access_log = (flags.pop(name) for name in ("host", "port", "access_log"))
    named = flags.pop("allow_host")
    limits = ServeOptions(hosts=_names(host, named, is_local(host)), **flags)
    check_installed()
    with listen(host, port) as listening:
        _serve(listening, graph, labels, entry, limits, access_log)


def _names(host: str, named: tuple[str, ...], local: bool) -> tuple[str, ...]:
    """What the server may be called, as Host headers have it."""
    if not (local or named):
        return (ANY,)
    own = f"[{host}]" if ":" in host else host
    return tuple(dict.fromkeys((*LOCAL, *([own] if local else []), *named)))


def _files(output_dir: str | None, graph: str | None, labels: str | None) -> tuple[str, str]:
    if output_dir is None and not (graph and labels):
        raise GraphnetsError(
            "no classifier; name the --output_dir of a `graphnets retrain`, or --graph and --labels"
        )
    folder = Path(output_dir or "")
    found = graph or str(folder / GRAPH), labels or str(folder / LABELS)
    for path in found:
        check_readable(path)
    return found


def _serve(listening, graph, labels, entry, limits: ServeOptions, access_log: bool) -> None:
    with quiet_tensorflow():
        from graphnets.classifier.predict import Classifier
        from graphnets.serving.app import serving_app
        from graphnets.serving.listening import url
        from graphnets.serving.server import run, warm_up

    classifier = Classifier(graph, labels, entry)
    warm_up(classifier)
    app = serving_app(classifier, limits)
    say(f"{url(listening)} classifies photos into the {len(classifier.labels)} classes of {graph}; "
        "Ctrl-C ends it")  # fmt: skip
    run(app, listening, limits.timeout, access_log)
    say("stopped; what was at work is answered")
