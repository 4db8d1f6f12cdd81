import numpy as np
from PIL import Image

from graphnets.report.plots import Curve, validation_curves

CURVES = {
    "fc8": Curve([10, 20, 30], [2.0, 1.5, 1.2], [0.2, 0.4, 0.5]),
    "conv5": Curve([10, 20, 30], [1.8, 1.1, 0.9], [0.3, 0.6, 0.7]),
}


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def coloured(picture, colour):
    """How many pixels of the left and of the right half are close to the colour."""
    near = np.abs(picture - colour).max(axis=-1) < 8
    half = picture.shape[1] // 2
    return near[:, :half].sum(), near[:, half:].sum()


BLUE, ORANGE = (31, 119, 180), (255, 127, 14)  # the first two of Matplotlib's colours


def test_each_curve_is_a_line_of_its_own_in_both_panels(tmp_path):
    validation_curves(CURVES, tmp_path / "both.png")
    validation_curves({"fc8": CURVES["fc8"]}, tmp_path / "one.png")
    both, one = (pixels(tmp_path / f"{name}.png") for name in ("both", "one"))
    assert both.shape == one.shape == (504, 1200, 3)
    for colour in (BLUE, ORANGE):
        assert min(coloured(both, colour)) > 300
    assert min(coloured(one, BLUE)) > 300
    assert coloured(one, ORANGE) == (0, 0)


def test_losses_move_the_right_panel_only_and_accuracies_the_left(tmp_path):
    validation_curves(CURVES, tmp_path / "a.png")
    other = {name: curve._replace(losses=[2.0, 0.1, 1.9]) for name, curve in CURVES.items()}
    validation_curves(other, tmp_path / "b.png")
    a, b = (pixels(tmp_path / f"{name}.png") for name in "ab")
    assert (a[:, :590] == b[:, :590]).all()
    assert (a[:, 610:] != b[:, 610:]).any()


def test_a_plot_without_validation_takes_the_old_ones_place(tmp_path):
    path = tmp_path / "plot.png"
    validation_curves(CURVES, path)
    validation_curves({"fc8": Curve([], [], [])}, path)
    left, right = coloured(pixels(path), BLUE)
    assert left < 300 and right == 0  # the line in the legend is all there is
    assert list(tmp_path.iterdir()) == [path]  # nothing temporary is left
