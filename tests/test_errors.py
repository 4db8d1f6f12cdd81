"""What is told is printable, on one line, and no longer than people read."""

import pickle

import pytest

from graphnets.errors import LONGEST, GraphnetsError, PhotoError, reason, shown


@pytest.mark.parametrize(
    "text, printed",
    [
        ("conv1: größer als 1 \\ 犬", "conv1: größer als 1 \\ 犬"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x1b[31mred\x07\x00", "\\x1b[31mred\\x07\\x00"),
        ("\x9b31m \u202egnp.exe \u2028", "\\x9b31m \\u202egnp.exe \\u2028"),
        ("caf\udce9", "caf\\udce9"),
    ],
)
def test_every_error_is_printable_and_one_line_whatever_is_in_it(text, printed):
    for kind in (GraphnetsError, PhotoError):
        assert str(kind(text)) == printed
        assert str(kind(str(kind(text)))) == printed  # an error about an error says the same
    assert shown(text) == printed


@pytest.mark.parametrize("name", ["n" * 3_000_000, "\x1b" * 1_000_000, "a b " * 1_000_000])
def test_a_name_of_a_megabyte_is_cut_and_the_sentence_keeps_both_ends(name):
    message = str(GraphnetsError(f"layer {name} is float64; wanted float32"))
    assert len(message) <= LONGEST
    assert message.startswith("layer ") and message.endswith(" is float64; wanted float32")
    assert " ... " in message and message.isprintable()
    assert str(GraphnetsError(message)) == message


def test_an_error_is_a_value_error_that_goes_through_pickle():
    error = pickle.loads(pickle.dumps(PhotoError("a\nb")))
    assert isinstance(error, ValueError) and str(error) == "a\\nb"


class OpError(Exception):
    def __init__(self, message):
        self.message = message


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ("d/x; No space left on device", "d/x; No space left on device"),
        ("two\nlines.\n\t [[{{node a/b}}]]", "two lines"),
        ("Graph execution error:\n\nDetected at node 'save/SaveV2' defined at (most recent call "
         "last):\n    File \"/home/me/a.py\", line 6, in <module>\nNode: 'save/SaveV2'\n/d/x; File "
         "too large\n\t [[{{node save/SaveV2}}]]\n\nOriginal stack trace", "/d/x; File too large"),
        ("", "OpError"),
    ],
)  # fmt: skip
def test_what_tensorflow_says_is_told_without_where_its_ops_were_made(message, why):
    assert reason(OpError(message)) == why
