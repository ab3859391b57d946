"""Figures of boxes and covers show what they are given."""

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pytest
from matplotlib import pyplot as plt

from reproduction.covering.draw import plot_boxes, plot_covers, plot_graph_boxes


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_the_still_picture_has_a_panel_per_threshold_and_the_curves_below():
    counts = {name: [4, 2, 1] for name in ("released", "printed", "lower", "upper")}
    figure = plot_boxes(
        np.eye(4)[:, :2], {"near": [[0, 1, 2], [3]], "far": [[0, 1, 2, 3]]}, counts, [1]
    )
    near, far, curves = figure.axes
    assert [axis.get_title() for axis in (near, far)] == ["near", "far"]
    assert (len(near.patches), len(far.patches)) == (2, 1)
    drawn = {line.get_label(): line for line in curves.lines}
    assert drawn["released"].get_ydata() == pytest.approx(np.log([4, 2, 1])) and drawn[
        "line (Eq. 4)"
    ].get_ydata() == pytest.approx([np.log(4), 0])


def test_covers_show_both_curves_and_the_band_between_the_bounds():
    curve = {
        "D": 8,
        "theta": [0.0, 1.0, 3.0],
        "lower": [8, 2, 1],
        "upper": [8, 4, 1],
        "released": [8.0, 5.0, 1.0],
        "printed": [8.0, 7.0, 1.0],
    }
    (axis,) = plot_covers({"layer": curve}).axes
    line, printed, released = axis.lines
    assert released.get_ydata() == pytest.approx(
        np.log([8, 5, 1])
    ) and printed.get_ydata() == pytest.approx(np.log([8, 7, 1]))
    assert line.get_ydata() == pytest.approx([np.log(8), 0])
    band = axis.collections[0].get_paths()[0].vertices
    assert {round(y, 6) for y in band[band[:, 0] == np.log(2), 1]} == {
        round(np.log(2), 6),
        round(np.log(4), 6),
    }


def test_graph_boxes_have_a_line_only_where_a_power_law_is_claimed():
    sizes = [2, 5, 10, 20]
    found = {
        "sizes": sizes,
        "boxes": [1 + 1000 // s for s in sizes],
        "window": [5, 20],
        "slope": 1.0,
        "reason": "",
    }
    none = found | {"reason": "an exponential fits as well"}
    claimed, refused = plot_graph_boxes({"a": {"colouring": found}, "b": {"colouring": none}}).axes
    assert claimed.lines[0].get_xdata() == pytest.approx([5, 10, 20])
    assert claimed.lines[0].get_ydata() == pytest.approx([201, 101, 51], rel=1e-6)
    assert not refused.lines and len(refused.collections[0].get_offsets()) == 4
