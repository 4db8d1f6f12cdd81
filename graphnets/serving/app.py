"""The server as an ASGI application, to be run or mounted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from graphnets.classifier.predict import Classifier
from graphnets.errors import check_kind
from graphnets.serving.options import ServeOptions, check_installed

if TYPE_CHECKING:
    from starlette.applications import Starlette


def serving_app(classifier: Classifier, options: ServeOptions | None = None) -> Starlette:
    """A page to drop photos on and a JSON API, as an ASGI application for any server.

    POST /predict takes multipart/form-data with photos; POST /v1/models/default:predict and
    GET /v1/models/default are TensorFlow Serving's REST API; GET / is the page, /health and
    /metrics tell how it goes. Photos of all requests run in batches, in one thread.
    Raises GraphnetsError for other arguments, and without the extra `serve`.

    >>> classifier = graphnets.Classifier("trained/output_graph.pb", "trained/output_labels.txt")
    >>> app = graphnets.serving_app(classifier)  # for uvicorn.run(app), or another server
    """
    check_kind("classifier", classifier, Classifier, "a graphnets.Classifier")
    options = ServeOptions() if options is None else options
    check_kind("options", options, ServeOptions, "a graphnets.ServeOptions")
    check_installed()
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.middleware import Middleware

    from graphnets.serving.answers import failed, refused
    from graphnets.serving.guard import Guard
    from graphnets.serving.metrics import Counted
    from graphnets.serving.routes import Routes

    routes = Routes(classifier, options)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        routes.batches.close()

    return Starlette(
        routes=routes.all(),
        lifespan=lifespan,
        middleware=[Middleware(Counted, routes.metrics), Middleware(Guard, options.hosts)],
        exception_handlers={HTTPException: refused, Exception: failed},
    )
