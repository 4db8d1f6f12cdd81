"""A tiny classifier, and what is needed to ask a server that has it."""

import asyncio
import io

import httpx
import numpy as np
from PIL import Image
from tiny import LABELS, SIZE, a_head, pixels, tiny_network

from graphnets.classifier import export
from graphnets.classifier.predict import Classifier
from graphnets.training.unknown import Distance, Unknown

LEAST = (0.1, 0.5, 0.9)  # scores from which a label is named
BROKEN, WHY = b"not a photo", "not a JPEG, PNG"


class Client:
    """Asks an application in this process."""

    def __init__(self, app):
        self.app = app

    def request(self, method, path, **more):
        async def asked():
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as it:
                return await it.request(method, path, **more)

        return asyncio.run(asked())

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def post(self, path, **more):
        return self.request("POST", path, **more)

    def stop(self):
        """Let the application end what it has begun, as a server does."""

        async def ended():
            async with self.app.router.lifespan_context(self.app):
                pass

        asyncio.run(ended())


def write_classifier(folder, head=None, labels=LABELS):
    """What a `retrain` writes: output_graph.pb and output_labels.txt. Returns the GraphDef."""
    graph_def = export.classifier_graph_def(tiny_network(), ["conv2"], head or a_head())
    export.write_graph(folder / "output_graph.pb", graph_def)
    export.write_labels(folder / "output_labels.txt", labels)
    return graph_def


def classifier_in(folder):
    return Classifier(folder / "output_graph.pb", folder / "output_labels.txt")


def of_several_labels():
    return a_head()._replace(independent=True, thresholds=np.array(LEAST, np.float32))


def that_tells_unknown(threshold):
    random = np.random.default_rng(4)
    means = random.standard_normal((len(LABELS), 6)).astype(np.float32)
    directions = np.eye(6, dtype=np.float32)[:2]
    distance = Distance(means, directions, np.ones(2, np.float32), 0.5)
    return a_head()._replace(unknown=Unknown(distance, np.ones(2, np.float32), 0.0, threshold))


def png(seed, height=SIZE[0], width=SIZE[1]):
    """The bytes of a photo, another for each seed."""
    buffer = io.BytesIO()
    Image.fromarray(pixels(seed, height, width)).save(buffer, "PNG")
    return buffer.getvalue()


def forms(*photos):
    """(name, bytes) as httpx sends them in a form."""
    return [("photo", photo) for photo in photos]
