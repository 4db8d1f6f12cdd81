"""The features of a folder of photos into a store, shard by shard, on Apache Beam.

usage: python examples/beam_extract.py IMAGE_DIR STORE [ARCHITECTURE] [--runner=... Beam's flags]

Without flags Beam's own runner does it on this machine; --direct_num_workers=4
--direct_running_mode=multi_processing takes four processes. All machines have graphnets and the
weights (`graphnets fetch`), and see IMAGE_DIR and STORE under the same name. The store is, bit for
bit, that of `graphnets extract`, which then finds its rows there, as `graphnets retrain` does.
"""

import sys
from functools import partial

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

import graphnets


def main(
    image_dir, store, architecture="efficientnet_lite0", flags=(), endpoint=None, weights=None,
    size=256,
):  # fmt: skip
    """Fill the store, at most some `size` photos a shard; print what is left out, and why."""
    photos = graphnets.scan(image_dir)
    spec = graphnets.ShardSpec(architecture, weights, store, endpoint)
    with beam.Pipeline(options=PipelineOptions(list(flags))) as pipeline:
        done = (
            pipeline
            | beam.Create(list(graphnets.shards(photos, size)))
            | beam.Reshuffle()  # else one worker may have them all
            | beam.Map(partial(graphnets.extract_shard, spec))  # opens the network once a process
        )
        unread = done | beam.FlatMap(left_out)
        unread | "in scan" >> beam.Map(print)
    for line in left_out(photos):
        print(line)


def left_out(photos):
    """A line for each photo of a table that cannot be used."""
    unread = photos[photos.problem != ""]
    return [
        f"left out: {path}: {why}" for path, why in zip(unread.path, unread.problem, strict=True)
    ]


if __name__ == "__main__":
    names = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    main(*names[:3], flags=[argument for argument in sys.argv[1:] if argument.startswith("--")])
