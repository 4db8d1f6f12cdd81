"""A web server of the tests' own, and the sources of weights that they fetch from."""

import hashlib
import io
import shutil
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from graphnets.errors import GraphnetsError
from graphnets.zoo import fetch

BODY = b"weights " * 1000
MD5 = "md5:" + hashlib.md5(BODY).hexdigest()
SHA256 = "sha256:" + hashlib.sha256(BODY).hexdigest()
MEMBER = "classify_image_graph_def.pb"


class Site:
    """A web server of the test's own: `pages` is path -> bytes or function(handler)."""

    def __init__(self):
        self.pages = {}
        self.asked = []
        self.closing = threading.Event()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                site.asked.append(self.path)
                page = site.pages.get(self.path)
                if page is None:
                    self.send_error(404)
                elif callable(page):
                    page(self)
                else:
                    begin(self, len(page))
                    self.wfile.write(page)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


def begin(handler, length):
    handler.send_response(200)
    handler.send_header("Content-Length", str(length))
    handler.end_headers()


def copy(downloaded, target):
    shutil.copyfile(downloaded, target)


def sources(monkeypatch, *found, name="vgg16"):
    monkeypatch.setattr(fetch, "SOURCES", {name: found})


def listing(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))


def failure(folder, name="vgg16"):
    with pytest.raises(GraphnetsError) as caught:
        fetch.fetch(name, folder)
    return str(caught.value)


def tgz(*members):
    """(name or TarInfo, content) pairs as a .tgz."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()
