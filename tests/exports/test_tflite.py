"""TFLite files, run by LiteRT, beside the figures written out by hand."""

import io
import zipfile

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from tensorflow.lite.python import schema_py_generated as schema
from tiny import SIZE, by_hand, pixels, resized_by_hand

from graphnets.errors import GraphnetsError
from graphnets.exports import tflite
from graphnets.exports.run import Photo

PICTURE = pixels(3, 40, 23)
EXPECTED = by_hand(resized_by_hand(PICTURE, SIZE))


def quiet(line):
    pass


@pytest.fixture(scope="module")
def written(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tflite")
    return folder, tflite.write(run, folder, ("float32", "float16", "int8"), quiet)


@pytest.mark.parametrize("precision, off", [("float32", 1e-5), ("float16", 2e-3), ("int8", 0.05)])
def test_pictures_of_any_size_score_as_by_hand(written, precision, off):
    folder, files = written
    assert files[precision] == f"classifier_{precision}.tflite"
    run = tflite.runner(folder / files[precision])
    found = run(Photo("", b"", PICTURE))
    assert list(found) == ["scores"] and found["scores"].dtype == np.float32
    np.testing.assert_allclose(found["scores"], EXPECTED, atol=off)
    again = run(Photo("", b"", pixels(4)))["scores"]
    np.testing.assert_allclose(again, by_hand(pixels(4)), atol=off)


def test_int8_is_int8_inside(written):
    folder, files = written
    interpreter = Interpreter(str(folder / files["int8"]))
    types = [tensor["dtype"] for tensor in interpreter.get_tensor_details()]
    assert types.count(np.int8) > 8
    sizes = {name: (folder / file).stat().st_size for name, file in files.items()}
    assert len(set(sizes.values())) == 3


def test_the_input_is_bytes_of_the_networks_size_until_told_otherwise(written):
    folder, files = written
    interpreter = Interpreter(str(folder / files["float32"]))
    [image] = interpreter.get_input_details()
    assert image["name"] == "image" and image["dtype"] == np.uint8
    assert image["shape"].tolist() == [1, *SIZE, 3]
    assert image["shape_signature"].tolist() == [1, -1, -1, 3]
    interpreter.allocate_tensors()
    interpreter.set_tensor(image["index"], pixels(4)[np.newaxis])
    interpreter.invoke()
    scores = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_allclose(scores, [by_hand(pixels(4))], atol=1e-5)


def test_the_labels_are_where_the_runtimes_tools_read_them(written):
    folder, files = written
    data = (folder / files["int8"]).read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.read("labels.txt") == b"ant\nbee\ncat\n"
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    [entry] = [entry for entry in model.metadata if entry.name == b"TFLITE_METADATA"]
    about = bytes(model.buffers[entry.buffer].data)
    assert about[4:8] == b"M001" and b"labels.txt" in about


def test_what_else_the_graph_tells_comes_out_by_its_name(open_set, tmp_path):
    [file] = tflite.write(open_set, tmp_path, ("float32",), quiet).values()
    found = tflite.runner(tmp_path / file)(Photo("", b"", PICTURE))
    assert set(found) == {"scores", "unknown_score", "is_unknown"}
    np.testing.assert_allclose(found["scores"], EXPECTED, atol=1e-5)
    assert found["unknown_score"] == pytest.approx(1 - EXPECTED.max(), abs=1e-5)
    assert bool(found["is_unknown"]) == (1 - EXPECTED.max() > 0.6)


def test_int8_without_training_photos_is_told(run, tmp_path):
    bare = run._replace(photos=run.photos[:0])
    with pytest.raises(GraphnetsError, match="int8 measures its ranges .* --precision"):
        tflite.write(bare, tmp_path, ("float32", "int8"), quiet)
    assert list(tmp_path.iterdir()) == []
