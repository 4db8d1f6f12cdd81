import numpy as np
import pytest

from graphnets.jobs.evaluate import evaluate


def test_figures_worked_out_by_hand():
    truth = np.array([0, 0, 0, 1, 1, 2])
    predicted = np.array([0, 0, 1, 1, 0, 0])
    found = evaluate(truth, predicted, ["a", "b", "c", "absent"])
    assert found["test_accuracy"] == 3 / 6
    assert found["test_count"] == 6
    assert found["confusion_matrix"] == [[2, 1, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    f1 = 2 * (2 / 4) * (2 / 3) / (2 / 4 + 2 / 3)
    expected = {"precision": 2 / 4, "recall": 2 / 3, "f1": f1, "count": 3}
    assert found["per_class"]["a"] == pytest.approx(expected)
    assert found["per_class"]["c"] == {"precision": 0, "recall": 0, "f1": 0, "count": 1}
    assert found["per_class"]["absent"]["count"] == 0


def test_without_test_photos_there_is_no_accuracy():
    found = evaluate(np.array([], int), np.array([], int), ["a", "b"])
    assert found["test_accuracy"] is None
    assert found["test_count"] == 0
    assert found["confusion_matrix"] == [[0, 0], [0, 0]]
