import importlib.util
from pathlib import Path

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image
from world import write_photos

from graphnets.features import running as features
from graphnets.photos.listing import scan

EXAMPLE = Path(__file__).parents[2] / "examples" / "flowers17.py"


@pytest.fixture
def flowers17(monkeypatch):
    """The example, with small batches."""
    spec = importlib.util.spec_from_file_location("flowers17", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "BATCH", 4)
    return module


def test_the_story_from_the_list_of_layers_to_the_second_report(
    flowers17, tmp_path, capsys, monkeypatch
):
    photos = write_photos(tmp_path / "photos", per_class=3)
    read = []
    reader = features.photo_reader

    def counted(session, size):
        one = reader(session, size)
        return lambda path: read.append(path) or one(path)

    monkeypatch.setattr(features, "photo_reader", counted)
    sheet = tmp_path / "sheet.png"
    before, after = flowers17.main(
        photos, "random", tmp_path / "store", steps=3, tuning_steps=1, sheet=sheet
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["0", "conv1_1", "224", "x", "224", "x", "64", "1,792"]
    assert lines[18].split() == ["18", "fc6", "4096", "102,764,544"]
    assert lines[22] == "6 photos for training, 3 for testing, 3 classes"
    assert lines[23] == f"augmented photos, to look at: {sheet}"
    told = [line for line in lines[24:] if not line.startswith((" ", "step"))]
    frozen, tuned = "VGG16 is frozen, the new head trains", "un-frozen from conv5_1 on"
    assert told.index(frozen) < told.index(tuned)
    assert [line.split()[0] for line in lines if "accuracy  " in line] == ["accuracy"] * 2
    for label in ("blue sky", "grass", "red_roof"):
        assert sum(line.lstrip().startswith(label) for line in lines) == 2  # both reports
    assert lines[-1] == (
        f"test accuracy on 3 photos: {before:.1%} frozen, {after:.1%} from block 5 on"
    )
    assert {before, after} <= {0, 1 / 3, 2 / 3, 1}
    assert len(read) == len(set(read)) == 9  # the frozen layers see each photo once
    assert not tf.get_default_graph().get_operations()  # its graphs are its own


def test_the_sheet_has_a_row_of_different_variants_for_each_photo(flowers17, tmp_path):
    folder = write_photos(tmp_path / "photos", per_class=3)
    photos = scan(folder).iloc[:2]
    flowers17.write_sheet(photos, (40, 50), tmp_path / "sheet.png", copies=3)
    sheet = np.asarray(Image.open(tmp_path / "sheet.png")).astype(int)
    assert sheet.shape == (2 * 40 + 4, 3 * 50 + 2 * 4, 3)
    cells = [sheet[y : y + 40, x : x + 50] for y in (0, 44) for x in (0, 54, 108)]
    assert all(cell[..., 2].mean() > cell[..., 0].mean() + 50 for cell in cells)  # blue sky
    for number, cell in enumerate(cells):
        assert all(np.abs(cell - other).mean() > 5 for other in cells[:number])


def test_batches_go_through_all_photos_before_one_comes_again(flowers17):
    found = flowers17.batches(count=9, number=5)  # 20 positions
    assert found.shape == (5, 4)
    assert sorted(found.ravel()[:9]) == sorted(found.ravel()[9:18]) == list(range(9))
