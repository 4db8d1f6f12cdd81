"""Converters print much and raise anything: a sentence is made of it where they fail."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator

import tensorflow.compat.v1 as tf

from graphnets.errors import GraphnetsError
from graphnets.files import stderr_closed


@contextlib.contextmanager
def converting(source: str, to: str) -> Iterator[None]:
    """GraphnetsError in place of what the block raises, and nothing of it on the terminal."""
    try:
        with quiet():
            yield
    except GraphnetsError:
        raise
    except Exception as error:  # of any kind: the converters have no common one
        told = next((line for line in str(error).splitlines() if line.strip()), "")
        raise GraphnetsError(
            f"{source} cannot be converted to {to}: {told or type(error).__name__}"
        ) from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Nothing that libraries say in the block reaches the terminal."""
    verbosity, disabled = tf.logging.get_verbosity(), logging.root.manager.disable
    tf.logging.set_verbosity(tf.logging.ERROR)
    logging.disable(max(disabled, logging.WARNING))
    try:
        with stderr_closed(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        tf.logging.set_verbosity(verbosity)
