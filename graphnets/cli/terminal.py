"""What the commands share: the quiet start of TensorFlow, the progress bar, the report."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import platform
import shlex
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from graphnets import devices
from graphnets.classifier.options import OUTPUT
from graphnets.classifier.run_files import REPORT
from graphnets.errors import GraphnetsError, shown
from graphnets.files import stderr_closed
from graphnets.jobs.options import FIGURES
from graphnets.storage import FULL

M_ARENA_MAX = -8  # of malloc.h


def open_closed_streams() -> None:
    """Let standard streams that were closed (`>&-`) lead nowhere.

    Otherwise the next file to be opened takes their number, and what libraries log goes into it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115


class _Terminated(KeyboardInterrupt):
    """SIGTERM, which ends what is at work as SIGINT does."""


@contextlib.contextmanager
def stopping() -> Iterator[None]:
    """Let SIGINT and SIGTERM clean up, say so, and end with status 130 and 143.

    Also where what they raise is swallowed, or becomes another exception, on its way through
    TensorFlow.
    """
    came: list[int] = []

    def stop(number: int, _: object) -> None:
        came.append(number)
        raise _Terminated if number == signal.SIGTERM else KeyboardInterrupt

    with _handled(stop), _unswallowed(came):
        try:
            yield
        except BaseException as error:
            told = isinstance(error, GraphnetsError | click.ClickException | SystemExit)
            if not isinstance(error, KeyboardInterrupt) and (told or not came):
                raise
            number = signal.Signals(came[0] if came else signal.SIGINT)
            say(f"stopped by {number.name}", err=True)
            raise SystemExit(128 + number) from None


@contextlib.contextmanager
def _handled(stop: Callable[[int, object], None]) -> Iterator[None]:
    """SIGTERM, and SIGINT unless it is ignored, call `stop`; only a main thread gets signals."""
    numbers = [signal.SIGTERM]
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        numbers.append(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread():
        numbers = []
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _unswallowed(came: list[int]) -> Iterator[None]:
    """Let a signal that came in a destructor, where Python drops exceptions, come again."""
    before = sys.unraisablehook

    def again(dropped: sys.UnraisableHookArgs) -> None:
        if came and isinstance(dropped.exc_value, KeyboardInterrupt):
            timer = threading.Timer(0.05, os.kill, (os.getpid(), came[0]))
            timer.daemon = True
            timer.start()
        else:
            before(dropped)

    sys.unraisablehook = again
    try:
        yield
    finally:
        sys.unraisablehook = before


@contextlib.contextmanager
def printing() -> Iterator[None]:
    """GraphnetsError where what is printed, to a file on a full disk, cannot be written."""
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        if error.errno not in FULL:
            raise
        if error.filename is None:
            with contextlib.suppress(OSError):  # what is held back would fail once more at the end
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        name = error.filename or "the standard output"
        raise GraphnetsError(f"{name} cannot be written: {error.strerror}") from None


def progress_bar(verbosity: str = "INFO") -> Callable:
    """A bar with rate and time left, on a terminal, for what takes over a second."""
    from tqdm import tqdm

    disable = None if verbosity in ("DEBUG", "INFO") else True

    def bar(*args, **kwargs) -> tqdm:
        found = tqdm(*args, **kwargs, delay=1, disable=disable, dynamic_ncols=True)
        if not found.disable:  # its own clock may be set while it runs
            found._time = time.monotonic
            found.start_t = found.last_print_t = found._time()
        return found

    return bar


@contextlib.contextmanager
def quiet_tensorflow(verbosity: str = "INFO") -> Iterator[None]:
    """Import TensorFlow as the commands need it: quiet, unless DEBUG, fast, and without Keras.

    The body is for the imports that need it. What the user's environment says of the three
    settings goes before.
    """
    quiet = verbosity != "DEBUG"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3" if quiet else "0")
    if platform.machine() in ("x86_64", "AMD64"):
        # TensorFlow leaves oneDNN off on processors without VNNI, where it is faster, too.
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    # TensorFlow imports Keras 3, which nothing here uses, unless Keras 2 is asked for instead.
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    _share_heaps()
    with _uncollected():
        with stderr_closed() if quiet else contextlib.nullcontext():
            import tensorflow.compat.v1 as tf
        tf.logging.set_verbosity(tf.logging.ERROR if quiet else tf.logging.DEBUG)
        if devices.wanted() == devices.GPU:
            devices.used()  # raises where there is none, before anything is read
        yield


def _share_heaps() -> None:
    """Have glibc keep one heap for each core in place of eight.

    What a thread frees stays in its heap, where others cannot use it.
    """
    if "MALLOC_ARENA_MAX" not in os.environ:
        with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library
            ctypes.CDLL(None).mallopt(M_ARENA_MAX, os.cpu_count() or 1)


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the garbage collector from what stays to the end: modules, on a first import.

    Looking through TensorFlow's for garbage takes half a second of its import, and a second of
    the process's end.
    """
    if "tensorflow" in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


def say(line: object, err: bool = False) -> None:
    """Print one line, whatever names out of files are in it."""
    click.echo(shown(line), err=err)


def saying(verbosity: str) -> Callable[[object], None]:
    """What says a job's lines: all of them, warnings alone (WARN), or none (ERROR, FATAL)."""

    def filtered(line: object) -> None:
        if (
            verbosity in ("DEBUG", "INFO")
            or verbosity == "WARN"
            and str(line).startswith("warning")
        ):
            say(line)

    return filtered


def report(result, misclassified: bool) -> None:
    """Say how a training run went: figures per class, what was left out, the test accuracy."""
    metrics = result.metrics
    width = max(len(shown(label)) for label in metrics["labels"])
    click.echo(f"\n{'':{width}s}  precision  recall    F1  photos")
    for label, row in metrics["per_class"].items():
        figures = f"{row['precision']:9.3f}  {row['recall']:6.3f}  {row['f1']:.3f}"
        click.echo(f"{shown(label):{width}s}  {figures}  {row['count']:6d}")
    say_left_out(result.photos[result.photos.problem != ""])
    if metrics["copies_across_splits"]:
        click.echo(
            f"{metrics['copies_across_splits']} photos have a copy in another split: the accuracy "
            "is flattered"
        )
    if metrics["in_two_classes"]:
        click.echo(
            f"{len(metrics['in_two_classes'])} photos lie in two classes or more: "
            "in_two_classes in metrics.json names them"
        )
    if misclassified:
        tested = result.photos[result.photos.split == "testing"]
        wrong = tested[tested.predicted != tested.label]
        click.echo(f"\n{len(wrong)} misclassified test photos")
        for row in wrong.itertuples():
            click.echo(f"  {shown(row.path)}: {shown(row.predicted) or '-'}")
    _report_accuracy(metrics)


def _report_accuracy(metrics: dict) -> None:
    """The figure that counts, and how far it is to be trusted."""
    if metrics["folds"]:
        folds = metrics["folds"]
        figure, count = folds["figure"].replace("_", " "), len(folds["each"])
        click.echo(
            f"\n{count} folds: {figure} {folds['mean']:.1%}, standard deviation "
            f"{folds['deviation']:.1%}"
        )
    if metrics["earlier"]:
        click.echo(f"\n{_about_earlier(metrics['earlier'])}")
    if metrics["unknown"]:
        click.echo(f"\n{_about_unknown(metrics['unknown'])}")
    if metrics["test_accuracy"] is None:
        click.echo("\nno test accuracy: no photo was kept for testing")
        return
    if metrics["calibration"]:
        click.echo(f"\n{_about_scores(metrics['calibration'])}")
    low, high = metrics["test_accuracy_interval"]
    behind = (
        f"{metrics['test_count']} photos, 95% interval {low:.1%} to {high:.1%} "
        f"(step {metrics['best_step']})"
    )
    if metrics.get("mean_average_precision") is not None:
        click.echo(
            f"\nmean average precision {metrics['mean_average_precision']:.1%}, F1 "
            f"{metrics['micro_f1']:.3f} micro, {metrics['macro_f1']:.3f} macro\nall labels right: "
            f"{metrics['test_accuracy']:.1%} of {behind}"
        )
    else:
        click.echo(f"\ntest accuracy {metrics['test_accuracy']:.1%} on {behind}")


def _about_scores(figures: dict) -> str:
    """How far scores are from what comes true; the report has the curve."""
    return (
        f"scores divided by the temperature {figures['temperature']:.2f}, which fits the "
        "validation photos: expected calibration error "
        f"{figures['expected_calibration_error']:.1%} on the test photos, "
        f"{figures['uncalibrated_error']:.1%} without"
    )


def _about_earlier(figures: dict) -> str:
    line = (
        f"{figures['tested_again']} of its {figures['tested_before']} test photos are tested again"
    )
    if figures["tested_again"]:
        line += (
            f": {figures['accuracy_before']:.1%} right before, {figures['accuracy_now']:.1%} now "
            f"({figures['right_now']} right that were not, {figures['wrong_now']} no longer)"
        )
    if figures["not_for_testing_now"]:
        line += f"; {figures['not_for_testing_now']} of them are not for testing now"
    new = ", ".join(map(shown, figures["new_classes"])) or "none"
    gone = ", ".join(map(shown, figures["classes_left_out"]))
    gone = gone and f", classes left out: {gone}"
    if figures["learnt_before"]:
        line += (
            f"\n{figures['learnt_before']} test photos have taught the earlier head: the accuracy "
            "is flattered"
        )
    return f"started from {shown(figures['folder'])}, new classes: {new}{gone}\n{line}"


def _about_unknown(figures: dict) -> str:
    alarms, wanted = figures["false_alarms"], figures["false_alarm_rate"]
    parts = []
    if alarms is not None:
        parts.append(f"{alarms:.1%} of the test photos ({wanted:.1%} wanted)")
    if "detected" in figures:
        parts.append(f"{figures['detected']:.1%} of {figures['unknown_count']} photos of no class")
    return f"called unknown: {' and '.join(parts) or 'not tested, no photo was kept for testing'}"


def say_left_out(photos) -> None:
    """List photos that could not be read, with the reasons."""
    if len(photos):
        click.echo(f"\n{len(photos)} left out")
        for row in photos.itertuples():
            click.echo(f"  {shown(row.path)}: {shown(row.problem)}")


def say_where(options, photos) -> None:
    """Say what was written where, and how to use it, on one of the photos that were read."""
    say(f"classifier  {options.graph_path}")
    say(f"labels      {options.labels_path}")
    for name in [*FIGURES, *([REPORT] if options.report else [])]:
        say(f"{name.partition('.')[0]:10s}  {Path(options.output_dir) / name}")
    command = [*_program(), "predict", "--graph", options.graph_path]
    command += ["--labels", options.labels_path]
    if options.final_tensor_name != OUTPUT:
        command += ["--output_layer", options.final_tensor_name]
    usable = photos[photos.problem == ""].sort_values("split", kind="stable")  # testing is first
    photo = usable.path.iloc[0]
    command.append(os.path.join(os.curdir, photo) if photo.startswith("-") else photo)
    click.echo(f"try it with `{' '.join(_pasted(str(word)) for word in command)}`")


def _program() -> list[str]:
    """What starts this program again: `graphnets` where the shell finds it."""
    started, found = Path(sys.argv[0]), shutil.which("graphnets")
    if started.parts[-2:] == ("graphnets", "__main__.py"):
        return [sys.executable, "-m", "graphnets"]
    if started.name == "graphnets" and os.path.realpath(found or "") != os.path.realpath(started):
        return [sys.argv[0]]
    return ["graphnets"]


def _pasted(word: str) -> str:
    """A word of a command line, quoted for a shell, on one line and printable whatever is in it."""
    if word.isprintable():
        return shlex.quote(word)
    escaped = "".join(
        c if c.isprintable() and c not in "\\'" else "".join(f"\\x{n:02x}" for n in os.fsencode(c))
        for c in word
    )
    return f"$'{escaped}'"  # as POSIX has it since 2024, and bash and zsh long before
