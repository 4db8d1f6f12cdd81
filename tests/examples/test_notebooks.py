"""The notebooks, run as a student runs them: in one kernel, with cells run again."""

import copy
from collections import Counter
from pathlib import Path

import graphs
import nbformat
import pytest
from nbclient import NotebookClient
from world import write_photos

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOKS = {path.stem: path for path in sorted(EXAMPLES.glob("*.ipynb"))}
SETTINGS = {  # what the cell with the tag "parameters" has, smaller
    "flowers": {"GRAPH": "inception.pb", "PHOTOS": "photos", "STEPS": 20},
    "four_cases": {
        "SIGNS": "photos",
        "WEIGHTS": "random",
        "FEW": 2,
        "HEAD_STEPS": 3,
        "TUNING_STEPS": 1,
        "WAYS": {"last block": ("pool", "block7a", 0.001)},
    },
    "traffic_signs": {"WEIGHTS": "random", "PER_CLASS": 3, "STEPS": 3},
    "vgg16": {
        "WEIGHTS": "random",
        "PHOTOS": "photos",
        "PER_LABEL": 3,
        "HEAD_STEPS": 2,
        "TUNING_STEPS": 1,
        "DEPTHS": ["fc8"],
    },
}
TWICE = ("flowers",)  # the others take their time


def read(name):
    return nbformat.read(NOTEBOOKS[name], as_version=4)


def parameters(notebook):
    [cell] = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    return cell


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_is_sound_and_holds_nothing_of_who_ran_it(name):
    notebook = read(name)
    nbformat.validate(notebook)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.metadata.language_info == {"name": "python"}
    for cell in notebook.cells:
        assert not set(cell.metadata) - {"tags"} and cell.source.strip()
        assert cell.cell_type == "markdown" or cell.outputs == [] and cell.execution_count is None


@pytest.mark.long
def test_all_run_with_bars_and_pictures(tmp_path):
    graphs.write(tmp_path / "inception.pb", graphs.inception_like())
    write_photos(tmp_path / "photos", per_class=10)
    whole = nbformat.v4.new_notebook()
    for name in NOTEBOOKS:
        notebook = read(name)
        cell = parameters(notebook)
        for key, value in SETTINGS[name].items():
            assert f"\n{key} = " in f"\n{cell.source}"
            cell.source += f"\n{key} = {value!r}"
        for cell in notebook.cells:
            if cell.cell_type == "code":
                whole.cells.append(cell)
                if name in TWICE:
                    whole.cells.append(copy.deepcopy(cell))
        whole.cells.append(nbformat.v4.new_code_cell("%reset -f"))
    # The kernel starts in another folder, where it finds the package that is installed.
    NotebookClient(whole, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in whole.cells for output in cell.outputs]
    kinds = Counter(kind for output in outputs for kind in output.get("data", []))
    assert kinds["application/vnd.jupyter.widget-view+json"] > 20  # progress bars
    assert kinds["image/png"] > 15  # contact sheets and figures
    assert not [output for output in outputs if output.get("name") == "stderr"]
