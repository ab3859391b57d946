"""Figures show what they are given: panels, curves and signs, not only that nothing crashes."""

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex

from reproduction.invariance.draw import (
    plot_against_paper,
    plot_correlation_integrals,
    plot_invariance_layers,
    plot_spectra,
)
from reproduction.ss_rate.draw import (
    plot_adjacency,
    plot_box_curves,
    plot_distances,
    plot_positions,
    plot_profiles,
)
from reproduction.style import FAMILY_COLOURS
from reproduction.training.draw import plot_gradient_ratios, plot_histories
from sslib import adjacency, box_curve, correlation_dimension, pair_distances, powerlaw_exponent


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture
def F():
    return torch.randn(12, 5, generator=torch.Generator().manual_seed(0))


def test_distances_are_sorted_by_their_mean(F):
    C = pair_distances(F)
    axis = plot_distances({"layer": C}).axes[0]
    drawn = np.asarray(axis.images[0].get_array())
    assert (np.diff(drawn.mean(0)) >= 0).all()
    assert np.sort(drawn.ravel()) == pytest.approx(np.sort(C.numpy().ravel()))


def test_adjacency_draws_each_edge_once_and_marks_the_lonely(F):
    A = adjacency(F, pair_distances(F)[0, 1:].min().item() * 5**0.5 * 1.01)
    figure = plot_adjacency({"layer": F[:, :2]}, {"layer": {"eps": A}})
    assert (figure.axes[0].get_title(), figure.axes[0].get_ylabel()) == ("eps", "layer")
    lines, joined, lonely = figure.axes[0].collections
    assert len(lines.get_segments()) == A.sum() / 2
    assert (
        len(joined.get_offsets()) == A.any(0).sum()
        and len(lonely.get_offsets()) == (~A.any(0)).sum()
    )


def test_positions_take_colour_from_the_family_and_marker_from_the_state(F):
    place = F[:, :2].numpy()
    panels = {"a": {"untrained": place, "trained": place + 1}, "b": {"untrained": place}}
    figure = plot_positions(panels, {"a": "cnn", "b": "mlp"}, {"b": "note"})
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
    curves = {formula: box_curve(F, formula=formula) for formula in ("released", "printed")}
    figure = plot_box_curves({"layer": curves})
    for axis, curve in zip(figure.axes, curves.values()):
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


def runs_of(*models):
    """Histories of two seeds: the constrained arm lies a tenth above the baseline."""
    rows = []
    for model, family in models:
        for arm, alpha, lift in (("baseline", 0.0, 0.0), ("constrained", 1e-4, 0.1)):
            for seed in (0, 1):
                rows += [
                    {
                        "model": model,
                        "family": family,
                        "arm": arm,
                        "alpha": alpha,
                        "seed": seed,
                        "epoch": epoch,
                        "ss_rate_train": 0.1 * epoch + lift + 0.02 * seed,
                        "test": 10.0 * epoch,
                        "gradient_ratio": alpha * epoch,
                    }
                    for epoch in (1, 2, 3)
                ]
    return pd.DataFrame(rows)


def test_histories_have_a_row_per_model_and_the_mean_over_seeds():
    figure = plot_histories(runs_of(("ResMLP", "mlp"), ("ResNet34", "cnn")))
    assert len(figure.axes) == 4
    left = figure.axes[0]
    baseline, constrained = left.get_lines()
    np.testing.assert_allclose(constrained.get_ydata() - baseline.get_ydata(), 0.1)
    np.testing.assert_allclose(baseline.get_ydata(), [0.11, 0.21, 0.31])
    assert constrained.get_color() == FAMILY_COLOURS["mlp"] and constrained.get_linestyle() == "--"
    assert figure.axes[2].get_title() == "ResNet34" and len(left.collections) == 2


def test_gradient_ratios_leave_out_what_has_no_penalty():
    histories = runs_of(("ResMLP", "mlp"), ("ResNet34", "cnn"), ("ViT", "attention"))
    figure = plot_gradient_ratios(histories[histories["alpha"] > 0])
    shown = [axis for axis in figure.axes if axis.get_visible()]
    assert [axis.get_title() for axis in shown] == ["ResMLP", "ResNet34", "ViT"]
    lines = [line for line in shown[1].get_lines() if line.get_label() == "constrained"]
    np.testing.assert_allclose(lines[0].get_ydata(), [1e-4, 2e-4, 3e-4])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["constrained"]
