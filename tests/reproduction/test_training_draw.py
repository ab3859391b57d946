"""Figures of training: an arm per line, a panel per network."""

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from reproduction.style import FAMILY_COLOURS
from reproduction.training.draw import plot_doses, plot_gradient_ratios, plot_histories


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


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


def test_doses_have_a_mark_per_kind_of_arm():
    keys = [("ResMLP", kind, 0.05) for kind in ("constrained", "released", "wrong", "placebo")]
    row = {"family": "mlp", "nearer": 0.01, "top-1": 1.0, "std": 0.5}
    index = pd.MultiIndex.from_tuples(keys, names=["model", "penalty", "alpha"])
    figure = plot_doses(pd.DataFrame([row] * len(keys), index=index))
    lines = {line.get_label(): line for line in figure.axes[0].get_lines()}
    marks = {label: lines[f"ResMLP, {label}"].get_marker() for _, label, _ in keys}
    assert marks == {"constrained": "o", "released": "D", "wrong": "v", "placebo": "s"}
    assert lines["ResMLP, released"].get_markerfacecolor() == FAMILY_COLOURS["mlp"]
    assert lines["ResMLP, wrong"].get_markerfacecolor() == "white"
    np.testing.assert_allclose(lines["ResMLP, released"].get_ydata(), [-0.01])
