"""What a server answers to each of its paths."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import anyio
import numpy as np
from anyio.to_thread import run_sync
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from graphnets.classifier.predict import Classifier
from graphnets.classifier.predictions import Prediction
from graphnets.errors import PhotoError
from graphnets.photos.images import Held
from graphnets.serving import tfserving
from graphnets.serving.answers import Answer
from graphnets.serving.batches import Batches, given
from graphnets.serving.metrics import Metrics
from graphnets.serving.options import ServeOptions
from graphnets.serving.page import Page
from graphnets.serving.uploads import Desk, Upload, uploads


class Routes:
    """The handlers of a server for one classifier, and what they share."""

    def __init__(self, classifier: Classifier, options: ServeOptions) -> None:
        self._classifier, self._options = classifier, options
        self.desk = Desk(options)
        self.metrics = Metrics(lambda: self.desk.requests, lambda: self.batches.waiting)
        self.batches = Batches(classifier, self.metrics.batch)
        self.page = Page(classifier.labels, options)

    def all(self) -> list[Route]:
        """The paths with what answers them."""
        model = "/v1/models/{name}"
        version = model + "/versions/{version}"
        return [
            Route("/", self.show, methods=["GET"]),
            Route("/", self.show_predictions, methods=["POST"]),
            Route("/predict", self.predict, methods=["POST"]),
            Route("/health", self.health, methods=["GET"]),
            Route("/metrics", self.tell_metrics, methods=["GET"]),
            Route(model + ":predict", self.predict_as_serving, methods=["POST"]),
            Route(version + ":predict", self.predict_as_serving, methods=["POST"]),
            Route(model, self.status, methods=["GET"]),
            Route(version, self.status, methods=["GET"]),
        ]

    async def show(self, request: Request) -> Response:
        """The page to drop photos on."""
        return self.page.answer()

    async def show_predictions(self, request: Request) -> Response:
        """The page with what its form's photos are."""
        try:
            return self.page.answer(await self._predictions(request))
        except HTTPException as error:
            return self.page.answer(problem=error.detail, error=error)

    async def predict(self, request: Request) -> Response:
        """{"predictions": [{"file": ..., "top": ...} or {"file": ..., "error": ...}, ...]}."""
        found = [
            {"file": p.path, **({"error": p.problem} if p.problem else p.found())}
            for p in await self._predictions(request)
        ]
        return Answer({"predictions": found})

    async def _predictions(self, request: Request) -> list[Prediction]:
        async with self.desk.serving(request) as body:
            content_type = request.headers.get("content-type", "")
            files = await uploads(body, content_type, self._options)
            rows = await self._rows(files)
        top_k = self._options.top_k
        return [
            self._classifier.prediction(file.name, partial(given, row), top_k)
            for file, row in zip(files, rows, strict=True)
        ]

    async def _rows(self, files: Sequence[Upload]) -> list:
        """Of each photo its row, or the PhotoError that tells why there is none."""
        most = int(self._options.max_megapixels * 1e6)
        rows = [
            PhotoError(file.problem)
            if file.problem
            else asyncio.wrap_future(self.batches.submit(Held(file.name, file.data, most)))
            for file in files
        ]
        coming = [row for row in rows if isinstance(row, asyncio.Future)]
        try:
            with anyio.fail_after(self._options.timeout):
                found = iter(await asyncio.gather(*coming, return_exceptions=True))
        except TimeoutError:
            raise HTTPException(
                503, f"no answer in {self._options.timeout:g} s; try again"
            ) from None
        answers = [next(found) if isinstance(row, asyncio.Future) else row for row in rows]
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, PhotoError):
                raise answer
            self.metrics.photo(refused=isinstance(answer, PhotoError))
        return answers

    async def predict_as_serving(self, request: Request) -> Response:
        """What TensorFlow Serving's REST API answers; a bad photo is an error for all."""
        self._check_model(request)
        async with self.desk.serving(request) as body:
            signature, key, photos = await run_sync(
                tfserving.asked, await body.whole(), self._options
            )
            files = [Upload(f"{key}[{place}]", data) for place, data in enumerate(photos)]
            rows = await self._rows(files)
            for file, row in zip(files, rows, strict=True):
                if isinstance(row, PhotoError):
                    raise HTTPException(400, f"{file.name}: {row}")
            outputs = self._classifier.outputs(np.stack(rows))
            return Answer(tfserving.answer(signature, key, outputs))

    async def status(self, request: Request) -> Response:
        """The model's status, as TensorFlow Serving tells it."""
        self._check_model(request)
        return Answer(tfserving.status())

    def _check_model(self, request: Request) -> None:
        name = request.path_params["name"]
        version = request.path_params.get("version", str(tfserving.VERSION))
        if (name, version) != (self._options.model_name, str(tfserving.VERSION)):
            wanted = f"Specific({name}, {version})" if version != "1" else f"Latest({name})"
            raise HTTPException(404, f"Servable not found for request: {wanted}")

    async def health(self, request: Request) -> Response:
        """Whether photos are answered."""
        alive = self.batches.alive
        return Answer({"status": "ok" if alive else "stopped"}, 200 if alive else 503)

    async def tell_metrics(self, request: Request) -> Response:
        """What Prometheus reads."""
        return self.metrics.answer()
