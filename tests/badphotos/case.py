"""One bad photo, and what is wanted of it."""

from typing import NamedTuple

READ, REFUSED, EITHER = "read", "refused", "either"
SAME = "the picture that was there before, or refused"


class Case(NamedTuple):
    """A file: its bytes, or the function of a path that makes it.

    source: the sound file that it was, for SAME and in the fair run. named: whether `predict` has
    it among its files, too.
    """

    group: str
    name: str | bytes
    make: object
    source: bytes | None = None
    wanted: str = EITHER
    named: bool = True
