"""Figures of what moves SS_rate show what they are given."""

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex

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
    figure = plot_layers(table, {"width": "wide", "D": "channels"}, y="ss_rate", log=["width"])
    first, second = figure.axes
    (points,) = (marks for marks in first.collections if len(marks.get_offsets()))
    offsets, colours = np.asarray(points.get_offsets()), points.get_facecolor()
    assert offsets == pytest.approx(np.array([[1, 0.1], [10, 0.2], [100, 0.3]]))
    families = [to_hex(colour).upper() for colour in colours]
    assert families == [FAMILY_COLOURS[family] for family in table["family"]]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["convolution", "MLP"]
    assert (first.get_xscale(), second.get_xscale()) == (
        "log",
        "linear",
    ) and second.get_xlabel() == "channels"


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
    solid, dashed, one = (line for line in axis.lines if len(line.get_xdata()))
    assert solid.get_ydata() == pytest.approx([2.1, 2.5]) and dashed.get_ydata() == pytest.approx(
        [1.1, 1.5]
    )
    assert (solid.get_linestyle(), dashed.get_linestyle()) == ("-", "--") and one.get_ydata()[
        0
    ] == 1
