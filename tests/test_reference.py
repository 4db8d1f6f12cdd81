"""The API reference is built without a warning, has all public names, and tells what is lacking."""

import html
import importlib.util
import re
from pathlib import Path

import pdoc.doc
import pytest

import graphnets

SCRIPT = Path(__file__).parent.parent / ".ci" / "reference.py"


@pytest.fixture
def reference():
    spec = importlib.util.spec_from_file_location("reference", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def words(page, name):
    """What the page says of a name, without HTML."""
    section = re.search(rf'<section id="{name}">.*?</section>', page, re.DOTALL)[0]
    return html.unescape(re.sub(r"<[^>]*>|\t", "", section))


def test_has_each_public_name_with_its_docstring_and_no_warning(reference, tmp_path, capsys):
    names = list(graphnets.__all__)
    assert reference.main(str(tmp_path)) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert told.out == f"{len(names)} public names in {tmp_path / 'graphnets.html'}\n"
    page = (tmp_path / "graphnets.html").read_text(encoding="utf-8")
    for name in names:
        section = re.search(rf'<section id="{name}">.*?</section>', page, re.DOTALL)[0]
        assert 'class="docstring"' in section, name
    assert '<a href="kinds.html#Head">' in page  # what train_head returns
    assert '<a href="#RetrainOptions">' in page  # what retrain takes
    assert {path.name for path in tmp_path.iterdir()} >= {"index.html", "kinds.html"}
    assert words(page, "retrain").count(" = no_progress,say: Callable[[str], object] = ...)") == 1
    assert "TrainingOptions(how_many_training_steps: int = 4000," in words(page, "TrainingOptions")
    kinds = (tmp_path / "kinds.html").read_text(encoding="utf-8")
    assert "Cut(after: str, layers: list[str], behind: list[str])" in words(kinds, "Cut")
    assert words(kinds, "Cut").count("list[str]") == 2  # not a second time for each field
    assert "Alias for" not in kinds and "Create new instance" not in kinds
    assert "input_channels: str" in words(kinds, "Pictures")
    assert "PictureOptions(input_layer: str = ''," in words(kinds, "PictureOptions")


def test_a_docstring_is_shown_as_it_was_written(reference):
    text = """Give (n, classes) of *size, not a < b.

    width, height: of `x * y`, which
    may be __odd__.
    And a table:
      a   1 & 2
      bc  3

    >>> 1 < 2
    True
    """
    shown = reference.to_html(text)
    assert shown.splitlines()[0] == "<p>Give (n, classes) of *size, not a &lt; b.</p>"
    assert (
        "<p><strong>width, height</strong>: of <code>x * y</code>, which\nmay be __odd__.\n"
        in shown
    )
    assert "<pre>a   1 &amp; 2\nbc  3</pre>" in shown
    assert 'class="pdoc-code codehilite"' in shown and "True" in shown


def silent(photos, size: int = 2) -> None:
    pass


def stale(photos: str):
    """Goes on from `graphnets.scan`, `graphnets.photos.splits.split` and `graphnets.gone`."""


def test_what_a_reader_would_miss_is_told(reference):
    found = [
        line
        for function in (silent, stale)
        for line in reference.lacks(
            pdoc.doc.Function("graphnets", function.__name__, function, ("graphnets", "f"))
        )
    ]
    assert found == [
        "graphnets.silent has no docstring",
        "graphnets.silent has no annotation for photos",
        "graphnets.stale mentions graphnets.gone, which is not there",
        "graphnets.stale has no annotation for what it returns",
    ]
