"""Figures of the paper's own numbers."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reproduction.style import FAMILY_COLOURS, FAMILY_LABELS, GREY, INK


def plot_gains(gains: pd.DataFrame, decided: pd.Series) -> Figure:
    """Table 3 as differences: gain and 95 % interval per model, a panel per data set; filled where
    `decided`.

    gains: `audit.gains()`; decided: `audit.decided(gains)`, of the same index.
    """
    datasets = list(dict.fromkeys(gains.index.get_level_values("dataset")))
    order = list(dict.fromkeys(gains.index.get_level_values("model")))[::-1]
    size = (1.8 * len(datasets) + 0.9, 3.4)
    figure, axes = plt.subplots(1, len(datasets), figsize=size, sharey=True, sharex=True)
    for axis, dataset in zip(axes, datasets):
        axis.axvline(0, color=GREY, linewidth=1)
        for (model, _), row in gains.xs(dataset, level="dataset", drop_level=False).iterrows():
            colour = FAMILY_COLOURS[row["family"]]
            face = "white" if decided[model, dataset] == "not told apart" else colour
            bar = [[row["gain"] - row["low"]], [row["high"] - row["gain"]]]
            axis.errorbar(
                row["gain"],
                order.index(model),
                xerr=bar,
                fmt="none",
                ecolor=colour,
                elinewidth=1.5,
                zorder=2,
            )
            axis.scatter(
                row["gain"],
                order.index(model),
                s=26,
                facecolor=face,
                edgecolor=colour,
                linewidth=1.3,
                zorder=3,
            )
        axis.set_title(dataset)
    axes[0].set_yticks(range(len(order)), order)
    figure.supxlabel("constrained − baseline, points", fontsize=10)
    present = dict.fromkeys(gains["family"])
    handles = [
        Line2D([], [], marker="o", ls="", color=FAMILY_COLOURS[f], label=FAMILY_LABELS[f])
        for f in present
    ]
    handles.append(
        Line2D(
            [], [], marker="o", ls="", markerfacecolor="white", color=GREY, label="not told apart"
        )
    )
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), fontsize=9)
    return figure


def plot_invariance_gain(tables: Mapping[str, pd.DataFrame], families: Mapping[str, str]) -> Figure:
    """Printed invariance against printed gain, a panel per table; filled: the models said to
    improve.

    tables: panel title -> `audit.invariance_against_gain(number)`; families: model of Table 1 ->
    family.
    """
    figure, axes = plt.subplots(
        1, len(tables), figsize=(3.1 * len(tables), 3.2), sharey=True, squeeze=False
    )
    for axis, (title, table) in zip(axes[0], tables.items()):
        axis.axhline(0, color=GREY, linewidth=1)
        for model, row in table.iterrows():
            colour = FAMILY_COLOURS[families[row["network"]]]
            face = colour if row["marked"] else "white"
            axis.scatter(
                row["average"],
                row["points"],
                s=34,
                facecolor=face,
                edgecolor=colour,
                linewidth=1.3,
                zorder=3,
            )
            # beside a neighbour on the right, the name goes to the left
            ahead = (table["average"] - row["average"]) / np.ptp(table["average"])
            crowded = (
                (ahead > 0) & (ahead < 0.05) & ((table["points"] - row["points"]).abs() < 0.3)
            ).any()
            place = {"xytext": (-5, 4), "ha": "right"} if crowded else {"xytext": (5, 4)}
            axis.annotate(
                model,
                (row["average"], row["points"]),
                textcoords="offset points",
                fontsize=9,
                **place,
            )
        axis.margins(x=0.16, y=0.12)
        axis.set(title=title, xlabel="average (less: more invariant)")
    axes[0, 0].set_ylabel("mean gain of Table 3, points")
    return figure


def plot_movement(movement: pd.DataFrame, names: Mapping[str, str]) -> Figure:
    """Where SS_rate went in Table 3: an arrow from baseline to constrained per cell, targets as
    ticks and crosses.

    movement: `audit.movement()`; names: data set -> its label.
    """
    figure, axis = plt.subplots(figsize=(6.2, 7.0))
    for y, ((model, dataset), row) in enumerate(movement[::-1].iterrows()):
        colour = FAMILY_COLOURS[row["family"]]
        arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.4, "shrinkA": 0, "shrinkB": 0}
        axis.annotate("", (row["constrained"], y), (row["baseline"], y), arrowprops=arrow)
        axis.scatter(row["baseline"], y, s=22, facecolor="white", edgecolor=colour, zorder=3)
        axis.scatter(row["gamma: table 2"], y, marker="|", s=90, color=INK, zorder=2)
        axis.scatter(row["gamma: released"], y, marker="x", s=26, color=INK, zorder=2)
    labels = [f"{model}, {names.get(dataset, dataset)}" for model, dataset in movement.index[::-1]]
    axis.set_yticks(range(len(labels)), labels, fontsize=9)
    axis.set(xlabel="SS_rate", xlim=(0, 0.75), ylim=(-0.8, len(labels) - 0.2))
    handles = [
        Line2D(
            [],
            [],
            marker="o",
            ls="",
            markerfacecolor="white",
            color=GREY,
            label="baseline; arrow: to constrained",
        ),
        Line2D([], [], marker="|", ls="", ms=9, color=INK, label="trained value of Table 2"),
        Line2D([], [], marker="x", ls="", ms=5, color=INK, label="γ of the released command"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2, fontsize=9)
    return figure
