"""Reading photos, and a limit for what must not wait."""

import faulthandler

import pytest
import tensorflow.compat.v1 as tf

from graphnets.photos.reading import photo_reader


@pytest.fixture(scope="module")
def read():
    """path -> float32 (1, 4, 4, 3), as networks are fed."""
    with tf.Graph().as_default(), tf.Session() as session:
        yield photo_reader(session, (4, 4))


@pytest.fixture
def no_hang():
    """Waiting for a pipe would otherwise stop the whole test run without a word."""
    faulthandler.dump_traceback_later(60, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()
