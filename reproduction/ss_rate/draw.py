"""Figures of the feature network: distances, adjacency, positions, curves."""

from __future__ import annotations

import math
from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from reproduction.style import (
    FAMILY_COLOURS,
    FAMILY_LABELS,
    GREY,
    INK,
    STATE_MARKERS,
    _array,
    _dashes,
)
from sslib.boxes import BoxCurve


def plot_distances(distances: Mapping[str, Tensor]) -> Figure:
    """Pair distances C as images, channels ordered by their mean distance to the others.

    distances: panel title -> (D, D) matrix of ``pair_distances``.
    """
    figure, axes = plt.subplots(
        1, len(distances), figsize=(3.1 * len(distances), 2.8), squeeze=False
    )
    for axis, (title, C) in zip(axes[0], distances.items()):
        C = _array(C)
        order = C.mean(0).argsort()
        image = axis.imshow(
            C[np.ix_(order, order)], cmap="cividis", interpolation="nearest", rasterized=True
        )
        axis.set(title=title, xlabel="channel, by mean distance", ylabel="channel")
        axis.grid(False)
        figure.colorbar(image, ax=axis, label=r"$C_{ij}$", shrink=0.85)
    return figure


def plot_adjacency(
    positions: Mapping[str, ArrayLike], graphs: Mapping[str, Mapping[str, Tensor]]
) -> Figure:
    """A_epsilon drawn over the channels' positions: a row per layer, a column per epsilon (Eq. 1).

    positions: row title -> (D, 2); graphs: row title -> column title -> (D, D) bool adjacency
    matrix.

    At most 4000 edges are drawn per panel, evenly taken.
    """
    columns = max(map(len, graphs.values()))
    figure, axes = plt.subplots(
        len(graphs), columns, figsize=(1.9 * columns + 0.3, 1.9 * len(graphs)), squeeze=False
    )
    for row, (layer, panels) in zip(axes, graphs.items()):
        place = _array(positions[layer])
        for axis, A in zip(row, panels.values()):
            i, j = np.nonzero(np.triu(_array(A), 1))
            shown = slice(None, None, math.ceil(len(i) / 4000) or 1)
            edges = np.stack([place[i[shown]], place[j[shown]]], axis=1)
            axis.add_collection(
                LineCollection(edges, colors=GREY, linewidths=0.5, alpha=0.5, rasterized=True)
            )
            isolated = ~_array(A).any(0)
            axis.scatter(*place[~isolated].T, s=6, color=INK, linewidths=0, zorder=2)
            axis.scatter(
                *place[isolated].T, s=8, facecolor="white", edgecolor=INK, linewidths=0.5, zorder=2
            )
            axis.set(xticks=[], yticks=[], aspect="equal", adjustable="datalim")
            axis.spines[:].set_visible(False)
        row[0].set_ylabel(layer, weight="bold")
    for axis, title in zip(axes[0], next(iter(graphs.values()))):
        axis.set_title(title)
    return figure


def plot_positions(
    panels: Mapping[str, Mapping[str, ArrayLike]],
    families: Mapping[str, str],
    notes: Mapping[str, str] | None = None,
    *,
    columns: int = 3,
) -> Figure:
    """Fig. 2: channels of one layer per panel in the plane of an MDS, by training state.

    panels: title -> training state -> (D, 2) positions; families: title -> family; notes: title ->
    text below.
    """
    rows = math.ceil(len(panels) / columns)
    columns = min(columns, len(panels))
    figure, axes = plt.subplots(rows, columns, figsize=(2.1 * columns, 2.3 * rows), squeeze=False)
    for axis, (title, states) in zip(axes.flat, panels.items()):
        for state, place in states.items():
            face = FAMILY_COLOURS[families[title]] if state == "untrained" else "none"
            style = {
                "marker": STATE_MARKERS[state],
                "facecolor": face,
                "edgecolor": FAMILY_COLOURS[families[title]],
            }
            axis.scatter(*_array(place).T, s=14, linewidths=0.6, alpha=0.75, label=state, **style)
        axis.set(title=title, xticks=[], yticks=[], aspect="equal")
        axis.set_xlabel((notes or {}).get(title, ""), fontsize=9)
        axis.spines[:].set_visible(False)
        axis.set_adjustable("datalim")
    for axis in list(axes.flat)[len(panels) :]:
        axis.remove()
    if any(len(states) > 1 for states in panels.values()):
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def plot_box_curves(curves: Mapping[str, Mapping[str, BoxCurve]]) -> Figure:
    """log N_theta against log(1 + theta), the line of Eq. 4, and SS_rate as the area between: a row
    per layer.

    curves: row title -> formula -> BoxCurve.
    """
    columns = max(map(len, curves.values()))
    size = (3.1 * columns, 2.3 * len(curves) + 0.6)
    figure, axes = plt.subplots(
        len(curves), columns, figsize=size, squeeze=False, sharex="row", sharey="row"
    )
    for row, (layer, by_formula) in zip(axes, curves.items()):
        for axis, (formula, curve) in zip(row, by_formula.items()):
            x, y, line = (
                _array(v) for v in (curve.theta.log1p(), curve.boxes.log(), curve.reference)
            )
            axis.fill_between(x, y, line, color="#56B4E9", alpha=0.35, linewidth=0)
            axis.plot(x, line, color=GREY, linestyle="--", label="reference line (Eq. 4)")
            axis.plot(x, y, color=INK, linewidth=1.6, label=r"$\log N_\theta$")
            axis.set_title(f"{layer}, {formula}")
            # where the area leaves room: left below a falling curve, left below a high plateau
            axis.text(0.04, 0.06, f"SS_rate = {float(curve.ss_rate):.3f}", transform=axis.transAxes)
        row[0].set_ylabel(r"$\log N_\theta$")
    for axis in axes[-1]:
        axis.set_xlabel(r"$\log(1+\theta)$")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def plot_profiles(profiles: pd.DataFrame) -> Figure:
    """SS_rate along the depth of each model: a row of panels per family, a column per formula.

    profiles: columns model, family, module, depth (0 to 1), formula, ss_rate; with several rows per
        module (seeds) the line is the mean and the band one standard deviation.
    """
    formulas = list(dict.fromkeys(profiles["formula"]))
    families = [family for family in FAMILY_COLOURS if family in set(profiles["family"])]
    size = (3.1 * len(formulas), 2.3 * len(families) + 0.3)
    figure, axes = plt.subplots(
        len(families), len(formulas), figsize=size, squeeze=False, sharex=True, sharey=True
    )
    dashes = _dashes(profiles)
    for row, family in zip(axes, families):
        for axis, formula in zip(row, formulas):
            part = profiles[(profiles["formula"] == formula) & (profiles["family"] == family)]
            for model, rows in part.groupby("model", sort=False):
                spread = rows.groupby("depth")["ss_rate"].agg(["mean", "std"])
                style = {
                    "color": FAMILY_COLOURS[family],
                    "marker": STATE_MARKERS["untrained"],
                    "ls": dashes[model],
                }
                axis.plot(spread.index, spread["mean"], ms=4, label=model, **style)
                if spread["std"].notna().all():
                    low, high = spread["mean"] - spread["std"], spread["mean"] + spread["std"]
                    axis.fill_between(
                        spread.index, low, high, color=style["color"], alpha=0.12, linewidth=0
                    )
            axis.set(title=f"{FAMILY_LABELS[family]}, {formula}", ylim=(0, 1))
        row[0].set_ylabel("SS_rate")
        row[0].legend(loc="upper left", fontsize=9, ncols=2, handlelength=3)
    for axis in axes[-1]:
        axis.set_xlabel("depth (first to last module)")
    return figure


def plot_self_similarity(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """SS_rate along the layers of any models, over the band of their null value: a panel per model.

    tables: title -> DataFrame of ``sslib.self_similarity``. The band is null +- 2 null_std.
    """
    columns = min(len(tables), 2)
    rows = math.ceil(len(tables) / columns)
    size = (3.1 * columns, 2.6 * rows + 0.3)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, sharey=True)
    for axis, (title, table) in zip(axes.flat, tables.items()):
        place = np.arange(len(table))
        low, high = (table["null"] + side * table["null_std"] for side in (-2, 2))
        axis.fill_between(
            place, low, high, color=GREY, alpha=0.25, linewidth=0, label="noise, ± 2 std"
        )
        axis.plot(place, table["null"], color=GREY, linestyle="--", linewidth=1)
        axis.plot(place, table["SS_rate"], color=INK, marker="o", ms=4, label="SS_rate")
        axis.set(title=title, ylim=(0, None), xticks=place)
        axis.set_xticklabels(table.index, rotation=90, fontsize=9)
    for axis in list(axes.flat)[len(tables) :]:
        axis.remove()
    for row in axes:
        row[0].set_ylabel("SS_rate")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure
