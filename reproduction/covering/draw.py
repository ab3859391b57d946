"""Figures of boxes and covers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from reproduction.style import FAMILY_COLOURS, GREY, INK, _array, _log_axis


def plot_boxes(
    places: ArrayLike,
    boxes: Mapping[str, Sequence[Sequence[int]]],
    counts: Mapping[str, ArrayLike],
    steps: Sequence[int],
) -> Figure:
    """The still picture of the explorer: one layer's boxes at some thresholds, and the numbers of
    boxes at all of them.

    places: (D, 2); boxes: panel title -> groups of channels; counts: "released", "printed", "lower"
    and "upper" -> (T,) number of boxes at thresholds uniform in log(1 + theta); steps: the panels'
    positions among them.
    """
    from matplotlib.patches import Polygon
    from scipy.spatial import ConvexHull, QhullError

    place, D = _array(places), len(_array(places))
    figure, axes = plt.subplot_mosaic(
        [list(boxes), ["N"] * len(boxes)], figsize=(6.6, 5.2), height_ratios=[1, 1.2]
    )
    for title, groups in boxes.items():
        axis = axes[title]
        for group in groups:
            corners = place[list(group)]
            try:
                corners = corners[ConvexHull(corners).vertices]
            except (QhullError, ValueError):
                pass  # one point, or all on a line
            style = {
                "facecolor": FAMILY_COLOURS["attention"],
                "edgecolor": FAMILY_COLOURS["attention"],
            }
            axis.add_patch(Polygon(corners, alpha=0.25, linewidth=1, **style))
        axis.scatter(place[:, 0], place[:, 1], s=6, color=FAMILY_COLOURS["attention"], linewidths=0)
        axis.set(title=title, xticks=[], yticks=[], aspect="equal")
        axis.spines[:].set_visible(False)
    axis, share = axes["N"], np.linspace(0, 1, len(_array(counts["released"])))
    low, high = (np.log(_array(counts[bound])) for bound in ("lower", "upper"))
    axis.fill_between(share, low, high, color=GREY, alpha=0.4, label="boxes that exist")
    axis.plot([0, 1], [math.log(D), 0], color=GREY, linestyle="--", label="line (Eq. 4)")
    for formula, style in (("released", "-"), ("printed", ":")):
        axis.plot(share, np.log(_array(counts[formula])), color=INK, linestyle=style, label=formula)
    for step in steps:
        axis.axvline(share[step], color=GREY, linewidth=0.6)
    axis.set(xlabel=r"$\log(1+\theta)$, from TZ to TV", ylabel=r"$\log N$", xticks=[])
    figure.legend(
        *axis.get_legend_handles_labels(), fontsize=9, loc="outside lower center", ncols=4
    )
    return figure


def plot_covers(curves: Mapping[str, Mapping[str, ArrayLike]], *, columns: int = 2) -> Figure:
    """Both N_theta against bounds on the true covering number, as logarithms, with the line of Eq.
    4: a panel each.

    curves: title -> ``measures_grid.cover_curves``.
    """
    rows, across = math.ceil(len(curves) / columns), min(columns, len(curves))
    figure, axes = plt.subplots(
        rows, across, figsize=(3.3 * across, 2.3 * rows + 0.3), squeeze=False
    )
    for axis, (title, curve) in zip(axes.flat, curves.items()):
        x = np.log1p(_array(curve["theta"]))
        lower, upper, released, printed = (
            np.log(_array(curve[k])) for k in ("lower", "upper", "released", "printed")
        )
        axis.plot(
            x[[0, -1]], [math.log(curve["D"]), 0], color=GREY, ls="--", lw=1, label="line (Eq. 4)"
        )
        axis.plot(x, printed, color="#CC79A7", lw=1.4, label=r"$N_\theta$, printed")
        axis.plot(x, released, color="#0072B2", lw=1.4, label=r"$N_\theta$, released")
        axis.fill_between(
            x, lower, upper, color=INK, alpha=0.45, linewidth=0.8, label="covering number"
        )
        axis.set(title=title, xlabel=r"$\log(1+\theta)$")
    for axis in list(axes.flat)[len(curves) :]:
        axis.remove()
    for row in axes:
        row[0].set_ylabel(r"$\log N$")
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=9
    )
    return figure


def plot_graph_boxes(graphs: Mapping[str, Mapping[str, Mapping]], *, columns: int = 3) -> Figure:
    """Boxes against box size of graphs, both on log axes, and the fit where a power law is claimed:
    a panel per graph.

    graphs: title -> way to cover -> what ``measures_grid.covers`` gives.
    """
    marks = {
        "colouring": ("o", "#0072B2"),
        "burning": ("x", "#D55E00"),
        "growing": ("+", "#009E73"),
    }
    rows, across = math.ceil(len(graphs) / columns), min(columns, len(graphs))
    figure, axes = plt.subplots(
        rows, across, figsize=(2.2 * across, 2.2 * rows + 0.3), squeeze=False, sharey=True
    )
    for axis, (title, found) in zip(axes.flat, graphs.items()):
        for method, one in found.items():
            marker, colour = marks[method]
            axis.scatter(
                one["sizes"],
                one["boxes"],
                s=13,
                marker=marker,
                color=colour,
                linewidths=0.9,
                label=method,
            )
            if method == "colouring" and not one["reason"]:
                size = np.array(one["sizes"], dtype=float)
                boxes = np.array(one["boxes"], dtype=float)
                inside = (size >= one["window"][0]) & (size <= one["window"][1]) & (boxes > 1)
                level = np.mean(np.log(boxes[inside] - 1) + one["slope"] * np.log(size[inside]))
                axis.plot(
                    size[inside], 1 + np.exp(level) * size[inside] ** -one["slope"], color=INK, lw=1
                )
        axis.set(title=title, yscale="log", xlabel=r"box size $\ell$")
        _log_axis(axis, 2, max(max(one["sizes"]) for one in found.values()))
    for axis in list(axes.flat)[len(graphs) :]:
        axis.remove()
    for row in axes:
        row[0].set_ylabel(r"boxes $N(\ell)$")
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=3,
        fontsize=9,
        markerscale=1.5,
    )
    return figure
