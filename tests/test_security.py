"""SECURITY.md promises what a test holds; code is run where it says so, and nowhere else."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
RUNS = {  # what can start a program or run text as code, and why it is no stranger's
    "graphnets/processes.py": {"subprocess.Popen"},  # for the two below
    "graphnets/cli/terminal.py": {"ctypes.CDLL"},  # None: the C library that is loaded already
    "graphnets/exports/tfjs.py": {"processes.run", "subprocess.Popen"},  # converter, Node
    "graphnets/zoo/downloads.py": {"processes.run"},  # pip
    "graphnets/__init__.py": {"importlib.import_module"},  # names of graphnets' own modules
    "graphnets/networks/stack.py": {"tf.numpy_function"},  # these three: arrays of this process
    "graphnets/networks/unfreeze.py": {"tf.numpy_function"},
    "graphnets/training/alone.py": {"tf.numpy_function"},
    "graphnets/weights/pickles.py": {"pickle.Unpickler"},  # of which it allows what builds arrays
    "graphnets/photos/tiffs.py": {"ctypes.CDLL"},  # Pillow's own libtiff, to be quiet
    "graphnets/ray_workers.py": {"importlib.import_module"},  # the driver's own functions
}
CAN_RUN = re.compile(
    r"subprocess\.(run|call|check_.*|get.*|Popen)|(processes|multiprocessing|marshal|runpy)\..+"
    r"|ctypes\.\w*DLL|(eval|exec|compile|__import__)"
    r"|importlib\.import_module|os\.(system|popen|exec.*|spawn.*|posix_spawn.*|fork.*)"
    r"|(pickle|cPickle|cloudpickle|dill|joblib|torch|shelve|yaml)\.(loads?|Unpickler|open)"
    r"|tf\.(py_func|numpy_function|py_function|load_op_library|load_library)"
)


def calls(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute) and CAN_RUN.fullmatch(ast.unparse(node)):
            yield ast.unparse(node)
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if any(
                k.arg == "allow_pickle" and ast.unparse(k.value) != "False" for k in node.keywords
            ):
                yield f"{name} of pickles"


def test_what_can_run_something_is_where_the_list_says():
    found = {
        str(path.relative_to(ROOT)): names
        for path in (ROOT / "graphnets").rglob("*.py")
        if (names := set(calls(path)))
    }
    assert found == RUNS


@pytest.mark.parametrize("code", [
    "subprocess.check_output(x)", "eval(x)", "exec(x)", "pickle.loads(x)", "os.system(x)",
    "np.load(x, allow_pickle=True)", "np.load(x, allow_pickle=flag)", "tf.py_func(f, x, y)",
])  # fmt: skip
def test_such_a_call_is_noticed(code, tmp_path):
    (tmp_path / "a.py").write_text(f"def f():\n    return [{code}]\n")
    assert len(list(calls(tmp_path / "a.py"))) == 1


def test_each_sentence_names_tests_that_are_there():
    checked = TEXT.split("## What is checked")[1].split("## What is not checked")[0]
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", TEXT)
    assert len(named) == TEXT.count("`tests/")
    for path, test in named:
        assert re.search(rf"^(async )?def {test}\(", (ROOT / path).read_text(), re.M), (path, test)
    for promise in re.split(r"^- ", checked, flags=re.M)[1:]:
        assert "`tests/" in promise or "as good as the stranger" in promise, promise
