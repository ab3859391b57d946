"""Figures of the feature network: distances, adjacency, positions, curves, depth profiles."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from reproduction.style import (
    FAMILY_COLOURS,
    FAMILY_LABELS,
    GREY,
    INK,
    STATE_MARKERS,
    _array,
    _dashes,
)

if TYPE_CHECKING:
    from reproduction.ss_rate.figure_2 import Maps


def plot_distances(distances: Mapping[str, ArrayLike]) -> Figure:
    """Pair distances C as images, channels ordered by their mean distance to the others.

    Args:
        distances: panel title -> (D, D) matrix of ``pair_distances``.
    """
    size = (3.1 * len(distances), 2.8)
    figure, axes = plt.subplots(1, len(distances), figsize=size, squeeze=False)
    for axis, (title, C) in zip(axes[0], distances.items(), strict=True):
        C = _array(C)
        order = C.mean(0).argsort()
        image = axis.imshow(
            C[np.ix_(order, order)], cmap="cividis", interpolation="nearest", rasterized=True
        )
        axis.set(title=title, xlabel="channel, by mean distance", ylabel="channel")
        axis.grid(False)
        figure.colorbar(image, ax=axis, label=r"$C_{ij}$", shrink=0.85)
    return figure


def plot_adjacency(maps: Maps, graphs: Mapping[str, Mapping[str, ArrayLike]]) -> Figure:
    """A_epsilon drawn over the channels' positions: a row per layer, a column per epsilon (Eq. 1).

    At most 4000 edges are drawn per panel, evenly taken.

    Args:
        maps: row title -> where the channels lie.
        graphs: row title -> column title -> (D, D) bool adjacency matrix.
    """
    columns = max(map(len, graphs.values()))
    size = (1.9 * columns + 0.3, 1.9 * len(graphs))
    figure, axes = plt.subplots(len(graphs), columns, figsize=size, squeeze=False)
    for row, (layer, panels) in zip(axes, graphs.items(), strict=True):
        (place,) = maps[layer][0].positions.values()
        for axis, A in zip(row, panels.values(), strict=True):
            _draw_network(axis, place, _array(A))
        row[0].set_ylabel(layer, weight="bold")
    for axis, title in zip(axes[0], next(iter(graphs.values())), strict=True):
        axis.set_title(title)
    return figure


def _draw_network(axis: Axes, place: np.ndarray, A: np.ndarray) -> None:
    i, j = np.nonzero(np.triu(A, 1))
    drawn = slice(None, None, math.ceil(len(i) / 4000) or 1)
    edges = np.stack([place[i[drawn]], place[j[drawn]]], axis=1)
    lines = LineCollection(edges, colors=GREY, linewidths=0.5, alpha=0.5, rasterized=True)
    axis.add_collection(lines)
    joined = A.any(0)
    x, y = place.T
    axis.scatter(x[joined], y[joined], s=6, color=INK, linewidths=0, zorder=2)
    lonely = {"facecolor": "white", "edgecolor": INK, "linewidths": 0.5}
    axis.scatter(x[~joined], y[~joined], s=8, zorder=2, **lonely)
    axis.set(xticks=[], yticks=[], aspect="equal", adjustable="datalim")
    axis.spines[:].set_visible(False)


def plot_positions(
    maps: Maps, notes: Mapping[str, str] | None = None, *, columns: int = 3
) -> Figure:
    """Fig. 2: channels of one layer per panel in the plane of an MDS, by training state.

    Args:
        maps: title -> where the channels lie; of several seeds, the first is drawn.
        notes: title -> text below.
        columns: of panels.
    """
    rows = math.ceil(len(maps) / columns)
    columns = min(columns, len(maps))
    figure, axes = plt.subplots(rows, columns, figsize=(2.1 * columns, 2.3 * rows), squeeze=False)
    for axis, (title, (first, *_)) in zip(axes.flat, maps.items(), strict=False):
        colour = FAMILY_COLOURS[first.family]
        for state, place in first.positions.items():
            face = colour if state == "untrained" else "none"
            style = {"marker": STATE_MARKERS[state], "facecolor": face, "edgecolor": colour}
            axis.scatter(*_array(place).T, s=14, linewidths=0.6, alpha=0.75, label=state, **style)
        axis.set(title=title, xticks=[], yticks=[], aspect="equal")
        axis.set_xlabel((notes or {}).get(title, ""), fontsize=9)
        axis.spines[:].set_visible(False)
        axis.set_adjustable("datalim")
    for axis in list(axes.flat)[len(maps) :]:
        axis.remove()
    if any(len(first.positions) > 1 for first, *_ in maps.values()):
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def plot_box_curves(curves: pd.DataFrame) -> Figure:
    """log N_theta against log(1 + theta), the line of Eq. 4, and SS_rate as the area between: a row
    per layer, a column per formula.

    Args:
        curves: columns layer, formula, theta, boxes, reference, ss_rate.
    """
    layers, formulas = curves["layer"].unique(), curves["formula"].unique()
    figure, axes = plt.subplots(
        len(layers),
        len(formulas),
        figsize=(3.1 * len(formulas), 2.3 * len(layers) + 0.6),
        squeeze=False,
        sharex="row",
        sharey="row",
    )
    panels = curves.groupby(["layer", "formula"], sort=False)
    for axis, ((layer, formula), curve) in zip(axes.flat, panels, strict=True):
        x, y, line = np.log1p(curve["theta"]), np.log(curve["boxes"]), curve["reference"]
        axis.fill_between(x, y, line, color="#56B4E9", alpha=0.35, linewidth=0)
        axis.plot(x, line, color=GREY, linestyle="--", label="reference line (Eq. 4)")
        axis.plot(x, y, color=INK, linewidth=1.6, label=r"$\log N_\theta$")
        axis.set_title(f"{layer}, {formula}")
        # where the area leaves room: left below a falling curve, left below a high plateau
        note = f"SS_rate = {curve['ss_rate'].iloc[0]:.3f}"
        axis.text(0.04, 0.06, note, transform=axis.transAxes)
    for axis in axes[:, 0]:
        axis.set_ylabel(r"$\log N_\theta$")
    for axis in axes[-1]:
        axis.set_xlabel(r"$\log(1+\theta)$")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def plot_profiles(profiles: pd.DataFrame) -> Figure:
    """SS_rate along the depth of each model: a row of panels per family, a column per formula.

    Args:
        profiles: columns model, family, depth (0 to 1), formula, ss_rate; with several rows per
            depth (seeds) the line is the mean and the band one standard deviation.
    """
    formulas = list(dict.fromkeys(profiles["formula"]))
    families = [family for family in FAMILY_COLOURS if family in set(profiles["family"])]
    size = (3.1 * len(formulas), 2.3 * len(families) + 0.3)
    figure, axes = plt.subplots(
        len(families), len(formulas), figsize=size, squeeze=False, sharex=True, sharey=True
    )
    dashes = _dashes(profiles)
    for row, family in zip(axes, families, strict=True):
        for axis, formula in zip(row, formulas, strict=True):
            part = profiles[(profiles["formula"] == formula) & (profiles["family"] == family)]
            for model, lines in part.groupby("model", sort=False):
                style = {"color": FAMILY_COLOURS[family], "ls": dashes[model], "ms": 4}
                sns.lineplot(
                    lines,
                    x="depth",
                    y="ss_rate",
                    errorbar="sd",
                    err_kws={"alpha": 0.12, "linewidth": 0},
                    label=model,
                    legend=False,
                    marker=STATE_MARKERS["untrained"],
                    mec="auto",
                    ax=axis,
                    **style,
                )
            axis.set(title=f"{FAMILY_LABELS[family]}, {formula}", ylim=(0, 1), xlabel="")
        row[0].set_ylabel("SS_rate")
        row[0].legend(loc="upper left", fontsize=9, ncols=2, handlelength=3)
    for axis in axes[-1]:
        axis.set_xlabel("depth (first to last module)")
    return figure
