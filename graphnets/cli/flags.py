"""The flags that commands share, in groups."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

import click

from graphnets.classifier.options import INPUT, OUTPUT
from graphnets.classifier.run_files import GRAPH, LABELS
from graphnets.devices import AUTO as AUTO_DEVICE
from graphnets.devices import DEVICES, VARIABLE
from graphnets.files import temporary_folder
from graphnets.networks.pictures import CHANNELS
from graphnets.networks.precision import AUTO, FLOAT32, PRECISIONS
from graphnets.training.options import OPTIMIZERS, SCHEDULES
from graphnets.weights.places import mobilenet

TEMPORARY = temporary_folder()
VERBOSITIES = ["DEBUG", "INFO", "WARN", "ERROR", "FATAL"]  # retrain.py's
INSTEAD = {  # flags of retrain.py's that are not here
    "checkpoint_path": "say --checkpoint_dir DIR, and --checkpoint_every STEPS",
}
# A TensorFlow-free copy; a test compares it with the library's.
LITES = ["efficientnet_lite0", "efficientnet_lite2"]
ARCHITECTURES = ["inception_v3", "vgg16", "alexnet_caffe", "alexnet", *LITES, "graph"]


class Architecture(click.Choice):
    """The name of a network: one of those listed, or a MobileNet's."""

    def convert(self, value, param, ctx):  # noqa: D102 (click's)
        return mobilenet(value) or super().convert(value, param, ctx)


def options(*options: Callable) -> Callable:
    """One decorator for several click options, in the order of the help text."""

    def decorate(command: Callable) -> Callable:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def _refuse(instead: str, _: click.Context, parameter: click.Parameter, value: object) -> None:
    if value is not None:
        raise click.UsageError(f"--{parameter.name} is retrain.py's and not taken; {instead}")


def _choose(_: click.Context, __: click.Parameter, device: str) -> None:
    if device != os.environ.get(VARIABLE, AUTO_DEVICE):
        os.environ[VARIABLE] = device  # for workers, too


device_flag = click.option(
    "--device",
    type=click.Choice(DEVICES),
    envvar=VARIABLE,
    default=AUTO_DEVICE,
    expose_value=False,
    callback=_choose,
    help="What computes; auto: a GPU, if TensorFlow sees one.",
)

network_flags = options(
    device_flag,
    click.option(
        "--architecture",
        type=Architecture(ARCHITECTURES),
        help="The pretrained network; 'alexnet' reads its weights as the traffic-sign course does, "
        "'graph' is any; or retrain.py's mobilenet_1.0_224 ...  [default: inception_v3; graph with "
        "--graph]",
    ),
    click.option(
        "--graph",
        "--tfhub_module",
        "graph_file",
        type=click.Path(),
        help="Frozen GraphDef (.pb), or the folder of a SavedModel.",
    ),
    click.option(
        "--input_layer",
        default="",
        show_default=False,
        help="Where pictures enter --graph.  [default: found]",
    ),
    click.option("--input_height", type=int, help="Of its pictures.  [default: the graph's]"),
    click.option("--input_width", type=int, help="[default: the graph's]"),
    click.option(
        "--input_mean",
        help="It takes (pixel - mean) / std; one number or three.  [default: 0, if it scales them]",
    ),
    click.option("--input_std", help="[default: 1, if it scales them]"),
    click.option("--input_channels", type=click.Choice(CHANNELS), default="RGB"),
    click.option(
        "--signature",
        default="",
        show_default=False,
        help="Of a SavedModel.  [default: the one it serves]",
    ),
    click.option(
        "--weights",
        help="Weights of the other networks (.npz, .npy, .safetensors), or 'random'.",
    ),
    click.option(
        "--model_dir",
        type=click.Path(),
        envvar="GRAPHNETS_MODEL_DIR",
        help="Where `graphnets fetch` puts files.  [default: the user's cache]",
    ),
)

entry_flags = options(  # of a classifier's graph, which may be another tool's
    device_flag,
    click.option("--input_layer", default=INPUT, help="Takes bytes or pictures."),
    click.option("--output_layer", default=OUTPUT),
    click.option("--input_height", type=int, help="[default: the graph's]"),
    click.option("--input_width", type=int, help="[default: the graph's]"),
    click.option("--input_mean", type=float, help="[default: 0]"),
    click.option("--input_std", type=float, help="[default: 255]"),
)

graph_flags = options(  # of a trained graph
    click.option("--graph", type=click.Path(), default=os.path.join(TEMPORARY, GRAPH)),
    click.option("--labels", type=click.Path(), default=os.path.join(TEMPORARY, LABELS)),
    entry_flags,
)

table_flags = options(
    click.option(
        "--image_root",
        type=click.Path(),
        help="Where a table's relative paths begin.  [default: its folder]",
    ),
    click.option(
        "--multi_label",
        is_flag=True,
        help="A photo may have several labels, with | between in a table, or lie in several "
        "folders.",
    ),
)

photo_flags = options(
    click.option(
        "--image_dir",
        "--images",
        "images",
        type=click.Path(),
        required=True,
        help="Folder with one sub-folder of photos per class; or a table, .csv, .tsv or .parquet "
        "with the columns path and label, or arrays X and y, .npz or .p.",
    ),
    table_flags,
    click.option(
        "--trust_keys",
        is_flag=True,
        help="Take the keys that a table has (photos.csv), and read no photo but for what is not "
        "stored.",
    ),
    network_flags,
    click.option(
        "--endpoint",
        help="Layers to take features from, with commas between; 4-D ones are averaged over the "
        "picture.  [default: the network's]",
    ),
    click.option(
        "--precision",
        type=click.Choice([*PRECISIONS, AUTO]),
        default=FLOAT32,
        help="What the network computes in; bfloat16 where the processor has it, float16 on a "
        "GPU; auto tries the processor's two.",
    ),
    click.option(
        "--bottleneck_dir",
        type=click.Path(),
        default=os.path.join(TEMPORARY, "bottleneck"),
        help="Where features are kept.",
    ),
)

split_flags = options(
    click.option("--testing_percentage", type=float, default=10.0),
    click.option("--validation_percentage", type=float, default=10.0),
    click.option("--split_seed", type=int, default=0, help="Another split of the photos."),
    click.option(
        "--group_by",
        metavar="REGEX",
        help="Photos whose 'class/file' agree but for what this matches, or in its brackets, stay "
        "in one split; '_\\d+' for the tracks of GTSRB.",
    ),
)

run_flags = options(
    click.option(
        "--output_dir", type=click.Path(), default=TEMPORARY, help="Where results are written."
    ),
    click.option(
        "--summaries_dir",
        type=click.Path(),
        default=os.path.join(TEMPORARY, "retrain_logs"),
        help="TensorBoard summaries; each run adds a folder.",
    ),
    click.option("--report/--no_report", default=True, help="Write report.html."),
    click.option("--how_many_training_steps", type=int, default=4000),
    click.option("--learning_rate", type=float, default=0.01),
    split_flags,
    click.option("--eval_step_interval", type=int, default=10, help="Steps between validations."),
    click.option("--train_batch_size", type=int, default=100),
    click.option("--test_batch_size", type=int, default=-1, help="-1: all test photos."),
    click.option("--validation_batch_size", type=int, default=-1, help="-1: all of them."),
    click.option("--seed", type=int, default=0, help="Of all that is random."),
    click.option(
        "--logging_verbosity",
        type=click.Choice(VERBOSITIES, case_sensitive=False),
        default="INFO",
        help="DEBUG: what TensorFlow logs, too; WARN: no progress; ERROR, FATAL: nor warnings.",
    ),
    *(
        click.option(
            f"--{name}", hidden=True, expose_value=False, callback=partial(_refuse, instead)
        )
        for name, instead in INSTEAD.items()
    ),
)

classifier_flags = options(
    click.option("--output_graph", type=click.Path(), help="[default: in output_dir]"),
    click.option("--output_labels", type=click.Path(), help="[default: in output_dir]"),
    click.option("--saved_model_dir", type=click.Path(), help="Also write a SavedModel here."),
    click.option("--final_tensor_name", default="final_result", help="Name of the output."),
    click.option(
        "--intermediate_output_graphs_dir",
        type=click.Path(),
        default=os.path.join(TEMPORARY, "intermediate_graph"),
        help="Where intermediate_STEP.pb go.",
    ),
    click.option(
        "--intermediate_store_frequency",
        type=int,
        default=0,
        help="Steps between intermediate graphs; 0: none.",
    ),
    click.option(
        "--from",
        "earlier",
        type=click.Path(),
        help="The --output_dir of an earlier run to start from; classes may have been added.",
    ),
    click.option(
        "--folds",
        type=int,
        default=0,
        help="Also test so many heads, each on another part of the photos; 0: none.",
    ),
    click.option(
        "--search",
        is_flag=True,
        help="Try 12 heads: two rates, three weight decays, with and without a hidden layer.",
    ),
    click.option(
        "--unknown_dir",
        type=click.Path(),
        help="Photos of none of the classes, in a folder: the classifier learns to say 'unknown'.",
    ),
    click.option(
        "--false_alarm_rate",
        type=float,
        help="Share of photos of the classes that may be called unknown; switches it on without "
        "--unknown_dir, too.  [default: 0.05 with it]",
    ),
    click.option("--print_misclassified_test_images", is_flag=True),
    click.option(
        "--assert_accuracy_at_least",
        type=float,
        help="Exit with status 1 if the test accuracy (0 to 1) is below.",
    ),
    click.option(
        "--trainable",
        default="",
        show_default=False,
        help="Layers to train with the head: 'fc7', 'conv4,conv5', 'conv5:' for that layer and all "
        "behind it, 'all'.  [default: none]",
    ),
)

training_flags = options(
    click.option("--head", default="linear", help="Or [flatten,]fc:UNITS[,dropout=SHARE]."),
    click.option("--optimizer", type=click.Choice(OPTIMIZERS), default="gradient_descent"),
    click.option(
        "--learning_rate_schedule",
        type=click.Choice(SCHEDULES),
        default="constant",
    ),
    click.option(
        "--learning_rate_decay_per_layer",
        type=float,
        default=1.0,
        help="Share of the rate from one trained layer to the one before it.",
    ),
    click.option(
        "--early_stopping", type=int, default=0, help="Validations without a better one; 0: never."
    ),
    click.option(
        "--weight_decay",
        type=float,
        help="Of the head's weights.  [default: 0.03; 0 with --trainable]",
    ),
    click.option(
        "--class_weights",
        default="",
        show_default=False,
        help="'balanced', or 'roses=2,tulips=0.5'.",
    ),
    click.option(
        "--warmup_steps", type=int, default=0, help="Steps of the head alone before --trainable."
    ),
    click.option("--warmup_learning_rate", type=float, default=0.001),
    click.option("--warmup_optimizer", type=click.Choice(OPTIMIZERS), default="rmsprop"),
)

augmentation_flags = options(
    click.option("--flip_left_right", is_flag=True, help="Mirror every other variant."),
    click.option("--random_crop", type=float, default=0.0, help="Margin in percent."),
    click.option("--random_scale", type=float, default=0.0, help="Percent to scale up by."),
    click.option("--random_brightness", type=float, default=0.0, help="Percent up or down."),
    click.option("--rotation", type=float, default=0.0, help="Degrees to either side."),
    click.option("--width_shift", type=float, default=0.0, help="Share of the width."),
    click.option("--height_shift", type=float, default=0.0, help="Share of the height."),
    click.option("--shear", type=float, default=0.0, help="Tangent of the lean."),
    click.option("--zoom", type=float, default=0.0, help="Share, in and out."),
    click.option(
        "--augmented_copies",
        type=int,
        help="Variants of each training photo, drawn once and stored; without a flag of those "
        "above: flip, rotation 30, shifts 0.1, shear 0.2, zoom 0.2.  [default: 8 if one is given]",
    ),
)

checkpoint_flags = options(
    click.option(
        "--checkpoint_every",
        type=int,
        default=0,
        help="Steps between checkpoints; SIGTERM writes one in any case.",
    ),
    click.option("--checkpoint_dir", type=click.Path(), help="[default: in output_dir]"),
    click.option("--max_to_keep", type=int, default=5, help="Checkpoints to keep."),
    click.option("--resume", is_flag=True, help="Go on from the newest checkpoint."),
)
