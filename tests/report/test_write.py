"""The page: what it says, that it takes nothing from elsewhere, and that names stay text."""

import json
import re
import shutil
from html.parser import HTMLParser

import pandas as pd
import pytest
from world import options, small_network, write_photos

from graphnets.errors import GraphnetsError
from graphnets.jobs.compare import compare
from graphnets.jobs.retrain import retrain
from graphnets.report.run import read_run
from graphnets.report.write import write_report

VOID = {"meta", "br", "img", "link", "input"}


class Page(HTMLParser):
    """The elements and texts of a page, and whether its tags are nested as they should."""

    def __init__(self, path):
        super().__init__()
        self.elements, self.texts, self.open = [], [], []
        self.feed(path.read_text("utf-8"))
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


@pytest.fixture(scope="module")
def page(hostile_run):
    return Page(hostile_run / "report.html")


def test_hostile_names_are_text(page):
    for label in ("<img src=x onerror=alert(1)>", "]]>&"):
        assert label in page.text
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"img", "b", "iframe", "object", "link"}
    handlers = [name for _, attrs in page.elements for name in attrs if name.startswith("on")]
    assert handlers == []


def test_nothing_comes_from_elsewhere(page, hostile_run):
    links = [attrs["href"] for tag, attrs in page.elements if tag == "a"]
    assert any("%3Cb%3Ejavascript%3Aalert%282%29%26.jpg" in link for link in links)
    assert all(link.startswith(("#", "../photos/")) for link in links)
    [policy] = [a["content"] for t, a in page.elements if a.get("http-equiv")]
    assert policy.startswith("default-src 'none'; img-src data:;")
    text = (hostile_run / "report.html").read_text()
    assert text.count("<script>") == 1 and "src=" not in re.sub(r"src=x|-src", "", text)
    assert set(re.findall(r"url\((\w+:\w+/\w+)", text)) == {"data:image/jpeg"}


def test_cells_lead_to_the_photos_that_they_count(page, hostile_run):
    photos = read_run(hostile_run).photos
    tested = photos[photos.split == "testing"]
    ids = {attrs["id"] for _, attrs in page.elements if "id" in attrs}
    cells = [a["href"][1:] for t, a in page.elements if a.get("href", "").startswith("#c")]
    cells = [cell for cell in cells if re.fullmatch(r"c\d+-\d+", cell)]
    assert len(cells) == tested.groupby(["label", "predicted"]).ngroups
    assert set(cells) <= ids


def test_the_page_tells_the_figures_and_what_misleads(page, hostile_run):
    metrics = json.loads((hostile_run / "metrics.json").read_text())
    assert f"{100 * metrics['test_accuracy']:.1f} % of {metrics['test_count']} test photos" in (
        page.text
    )
    assert "1 files could not be read and were left out." in page.text
    assert "1 photos lie in two classes or more." in page.text
    [reason] = [row["reason"] for row in metrics["left_out"]]
    assert f"/broken.jpg : {reason}" in page.text
    assert re.search(r"]]>&/copy.jpg \((training|validation|testing)\)", page.text)
    assert page.text.count("labelled ]]>&") >= 4  # those that were swapped


def test_the_same_run_gives_the_same_page(hostile_run, tmp_path):
    before = (hostile_run / "report.html").read_bytes()
    assert write_report(hostile_run).read_bytes() == before


def test_photos_that_are_gone_are_grey(hostile_run, tmp_path):
    for name in ("metrics.json", "photos.csv", "curves.csv"):
        shutil.copy(hostile_run / name, tmp_path)
    table = pd.read_csv(tmp_path / "photos.csv", keep_default_na=False)
    table = table.assign(path="/nowhere/" + table.label + "/1.jpg").drop(columns="others_score")
    table.to_csv(tmp_path / "photos.csv")
    page = Page(write_report(tmp_path))
    assert "There are no labels to check: the run has not compared its photos." in page.text
    count = re.search(r"(\d+) of (\d+) photos to show are no longer there", page.text)
    assert count[1] == count[2]
    before = (tmp_path / "report.html").read_bytes()
    with pytest.raises(GraphnetsError, match="none of the .* report.html is left as it was"):
        write_report(tmp_path)
    assert (tmp_path / "report.html").read_bytes() == before
    assert any("photo" in attrs.get("class", "") for _, attrs in page.elements)


def test_heats_stand_beside_the_mistakes(page, hostile_run):
    photos = read_run(hostile_run).photos
    wrong = photos[(photos.split == "testing") & (photos.predicted != photos.label)]
    told = [a["aria-label"] for _, a in page.elements if "what counted" in a.get("aria-label", "")]
    assert len(told) == min(len(wrong), 12) > 0
    assert set(told) == {f"what counted for {shown}" for shown in set(wrong.predicted)}
    assert "(Grad-CAM)" in page.text


def test_without_the_classifier_the_page_says_what_is_missing(hostile_run, tmp_path):
    for name in ("metrics.json", "photos.csv"):
        shutil.copy(hostile_run / name, tmp_path)
    page = Page(write_report(tmp_path))
    assert "What counted for them cannot be shown: " in page.text
    assert "output_graph.pb" in page.text
    assert "How training went" not in page.text
    assert "There are no curves: the folder has no curves.csv." in page.text


def test_a_comparison_has_its_table_and_curves(tmp_path):
    photos = write_photos(tmp_path / "photos")
    chosen = options(tmp_path, report=True, training={"how_many_training_steps": 4})
    compare(photos, small_network(), "conv2,conv1", chosen)
    page = Page(tmp_path / "out" / "report.html")
    assert "How deep to train" in page.text and "conv1" in page.text
    assert sum(tag == "svg" for tag, _ in page.elements) == 2
    assert "What was called what" not in page.text


def test_torn_tracks_are_told(hostile_run, tmp_path):
    metrics = json.loads((hostile_run / "metrics.json").read_text())
    assert metrics["torn_tracks"] is None
    tracks = {"first": "1_01.jpg", "last": "1_09.jpg", "number": 9, "torn": 7, "group_by": "_\\d+"}
    (tmp_path / "metrics.json").write_text(json.dumps(metrics | {"torn_tracks": tracks}))
    shutil.copy(hostile_run / "photos.csv", tmp_path)
    page = Page(write_report(tmp_path))
    assert "tracks (1_01.jpg ... 1_09.jpg), 7 of which lie in more than one split" in page.text
    assert r"--group_by '_\d+' keeps them together" in page.text


def test_no_report_is_written_where_none_is_wished(tmp_path):
    photos = write_photos(tmp_path / "photos")
    chosen = options(tmp_path, report=False, training={"how_many_training_steps": 4})
    retrain(photos, small_network(), chosen)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "curves.csv", "metrics.json", "output_graph.pb", "output_labels.txt", "photos.csv",
    ]  # fmt: skip


def test_a_run_without_test_photos_has_a_page(tmp_path):
    photos = write_photos(tmp_path / "photos")
    quick = {"how_many_training_steps": 4}
    percentages = {"testing_percentage": 0, "validation_percentage": 0}
    chosen = options(tmp_path, report=True, training=quick, **percentages)
    retrain(photos, small_network(), chosen)
    page = Page(tmp_path / "out" / "report.html")
    assert "No photo was kept for testing" in page.text


def test_files_of_different_runs_are_told(hostile_run, tmp_path):
    metrics = json.loads((hostile_run / "metrics.json").read_text())
    del metrics["calibration"]
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    shutil.copy(hostile_run / "photos.csv", tmp_path)
    with pytest.raises(GraphnetsError, match="are not those of one run .KeyError: 'calibration'"):
        write_report(tmp_path)
