"""Files in PyTorch's older layout, written without torch."""

from __future__ import annotations

import io
import pickle
import sys
from collections import OrderedDict
from contextlib import contextmanager
from types import ModuleType

import numpy as np

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


class Storage:
    """What stands for the numbers of an array in the pickle."""

    def __init__(self, array, key):
        self.array, self.key = array, key


class Tensor:
    """An array that pickles as a tensor."""

    def __init__(self, array, key, offset=0, shape=None, strides=None):
        self.storage, self.offset = Storage(array, key), offset
        self.shape = array.shape if shape is None else shape
        steps = tuple(step // array.itemsize for step in array.strides)
        self.strides = steps if strides is None else strides

    def __reduce__(self):
        rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2
        parts = (self.storage, self.offset, self.shape, self.strides, False, OrderedDict())
        return rebuild, parts


@contextmanager
def _fake_torch():
    """Modules of torch's names, with what the pickle names."""
    torch, utils = ModuleType("torch"), ModuleType("torch._utils")
    for module, name in ((torch, "FloatStorage"), (torch, "LongStorage")):
        setattr(module, name, type(name, (), {"__module__": module.__name__}))

    def _rebuild_tensor_v2():
        pass

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    before = {name: sys.modules.get(name) for name in ("torch", "torch._utils")}
    sys.modules |= {"torch": torch, "torch._utils": utils}
    try:
        yield torch
    finally:
        for name, module in before.items():
            sys.modules.pop(name)
            if module is not None:
                sys.modules[name] = module


def written(state, magic=MAGIC, system=None, tail=b""):
    """The bytes of a file with a state, {name: array or Tensor or anything}."""
    tensors = OrderedDict(
        (name, Tensor(value, str(place)) if isinstance(value, np.ndarray) else value)
        for place, (name, value) in enumerate(state.items())
    )
    with _fake_torch() as torch:

        class Pickler(pickle.Pickler):
            def persistent_id(self, found):
                if not isinstance(found, Storage):
                    return None
                kind = torch.FloatStorage if found.array.dtype == np.float32 else torch.LongStorage
                return ("storage", kind, found.key, "cpu", found.array.size, None)

        file = io.BytesIO()
        for value in (magic, PROTOCOL, system or {"little_endian": True}):
            pickle.dump(value, file, 2)
        Pickler(file, 2).dump(tensors)
    storages = {t.storage.key: t.storage.array for t in tensors.values() if isinstance(t, Tensor)}
    pickle.dump(sorted(storages), file, 2)
    for key in sorted(storages):
        array = storages[key]
        file.write(array.size.to_bytes(8, "little") + array.tobytes())
    return file.getvalue() + tail
