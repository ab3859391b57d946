"""Figures of Tables 4 and 5: what was fitted, and the paper beside ours."""

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from reproduction.invariance.draw import (
    plot_against_paper,
    plot_correlation_integrals,
    plot_invariance_layers,
    plot_spectra,
)
from sslib import correlation_dimension, powerlaw_exponent


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_spectra_are_drawn_with_the_tail_that_was_fitted():
    values = 1 + np.random.default_rng(0).pareto(1.5, 200)
    fit = powerlaw_exponent(values, estimator="released")
    figure = plot_spectra({"layer1": {"released": (values, fit)}})
    (axis,) = figure.axes
    assert axis.get_title() == "layer1, released"
    dots, line = axis.lines
    assert np.asarray(dots.get_xdata()) == pytest.approx(np.sort(values)[::-1])
    assert np.asarray(dots.get_ydata())[[0, -1]] == pytest.approx([1 / 200, 1])
    x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
    assert x[0] == pytest.approx(fit.x_min) and y[0] == pytest.approx(fit.n_tail / fit.n)
    assert np.diff(np.log(y)) / np.diff(np.log(x)) == pytest.approx(
        1 - fit.exponent
    )  # P(λ >= x) of a density x^-γ
    assert f"{fit.exponent:.2f}" in axis.texts[0].get_text()


def test_correlation_integrals_show_the_region_and_its_line():
    fit = correlation_dimension(np.random.default_rng(0).random((300, 2)))
    figure = plot_correlation_integrals({layer: {"printed": fit} for layer in "ab"})
    assert [axis.get_title() for axis in figure.axes] == ["a, printed", "b, printed"]
    dots, line = figure.axes[0].lines
    assert np.asarray(dots.get_ydata()) == pytest.approx(fit.integral)
    x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
    assert x == pytest.approx(fit.region) and np.diff(np.log(y)) / np.diff(
        np.log(x)
    ) == pytest.approx(fit.dimension)
    assert y[1] == pytest.approx(np.interp(x[1], fit.radii, fit.integral), rel=0.2)


def test_measured_values_stand_beside_the_printed_ones_in_the_order_of_these():
    rows = [
        ("VGG", "cifar10", 0.8, 0.4, np.nan),
        ("ViT", "cifar10", 0.15, 0.3, 0.05),
        ("VGG", "cifar100", 0.6, np.nan, np.nan),
    ]
    table = pd.DataFrame(rows, columns=["model", "images", "paper", "ours", "std"]).assign(
        way="printed"
    )
    figure = plot_against_paper(table, {"ViT": "attention", "VGG": "cnn"}, ["printed"])
    (axis,) = figure.axes  # nothing was run on CIFAR-100
    assert [label.get_text() for label in axis.get_yticklabels()] == ["ViT", "VGG"]
    assert [tuple(np.ravel(bars.lines[0].get_data())) for bars in axis.containers] == [
        (0.3, 0),
        (0.4, 1),
    ]
    assert [bars.has_xerr for bars in axis.containers] == [True, False]
    (paper,) = (line for line in axis.lines if line.get_marker() == "o")
    assert list(paper.get_xdata()) == [0.15, 0.8] and list(paper.get_ydata()) == [0, 1]
    joined = [
        line.get_xdata()
        for line in axis.lines
        if line.get_marker() == "None" and len(line.get_xdata()) == 2
    ]
    assert sorted(map(tuple, joined)) == [(0.15, 0.3), (0.8, 0.4)]


def test_invariance_of_layers_is_the_mean_over_seeds_beside_the_band_of_noise():
    rows = [
        ("ViT", "attention", "cifar10", s, d, 1.0 + d + 0.2 * s, 50.0 + d)
        for s in (0, 1)
        for d in (0.0, 1.0)
    ]
    columns = ["model", "family", "images", "seed", "depth", "exponent", "null_exponent"]
    layers = pd.DataFrame(rows, columns=columns).assign(way="printed")
    options = {"null": "null_exponent", "log": True}
    (axis,) = plot_invariance_layers(layers, "exponent", "γ", ["printed"], **options).axes
    assert (
        np.asarray(axis.lines[0].get_ydata()) == pytest.approx([1.1, 2.1])
        and axis.get_yscale() == "log"
    )
    band = axis.patches[0]
    assert (band.get_y(), band.get_height()) == (50, 1)
    (axis,) = plot_invariance_layers(layers, "exponent", "γ", ["printed"], log=True).axes
    assert axis.get_yscale() == "linear" and not axis.patches
