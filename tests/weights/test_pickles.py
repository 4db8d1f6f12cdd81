"""Pickled weights: all that write them are understood, and older code reads ours."""

import gzip
import pickle
import pickletools

import numpy as np
import pytest
from pickled import assert_same, pairs, python_2_npy, read, saved

from graphnets.weights.pickles import pickled_weights, write_pickled


def as_tuples(layers):
    return {name: tuple(pair) for name, pair in layers.items()}


def as_dicts(layers):
    return {name: {"biases": b, "weights": W} for name, (W, b) in layers.items()}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("layout", [dict, as_tuples, as_dicts])
def test_what_python_3_pickles(path, layout, protocol):
    layers = layout(pairs())
    assert_same(read(path, saved(layers, protocol)), pairs())
    assert_same(read(path, pickle.dumps(layers, protocol)), pairs())
    assert_same(read(path, gzip.compress(saved(layers, protocol))), pairs())


def test_what_older_numpy_pickles(path):
    """Before NumPy 2, modules were called numpy.core."""
    new = saved(pairs(), 3)
    old = new.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert_same(read(path, old), pairs())
    protocol_5 = pickle.dumps(pairs(), 5)
    assert b"numpy._core.numeric" in protocol_5 or b"numpy.core.numeric" in protocol_5
    assert_same(read(path, protocol_5), pairs())


def test_what_np_save_writes(path):
    np.save(path, pairs())
    assert_same(pickled_weights(path), pairs())


@pytest.mark.parametrize("layout", [list, tuple, dict])
def test_what_python_2_pickles(path, layout):
    layers = {name.encode(): pair for name, pair in pairs().items()}
    content = python_2_npy(layers, layout)
    assert_same(read(path, content), pairs())
    path.write_bytes(content)  # NumPy takes it as Python 2's too
    theirs = np.load(path, encoding="latin1", allow_pickle=True).item()
    assert list(theirs) == ["conv1", "fc2"]


def test_python_2_text_in_protocol_0(path):
    """Python 2's default, with every byte that is no letter escaped."""
    one = np.array([1.5], np.float32)
    array = (
        "cnumpy.core.multiarray\n_reconstruct\np1\n(cnumpy\nndarray\np2\n(I0\ntS'b'\ntR"
        "(I1\n(I1\ntcnumpy\ndtype\np3\n(S'f4'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\n"
        r"S'\x00\x00\xc0?'" + "\ntb"
    )
    again = array.replace("cnumpy.core.multiarray\n_reconstruct\np1\n", "g1\n")
    content = "(dS'fc'\n(l" + array + "a" + again + "as."
    assert_same(read(path, content.encode()), {"fc": [one, one]})
    raw = content.encode().replace(rb"\xc0", b"\xc0")  # some writers escape less
    assert_same(read(path, raw), {"fc": [one, one]})


def test_names_of_layers_may_be_any_text(path):
    array = np.zeros(1, np.float32)
    names = {
        "größe".encode(): "größe",
        "größe".encode("latin1"): "größe",
        b"mixed/fc2": "mixed/fc2",
    }
    for theirs, ours in names.items():
        assert list(read(path, python_2_npy({theirs: [array, array]}))) == [ours]


def test_fortran_order_and_other_types_come_as_they_are(path):
    W = np.asfortranarray(np.arange(24, dtype=np.float32).reshape(2, 3, 4))
    for protocol in (2, 4, 5):
        assert_same(read(path, pickle.dumps({"a": [W, W[0, 0]]}, protocol)), {"a": [W, W[0, 0]]})
    for dtype in (np.float64, np.float16, ">f4", np.int8, bool):
        b = np.ones(3, dtype)
        assert_same(read(path, saved({"a": [W, b]}, 4)), {"a": [W, b]})


def test_arrays_are_not_copied_out_of_the_file(path):
    W = read(path, saved(pairs(), 4))["conv1"][0]
    assert not W.flags.owndata and not W.flags.writeable


def test_an_array_may_be_used_twice(path):
    W, b = pairs()["fc2"]
    assert_same(read(path, pickle.dumps({"a": [W, b], "c": [W, b]})), {"a": [W, b], "c": [W, b]})


def test_what_is_written_is_read_by_us_and_by_older_code(path):
    write_pickled(path, pairs())
    assert_same(pickled_weights(path), pairs())
    theirs = np.load(path, encoding="latin1", allow_pickle=True).item()
    assert_same(theirs, pairs())
    assert all(type(pair) is list for pair in theirs.values())
    assert_same(np.load(path, allow_pickle=True).item(), pairs())


def test_what_is_written_names_what_every_numpy_has(path):
    write_pickled(path, pairs())
    with open(path, "rb") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        steps = list(pickletools.genops(file))
    assert steps[0][:2] == (pickletools.code2op["\x80"], 3)
    assert {argument for opcode, argument, _ in steps if opcode.name == "GLOBAL"} == {
        "numpy.core.multiarray _reconstruct", "numpy ndarray", "numpy dtype"
    }  # fmt: skip


def test_arrays_are_written_in_any_order_of_axes(path):
    W = np.arange(24, dtype=np.float32).reshape(2, 3, 4).transpose(2, 0, 1)
    write_pickled(path, {"größe/1": (W, W[0, 0])})
    theirs = np.load(path, allow_pickle=True).item()
    np.testing.assert_array_equal(theirs["größe/1"][0], W)
    np.testing.assert_array_equal(theirs["größe/1"][1], W[0, 0])
