"""Which photos a page shows, in which order, and with which words."""

from pathlib import Path

import pandas as pd

from graphnets.report import sections
from graphnets.report.run import Run

COLUMNS = (
    "path", "label", "key", "problem", "split", "predicted", "label_score", "rival", "rival_score",
    "others_score", "others_say", "others_rival_score",
)  # fmt: skip
NAN = float("nan")
ROWS = [
    ("/p/ant/1.jpg", "ant", "1", "", "testing", "ant", 0.9, "bee", 0.1, 0.8, "bee", 0.2),
    ("/p/ant/2.jpg", "ant", "2", "", "testing", "bee", 0.3, "bee", 0.7, 0.1, "bee", 0.9),
    ("/p/ant/3.jpg", "ant", "3", "", "testing", "bee", 0.05, "bee", 0.95, 0.3, "bee", 0.6),
    ("/p/bee/4.jpg", "bee", "4", "", "testing", "bee", 0.6, "ant", 0.4, 0.7, "ant", 0.3),
    ("/p/bee/5.jpg", "bee", "5", "", "training", "", NAN, "", NAN, -0.1, "ant", 0.5),
    ("/p/bee/1.jpg", "bee", "1", "", "training", "", NAN, "", NAN, 0.6, "ant", 0.1),
    ("/p/bee/6.jpg", "bee", "", "no picture", "", "", NAN, "", NAN, NAN, "", NAN),
]


def run(rows=ROWS, multi_label=False):
    metrics = {"labels": ["ant", "bee"], "options": {"multi_label": multi_label}}
    return Run(Path("/out"), metrics, pd.DataFrame(rows, columns=COLUMNS), pd.DataFrame(), None)


def names(shots):
    return [shot.name for shot in shots]


def test_the_surest_mistake_comes_first_with_both_labels_and_scores():
    found = sections.mistakes(run())
    assert names(found) == ["3.jpg", "2.jpg"]
    assert found[0].lines == ["ant 5%", "called bee 95%"]
    assert found[0].link == "../p/ant/3.jpg"
    assert sections.called(run(), found) == {"/p/ant/3.jpg": "bee", "/p/ant/2.jpg": "bee"}


def test_of_those_that_were_right_the_least_certain_comes_first():
    found = sections.unsure(run())
    assert names(found) == ["4.jpg", "1.jpg"]
    assert found[0].lines == ["bee 60%", "ant 40%"]


def test_labels_that_the_others_contradict_are_of_any_split():
    found, count = sections.doubts(run())
    assert names(found) == ["2.jpg", "5.jpg", "3.jpg"] and count == 3
    assert found[1].lines == ["labelled bee -0.10", "others say ant 0.50", "training"]


def test_a_cell_has_its_photos_and_its_share_of_the_row():
    (right, wrong), (none, bees) = sections.matrix(run())
    assert (right.number, wrong.number, none.number, bees.number) == (1, 2, 0, 1)
    assert wrong.share == 2 / 3 and names(wrong.shots) == ["3.jpg", "2.jpg"]
    assert (wrong.truth, wrong.predicted, wrong.anchor) == ("ant", "bee", "c0-1")


def test_copies_and_what_was_left_out_are_named():
    [group], count = sections.copies(run())
    assert [(one.name, one.lines) for one in group] == [
        ("1.jpg", ["ant", "testing"]), ("1.jpg", ["bee", "training"]),
    ]  # fmt: skip
    assert count == 1
    [lost], number = sections.left_out(run())
    assert (lost.name, lost.lines, number) == ("bee/6.jpg", ["no picture"], 1)


def test_of_several_labels_what_was_named_and_is_not_there_is_told():
    rows = [
        ("/p/1.jpg", "ant|bee", "1", "", "testing", "ant", 0.2, "", NAN, 0.4, "", NAN),
        ("/p/2.jpg", "", "2", "", "testing", "bee", NAN, "bee", 0.9, NAN, "bee", 0.8),
    ]
    several = run(rows, multi_label=True)
    assert sections.matrix(several) is None
    found = sections.mistakes(several)
    assert names(found) == ["2.jpg", "1.jpg"]
    assert found[0].lines == ["no label", "called bee", "bee 90%"]
    assert found[1].lines == ["ant, bee 20%", "called ant"]
    assert sections.called(several, found) == {"/p/2.jpg": "bee"}
    assert names(sections.doubts(several)[0]) == ["2.jpg", "1.jpg"]


def test_more_classes_than_can_be_looked_at_have_no_matrix(monkeypatch):
    monkeypatch.setattr(sections, "MOST_CLASSES", 1)
    assert sections.matrix(run()) is None
