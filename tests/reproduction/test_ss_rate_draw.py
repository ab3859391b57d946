"""Figures show what they are given: panels, curves and signs, not only that nothing crashes."""

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex

from reproduction.ss_rate.draw import (
    plot_adjacency,
    plot_box_curves,
    plot_distances,
    plot_positions,
    plot_profiles,
)
from reproduction.ss_rate.figure_2 import ChannelMap
from reproduction.ss_rate.live import box_curves
from reproduction.style import FAMILY_COLOURS
from sslib import adjacency, box_curve, pair_distances


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture
def F():
    return torch.randn(12, 5, generator=torch.Generator().manual_seed(0))


def channels(family, **positions):
    """A panel of Figure 2 with the channels at the given positions."""
    return ChannelMap(family, positions, 0.1, dict.fromkeys(positions, 2.0), 4)


def test_distances_are_sorted_by_their_mean(F):
    C = pair_distances(F)
    axis = plot_distances({"layer": C}).axes[0]
    drawn = np.asarray(axis.images[0].get_array())
    assert (np.diff(drawn.mean(0)) >= 0).all()
    assert np.sort(drawn.ravel()) == pytest.approx(np.sort(C.numpy().ravel()))


def test_adjacency_draws_each_edge_once_and_marks_the_lonely(F):
    A = adjacency(F, pair_distances(F)[0, 1:].min().item() * 5**0.5 * 1.01)
    maps = {"layer": (channels("cnn", untrained=F[:, :2].numpy()),)}
    figure = plot_adjacency(maps, {"layer": {"eps": A}})
    assert (figure.axes[0].get_title(), figure.axes[0].get_ylabel()) == ("eps", "layer")
    lines, joined, lonely = figure.axes[0].collections
    assert len(lines.get_segments()) == A.sum() / 2
    assert (
        len(joined.get_offsets()) == A.any(0).sum()
        and len(lonely.get_offsets()) == (~A.any(0)).sum()
    )


def test_positions_take_colour_from_the_family_and_marker_from_the_state(F):
    place = F[:, :2].numpy()
    both, one = (
        channels("cnn", untrained=place, trained=place + 1),
        channels("mlp", untrained=place),
    )
    figure = plot_positions({"a": (both, one), "b": (one,)}, {"b": "note"})
    a, b = figure.axes
    assert [to_hex(c.get_edgecolor()[0]).upper() for c in (*a.collections, *b.collections)] == [
        FAMILY_COLOURS["cnn"],
        FAMILY_COLOURS["cnn"],
        FAMILY_COLOURS["mlp"],
    ]
    assert np.asarray(a.collections[1].get_offsets()) == pytest.approx(place + 1)
    assert b.get_xlabel() == "note"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["untrained", "trained"]


def test_box_curves_show_curve_line_and_value(F):
    figure = plot_box_curves(box_curves({"layer": F, "other": 2 * F}))
    curves = [box_curve(G, formula=f) for G in (F, 2 * F) for f in ("released", "printed")]
    titles = [f"{layer}, {f}" for layer in ("layer", "other") for f in ("released", "printed")]
    assert [axis.get_title() for axis in figure.axes] == titles
    for axis, curve in zip(figure.axes, curves, strict=True):
        line, boxes = axis.lines
        assert boxes.get_ydata() == pytest.approx(curve.boxes.log().numpy())
        assert line.get_ydata() == pytest.approx(curve.reference.numpy())
        assert axis.texts[0].get_text() == f"SS_rate = {float(curve.ss_rate):.3f}"


def test_profiles_have_a_panel_per_family_and_formula_and_a_band_over_seeds():
    rows = [
        {
            "model": m,
            "family": f,
            "module": d,
            "depth": d,
            "formula": q,
            "ss_rate": 0.1 * s + 0.2 * d,
            "seed": s,
        }
        for m, f in (("V", "attention"), ("R", "cnn"), ("S", "cnn"))
        for d in (0, 0.5, 1)
        for q in ("released", "printed")
        for s in (0, 1)
    ]
    figure = plot_profiles(pd.DataFrame(rows))
    assert len(figure.axes) == 4
    attention, _, convolution, printed = figure.axes
    assert printed.get_title() == "convolution, printed"
    assert attention.lines[0].get_ydata() == pytest.approx([0.05, 0.15, 0.25])
    assert (
        len(convolution.lines) == 2
        and len({line.get_linestyle() for line in convolution.lines}) == 2
    )
    band = attention.collections[0].get_paths()[0].vertices[:, 1]
    assert band.max() - 0.25 == pytest.approx(np.std([0, 0.1], ddof=1))
