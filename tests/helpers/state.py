"""What a program has set for all that runs in it, as text that can be compared."""

import csv
import decimal
import gc
import locale
import logging
import os
import random
import resource
import signal
import socket
import sys
import tempfile
import threading
import warnings

import matplotlib
import numpy as np
import pandas as pd
import tensorflow as tf
from PIL import Image, ImageFile
from tensorflow.python.eager import context

v1 = tf.compat.v1


def _of_python():
    umask = os.umask(0)
    os.umask(umask)
    return {
        "random": random.getstate(), "warnings": list(warnings.filters), "umask": umask,
        "environment": dict(os.environ), "folder": os.getcwd(), "path": list(sys.path),
        "signals": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "locale": locale.setlocale(locale.LC_ALL), "recursion": sys.getrecursionlimit(),
        "csv": csv.field_size_limit(), "hooks": (sys.excepthook, threading.excepthook),
        "hooks of imports": [type(hook) for hook in (*sys.meta_path, *sys.path_hooks)],
        "streams": (sys.stdin, sys.stdout, sys.stderr), "switches": sys.getswitchinterval(),
        "garbage": (gc.isenabled(), gc.get_threshold(), gc.get_debug(), gc.get_freeze_count()),
        "sockets": socket.getdefaulttimeout(), "temporary": tempfile.tempdir,
        "decimals": decimal.getcontext(), "showing": (sys.displayhook, warnings.showwarning),
        "limits": [resource.getrlimit(each) for each in (resource.RLIMIT_NOFILE, 9)],
    }  # fmt: skip


def _of_logging():
    manager = logging.root.manager
    found = {"logging": (manager.disable, logging.getLoggerClass(), logging.raiseExceptions)}
    for name, each in {"": logging.root, **manager.loggerDict}.items():
        if isinstance(each, logging.Logger):
            handlers = list(each.handlers)
            found[f"logger {name!r}"] = (each.level, handlers, each.propagate, each.disabled)
    return found


def _of_libraries():
    options = pd._config.config._global_config  # of which some may not be read without a warning
    return {
        "NumPy": (np.random.get_state()[1].tobytes(), np.geterr(), np.get_printoptions()),
        "pandas": options, "matplotlib": dict.items(matplotlib.rcParams),
        "Pillow": (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, ImageFile.MAXBLOCK),
    }  # fmt: skip


def _of_tensorflow():
    graph, drawing = v1.get_default_graph(), getattr(context.context(), "_rng", None)
    return {
        "graph": (id(graph), graph.seed, graph.version), "eager": tf.executing_eagerly(),
        "seed": (context.global_seed(), drawing and drawing.getstate()),
        "verbosity": v1.logging.get_verbosity(), "session": v1.get_default_session(),
        "threads": (tf.config.threading.get_intra_op_parallelism_threads(),
                    tf.config.threading.get_inter_op_parallelism_threads()),
        "optimizer": tf.config.optimizer.get_experimental_options(),
        "soft placement": tf.config.get_soft_device_placement(),
        "behaviour": (v1.control_flow_v2_enabled(), v1.resource_variables_enabled(),
                      tf.compat.v1.Tensor._USE_EQUALITY, tf.config.functions_run_eagerly()),
        "scope": v1.get_variable_scope().name,
    }  # fmt: skip


def state():
    """{what: its value as text} of all of it."""
    found = _of_python() | _of_logging() | _of_libraries() | _of_tensorflow()
    return {name: repr(value) for name, value in found.items()}


def changed(before, after):
    """{what: (before, after)} of what was there before and is another."""
    return {name: (value, after.get(name)) for name, value in before.items()
            if after.get(name) != value}  # fmt: skip
