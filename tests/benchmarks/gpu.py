"""The same contenders on a GPU: what each does with the card while its turn lasts."""

import shutil
import subprocess
import threading
from functools import partial

import numpy as np

from tests.benchmarks.contender import (
    PREPARATIONS,
    Contender,
    LeftOut,
    Started,
    on_batches,
    pictures,
)
from tests.benchmarks.networks import ALEXNET, INCEPTION, VGG16, Table
from tests.benchmarks.report import PEAK

BATCH = 256
MATRICES = ((8192, 8),)  # a card is through with smaller ones before they count
PRECISIONS = ("float32", "float16")
ON = {"GRAPHNETS_DEVICE": "gpu", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}  # workers share the card
QUERY = ("nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits")
NETWORKS = {  # name: (size, endpoint, what prepares the pictures that others take, Keras's start)
    "inception_v3": (INCEPTION, "pool_3/_reshape", "", "keras_inception"),
    "alexnet": (ALEXNET, "fc7", "own mean", ""),
    "vgg16": (VGG16, "conv5_3", "", "keras_vgg16"),
    "efficientnet_lite0": (VGG16, "pool", "", ""),
}


def table(name, setting):
    """JPEG files and prepared batches through one network, beside torch and Keras."""
    size, endpoint, preparation, keras = NETWORKS[name]
    weights = {"inception_v3": setting.graph, "alexnet": setting.alexnet}.get(name, "random")
    frozen = setting.frozen(name, weights, endpoint)
    network = {"architecture": name, "weights": weights, "endpoint": endpoint}
    batches = {"batch": BATCH, "batches": 1 if setting.quick else 4}
    alone = {"size": size, **batches}
    contenders = []
    for precision in PRECISIONS:
        own = network | {"precision": precision}
        of_torch = alone | {"frozen": frozen, "preparation": preparation, "precision": precision}
        contenders += [
            Contender(f"graphnets, files {precision}", "gpu:files",
                      own | {"photos": setting.drawn(2048)}, (), ON),
            Contender(f"graphnets {precision}", "gpu:graph", own | batches, (), ON),
            Contender(f"torch channels_last {precision}", "gpu:torch", of_torch, ("torch",)),
            Contender(f"{PEAK} {precision}", "gpu:peak", {"precision": precision}, (), ON),
        ]  # fmt: skip
    if keras:
        contenders.append(Contender(f"Keras {name}", f"gpu:{keras}", alone, ("keras",), ON))
    return Table(
        f"gpu-{name}: to {endpoint}, JPEG files and prepared batches of {BATCH}, on a GPU",
        contenders,
        ("float32 is TF32 in all of them, as TensorFlow has it by default",),
    )


def watched(started):
    """The same contender, whose answers have the card's mean utilisation, in percent."""
    if shutil.which(QUERY[0]) is None:
        raise LeftOut("nvidia-smi is not there to watch the GPU")

    def turn():
        seen, over = [], threading.Event()

        def watch():
            while not over.wait(0.05):
                done = subprocess.run(QUERY, capture_output=True, text=True, check=True)
                seen.append(float(done.stdout.split()[0]))

        watching = threading.Thread(target=watch)
        watching.start()
        try:
            answer = started.turn()
        finally:
            over.set()
            watching.join()
        return answer | {"utilisation": float(np.mean(seen)) if seen else None}

    return Started(turn, started.probe, started.facts)


def files(**options):
    """See `ours.files`."""
    from tests.benchmarks import ours

    return watched(ours.files(**options))


def graph(**options):
    """See `ours.graph`."""
    from tests.benchmarks import ours

    return watched(ours.graph(**options))


def peak(precision):
    """See `ours.peak`."""
    from tests.benchmarks import ours

    return ours.peak(precision, MATRICES)


def torch(frozen, size, batch, batches, preparation, precision):
    """torch in the card's own layout, what is fed and fetched in the processor's memory."""
    import torch

    from tests.benchmarks.torch_graph import TorchGraph

    if not torch.cuda.is_available():
        raise LeftOut("torch sees no GPU")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    torch.set_default_device("cuda")
    run = TorchGraph(frozen, torch.channels_last)

    def cast(images):
        with torch.autocast("cuda", torch.float16, enabled=precision == "float16"):
            return run(images)

    return watched(on_batches(cast, PREPARATIONS[preparation](pictures(batch, size)), batches))


def _keras(start, **options):
    from tests.benchmarks import others

    return watched(getattr(others, start)(**options))


keras_inception, keras_vgg16 = (partial(_keras, n) for n in ("keras_inception", "keras_vgg16"))
