"""Figures of the paper's own numbers."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reproduction.style import FAMILY_COLOURS, FAMILY_LABELS, GREY, INK


def plot_gains(gains: pd.DataFrame) -> Figure:
    """Table 3 as differences: gain and 95 % interval per model, a panel per data set; filled where
    significant.

    Args:
        gains: ``audit.comparisons()``.
    """
    datasets = list(dict.fromkeys(gains.index.get_level_values("dataset")))
    order = list(dict.fromkeys(gains.index.get_level_values("model")))[::-1]
    size = (1.8 * len(datasets) + 0.9, 3.4)
    figure, axes = plt.subplots(1, len(datasets), figsize=size, sharey=True, sharex=True)
    for axis, dataset in zip(axes, datasets, strict=True):
        axis.axvline(0, color=GREY, linewidth=1)
        for model, row in gains.xs(dataset, level="dataset").iterrows():
            y, colour = order.index(model), FAMILY_COLOURS[row["family"]]
            axis.hlines(y, row["low"], row["high"], color=colour, linewidth=1.5, zorder=2)
            _point(axis, row["gain"], y, colour, filled=row["decided"] != "not significant")
        axis.set_title(dataset)
    axes[0].set_yticks(range(len(order)), order)
    figure.supxlabel("constrained − baseline, points", fontsize=10)
    handles = [
        _handle("o", color=FAMILY_COLOURS[family], label=FAMILY_LABELS[family])
        for family in dict.fromkeys(gains["family"])
    ]
    handles.append(_handle("o", markerfacecolor="white", color=GREY, label="not significant"))
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), fontsize=9)
    return figure


def plot_invariance_gain(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Printed invariance against printed gain, a panel per table; filled: the models said to
    improve.

    Args:
        tables: panel title -> ``audit.invariance_against_gain(number)``.
    """
    size = (3.1 * len(tables), 3.2)
    figure, axes = plt.subplots(1, len(tables), figsize=size, sharey=True, squeeze=False)
    for axis, (title, table) in zip(axes[0], tables.items(), strict=True):
        axis.axhline(0, color=GREY, linewidth=1)
        for model, row in table.iterrows():
            at = (row["average"], row["points"])
            _point(axis, *at, FAMILY_COLOURS[row["family"]], filled=row["marked"], size=34)
            # beside a neighbour on the right, the name goes to the left
            ahead = (table["average"] - row["average"]) / np.ptp(table["average"])
            level = (table["points"] - row["points"]).abs() < 0.3
            crowded = ((ahead > 0) & (ahead < 0.05) & level).any()
            place = {"xytext": (-5, 4), "ha": "right"} if crowded else {"xytext": (5, 4)}
            axis.annotate(model, at, textcoords="offset points", fontsize=9, **place)
        axis.margins(x=0.16, y=0.12)
        axis.set(title=title, xlabel="average (less: more invariant)")
    axes[0, 0].set_ylabel("mean gain of Table 3, points")
    return figure


def plot_movement(movement: pd.DataFrame) -> Figure:
    """Where SS_rate went in Table 3: an arrow from baseline to constrained per cell, targets as
    ticks and crosses.

    Args:
        movement: ``audit.movement()``.
    """
    figure, axis = plt.subplots(figsize=(6.2, 7.0))
    for y, (_, row) in enumerate(movement[::-1].iterrows()):
        colour = FAMILY_COLOURS[row["family"]]
        arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.4, "shrinkA": 0, "shrinkB": 0}
        axis.annotate("", (row["constrained"], y), (row["baseline"], y), arrowprops=arrow)
        axis.scatter(row["baseline"], y, s=22, facecolor="white", edgecolor=colour, zorder=3)
        axis.scatter(row["gamma: table 2"], y, marker="|", s=90, color=INK, zorder=2)
        axis.scatter(row["gamma: released"], y, marker="x", s=26, color=INK, zorder=2)
    labels = [f"{model}, {dataset}" for model, dataset in movement.index[::-1]]
    axis.set_yticks(range(len(labels)), labels, fontsize=9)
    axis.set(xlabel="SS_rate", xlim=(0, 0.75), ylim=(-0.8, len(labels) - 0.2))
    baseline = "baseline; arrow: to constrained"
    handles = [
        _handle("o", markerfacecolor="white", color=GREY, label=baseline),
        _handle("|", markersize=9, color=INK, label="trained value of Table 2"),
        _handle("x", markersize=5, color=INK, label="γ of the released command"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2, fontsize=9)
    return figure


def _point(axis: Axes, x: float, y: float, colour: str, *, filled: bool, size: float = 26) -> None:
    face = colour if filled else "white"
    axis.scatter(x, y, s=size, facecolor=face, edgecolor=colour, linewidth=1.3, zorder=3)


def _handle(
    marker: str,
    *,
    color: str,
    label: str,
    markerfacecolor: str | None = None,
    markersize: float | None = None,
) -> Line2D:
    """A marker in a legend."""
    return Line2D(
        [],
        [],
        marker=marker,
        linestyle="",
        color=color,
        label=label,
        markerfacecolor=markerfacecolor,
        markersize=markersize,
    )
