"""The public names: those that the README lists, and the only ones that examples use."""

import ast
import json
import re
from pathlib import Path

import pytest

import graphnets

ROOT = Path(__file__).parent.parent


def code_of(notebook: Path) -> str:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")


README = (ROOT / "README.md").read_text(encoding="utf-8")
SCRIPTS = {path.name: path.read_text(encoding="utf-8") for path in ROOT.glob("examples/*.py")}
SCRIPTS |= {path.name: code_of(path) for path in ROOT.glob("examples/*.ipynb")}
SCRIPTS |= {
    f"README.md, snippet {number}": code
    for number, code in enumerate(re.findall(r"```python\n(.*?)```", README, re.DOTALL))
}


def test_the_readme_lists_each_public_name_once_in_its_room():
    table = README.partition("## The house")[2].partition("## ")[0]
    rows = re.findall(r"^\| (\w*) ?\| (`.*?`) \|", table, re.MULTILINE)
    rooms, room = {}, ""
    for first, names in rows:
        room = first or room
        rooms |= {name: room for name in re.findall(r"`(\w+)`", names)}
    assert sorted(rooms) == graphnets.__all__
    for name, room in rooms.items():
        value = getattr(graphnets, name)
        module = getattr(value, "__module__", "")
        assert module.split(".")[1:2] == ([room] if room else ["errors"]), name


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'alexnet2'"):
        graphnets.alexnet2  # noqa: B018


@pytest.mark.parametrize("script", SCRIPTS)
def test_examples_and_readme_use_public_names_only(script):
    used = set()
    for node in ast.walk(ast.parse(SCRIPTS[script])):
        if isinstance(node, ast.ImportFrom):
            assert not node.module.startswith("graphnets."), node.module
            used |= {name.name for name in node.names if node.module == "graphnets"}
        elif isinstance(node, ast.Import):
            assert not any(name.name.startswith("graphnets.") for name in node.names)
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "graphnets":
            used.add(node.attr)
    assert used <= set(graphnets.__all__)
