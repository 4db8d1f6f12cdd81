"""Commands on weights and networks: fetch, convert, inspect."""

from __future__ import annotations

from functools import partial

import click

from graphnets.cli.flags import LITES, Architecture, network_flags, options
from graphnets.cli.network import architecture, check_network, inspected
from graphnets.cli.terminal import quiet_tensorflow, say
from graphnets.errors import shown

FETCHED = ["inception_v3", "vgg16", "alexnet", *LITES]  # two readings, one file
DRAWN = ["vgg16", "alexnet_caffe", "alexnet", *LITES]
WIDEST = 60  # column of layer names


@click.command()
@click.argument("names", nargs=-1, type=Architecture(FETCHED))
@options(
    click.option("--list", "only_list", is_flag=True, help="Show what is known and where it lies."),
    click.option("--file", type=click.Path(), help="A file that you have: it is checked and used."),
    click.option("--force", is_flag=True, help="Replace a file that is there already."),
    click.option("--model_dir", type=click.Path(), envvar="GRAPHNETS_MODEL_DIR"),
)
def fetch(
    names: tuple[str, ...], only_list: bool, file: str | None, force: bool, model_dir: str | None
) -> None:
    """Get the pretrained weights called NAMES, also retrain.py's mobilenet_1.0_224 ..."""
    from graphnets.zoo import fetch as fetching

    if not names and not only_list:
        raise click.UsageError(f"name what to fetch: {', '.join(fetching.SOURCES)}, or --list")
    if file and len(names) != 1:
        raise click.UsageError("--file goes with one name, that of the network it belongs to")
    for name in names:
        fetching.fetch(name, model_dir, partial(say, err=True), file, force)
    if only_list:
        for name in fetching.SOURCES:
            status = fetching.status(name, model_dir)
            for line in (name, f"  {status.path}", f"  {status.state}"):
                say(line)
            for source in fetching.SOURCES[name]:
                say(f"  from {source.place}: {source.holds}")


@click.command()
@network_flags
def inspect(**flags) -> None:
    """List a network's layers: index, name, kind, output shape, parameters."""
    if architecture(flags) in DRAWN and not flags["graph_file"]:
        flags["weights"] = "random"  # the list is the same for all weights
    check_network(flags)
    with quiet_tensorflow():
        network = inspected(flags)
        layers = network.layers()
    for line in network.told():
        say(line)
    width = min(WIDEST, max(len(shown(layer.name)) for layer in layers))
    click.echo(f"{'#':>4s}  {'name':{width}s}  {'kind':8s}  {'output':20s}  {'parameters':>11s}")
    for index, layer in enumerate(layers):
        shape = " x ".join("n" if size is None else str(size) for size in layer.shape)
        say(
            f"{index:4d}  {shown(layer.name):{width}s}  {layer.kind:8s}  {shape:20s}  "
            f"{layer.parameters:>11,d}"
        )
    total = sum(layer.parameters for layer in layers)
    click.echo(f"{len(layers)} layers, {total:,d} parameters")


@click.command()
@click.argument("source", type=click.Path())
@click.argument("target", type=click.Path())
def convert(source: str, target: str) -> None:
    """Write the weights in SOURCE as TARGET.

    SOURCE is Caffe's .caffemodel, Keras's .h5 or the .onnx of VGG16, .npy, .npz or .safetensors;
    TARGET is .npz, .safetensors, or the .npy with a dict that older code loads.
    """
    from graphnets.weights.convert import convert as run

    for layer, (W, b) in run(source, target).items():
        say(f"{layer:8s}  W {W.shape}  b {b.shape}")
