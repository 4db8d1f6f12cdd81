"""The address that a server listens at; none of its libraries, nor TensorFlow, here."""

from __future__ import annotations

import errno
import ipaddress
import socket

from graphnets.errors import GraphnetsError, shown

ADDRESS = "name an address of this machine with --host"


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; GraphnetsError where there is none to be had."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=1024)
    except socket.gaierror as error:
        reason, instead = error.strerror, ADDRESS
    except ValueError:  # of a label that is empty, or longer than 63, or no text
        reason, instead = "no name that a machine can have", ADDRESS
    except OSError as error:
        reason, instead = error.strerror, "name another --host or --port"
        if error.errno == errno.EADDRINUSE:
            reason = "another program listens there"
            instead = "name another --port, or 0 for one that is free"
    raise GraphnetsError(f"cannot listen at port {port} of {shown(host)}: {reason}; {instead}")


def is_local(host: str) -> bool:
    """Whether only programs of this machine reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def url(listening: socket.socket) -> str:
    """How browsers of this machine reach it."""
    host, port = listening.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = socket.gethostname()
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"
