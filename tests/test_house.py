"""Every module fits in a head, every function on a screen."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = [
    path.relative_to(ROOT)
    for folder in ("graphnets", "examples", "tests")
    for path in sorted((ROOT / folder).rglob("*.py"))
]


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_no_module_is_over_400_lines_and_no_function_over_60(path):
    text = (ROOT / path).read_text(encoding="utf-8")
    lines = len(text.splitlines())
    assert lines <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno < 60, node.name
