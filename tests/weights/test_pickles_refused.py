"""Pickles that hold no weights, or would do harm: nothing in them is ever run."""

import gzip
import pickle
import struct
import tracemalloc
from collections import OrderedDict

import numpy as np
import pytest
from pickled import Runs, assert_same, pairs, python_2_npy, read, saved

from graphnets.errors import GraphnetsError
from graphnets.weights import formats
from graphnets.weights.pickles import pickled_weights

WANTED = "wanted a dict {layer: [W, b]} or {layer: {'weights': W, 'biases': b}} of arrays"


def refused(path, content):
    with pytest.raises(GraphnetsError) as caught:
        read(path, content)
    return str(caught.value)


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


def test_a_long_text_is_not_copied_a_thousand_times(path):
    text = "a" * 20_000
    once = b"c_codecs\nencode\nh\x01U\x06latin1\x86R"
    content = b"\x80\x02X" + struct.pack("<i", len(text)) + text.encode() + b"q\x01" + 1000 * once
    assert "it uses a thing twice that is no array, list, dict or text" in refused(
        path, content + b"."
    )


@pytest.mark.parametrize("before", [b"", b"\x93NUMPY\x02\x00\xff\xff\xff\xff"])
def test_a_packed_file_that_would_take_all_memory(path, monkeypatch, before):
    monkeypatch.setattr(formats, "LARGEST", 1_000_000)
    content = before or b"\x80\x02T" + struct.pack("<i", 3_000_000)
    content = gzip.compress(content + bytes(3_000_000))
    tracemalloc.start()
    message = refused(path, content)
    assert tracemalloc.get_traced_memory()[1] < 500_000
    tracemalloc.stop()
    most = 1_000_000 + path.stat().st_size
    wanted = (
        "it has a header of 4,294,967,295 bytes"
        if before
        else (f"it unpacks to more than {most:,} bytes")
    )
    assert wanted in message


def test_a_reason_of_several_lines_is_told_in_one(path):
    message = refused(path, b"\x80\x02K\x01Q.")
    assert "encountered, but no persistent_load" in message
