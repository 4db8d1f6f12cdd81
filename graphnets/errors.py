"""The one exception for input that cannot be used, printable text, and checks of arguments."""

from __future__ import annotations

import os
from collections.abc import Iterable
from numbers import Integral, Number
from types import UnionType

LONGEST = 2000  # characters of a text that are shown; a name in a file can have a megabyte


def shown(text: object) -> str:
    """Text that came with a file, safe to print: one line, escaped where it is not printable.

    Of a text over LONGEST the middle is left out.
    """
    escaped = "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode()
        for c in _cut(str(text))
    )
    return _cut(escaped)


def _cut(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    half = LONGEST // 2 - 3
    return f"{text[:half]} ... {text[-half:]}"


class GraphnetsError(ValueError):
    """Bad input, told in one sentence: what was got, what was wanted, what to do.

    The sentence is printable, on one line and of at most 2,000 characters, whatever names from
    files are put into it.

    >>> try:
    ...     graphnets.open_network("vgg61")
    ... except graphnets.GraphnetsError as error:
    ...     print(str(error)[:51])
    no architecture 'vgg61'; wanted one of inception_v3
    """

    ag_pass_through = True  # a tf.function would make a report with file names of it

    def __init__(self, message: object) -> None:
        super().__init__(shown(message))


class PhotoError(GraphnetsError):
    """One photo cannot be read; the sentence does not name the file, its caller does."""


def refused(name: str, value: object, wanted: str) -> GraphnetsError:
    """The error for an argument of another kind: its value where that is short, else its type."""
    plain = value is None or isinstance(value, str | Number | os.PathLike)
    got = repr(value) if plain else f"of the type {type(value).__name__}"
    return GraphnetsError(f"{name} is {got}, wanted {wanted}")


def reason(error: Exception) -> str:
    """Why TensorFlow says that it failed, in one line, without where the ops were made."""
    text = str(getattr(error, "message", error))
    if text.startswith("Graph execution error:"):
        text = text.partition("\nNode: ")[2].partition("\n")[2] or text
    text = " ".join(text.partition("[[{{node ")[0].split()) or " ".join(text.split())
    return text.rstrip(".") or type(error).__name__


def check_kind(
    name: str, value: object, kinds: type | tuple[type, ...] | UnionType, wanted: str
) -> None:
    """Raise GraphnetsError unless the argument is of one of the kinds."""
    if not isinstance(value, kinds):
        raise refused(name, value, wanted)


def check_whole(name: str, value: object, least: int | None = None) -> int:
    """The argument as an int; GraphnetsError unless it is a whole number, `least` or more."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise refused(name, value, "a whole number")
    if least is not None and value < least:
        raise GraphnetsError(f"{name} is {value}, wanted {least} or more")
    return int(value)


def check_flag(name: str, value: object) -> None:
    """Raise GraphnetsError unless the argument is True or False, also NumPy's, or 1 or 0."""
    if not type(value).__name__.startswith(("bool", "int")):
        raise refused(name, value, "True or False")


def check_path(name: str, value: object, wanted: str = "a path") -> None:
    """Raise GraphnetsError unless the argument is text or a Path; a number is a file descriptor.

    An empty text is none: what joins it to a name would mean the folder that one happens to be in.
    """
    check_kind(name, value, str | os.PathLike, wanted)
    if value == "":
        raise refused(name, value, wanted)


def check_names(name: str, value: object) -> list[str]:
    """The argument as a list of texts; GraphnetsError for one text, which would be its letters."""
    if isinstance(value, Iterable) and not isinstance(value, str):
        names = list(value)
        if all(isinstance(part, str) for part in names):
            return names
    raise refused(name, value, "a list of names")


def check_seed(seed: object) -> None:
    """Raise GraphnetsError unless it is a seed that both NumPy and TensorFlow take."""
    if not isinstance(seed, Integral) or not 0 <= int(seed) < 1 << 63:
        raise GraphnetsError(f"seed is {seed!r}, wanted a whole number from 0 to 2^63 - 1")
