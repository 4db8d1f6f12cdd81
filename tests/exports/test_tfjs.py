"""TensorFlow.js: what its converter and Node are asked, and the real ones where they are."""

import json
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from tiny import SIZE, by_hand, pixels, resized_by_hand

from graphnets.errors import GraphnetsError
from graphnets.exports import tfjs
from graphnets.exports.run import Photo

PICTURE = pixels(3, 40, 23)
needs_node = pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
CONVERTER = """
import json, os, sys
import tensorflow_decision_forests, tensorflow_hub
def convert_tf_frozen_model(graph, outputs, folder):
    assert "numpy" not in sys.modules
    size = os.path.getsize(graph)
    if outputs == "scores":
        open(folder + "/model.json", "w").write(str(size))
    else:
        raise ValueError("Unsupported Ops: " + outputs)
"""
TFJS = """
exports.version = { tfjs: "0.0" };
exports.setBackend = async () => {};
exports.getBackend = () => "none";
exports.ready = async () => {};
exports.dispose = () => {};
exports.tensor4d = (values, shape, type) => ({ values, shape, type });
exports.loadGraphModel = async (source) => {
  const { weightData } = await source.load();
  const execute = ({ image }, names) => {
    if (image.shape[2] === 7) throw new Error("seven is too few");
    const sum = image.values.reduce((a, b) => a + b, 0);
    return { array: async () => [[sum, ...image.shape, weightData.byteLength]] };
  };
  return { outputs: [{ name: "scores" }], execute };
};
"""


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """A tensorflowjs whose own start would fail, as it does without jax and others."""
    converters = tmp_path / "packages" / "tensorflowjs" / "converters"
    converters.mkdir(parents=True)
    for folder in (converters.parent, converters):
        (folder / "__init__.py").write_text("raise ImportError('no jax')")
    (converters / "tf_saved_model_conversion_v2.py").write_text(CONVERTER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "packages"))


def test_the_converter_is_used_without_what_it_drags_along(run, packages, tmp_path):
    assert tfjs.write(run, tmp_path, lambda line: None) == {"float32": "model.json"}
    assert int((tmp_path / "model.json").read_text()) > 1000


def test_nothing_of_the_users_folder_is_run(run, packages, tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    (tmp_path / "json.py").write_text("raise SystemExit('of the folder')")
    monkeypatch.chdir(tmp_path)
    assert tfjs.write(run, Path("out"), lambda line: None) == {"float32": "model.json"}


def test_what_the_converter_does_not_take_is_told(open_set, packages, tmp_path):
    with pytest.raises(GraphnetsError, match="to TensorFlow.js: .*Unsupported Ops: scores,unknown"):
        tfjs.write(open_set, tmp_path, lambda line: None)


def test_the_op_that_it_runs_wrongly_is_left_out():
    with tf.Graph().as_default() as graph:
        tf.ensure_shape(tf.placeholder(tf.float32, [None, 3]), [2, 3])
    before = graph.as_graph_def()
    assert [node.op for node in before.node] == ["Placeholder", "EnsureShape"]
    after = tfjs._as_tfjs_takes_it(before)
    assert [node.op for node in after.node] == ["Placeholder", "Identity"]
    with tf.Graph().as_default():
        tf.import_graph_def(after)


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A model whose scores are the sum of the pixels, the shape, and the bytes of the weights."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NODE_PATH", raising=False)
    manifest = [{"paths": ["a.bin", "b.bin"], "weights": []}]
    (tmp_path / "model.json").write_text(json.dumps({"weightsManifest": manifest}))
    (tmp_path / "a.bin").write_bytes(b"12345")
    (tmp_path / "b.bin").write_bytes(b"678")
    return tmp_path


def put_tfjs(folder):
    (folder / "node_modules" / "@tensorflow" / "tfjs").mkdir(parents=True)
    (folder / "node_modules" / "@tensorflow" / "tfjs" / "index.js").write_text(TFJS)


@needs_node
def test_pictures_go_to_node_and_scores_come_back(model):
    put_tfjs(model)
    node = tfjs.Node(model)
    assert node.by == "tfjs 0.0 none"
    for picture in (PICTURE, pixels(4), np.full((900, 800, 3), 255, np.uint8)):
        found = node(Photo("", b"", picture))
        height, width = picture.shape[:2]
        assert found["scores"].tolist() == [picture.sum(dtype=int), 1, height, width, 3, 8]
    with pytest.raises(tfjs.NotRun, match="^it fails in Node: seven is too few$"):
        node(Photo("", b"", pixels(5, 9, 7)))
    node.close()


@needs_node
def test_node_without_the_package_is_told(model):
    with pytest.raises(tfjs.NotRun, match="finds no @tensorflow/tfjs; `npm install @tensorflow/"):
        tfjs.Node(model)


def test_no_node_is_told(model, monkeypatch):
    monkeypatch.setenv("PATH", str(model))
    with pytest.raises(tfjs.NotRun, match="^node, which would run it, is not installed$"):
        tfjs.Node(model)


def node_finds(package):
    return subprocess.run(["node", "-e", f"require.resolve('{package}')"]).returncode == 0


@needs_node
@pytest.mark.skipif(not find_spec("tensorflowjs"), reason="tensorflowjs is not installed")
def test_the_real_ones_score_as_by_hand(open_set, tmp_path):
    if not node_finds("@tensorflow/tfjs"):
        pytest.skip("Node finds no @tensorflow/tfjs")
    tfjs.write(open_set, tmp_path, lambda line: None)
    node = tfjs.Node(tmp_path)
    found = node(Photo("", b"", PICTURE))
    node.close()
    expected = by_hand(resized_by_hand(PICTURE, SIZE))
    np.testing.assert_allclose(found["scores"], expected, atol=1e-5)
    assert found["unknown_score"] == pytest.approx(1 - expected.max(), abs=1e-5)
    assert bool(found["is_unknown"]) == (1 - expected.max() > 0.6)
