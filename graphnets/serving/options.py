"""What a server takes, and how much of it at a time.

Neither TensorFlow nor the server's libraries here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from numbers import Real

from graphnets.errors import GraphnetsError, check_kind, check_names, check_whole

LOCAL = ("127.0.0.1", "localhost", "[::1]")  # this machine's names in a Host header
ANY = "*"
LIBRARIES = ("starlette", "uvicorn", "python_multipart", "jinja2", "prometheus_client")
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class ServeOptions:
    """The limits of a server, and how it is called.

    top_k: classes to name. model_name: in the paths of TensorFlow Serving. hosts: names that the
    server is called by, as Host headers have them, or ("*",) for any; of a local server others are
    refused, as a page elsewhere may have its own name lead to this machine. max_files: of a
    request. max_file_size, max_request_size, max_memory: megabytes (1e6 bytes) of a photo's file,
    of a request, and of all requests at work, each no more than the next. max_megapixels: of a
    photo. max_waiting: requests at work at a time. timeout: seconds to receive a request in, and
    again to answer it in.

    Raises GraphnetsError for a value that is none.

    >>> graphnets.ServeOptions(top_k=1, hosts=("signs.example.org",)).max_files
    32
    """

    top_k: int = 5
    model_name: str = "default"
    hosts: tuple[str, ...] = LOCAL
    max_files: int = 32
    max_file_size: float = 20
    max_request_size: float = 100
    max_memory: float = 500
    max_megapixels: float = 50
    max_waiting: int = 256
    timeout: float = 30

    def __post_init__(self) -> None:
        for name in ("top_k", "max_files", "max_waiting"):
            check_whole(name, getattr(self, name), 1)
        sizes = ("max_file_size", "max_request_size", "max_memory", "max_megapixels")
        for name in (*sizes, "timeout"):
            value = getattr(self, name)
            check_kind(name, value, Real, "a number above 0")
            if not 0 < value < math.inf:
                raise GraphnetsError(f"{name} is {value}, wanted a number above 0")
        for part, whole in pairwise(("max_file_size", "max_request_size", "max_memory")):
            size, most = getattr(self, part), getattr(self, whole)
            if size > most:
                raise GraphnetsError(
                    f"--{part} is {size:g}, wanted no more than --{whole}, {most:g}"
                )
        check_names("hosts", self.hosts)
        check_kind("model_name", self.model_name, str, "a name")
        if not self.model_name or set("/:") & set(self.model_name):
            raise GraphnetsError(
                f"model_name is {self.model_name!r}, wanted a name without / and :"
            )


def check_installed() -> None:
    """Raise GraphnetsError unless the server's libraries are there."""
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if missing:
        raise GraphnetsError(
            f"a server takes {', '.join(missing)}; pip install 'graphnets[serve]' brings them"
        )
