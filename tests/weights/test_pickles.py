"""Pickled weights: all that write them are understood, and nothing in them is ever run."""

import gzip
import io
import os
import pickle
import pickletools
import struct
from collections import OrderedDict

import numpy as np
import pytest

from graphnets.errors import GraphnetsError
from graphnets.weights.pickles import pickled_weights, write_pickled

WANTED = "wanted a dict {layer: [W, b]} or {layer: {'weights': W, 'biases': b}} of arrays"


def pairs():
    random = np.random.default_rng(0)
    return {
        "conv1": [random.standard_normal((3, 3, 2, 4), np.float32), np.ones(4, np.float32)],
        "fc2": [random.standard_normal((30, 40), np.float32), np.zeros(40, np.float32)],
    }


def as_tuples(layers):
    return {name: tuple(pair) for name, pair in layers.items()}


def as_dicts(layers):
    return {name: {"biases": b, "weights": W} for name, (W, b) in layers.items()}


def npy(data):
    """The header that np.save writes in front of a pickled array of one object."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|O", "fortran_order": False, "shape": ()}
    )
    return header.getvalue() + data


def saved(thing, protocol):
    return npy(pickle.dumps(np.array(thing, object), protocol))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "w.npy"


def read(path, content):
    path.write_bytes(content)
    return pickled_weights(path)


def refused(path, content):
    with pytest.raises(GraphnetsError) as caught:
        read(path, content)
    return str(caught.value)


def assert_same(found, layers):
    assert list(found) == list(layers)
    for name, pair in layers.items():
        for got, wanted in zip(found[name], pair, strict=True):
            np.testing.assert_array_equal(got, wanted)
            assert got.dtype == wanted.dtype


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


def string(data):
    """Python 2's str."""
    if len(data) < 256:
        return b"U" + bytes([len(data)]) + data
    return b"T" + struct.pack("<i", len(data)) + data


class Python2:
    """Pickles arrays as Python 2.7 with NumPy 1.16 does (protocol 2): a name in full once."""

    def __init__(self):
        self.numbers = {}

    def name(self, name):
        if name in self.numbers:
            return b"h" + bytes([self.numbers[name]])
        self.numbers[name] = len(self.numbers) + 1
        return b"c" + name + b"\nq" + bytes([self.numbers[name]])

    def start(self, shape, code, order, flags):
        sizes = b"".join(b"J" + struct.pack("<i", size) for size in shape)
        return (
            self.name(b"numpy.core.multiarray\n_reconstruct") + self.name(b"numpy\nndarray")
            + b"K\0\x85" + string(b"b") + b"\x87R(K\x01(" + sizes + b"t"
            + self.name(b"numpy\ndtype") + string(code) + b"K\0K\x01\x87R(K\x03" + string(order)
            + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK" + bytes([flags]) + b"tb\x89"
        )  # fmt: skip

    def array(self, array):
        values = string(np.asarray(array, "<f4").tobytes())
        return self.start(array.shape, b"f4", b"<", 0) + values + b"tb"


def python_2_npy(layers, layout=list):
    """What `np.save(path, layers)` writes under Python 2.7: bvlc_alexnet.npy and vgg16.npy."""
    writer = Python2()
    content = b"\x80\x02" + writer.start((), b"O8", b"|", 63) + b"]}"
    for name, (W, b) in layers.items():
        if layout is list:
            pair = b"](" + writer.array(W) + writer.array(b) + b"e"
        elif layout is tuple:
            pair = writer.array(W) + writer.array(b) + b"\x86"
        else:
            pair = b"}(" + string(b"weights") + writer.array(W)
            pair += string(b"biases") + writer.array(b) + b"u"
        content += string(name) + pair + b"s"
    return npy(content + b"atb.")


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


class Runs:
    """Pickled, it is the call that makes a file."""

    def __init__(self, target):
        self.command = f"touch {target}"

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize(
    "hidden",
    [
        lambda evil: evil,
        lambda evil: [evil],
        lambda evil: {"conv1": evil},
        lambda evil: {"conv1": [pairs()["conv1"][0], evil]},
        lambda evil: {**pairs(), "note": evil},
        lambda evil: {"conv1": np.array([evil], object)},
    ],
    ids=["alone", "list", "layer", "bias", "after all layers", "array"],
)
def test_a_pickle_is_not_run(path, tmp_path, hidden, protocol):
    target = tmp_path / "created"
    evil = hidden(Runs(target))
    for content in (pickle.dumps(evil, protocol), saved(evil, protocol)):
        assert refused(path, content) == (
            f"{path} is a pickle that would run 'posix.system', which is never done; {WANTED}"
        )
        assert not target.exists()
    pickle.loads(pickle.dumps(evil, protocol))  # what would have been done
    assert target.exists()


@pytest.mark.parametrize(
    "content, name",
    [
        (b"cbuiltins\neval\n(S'1'\ntR.", "builtins.eval"),
        (b"(S'1'\ni__builtin__\neval\n.", "__builtin__.eval"),
        (b"(cbuiltins\neval\nS'1'\no.", "builtins.eval"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x01x\x85R.", "os.system"),
        (b"\x80\x04\x8c\x05numpy\x8c\x0bf2py.system\x93.", "numpy.f2py.system"),
        (b"\x80\x02cnumpy\nload\nU\x01x\x85R.", "numpy.load"),
        (b"\x80\x02cnumpy.core.multiarray\nfromfile\n.", "numpy.core.multiarray.fromfile"),
        (b"\x80\x02c_codecs\nlookup\nU\x01x\x85R.", "_codecs.lookup"),
        (b"\x80\x02ccopyreg\n_reconstructor\n.", "copyreg._reconstructor"),
        (pickle.dumps(OrderedDict(a=1)), "collections.OrderedDict"),
    ],
)
def test_any_other_name_is_refused_by_name(path, content, name):
    assert f"would run '{name}', which is never done" in refused(path, content)


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02cnumpy\nndarray\n}U\x01xNsb.",
        b"\x80\x02cnumpy\nndarray\nN}U\x0c__setstate__Ns\x86b.",
        b"\x80\x02cnumpy\ndtype\nN}U\x0c__setstate__Ns\x86b.",
        b"\x80\x02c_codecs\nencode\nN}U\x07__new__Ns\x86b.",
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nN}U\x07__new__Ns\x86b.",
        b"\x80\x02cnumpy\nndarray\n)\x81N}U\x05valueNs\x86b.",
    ],
)
def test_a_pickle_cannot_change_what_reads_it(path, content):
    assert "is no pickle of weights" in refused(path, content)
    assert_same(read(path, saved(pairs(), 2)), pairs())


@pytest.mark.parametrize("encoding", ["utf-8", "rot13", "zlib_codec"])
def test_only_latin1_is_encoded(path, encoding):
    name = encoding.encode()
    content = b"\x80\x02c_codecs\nencode\nX\x01\0\0\0aX" + struct.pack("<i", len(name)) + name
    assert "encodes something other than latin1" in refused(path, content + b"\x86R.")


def array_pickle(shape=b"K\x03\x85", values=b"U\x0c" + bytes(12), dtype=b"U\x02f4", more=b""):
    """{"fc": [array, array]} with parts of one's own."""
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\x01b\x87R(K\x01" + shape
        + b"cnumpy\ndtype\n" + dtype + b"K\0K\x01\x87R(K\x03U\x01<" + (more or b"NNN")
        + b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb\x89" + values + b"tb"
    )  # fmt: skip
    return b"\x80\x02}U\x02fc](" + array + array + b"es."


def test_the_parts_make_an_array(path):
    zeros = np.zeros(3, np.float32)
    assert_same(read(path, array_pickle()), {"fc": [zeros, zeros]})


@pytest.mark.parametrize(
    "parts, reason",
    [
        ({"shape": b"K\x04\x85"}, "an array of the shape (4,) has 12 bytes"),
        ({"shape": b"K\x02\x85"}, "an array of the shape (2,) has 12 bytes"),
        ({"shape": b")"}, "an array of the shape () has 12 bytes"),
        ({"shape": b"J\xfd\xff\xff\xffJ\xff\xff\xff\xff\x86"}, "an array has no shape"),
        ({"shape": b"]K\x03a"}, "an array has no shape"),
        ({"shape": b"G\x40\x08\0\0\0\0\0\0\x85"}, "an array has no shape"),
        ({"shape": b"\x8a\x08\0\0\0\0\0\0\0\x40K\0\x86"}, "an array has no shape"),
        ({"values": b"K\x03"}, "an array of the shape (3,) has no bytes"),
        ({"values": b"]NaNaNa"}, "an array of the shape (3,) has no bytes"),
        ({"more": b"N(U\x01xtN"}, "an array is of a structured type"),
        ({"dtype": b"K\x04"}, "AttributeError: "),
    ],
)
def test_arrays_that_lie(path, parts, reason):
    assert refused(path, array_pickle(**parts)).startswith(f"{path} is no pickle of weights (")
    assert reason in refused(path, array_pickle(**parts))


@pytest.mark.parametrize(
    "value, described",
    [
        ([np.array([1, None], object)] * 2, "fc/W is an array of the type |O8"),
        ([np.array(["text"])] * 2, "fc/W is an array of the type <U4"),
        ([np.zeros(2, "M8[s]")] * 2, "fc/W is an array of the type <M8"),
        ([np.zeros(2, np.float32), 3], "fc/b is a number"),
        (np.zeros(2, np.float32), "fc is an array of the type <f4"),
        ([np.zeros(2, np.float32)], "fc is a list of 1"),
        ((1, 2, 3), "fc is a tuple of 3"),
        ("W, b", "fc is 'W, b'"),
        (None, "fc is nothing"),
        ({"W": 1, "b": 2}, "fc is a dict of 'W', 'b'"),
        ({"weights": np.zeros(2, np.float32)}, "fc is a dict of 'weights'"),
        ({}, "fc is a dict of nothing"),
        ({"weights": 1, "biases": 2}, "fc/W is a number"),
    ],
)
def test_layers_that_are_no_pairs(path, value, described):
    assert refused(path, saved({"fc": value}, 4)) == f"{path}: {described}; {WANTED}"


@pytest.mark.parametrize(
    "thing, described",
    [
        ([1, 2], "holds a list of 2"),
        ({}, "holds a dict of 0"),
        ("weights", "holds 'weights'"),
        (None, "holds nothing"),
        ({3: [1, 2]}, "names a layer a number"),
        ({(1, 2): [1, 2]}, "names a layer a tuple of 2"),
        ({"": [1, 2]}, "names a layer ''"),
        ({"\x1b[2Jconv1": [1, 2]}, r"names a layer '\x1b[2Jconv1'"),
    ],
)
def test_things_that_are_no_dict_of_layers(path, thing, described):
    assert refused(path, pickle.dumps(thing)) == f"{path} {described}; {WANTED}"


def test_a_single_array_is_told_from_a_dict(path):
    np.save(path, np.zeros((3, 4), np.float32))
    with pytest.raises(GraphnetsError) as caught:
        pickled_weights(path)
    assert str(caught.value) == (
        f"{path} is no pickle of weights (it is one array, float32 (3, 4)); {WANTED}"
    )


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_file_that_was_cut_off(path, protocol):
    content = saved(pairs(), protocol)
    for length in [*range(0, len(content), len(content) // 40), len(content) - 1]:
        assert "is no pickle of weights (" in refused(path, content[:length])


def test_a_gzip_that_was_cut_off(path):
    content = gzip.compress(saved(pairs(), 4))
    for share in (0.1, 0.5, 0.9):
        assert "is no pickle of weights (" in refused(path, content[: int(len(content) * share)])


NESTED = b"\x80\x02}(" + b")" + b"\x85" * 200_000 + b"K\x01u."
DOUBLED = b"\x80\x02}(N" + b"2\x86" * 26 + b"K\x01u."
DOUBLED_BY_NAME = b"\x80\x02}(N\x85q\0" + b"h\0h\0\x86q\0" * 26 + b"K\x01u."
DOUBLED_IN_DISGUISE = b"\x80\x02}(N\x85Nbq\0" + b"h\0h\0\x86Nbq\0" * 26 + b"K\x01u."


@pytest.mark.parametrize(
    "content, reason",
    [
        (NESTED, "it has over 50000 steps"),  # its hash would crash Python
        (DOUBLED, "it uses a thing twice"),  # its hash would take hours
        (DOUBLED_BY_NAME, "it uses a thing twice"),
        (DOUBLED_IN_DISGUISE, "it uses a thing twice"),
        (b"\x80\x02Nr\xff\xff\xff\x7f.", "it numbers a thing 2147483647"),  # memory for as many
        (b"(dp99999999\n.", "it numbers a thing 99999999"),
        (b"\x80\x04\x8e" + b"\xff" * 7 + b"\x0f.", "OSError: "),  # a text longer than disks
        (b"\x80\x05\x97.", "UnpicklingError: "),  # a buffer from elsewhere
        (b"\x80\x02U\x01xQ.", "UnpicklingError: "),  # a thing from elsewhere
        (b"\x80\x02\x82\x01.", "unregistered extension code 1"),
        (b"\x80\x09N.", "unsupported pickle protocol: 9"),
        (b"\x80\x02\xff.", r"it has a step b'\xff', which there is not"),
        (b"\x80\x02NN", "it ends too early"),
        (b"\x80\x02.", "UnpicklingError: "),
    ],
)
def test_pickles_made_to_harm_are_refused_at_once(path, content, reason):
    message = refused(path, content)
    assert message.startswith(f"{path} is no pickle of weights (") and len(message) < 500
    assert reason in message


def test_damage_anywhere_ends_in_the_one_exception(path):
    contents = [python_2_npy({b"fc": pairs()["conv1"]}), *(saved(pairs(), p) for p in range(6))]
    random = np.random.default_rng(0)
    refusals = 0
    for content in contents:
        for _ in range(150):
            damaged = bytearray(content)
            for place in random.integers(min(len(content), 600), size=2):
                damaged[place] = random.integers(256)
            try:
                for pair in read(path, damaged).values():
                    assert [type(array) for array in pair] == [np.ndarray] * 2
            except GraphnetsError:
                refusals += 1
    assert refusals > 500


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
