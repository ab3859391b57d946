"""Figures of boxes and covers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from reproduction.style import FAMILY_COLOURS, GREY, INK, _array, _log_axis, legend_below, panels

#: Colours of the two N_theta.
_N_COLOURS = {"printed": "#CC79A7", "released": "#0072B2"}

#: Marker and colour of each way to cover.
_COVER_MARKS = {
    "colouring": ("o", "#0072B2"),
    "burning": ("x", "#D55E00"),
    "growing": ("+", "#009E73"),
    "greedy": (".", "#CC79A7"),
}


def plot_boxes(
    places: ArrayLike,
    boxes: Mapping[str, Sequence[Sequence[int]]],
    counts: Mapping[str, ArrayLike],
    steps: Sequence[int],
) -> Figure:
    """The still picture of the explorer: one layer's boxes at some thresholds, and the numbers of
    boxes at all of them.

    Args:
        places: (D, 2).
        boxes: panel title -> groups of channels.
        counts: "released", "printed", "lower" and "upper" -> (T,) number of boxes at thresholds
            uniform in log(1 + theta).
        steps: the panels' positions among them.
    """
    place = _array(places)
    figure, axes = plt.subplot_mosaic(
        [list(boxes), ["N"] * len(boxes)], figsize=(6.6, 5.2), height_ratios=[1, 1.2]
    )
    for title, groups in boxes.items():
        _boxes(axes[title], place, groups)
        axes[title].set(title=title)
    axis, share = axes["N"], np.linspace(0, 1, len(_array(counts["released"])))
    low, high = (np.log(_array(counts[bound])) for bound in ("lower", "upper"))
    axis.fill_between(share, low, high, color=GREY, alpha=0.4, label="boxes that exist")
    line = [math.log(len(place)), 0]
    axis.plot([0, 1], line, color=GREY, linestyle="--", label="line (Eq. 4)")
    for formula, style in (("released", "-"), ("printed", ":")):
        axis.plot(share, np.log(_array(counts[formula])), color=INK, linestyle=style, label=formula)
    for step in steps:
        axis.axvline(share[step], color=GREY, linewidth=0.6)
    axis.set(xlabel=r"$\log(1+\theta)$, from TZ to TV", ylabel=r"$\log N$", xticks=[])
    legend_below(figure, axis, columns=4)
    return figure


def _boxes(axis: Axes, place: np.ndarray, groups: Sequence[Sequence[int]]) -> None:
    """Channels as points, and the hull of each box."""
    from matplotlib.patches import Polygon
    from scipy.spatial import ConvexHull, QhullError

    colour = FAMILY_COLOURS["attention"]
    for group in groups:
        corners = place[list(group)]
        with suppress(QhullError, ValueError):  # one point, or all on a line
            corners = corners[ConvexHull(corners).vertices]
        axis.add_patch(
            Polygon(corners, alpha=0.25, linewidth=1, facecolor=colour, edgecolor=colour)
        )
    axis.scatter(place[:, 0], place[:, 1], s=6, color=colour, linewidths=0)
    axis.set(xticks=[], yticks=[], aspect="equal")
    axis.spines[:].set_visible(False)


def plot_covers(curves: Mapping[str, Mapping[str, ArrayLike]]) -> Figure:
    """Both N_theta against bounds on the true covering number, as logarithms, with the line of Eq.
    4: a panel each.

    Args:
        curves: title -> ``run.cover_curves``, as from ``read.curves``.
    """
    figure, axes = panels(len(curves), 2, size=(3.3, 2.3), ylabel=r"$\log N$")
    for axis, (title, curve) in zip(axes, curves.items(), strict=True):
        x = np.log1p(_array(curve["theta"]))
        line = [math.log(curve["D"]), 0]
        axis.plot(x[[0, -1]], line, color=GREY, ls="--", lw=1, label="line (Eq. 4)")
        for formula, colour in _N_COLOURS.items():
            boxes, label = np.log(_array(curve[formula])), rf"$N_\theta$, {formula}"
            axis.plot(x, boxes, color=colour, lw=1.4, label=label)
        low, high = (np.log(_array(curve[bound])) for bound in ("lower", "upper"))
        band = {"color": INK, "alpha": 0.45, "linewidth": 0.8}
        axis.fill_between(x, low, high, label="covering number", **band)
        axis.set(title=title, xlabel=r"$\log(1+\theta)$")
    legend_below(figure, axes[0], columns=4)
    return figure


def plot_graph_boxes(graphs: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Figure:
    """Boxes against box size of graphs, both on log axes, and the fit where a power law is claimed:
    a panel per graph.

    Args:
        graphs: title -> way to cover -> what ``run.covers`` gives, as from ``read.graph_covers``.
    """
    figure, axes = panels(len(graphs), 3, size=(2.2, 2.2), ylabel=r"boxes $N(\ell)$", sharey=True)
    for axis, (title, found) in zip(axes, graphs.items(), strict=True):
        for method, one in found.items():
            marker, colour = _COVER_MARKS[method]
            style = {"s": 13, "marker": marker, "color": colour, "linewidths": 0.9}
            axis.scatter(one["sizes"], one["boxes"], label=method, **style)
            if method == "colouring" and not one["reason"]:
                _power_law(axis, one)
        axis.set(title=title, yscale="log", xlabel=r"box size $\ell$")
        _log_axis(axis, 2, max(max(one["sizes"]) for one in found.values()))
    legend_below(figure, axes[0], columns=3, markerscale=1.5)
    return figure


def _power_law(axis: Axes, fit: Mapping[str, Any]) -> None:
    """The line of a fit, N - 1 against size, over its window."""
    size, boxes = (np.array(fit[key], dtype=float) for key in ("sizes", "boxes"))
    inside = (size >= fit["window"][0]) & (size <= fit["window"][1]) & (boxes > 1)
    size, boxes = size[inside], boxes[inside]
    level = np.mean(np.log(boxes - 1) + fit["slope"] * np.log(size))
    axis.plot(size, 1 + np.exp(level) * size ** -fit["slope"], color=INK, lw=1)
