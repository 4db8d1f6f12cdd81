"""Who may ask, and what browsers are told: around the whole application."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graphnets.errors import shown
from graphnets.serving.answers import error
from graphnets.serving.options import ANY

PORT = re.compile(r":\d*$")
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


class Guard:
    """Refuses requests under another name than the server's, and those of other sites' pages.

    A page elsewhere could have its name lead to this machine, or post a form here. Each answer
    gets HEADERS, unless it has its own.
    """

    def __init__(self, app: ASGIApp, hosts: tuple[str, ...]) -> None:
        self._app, self._hosts = app, [host.lower() for host in hosts]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, as ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(scope["method"], Headers(scope=scope))
        answer = error(*refusal) if refusal else self._app
        await answer(scope, receive, headed)

    def _refusal(self, method: str, headers: Headers) -> tuple[int, str] | None:
        host = headers.get("host", "").lower()
        if ANY not in self._hosts and PORT.sub("", host) not in self._hosts:
            names = ", ".join(self._hosts)
            return 400, f"the host {shown(host)!r} is not this server's, which is {names}"
        origin = headers.get("origin")
        elsewhere = headers.get("sec-fetch-site") == "cross-site" or (
            origin is not None and urlsplit(origin).netloc.lower() != host
        )
        if elsewhere and method not in ("GET", "HEAD"):  # a link from elsewhere may lead here
            return 403, "a request of another site's page"
        return None
