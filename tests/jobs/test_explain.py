"""Pictures of where a class is seen: one for each photo, under names that do not meet."""

import numpy as np
import pytest
from PIL import Image
from tiny import LABELS, a_head, pixels, saved, tiny_network, write_png

from graphnets.classifier import export
from graphnets.classifier.explain import Explainer
from graphnets.errors import GraphnetsError
from graphnets.jobs.explain import draw_explanations, peak
from graphnets.photos.overlay import MARGIN


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    graph_def = export.classifier_graph_def(tiny_network(), ["conv2"], a_head())
    export.write_graph(folder / "graph.pb", graph_def)
    export.write_labels(folder / "labels.txt", LABELS)
    return folder / "graph.pb", folder / "labels.txt"


@pytest.fixture(scope="module")
def explainer(files):
    return Explainer(*files)


@pytest.fixture
def out(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def test_photos_of_one_name_have_pictures_of_their_own(explainer, tmp_path, out):
    names = ["a/x.png", "b/x.png", "b/X.png", "c/x_2.png", "c/x.jpg"]
    for place, name in enumerate(names):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        saved(tmp_path / name, pixels(place, 30 + place, 50))
    drawn = list(draw_explanations(explainer, [str(tmp_path / name) for name in names], out))
    assert [d.picture.name for d in drawn] == [
        "x_grad_cam.jpg", "x_2_grad_cam.jpg", "X_3_grad_cam.jpg", "x_2_2_grad_cam.jpg",
        "x_4_grad_cam.jpg",
    ]  # fmt: skip
    assert sorted(p.name for p in out.iterdir()) == sorted(d.picture.name for d in drawn)
    for place, one in enumerate(drawn):
        with Image.open(one.picture) as picture:
            assert picture.format == "JPEG" and picture.size == (100 + MARGIN, 30 + place + 20)


def test_a_photo_beside_its_picture_is_never_replaced(explainer, tmp_path):
    photo = write_png(tmp_path / "photo.jpg", pixels(1))
    before = photo.read_bytes()
    [drawn] = draw_explanations(explainer, [str(photo)], tmp_path)
    assert photo.read_bytes() == before and drawn.picture == tmp_path / "photo_grad_cam.jpg"


def test_one_that_cannot_be_read_has_no_picture(explainer, tmp_path, out):
    (tmp_path / "bad.jpg").write_bytes(b"not a picture")
    good = write_png(tmp_path / "good.png", pixels(1))
    bad, drawn = draw_explanations(explainer, [str(tmp_path / "bad.jpg"), str(good)], out, 2)
    assert bad.picture is None and "not a JPEG" in bad.explanation.problem
    assert drawn.explanation.label == "cat"
    assert [p.name for p in out.iterdir()] == ["good_grad_cam.jpg"]


@pytest.mark.parametrize("stem", ["ż" * 120, "\\x1b[31m ../", "a b"])
def test_any_name_gives_a_file_in_the_folder(explainer, tmp_path, out, stem):
    photo = write_png(tmp_path / f"{stem.replace('/', '')}.png", pixels(1))
    [drawn] = draw_explanations(explainer, [str(photo)], out)
    assert drawn.picture.parent == out and drawn.picture.is_file()
    assert drawn.picture.name.endswith("_grad_cam.jpg")


def test_a_folder_that_is_gone_is_told(explainer, tmp_path):
    photo = write_png(tmp_path / "photo.png", pixels(1))
    (tmp_path / "out").write_text("a file")
    with pytest.raises(GraphnetsError, match="photo_grad_cam.jpg cannot be written"):
        list(draw_explanations(explainer, [str(photo)], tmp_path / "out"))


def test_occlusion_is_named_so(files, tmp_path, out):
    photo = write_png(tmp_path / "photo.png", pixels(1))
    [drawn] = draw_explanations(Explainer(*files, occlusion=True), [str(photo)], out)
    assert drawn.picture.name == "photo_occlusion.jpg"


def test_the_peak_is_the_middle_of_the_largest_place_in_the_photo():
    heat = np.zeros((7, 7))
    heat[6, 0] = 1
    assert peak(heat, (140, 70, 3)) == (5, 130)
