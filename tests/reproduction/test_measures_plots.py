"""Figures of the studies of SS_rate and of box covering show what they are given."""

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex

from reproduction.covering.draw import plot_boxes, plot_covers, plot_graph_boxes
from reproduction.sensitivity.draw import plot_factors, plot_graph_profile, plot_layers
from reproduction.style import FAMILY_COLOURS


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_layers_are_points_in_the_colour_of_their_family():
    table = pd.DataFrame(
        {
            "family": ["cnn", "mlp", "cnn"],
            "ss_rate": [0.1, 0.2, 0.3],
            "width": [1.0, 10, 100],
            "D": [1, 2, 3],
        }
    )
    figure = plot_layers(table, "ss_rate", {"width": "wide", "D": "channels"}, log=["width"])
    first, second = figure.axes
    cnn, mlp = first.collections
    assert np.asarray(cnn.get_offsets()) == pytest.approx(np.array([[1, 0.1], [100, 0.3]]))
    assert to_hex(mlp.get_facecolor()[0]).upper() == FAMILY_COLOURS["mlp"]
    assert (first.get_xscale(), second.get_xscale()) == (
        "log",
        "linear",
    ) and second.get_xlabel() == "channels"


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


def test_factors_have_a_line_per_model_and_a_band_where_there_is_an_interval():
    rows = [
        {
            "model": "R",
            "family": "cnn",
            "module": "layer3",
            "factor": "B",
            "value": str(b),
            "released": b / 1000,
            "released, low": b / 1000 - 0.01,
            "released, high": b / 1000 + 0.01,
        }
        for b in (64, 16, 256)
    ]
    figure = plot_factors(pd.DataFrame(rows), {"B": "images B"}, ["released"])
    (axis,) = figure.axes
    (line,) = axis.lines
    assert line.get_xdata() == pytest.approx([16, 64, 256]) and line.get_ydata() == pytest.approx(
        [0.016, 0.064, 0.256]
    )
    band = axis.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == pytest.approx(0.006) and band[:, 1].max() == pytest.approx(0.266)
    assert [tick.get_text() for tick in axis.get_xticklabels()] == ["20", "50", "100", "200"]
    assert axis.get_title() == "released" and axis.get_xlabel() == "images B"


def test_graph_profiles_tell_features_from_noise():
    rows = [
        {"model": "R", "family": "cnn", "of": of, "density": d, "sigma": s + d}
        for of, s in (("features", 2), ("gaussian", 1))
        for d in (0.1, 0.5)
    ]
    (axis,) = plot_graph_profile(pd.DataFrame(rows), {"sigma": "small world"}).axes
    solid, dashed, one = axis.lines
    assert solid.get_ydata() == pytest.approx([2.1, 2.5]) and dashed.get_ydata() == pytest.approx(
        [1.1, 1.5]
    )
    assert (solid.get_linestyle(), dashed.get_linestyle()) == ("-", "--") and one.get_ydata()[
        0
    ] == 1


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
