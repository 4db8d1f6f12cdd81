"""The tables in which networks take turns: from files, and graph alone on prepared batches."""

from typing import NamedTuple

from tests.benchmarks.contender import DEFAULT, ONEDNN, Contender
from tests.benchmarks.report import PEAK, print_contenders, rows_of
from tests.benchmarks.turns import take_turns

OURS, OURS16 = "graphnets float32", "graphnets bfloat16"
ON = {ONEDNN: "1"}
INCEPTION, ALEXNET, VGG16 = (299, 299), (227, 227), (224, 224)


class Table(NamedTuple):
    """What is printed above the contenders, and these."""

    title: str
    contenders: list[Contender]
    notes: tuple[str, ...] = ()


def run(table, setting):
    """Let the contenders of the table take turns, print it, and return it for the JSON file."""
    print(f"\n{table.title}")
    for note in table.notes:
        print(f"  {note}")
    found, left_out = take_turns(table.contenders, setting.rounds, setting.folder)
    rows = rows_of(found, OURS)
    print_contenders(rows, OURS)
    return {"title": table.title, "notes": table.notes, "reference": OURS,
            "rows": rows, "left_out": left_out}  # fmt: skip


def inception_files(setting):
    """JPEG files to bottlenecks."""
    tutorial = {"graph": setting.graph, "photos": setting.photos}
    return Table(
        "inception-files: JPEG files to Inception v3's bottlenecks",
        [
            *_from_files(setting, "inception_v3", setting.graph, "pool_3/_reshape"),
            Contender("tutorials' way", "courses:tutorial", tutorial),
            Contender("tutorials' way, oneDNN", "courses:tutorial", tutorial, (), ON),
        ],
        ("tutorials' way: the untouched file, one photo at a time, TensorFlow's defaults",),
    )


def alexnet_files(setting):
    """JPEG files to fc7."""
    return Table(
        "alexnet-files: JPEG files to AlexNet's fc7 (the course's reading, random weights)",
        _from_files(setting, "alexnet", setting.alexnet, "fc7"),
    )


def _from_files(setting, architecture, weights, endpoint):
    options = {"architecture": architecture, "weights": weights, "endpoint": endpoint,
               "photos": setting.photos}  # fmt: skip
    return [
        Contender(OURS, "ours:files", options),
        Contender(OURS16, "ours:files", options | {"precision": "bfloat16"}),
        Contender("graph alone", "ours:graph_on_photos", options),
    ]


def inception(setting):
    """Inception v3 alone."""
    size = {"size": INCEPTION, "batch": 32, "batches": 1 if setting.quick else 2}
    frozen = setting.frozen("inception_v3", setting.graph, "pool_3/_reshape")
    untouched = {"graph": setting.graph, **size}
    return Table(
        "inception: Inception v3 to pool_3, prepared batches of 32",
        [
            *_graphs("inception_v3", setting.graph, "pool_3/_reshape", size),
            Contender("untouched file", "courses:untouched", untouched),
            Contender("untouched file, oneDNN", "courses:untouched", untouched, (), ON),
            *_others(frozen, size),
            _keras("Keras InceptionV3", "others:keras_inception", size),
            *_peaks(),
        ],
        (
            "the other libraries run graphnets' folded graph; Keras its own InceptionV3 of",
            "random weights, with oneDNN on",
        ),
    )


def alexnet(setting):
    """AlexNet alone."""
    size = {"size": ALEXNET, "batch": 64, "batches": 1 if setting.quick else 4}
    course = {"weights": setting.alexnet, "batch": size["batch"], "batches": size["batches"]}
    frozen = setting.frozen("alexnet", setting.alexnet, "fc7")
    return Table(
        "alexnet: AlexNet to fc7 (the course's reading, random weights), prepared batches of 64",
        [
            *_graphs("alexnet", setting.alexnet, "fc7", size),
            Contender("course's graph", "courses:alexnet", course),
            Contender("course's graph, oneDNN", "courses:alexnet", course, (), ON),
            *_others(frozen, size | {"preparation": "own mean"}),
            *_peaks(),
        ],
        (
            "the other libraries run the course's graph, frozen; it and they take pictures less",
            "their own mean, which graphnets subtracts in its graph",
        ),
    )


def vgg16(setting):
    """VGG16 alone."""
    size = {"size": VGG16, "batch": 16, "batches": 1 if setting.quick else 2}
    frozen = setting.frozen("vgg16", "random", "conv5_3")
    return Table(
        "vgg16: VGG16 to conv5_3, averaged (random weights), prepared batches of 16",
        [
            *_graphs("vgg16", "random", "conv5_3", size),
            *_others(frozen, size),
            _keras("Keras VGG16", "others:keras_vgg16", size),
            *_peaks(),
        ],
        ("the other libraries run graphnets' graph, frozen; Keras its own, with oneDNN on",),
    )


def efficientnet(setting):
    """EfficientNet-Lite0 alone."""
    size = {"size": VGG16, "batch": 32, "batches": 1 if setting.quick else 8}
    frozen = setting.frozen("efficientnet_lite0", "random", "pool")
    return Table(
        "efficientnet: EfficientNet-Lite0 to pool (random weights), prepared batches of 32",
        [
            *_graphs("efficientnet_lite0", "random", "pool", size),
            *_others(frozen, size),
            *_peaks(),
        ],
        ("the other libraries run graphnets' graph, frozen",),
    )


def _graphs(architecture, weights, endpoint, size):
    options = {"architecture": architecture, "weights": weights, "endpoint": endpoint,
               "batch": size["batch"], "batches": size["batches"]}  # fmt: skip
    return [
        Contender(OURS, "ours:graph", options),
        Contender(OURS16, "ours:graph", options | {"precision": "bfloat16"}),
    ]


def _others(frozen, size):
    options = {"frozen": frozen, **size}
    bfloat16 = options | {"precision": "bf16"}
    return [
        Contender("OpenVINO", "others:openvino", options, ("openvino",)),
        Contender("OpenVINO bfloat16", "others:openvino", bfloat16, ("openvino",)),
        Contender("onnxruntime", "others:onnxruntime", options, ("onnxruntime", "tf2onnx")),
        Contender("torch", "others:torch", options, ("torch",)),
    ]


def _keras(name, start, size):
    return Contender(name, start, size, ("keras",), ON)


def _peaks():
    return [
        Contender(f"{PEAK} {precision}", "ours:peak", {"precision": precision}, (), DEFAULT | ON)
        for precision in ("float32", "bfloat16")
    ]
