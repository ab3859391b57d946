"""Figures of training with and without the constraint."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reproduction.stats import mean_interval
from reproduction.style import FAMILY_COLOURS, GREY, INK


def plot_differences(
    differences: pd.DataFrame, judged: pd.DataFrame, *, label: str = "top-1, points"
) -> Figure:
    """Paired differences, a row per model: a dot per pair, pale where it is not judged; the mean of
    those that are with its 95 % interval (t).

    Args:
        differences: columns model, family, seed, difference, as of ``pairs.paired``.
        judged: those of them that ``pairs.judged`` keeps.
        label: what the differences are of.
    """
    models = list(dict.fromkeys(differences["model"]))[::-1]
    figure, axis = plt.subplots(figsize=(6.4, 0.6 * len(models) + 1.1))
    axis.axvline(0, color=GREY, linestyle="--", linewidth=1)
    for height, model in enumerate(models):
        part = differences[differences["model"] == model]
        values, colour = part["difference"].to_numpy(), FAMILY_COLOURS[part["family"].iloc[0]]
        spread = np.linspace(-0.12, 0.12, len(values)) if len(values) > 1 else np.zeros(1)
        own = judged[judged["model"] == model]
        alpha = np.where(part["seed"].isin(own["seed"]), 0.9, 0.25)
        axis.scatter(values, height + 0.22 + spread, s=16, color=colour, alpha=alpha, linewidths=0)
        if len(own) > 1:
            mean, low, high, _ = mean_interval(own["difference"])
            axis.plot([low, high], [height, height], color=colour, linewidth=2)
            axis.plot(mean, height, marker="D", ms=6, color=colour)
    axis.set(
        yticks=range(len(models)),
        yticklabels=models,
        xlabel=f"constrained - baseline, {label}",
        ylim=(-0.6, len(models) - 0.3),
    )
    axis.grid(False, axis="y")
    return figure


def plot_histories(histories: pd.DataFrame) -> Figure:
    """SS_rate (left) and test accuracy (right) over epochs, a row per model, a line per arm with a
    band of one std.

    Args:
        histories: of ``read.histories``. The constrained arm is dashed, so that equal lines stay
            visible.
    """
    models = list(dict.fromkeys(histories["model"]))
    columns = {"ss_rate_train": "SS_rate", "test": "test top-1, %"}
    size = 6.6, 1.9 * len(models) + 0.7
    figure, axes = plt.subplots(len(models), 2, figsize=size, squeeze=False, sharex=True)
    for row, model in zip(axes, models, strict=True):
        part = histories[histories["model"] == model]
        colour = FAMILY_COLOURS[part["family"].iloc[0]]
        for axis, (quantity, label) in zip(row, columns.items(), strict=True):
            for arm, own in part.groupby("arm", sort=True):
                first = arm == "baseline"
                sns.lineplot(
                    own,
                    x="epoch",
                    y=quantity,
                    errorbar="sd",
                    color=INK if first else colour,
                    linestyle="-" if first else "--",
                    linewidth=1.8,
                    err_kws={"alpha": 0.13, "linewidth": 0},
                    label=arm,
                    legend=False,
                    ax=axis,
                )
            axis.set(title=model, xlabel="", ylabel=label)
        row[1].legend(loc="lower right", fontsize=9)
    for axis in axes.flat:
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axis in axes[-1]:
        axis.set_xlabel("epoch")
    return figure


def plot_gradient_ratios(histories: pd.DataFrame, *, columns: int = 2) -> Figure:
    """The penalty's gradient over the task's, over epochs and on a logarithmic axis: a panel per
    model, a line per arm.

    Args:
        histories: of ``read.histories``, arms with a penalty; ratios of 0, as with damping 0, are
            not drawn.
        columns: panels side by side.
    """
    models = list(dict.fromkeys(histories["model"]))
    rows, across = math.ceil(len(models) / columns), min(columns, len(models))
    size = 3.3 * across, 2.3 * rows + 0.8
    figure, axes = plt.subplots(rows, across, figsize=size, squeeze=False, sharex=True, sharey=True)
    arms = list(histories.groupby("arm")["gradient_ratio"].median().sort_values().index)
    shades = plt.get_cmap("viridis")(np.linspace(0, 0.85, max(2, len(arms))))
    colours = dict(zip(arms, shades[: len(arms)], strict=True))
    positive = histories[histories["gradient_ratio"] > 0]
    for axis, model in zip(axes.flat, models, strict=False):
        for arm, part in positive[positive["model"] == model].groupby("arm", sort=False):
            median = part.groupby("epoch")["gradient_ratio"].median()
            style = ":" if arm.startswith("placebo") else "-"
            axis.plot(median.index, median, color=colours[arm], linestyle=style, label=arm)
        axis.axhline(1, color=GREY, linestyle="--", linewidth=1)
        axis.set(title=model, xlabel="epoch", yscale="log")
        axis.tick_params(labelbottom=True)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axis in axes.flat[len(models) :]:
        axis.set_visible(False)
    for axis in axes[:, 0]:
        axis.set_ylabel("gradient ratio")
    _legend_below(figure, axes.flat, arms, columns=3)
    return figure


_MARKERS = {"constrained": "o", "released": "D", "placebo": "s", "wrong": "v", "yoked": "P"}


def plot_doses(doses: pd.DataFrame) -> Figure:
    """What alpha does to the modules' distance from their target (left) and to accuracy (right),
    against the baseline: dots and lines for the printed form, full diamonds for the released one,
    open marks for controls.

    Args:
        doses: of ``pairs.dose_response``.
    """
    figure, axes = plt.subplots(1, 2, figsize=(6.6, 3.4))
    for (model, penalty), part in doses.groupby(level=["model", "penalty"], sort=False):
        kind, colour = penalty.partition(":")[0], FAMILY_COLOURS[part["family"].iloc[0]]
        control = kind not in ("constrained", "released")
        alpha = part.index.get_level_values("alpha").to_numpy(float) * (1.12 if control else 1)
        style = {
            "color": colour,
            "marker": _MARKERS[kind],
            "ms": 6,
            "ls": "-" if kind == "constrained" else "",
            "mfc": "white" if control else colour,
            "label": f"{model}, {penalty}",
        }
        axes[0].plot(alpha, -part["nearer"], **style)
        axes[1].errorbar(alpha, part["top-1"], part["std"], capsize=2, linewidth=1, **style)
    labels = r"distance from $\gamma$ against baseline", "top-1 against baseline, points"
    for axis, label in zip(axes, labels, strict=True):
        axis.axhline(0, color=GREY, linestyle="--", linewidth=1)
        axis.set(xscale="log", xlabel=r"$\alpha$", ylabel=label)
    _legend_below(figure, axes[:1], axes[0].get_legend_handles_labels()[1], columns=2)
    return figure


def _legend_below(
    figure: Figure, axes: Sequence[Axes], order: Sequence[Hashable], *, columns: int
) -> None:
    """One legend under the panels, of what any of them has drawn, in the given order."""
    lines = {
        label: line
        for axis in axes
        for line, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    labels = [label for label in order if label in lines]
    handles = [lines[label] for label in labels]
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, fontsize=9)
