"""Other libraries on the same frozen graph, and Keras's own networks on random weights."""

from functools import partial

import numpy as np

from tests.benchmarks.contender import (
    PREPARATIONS,
    PROBES,
    LeftOut,
    Started,
    on_batches,
    on_batches_faster,
    pictures,
)


def openvino(frozen, size, batch, batches, preparation="", precision="f32"):
    """OpenVINO on the .pb: whole batches for latency, or split over streams for throughput."""
    import openvino

    core = openvino.Core()
    known = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if precision == "bf16" and "BF16" not in known:
        raise LeftOut("OpenVINO finds no bfloat16 in the processor")
    images = PREPARATIONS[preparation](pictures(batch, size))
    ways = {
        "latency": _openvino_latency(core, frozen, images.shape, precision),
        "throughput": _openvino_throughput(core, frozen, images.shape, precision),
    }
    return on_batches_faster(ways, images, batches)


def _compiled(core, frozen, shape, precision, hint):
    model = core.read_model(frozen)
    model.reshape(list(shape))
    settings = {"PERFORMANCE_HINT": hint, "INFERENCE_PRECISION_HINT": precision}
    return core.compile_model(model, "CPU", settings)


def _openvino_latency(core, frozen, shape, precision):
    request = _compiled(core, frozen, shape, precision, "LATENCY").create_infer_request()
    return lambda images: next(iter(request.infer([images], share_inputs=True).values()))


def _openvino_throughput(core, frozen, shape, precision):
    from openvino import AsyncInferQueue

    count = shape[0]
    whole = _compiled(core, frozen, shape, precision, "THROUGHPUT")
    streams = whole.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
    parts = max(n for n in range(1, streams + 1) if count % n == 0)
    each = count // parts
    queue = AsyncInferQueue(
        _compiled(core, frozen, (each, *shape[1:]), precision, "THROUGHPUT"), parts
    )
    found = [None] * parts

    def keep(request, part):
        found[part] = request.get_output_tensor().data.copy()

    queue.set_callback(keep)

    def run(images):
        for part in range(parts):
            rows = images[part * each : (part + 1) * each]
            queue.start_async([rows], part, share_inputs=True)
        queue.wait_all()
        return np.concatenate(found)

    return run


def onnxruntime(frozen, size, batch, batches, preparation=""):
    """onnxruntime on what tf2onnx made of the same graph."""
    import onnxruntime

    path = frozen.removesuffix(".pb") + ".onnx"
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    [name] = [entry.name for entry in session.get_inputs()]
    images = PREPARATIONS[preparation](pictures(batch, size))
    return on_batches(lambda x: session.run(None, {name: x})[0], images, batches)


def torch(frozen, size, batch, batches, preparation=""):
    """torch, node by node, in both layouts of memory."""
    import torch

    from tests.benchmarks.torch_graph import TorchGraph

    ways = {
        str(layout).removeprefix("torch."): TorchGraph(frozen, layout)
        for layout in (torch.contiguous_format, torch.channels_last)
    }
    return on_batches_faster(ways, PREPARATIONS[preparation](pictures(batch, size)), batches)


def keras_inception(size, batch, batches):
    """Keras's InceptionV3, a slightly different network, on random weights."""
    from keras.applications import InceptionV3

    model = InceptionV3(weights=None, include_top=False, pooling="avg")
    return _keras(model, PREPARATIONS["inception"], size, batch, batches)


def keras_vgg16(size, batch, batches):
    """Keras's VGG16 up to conv5_3, averaged, on random weights."""
    import keras

    whole = keras.applications.VGG16(weights=None, include_top=False)
    y = keras.layers.GlobalAveragePooling2D()(whole.get_layer("block5_conv3").output)
    model = keras.Model(whole.input, y)
    return _keras(model, keras.applications.vgg16.preprocess_input, size, batch, batches)


def _keras(model, preparation, size, batch, batches):
    images = preparation(pictures(batch, size))
    run = partial(model.predict, batch_size=batch, verbose=0)
    run(images[:PROBES])
    return Started(on_batches(run, images, batches).turn)  # its weights are others: no probe
