"""Figures of training with and without the constraint."""

from __future__ import annotations

import math
from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reproduction.stats import mean_interval
from reproduction.style import FAMILY_COLOURS, GREY, INK


def plot_differences(differences: pd.DataFrame, *, label: str = "top-1, points") -> Figure:
    """Paired differences, a row per model: a dot per pair, and the mean with its 95 % interval (t).

    differences: columns model, family, difference, as of ``constraint_grid.paired``.
    """
    names = list(dict.fromkeys(differences["model"]))[::-1]
    figure, axis = plt.subplots(figsize=(6.4, 0.6 * len(names) + 1.1))
    axis.axvline(0, color=GREY, linestyle="--", linewidth=1)
    for height, name in enumerate(names):
        part = differences[differences["model"] == name]
        values, colour = part["difference"].to_numpy(), FAMILY_COLOURS[part["family"].iloc[0]]
        spread = np.linspace(-0.12, 0.12, len(values)) if len(values) > 1 else [0.0]
        axis.scatter(
            values, height + 0.22 + np.asarray(spread), s=16, color=colour, alpha=0.6, linewidths=0
        )
        mean, low, high, n = mean_interval(values)
        if n > 1:
            axis.plot([low, high], [height, height], color=colour, linewidth=2)
        axis.plot(mean, height, marker="D", ms=6, color=colour)
    axis.set(
        yticks=range(len(names)),
        yticklabels=names,
        xlabel=f"constrained - baseline, {label}",
        ylim=(-0.6, len(names) - 0.3),
    )
    axis.grid(False, axis="y")
    return figure


def plot_histories(histories: pd.DataFrame) -> Figure:
    """SS_rate (left) and test accuracy (right) over epochs, a row per model, a line per arm with a
    band of one std.

    histories: of ``constraint_grid.histories``. The constrained arm is dashed, so that equal lines
    stay visible.
    """
    names = list(dict.fromkeys(histories["model"]))
    columns = {"ss_rate_train": "SS_rate", "test": "test top-1, %"}
    figure, axes = plt.subplots(
        len(names), 2, figsize=(6.6, 1.9 * len(names) + 0.7), squeeze=False, sharex=True
    )
    for row, name in zip(axes, names):
        part = histories[histories["model"] == name]
        for axis, (quantity, label) in zip(row, columns.items()):
            for arm, own in part.groupby("arm", sort=True):
                drawn = own.groupby("epoch")[quantity].agg(["mean", "std"])
                colour = FAMILY_COLOURS[own["family"].iloc[0]] if arm != "baseline" else INK
                axis.plot(
                    drawn.index,
                    drawn["mean"],
                    color=colour,
                    ls="-" if arm == "baseline" else "--",
                    linewidth=1.8,
                    label=arm,
                )
                axis.fill_between(
                    drawn.index,
                    drawn["mean"] - drawn["std"],
                    drawn["mean"] + drawn["std"],
                    color=colour,
                    alpha=0.13,
                    linewidth=0,
                )
            axis.set(title=name, ylabel=label)
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        row[1].legend(loc="lower right", fontsize=9)
    for axis in axes[-1]:
        axis.set_xlabel("epoch")
    return figure


def plot_gradient_ratios(histories: pd.DataFrame, *, columns: int = 2) -> Figure:
    """The penalty's gradient over the task's, over epochs and on a logarithmic axis: a panel per
    model, a line per arm.

    histories: of ``constraint_grid.histories``, arms with a penalty; ratios of 0, as with damping
    0, are not drawn.
    """
    names = list(dict.fromkeys(histories["model"]))
    rows, across = math.ceil(len(names) / columns), min(columns, len(names))
    figure, axes = plt.subplots(
        rows,
        across,
        figsize=(3.3 * across, 2.3 * rows + 0.8),
        squeeze=False,
        sharex=True,
        sharey=True,
    )
    arms = histories.groupby("arm")["gradient_ratio"].median().sort_values().index
    shades = dict(zip(arms, plt.get_cmap("viridis")(np.linspace(0, 0.85, max(2, len(arms))))))
    for axis, name in zip(axes.flat, names):
        part = histories[(histories["model"] == name) & (histories["gradient_ratio"] > 0)]
        for arm in dict.fromkeys(part["arm"]):
            median = part[part["arm"] == arm].groupby("epoch")["gradient_ratio"].median()
            axis.plot(
                median.index,
                median,
                color=shades[arm],
                ls=":" if arm.startswith("placebo") else "-",
                label=arm,
            )
        axis.axhline(1, color=GREY, linestyle="--", linewidth=1)
        axis.set(title=name, xlabel="epoch", yscale="log")
        axis.tick_params(labelbottom=True)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axis in axes.flat[len(names) :]:
        axis.set_visible(False)
    for axis in axes[:, 0]:
        axis.set_ylabel("gradient ratio")
    lines = {
        label: line for axis in axes.flat for line, label in zip(*axis.get_legend_handles_labels())
    }
    order = [arm for arm in arms if arm in lines]
    figure.legend(
        [lines[arm] for arm in order], order, loc="outside lower center", ncols=3, fontsize=9
    )
    return figure


def plot_doses(doses: pd.DataFrame, families: Mapping[str, str]) -> Figure:
    """What alpha does to the modules' distance from their target (left) and to accuracy (right),
    against the baseline; open squares: placebo.

    doses: of ``constraint_grid.dose_response``; families: name of the model -> family.
    """
    figure, axes = plt.subplots(1, 2, figsize=(6.6, 3.4))
    for (model, penalty), part in doses.groupby(level=["model", "penalty"], sort=False):
        alpha = part.index.get_level_values("alpha").to_numpy(float) * (
            1.12 if penalty == "placebo" else 1
        )
        placebo = penalty == "placebo"
        colour = FAMILY_COLOURS[families[model]]
        style = {
            "color": colour,
            "marker": "s" if placebo else "o",
            "ms": 6,
            "ls": "" if placebo else "-",
            "mfc": "white" if placebo else colour,
            "label": f"{model}, {penalty}",
        }
        axes[0].plot(alpha, -part["nearer"], **style)
        error = np.abs(part[["low", "high"]].to_numpy().T - part["top-1"].to_numpy())
        axes[1].errorbar(alpha, part["top-1"], yerr=error, capsize=2, linewidth=1, **style)
    for axis, label in zip(
        axes, (r"distance from $\gamma$ against baseline", "top-1 against baseline, points")
    ):
        axis.axhline(0, color=GREY, linestyle="--", linewidth=1)
        axis.set(xscale="log", xlabel=r"$\alpha$", ylabel=label)
    figure.legend(
        *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=9
    )
    return figure
