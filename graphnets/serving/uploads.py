"""Bodies of requests, refused while they come in where they are too large."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from graphnets.serving.options import MEGABYTE, ServeOptions

HEADERS = 8192  # bytes of a part's headers
LINGER = 2  # seconds
BUSY = {"Retry-After": "1"}


def too_large(most: float) -> str:
    """What is said of that which has more than so many megabytes."""
    return f"larger than the {most:g} MB that are allowed"


class Upload:
    """A file of a form: its name, and its bytes or what is wrong with it."""

    def __init__(self, name: str, data: bytes = b"") -> None:
        self.name, self.data, self.problem = name, data, ""


class Desk:
    """What all requests at work have in memory together, and how many they are."""

    def __init__(self, options: ServeOptions) -> None:
        self._options = options
        self.requests, self.bytes = 0, 0

    @asynccontextmanager
    async def serving(self, request: Request) -> AsyncIterator[Body]:
        """Room for one request, with its body; HTTPException 503 where there is none.

        What is refused is let come in for a while: a client that is cut off reads no answer.
        """
        body = Body(request, self, self._options)
        taken = self.requests < self._options.max_waiting
        self.requests += taken
        try:
            if not taken:
                raise HTTPException(503, f"{self.requests} requests are at work; try again", BUSY)
            yield body
        except HTTPException:
            body.hold(0)
            await body.let_go()
            raise
        finally:
            body.hold(0)
            self.requests -= taken


class Body:
    """The bytes of one request as they come in."""

    def __init__(self, request: Request, desk: Desk, options: ServeOptions) -> None:
        self._headers, self._stream = request.headers, request.stream()
        self._desk, self._options = desk, options
        self._held = 0

    def hold(self, size: int) -> None:
        """Count so many bytes as this body's."""
        self._desk.bytes += size - self._held
        self._held = size

    async def chunks(self) -> AsyncIterator[bytes]:
        """The parts of the body; HTTPException 408, 413 or 503 as soon as it is beyond a limit."""
        declared = self._headers.get("content-length", "")
        self._take(int(declared[:18]) if declared.isdecimal() else 0)
        size = 0
        end = time.monotonic() + self._options.timeout
        while True:
            chunk = None
            try:
                with anyio.move_on_after(end - time.monotonic()):
                    chunk = await anext(self._stream, b"")
            except ClientDisconnect:  # nobody reads the answer
                raise HTTPException(400, "the request was cut off") from None
            if chunk is None:
                raise HTTPException(408, f"no whole request in {self._options.timeout:g} s")
            if not chunk:
                return
            size += len(chunk)
            self._take(size)
            yield chunk

    def _take(self, size: int) -> None:
        """Hold so many bytes, or as many as are held; HTTPException where there is no room.

        All that a request says it has are held from its start: of requests that each have a part
        of what they need, none could be answered.
        """
        most = self._options.max_request_size * MEGABYTE
        if size > most:
            raise HTTPException(413, f"the request is {too_large(self._options.max_request_size)}")
        self.hold(max(size, self._held))
        if self._desk.bytes > self._options.max_memory * MEGABYTE:
            raise HTTPException(503, "too many bytes are at work; try again", BUSY)

    async def whole(self) -> bytes:
        """All of the body."""
        return b"".join([chunk async for chunk in self.chunks()])

    async def let_go(self) -> None:
        """Take what is still to come, for a while, and forget it."""
        if "expect" not in self._headers:  # who waits to be asked sends nothing
            end = time.monotonic() + LINGER
            with anyio.move_on_after(LINGER), contextlib.suppress(ClientDisconnect):
                async for _ in self._stream:
                    if time.monotonic() > end:
                        break


async def uploads(body: Body, content_type: str, options: ServeOptions) -> list[Upload]:
    """The files of a multipart/form-data body, in order.

    A file that is too large is let go while it comes in, and has a problem. Raises HTTPException
    415 for another kind of body, 413 for too many files, 400 for none or a damaged form.
    """
    kind, parameters = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        raise HTTPException(415, "wanted multipart/form-data with photos, as curl -F photo=@a.jpg")
    try:
        form = _Form(parameters.get(b"boundary", b""), options)
        async for chunk in body.chunks():
            form.write(chunk)
    except FormParserError:
        form = None
    if form is None or not form.ended:
        raise HTTPException(400, "the multipart/form-data is damaged or cut off")
    if not form.files:
        raise HTTPException(400, "no files; wanted photos, as curl -F photo=@a.jpg")
    return form.files


class _Form:
    """The files of a multipart body; other fields are passed over."""

    def __init__(self, boundary: bytes, options: ServeOptions) -> None:
        self.files: list[Upload] = []
        self.ended = False
        self._options = options
        self._header, self._value, self._disposition, self._heard = b"", b"", b"", 0
        self._file: Upload | None = None
        self._parts: list[bytes] = []
        self._size = 0
        names = ("part_begin", "header_field", "header_value", "header_end", "headers_finished",
                 "part_data", "part_end", "end")  # fmt: skip
        callbacks = {f"on_{name}": getattr(self, f"_{name}") for name in names}
        if not boundary:
            raise FormParserError("no boundary")
        self._parser = MultipartParser(boundary, callbacks)  # type: ignore[arg-type]

    def write(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        self._parser.write(chunk)

    def _part_begin(self) -> None:
        self._file, self._parts, self._size = None, [], 0
        self._disposition, self._heard = b"", 0

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += self._headed(data[start:end])

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += self._headed(data[start:end])

    def _headed(self, data: bytes) -> bytes:
        self._heard += len(data)
        if self._heard > HEADERS:
            raise FormParserError("long headers")
        return data

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def _headers_finished(self) -> None:
        _, parameters = parse_options_header(self._disposition)
        if b"filename" in parameters:
            self._file = Upload(parameters[b"filename"].decode("utf-8", "replace"))

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._file is None or self._file.problem:
            return
        self._size += end - start
        most = self._options.max_file_size * MEGABYTE
        if self._size > most:
            self._parts = []
            self._file.problem = too_large(self._options.max_file_size)
        else:
            self._parts.append(data[start:end])

    def _part_end(self) -> None:
        file, self._file = self._file, None
        # A browser sends an empty file without a name for none.
        if file is None or not (file.name or self._size):
            return
        if len(self.files) >= self._options.max_files:
            raise HTTPException(413, f"more than the {self._options.max_files} files taken at once")
        file.data = b"".join(self._parts)
        self._parts = []
        self.files.append(file)

    def _end(self) -> None:
        self.ended = True
