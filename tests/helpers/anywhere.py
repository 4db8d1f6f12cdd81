"""Scores in each place of a program: `python -m anywhere FOLDER [disabled]`, with this on path."""

import asyncio
import contextlib
import sys
import threading
from pathlib import Path

import tensorflow as tf
from served import classifier_in

FOLDER = Path(sys.argv[1])


def answered():
    """The scores' bytes, of a classifier that is opened here; of `predict`, which is to agree."""
    classifier, photo = classifier_in(FOLDER), FOLDER / "photo.png"
    scores = classifier.scores(photo)
    [prediction] = classifier.predict(photo)
    assert prediction.top[0][1] == float(scores.max())
    return scores.tobytes()


def of_a_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(answered()))
    thread.start()
    thread.join()
    return found[0]


def in_a_loop():
    async def directly():
        return answered()

    return asyncio.run(directly())


def beside_a_loop():
    return asyncio.run(asyncio.to_thread(answered))


def within(*blocks):
    def call():
        with contextlib.ExitStack() as around:
            for block in blocks:
                around.enter_context(block())
            return answered()

    return call


def in_a_function():
    taken = tf.function(lambda: tf.numpy_function(answered, [], tf.string))
    return taken().numpy() if tf.executing_eagerly() else answered()


def half_precision():
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    tf.config.optimizer.set_experimental_options({"auto_mixed_precision": True})
    return answered()


def without_eagerness():
    tf.compat.v1.disable_eager_execution()
    return answered()


def without_the_new():
    tf.compat.v1.disable_v2_behavior()
    return answered()


def main():
    """Say which places differ from the first."""
    graph, v1 = tf.Graph(), tf.compat.v1
    v1.logging.set_verbosity(v1.logging.ERROR)  # disable_v2_behavior says that it is deprecated
    if "disabled" in sys.argv:
        v1.disable_eager_execution()
    places = (answered, of_a_thread, in_a_loop, beside_a_loop, in_a_function,
              within(graph.as_default), within(graph.as_default, lambda: v1.device("/CPU:7")),
              within(lambda: tf.device("/CPU:0")), within(graph.as_default, v1.Session),
              half_precision, without_eagerness, without_the_new)  # fmt: skip
    answers = [place() for place in places]
    assert not graph.get_operations()
    print(answers[0].hex(), sum(answer == answers[0] for answer in answers), len(places))


if __name__ == "__main__":
    main()
