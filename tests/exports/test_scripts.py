"""What the scripts beside an export say of wrong usage; the page of TensorFlow.js in Node."""

import json
import re
import shutil
import subprocess
import sys

import pytest

from graphnets.exports.scripts import folder

NAMES = ["tflite", "onnx", "saved_model"]


def bare(name, *arguments):
    """A script's run in a Python without packages: what it says, it says before it imports any."""
    command = [sys.executable, "-I", "-S", folder() / f"classify_{name}.py", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_wrong_usage_is_told_before_anything_is_imported(name, tmp_path):
    code, _, problem = bare(name)
    assert code == 2 and problem.startswith("usage: ") and "required: photo" in problem
    code, usage, _ = bare(name, "--help")
    assert code == 0 and "Classify a photo (pip install " in usage
    gone = str(tmp_path / "gone.jpg")
    assert bare(name, gone) == (1, "", f"there is no file {gone}\n")


def test_what_a_saved_model_does_not_read_is_told(tmp_path):
    (tmp_path / "a.gif").write_bytes(b"GIF89a")
    path = str(tmp_path / "a.gif")
    problem = f"{path} is no JPEG or PNG, which are what the model reads\n"
    assert bare("saved_model", path) == (1, "", problem)


PAGE = """
const pre = { textContent: "" }, input = {};
const context = { fillRect() {}, drawImage() {} };
globalThis.window = globalThis;
globalThis.document = {
  querySelector: (name) => (name === "pre" ? pre : input),
  createElement: () => ({ getContext: () => context }),
};
globalThis.fetch = async () => ({ json: async () => ABOUT });
globalThis.createImageBitmap = async (file) => {
  if (file.name !== "good.jpg") throw new Error("The source image could not be decoded.");
  return { width: 1, height: 1 };
};
const result = { data: async () => [0.25, 0.75] };
const tf = {
  loadGraphModel: async () => ({ execute: () => result }),
  browser: { fromPixels: () => ({ expandDims: () => 0 }) },
};
if (WITH_TF) globalThis.tf = tf;
(0, eval)(SCRIPT);
(async () => {
  const said = [pre.textContent];
  for (const name of ["good.jpg", "broken.jpg"]) {
    const done = input.onchange({ target: { files: [{ name }] } });
    said.push(pre.textContent);
    await done;
    said.push(pre.textContent);
  }
  console.log(JSON.stringify(said));
})();
"""


def said(thresholds=None, with_tf=True):
    """The page's text: at first, then as a photo is chosen and when it is done, good and broken."""
    page = (folder() / "classify_tfjs.html").read_text()
    [script] = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    about = {
        "files": ["model.json"], "outputs": {"scores": ""}, "labels": ["ant", "bee"],
        "label_thresholds": thresholds,
    }  # fmt: skip
    given = {"ABOUT": about, "WITH_TF": with_tf, "SCRIPT": script}
    lines = [f"const {name} = {json.dumps(value)};" for name, value in given.items()]
    program = "\n".join([*lines, PAGE])
    done = subprocess.run(["node", "-"], input=program, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
def test_the_page_keeps_no_former_answer_and_tells_what_is_wrong():
    broken = ["", "error: broken.jpg cannot be read as a photo"]
    assert said() == ["", "", "0.7500  bee\n0.2500  ant", *broken]
    assert said([0.8, 0.8]) == ["", "", "none of the labels", *broken]
    missing = said(with_tf=False)
    assert len(set(missing)) == 1 and missing[0].startswith("tf.min.js is missing: put ")
