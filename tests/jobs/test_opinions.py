"""The columns of photos.csv that tell of mistakes and of labels to check."""

import numpy as np
import pandas as pd
import pytest

from graphnets.jobs import opinions
from graphnets.jobs.opinions import with_doubts, with_scores
from graphnets.training.tune import Stored

LABELS = ["ant", "bee", "cat"]


def table(labels, splits, **more):
    count = len(labels)
    return pd.DataFrame(
        {
            "path": [f"{label}/{n}.jpg" for n, label in enumerate(labels)],
            "label": labels,
            "key": [str(n) for n in range(count)],
            "problem": "",
            "split": splits,
            **more,
        }
    )


def test_scores_are_of_the_test_photos_in_their_order():
    photos = table(["ant", "bee", "cat", "ant"], ["testing", "training", "testing", "testing"])
    scores = np.array([[0.7, 0.2, 0.1], [0.5, 0.1, 0.4], [0.1, 0.8, 0.1]])
    found = with_scores(photos, scores, LABELS)
    np.testing.assert_array_equal(found.label_score, [0.7, np.nan, 0.4, 0.1])
    assert found.rival.tolist() == ["bee", "", "ant", "bee"]
    np.testing.assert_array_equal(found.rival_score, [0.2, np.nan, 0.5, 0.8])


def drawn(swapped, **more):
    """90 photos in three clusters, in three splits, with variants behind the training photos."""
    random = np.random.default_rng(0)
    numbers = np.arange(90) % 3
    features = (random.normal(size=(90, 8)) + 6 * np.eye(3, 8)[numbers]).astype(np.float32)
    given = numbers.copy()
    given[swapped] = (given[swapped] + 1) % 3
    splits = np.where(np.arange(90) % 5 == 0, "testing", "training").astype(object)
    splits[np.arange(90) % 7 == 0] = "validation"
    photos = table([LABELS[n] for n in given], splits, **more)
    parts = []
    for name in ("training", "validation", "testing"):
        own = np.flatnonzero(splits == name)
        varied = random.normal(size=(5, 8)).astype(np.float32)
        rows = np.concatenate([features[own], varied]) if name == "training" else features[own]
        parts.append(Stored([rows[:, :4], rows[:, 4:]], None, given[own]))
    return photos, parts


def test_swapped_labels_are_contradicted_in_every_split():
    swapped = [0, 10, 13, 28]
    photos, parts = drawn(swapped)
    assert set(photos.split[swapped]) == {"training", "validation", "testing"}
    found = with_doubts(photos, parts, LABELS)
    margin = found.others_rival_score - found.others_score
    assert sorted(margin.nlargest(4).index) == swapped
    assert (margin.drop(swapped) < 0).all()
    assert found.others_say[0] == LABELS[0] and found.label[0] == LABELS[1]


def test_a_copy_under_the_same_wrong_label_is_no_witness():
    keys = [str(n) for n in range(90)]
    keys[6] = keys[3]
    photos, parts = drawn([3, 6], key=keys)
    found = with_doubts(photos, parts, LABELS)
    assert (found.others_rival_score > found.others_score)[[3, 6]].all()


@pytest.mark.parametrize(("limit", "most"), [("MOST", 90 * 8 - 1), ("MOST_PHOTOS", 89)])
def test_more_photos_than_can_be_compared_have_no_opinions(monkeypatch, limit, most):
    monkeypatch.setattr(opinions, limit, most)
    photos, parts = drawn([])
    said = []
    found = with_doubts(photos, parts, LABELS, said.append)
    assert found.others_score.isna().all() and (found.others_say == "").all()
    assert said == [
        "90 photos are more than are compared with each other (89): photos.csv does not say what "
        "the others say of the label of each"
    ]
    monkeypatch.setattr(opinions, limit, most + 8)
    assert with_doubts(photos, parts, LABELS, said.append).others_score.notna().all()
    assert len(said) == 1


def test_what_is_left_out_has_none():
    photos, parts = drawn([])
    lost = table(["ant"], [""]).assign(problem="no picture")
    found = with_doubts(pd.concat([lost, photos], ignore_index=True), parts, LABELS)
    assert np.isnan(found.others_score[0]) and found.others_say[0] == ""
    assert found.others_score[1:].notna().all()
