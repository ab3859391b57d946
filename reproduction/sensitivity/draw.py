"""Figures of what moves SS_rate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from reproduction.style import FAMILY_COLOURS, FAMILY_LABELS, GREY, INK, STATE_MARKERS, _log_axis


def plot_layers(
    table: pd.DataFrame,
    y: str,
    columns: Mapping[str, str],
    *,
    log: Sequence[str] = (),
    columns_per_row: int = 2,
) -> Figure:
    """One point per layer: the column `y` against each of several others, a panel each.

    table: with `y`, `family` and the keys of `columns`, whose values are labels; log: the columns
    drawn on a log axis.
    """
    rows = math.ceil(len(columns) / columns_per_row)
    across = min(columns_per_row, len(columns))
    figure, axes = plt.subplots(
        rows, across, figsize=(3.3 * across, 2.4 * rows + 0.3), squeeze=False, sharey=True
    )
    for axis, (column, label) in zip(axes.flat, columns.items()):
        for family, part in table.groupby("family", sort=False):
            style = {
                "color": FAMILY_COLOURS[family],
                "marker": STATE_MARKERS["untrained"],
                "label": FAMILY_LABELS[family],
            }
            axis.scatter(
                part[column],
                part[y],
                s=9 if len(table) > 300 else 22,
                alpha=0.5,
                linewidths=0,
                rasterized=True,
                **style,
            )
        axis.set(xlabel=label)
        if column in log:
            _log_axis(axis, table[column].min(), table[column].max())
    for axis in list(axes.flat)[len(columns) :]:
        axis.remove()
    for row in axes:
        row[0].set_ylabel("SS_rate")
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=3,
        fontsize=9,
        markerscale=2,
    )
    return figure


def plot_factors(
    table: pd.DataFrame,
    factors: Mapping[str, str],
    formulas: Sequence[str] = ("released", "printed"),
) -> Figure:
    """SS_rate of one layer per family as one thing changes: a row per factor, a column per formula.

    table: ``measures_grid.one_factor_table``; factors: name of a factor with numbers as values ->
    label of its axis.
    """
    size = (3.3 * len(formulas), 2.2 * len(factors) + 0.3)
    figure, axes = plt.subplots(
        len(factors), len(formulas), figsize=size, squeeze=False, sharex="row", sharey="col"
    )
    for row, (factor, label) in zip(axes, factors.items()):
        for axis, formula in zip(row, formulas):
            for (model, family), part in table[table["factor"] == factor].groupby(
                ["model", "family"], sort=False
            ):
                part = part.assign(value=part["value"].astype(float)).sort_values("value")
                style = {"color": FAMILY_COLOURS[family], "marker": STATE_MARKERS["untrained"]}
                axis.plot(
                    part["value"],
                    part[formula],
                    ms=4,
                    label=f"{model} {part['module'].iloc[0]}",
                    **style,
                )
                low, high = (
                    part[f"{formula}, {end}"].fillna(part[formula]) for end in ("low", "high")
                )
                axis.fill_between(
                    part["value"], low, high, color=style["color"], alpha=0.15, linewidth=0
                )
            values = table.loc[table["factor"] == factor, "value"].astype(float)
            _log_axis(axis, values.min(), values.max())
            axis.set(title=formula if factor == next(iter(factors)) else "", xlabel=label)
        row[0].set_ylabel("SS_rate")
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9
    )
    return figure


def plot_graph_profile(
    table: pd.DataFrame, columns: Mapping[str, str], *, columns_per_row: int = 2
) -> Figure:
    """Statistics of A_epsilon against the share of pairs it joins: solid for features, dashed for
    Gaussian noise.

    table: ``measures_grid.graph_table``; columns: statistic -> label, a panel each.
    """
    rows, across = math.ceil(len(columns) / columns_per_row), min(columns_per_row, len(columns))
    figure, axes = plt.subplots(
        rows, across, figsize=(3.3 * across, 2.4 * rows + 0.3), squeeze=False
    )
    for axis in list(axes.flat)[len(columns) :]:
        axis.remove()
    for axis, (column, label) in zip(axes.flat, columns.items()):
        for (model, family, kind), part in table.groupby(["model", "family", "of"], sort=False):
            noise = kind == "gaussian"
            style = (
                {"color": GREY, "ls": "--", "lw": 0.8}
                if noise
                else {"color": FAMILY_COLOURS[family], "lw": 1.3}
            )
            axis.plot(part["density"], part[column], **style)
        axis.set(xlabel="share of pairs joined", title=label)
        _log_axis(axis, table["density"].min(), table["density"].max())
        if column == "sigma":
            axis.axhline(1, color=INK, lw=0.8, ls=":")
            axis.set_yscale("log")
    shown = [
        plt.Line2D([], [], color=colour, label=FAMILY_LABELS[f])
        for f, colour in FAMILY_COLOURS.items()
        if f in set(table["family"])
    ]
    figure.legend(
        handles=[*shown, plt.Line2D([], [], color=GREY, ls="--", label="Gaussian noise")],
        loc="outside lower center",
        ncols=4,
        fontsize=9,
    )
    return figure
