"""One function per figure: takes data, returns a matplotlib Figure; nothing is computed but positions on paper.

Every figure uses the same signs: a colour per family, a marker per training state, and a grey line for the
reference that a curve is held against. The colours are Okabe and Ito's, told apart without red-green vision.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from sslib.rate import BoxCurve

FAMILY_COLOURS = {"attention": "#0072B2", "cnn": "#D55E00", "mlp": "#009E73"}
FAMILY_LABELS = {"attention": "attention", "cnn": "convolution", "mlp": "MLP"}
STATE_MARKERS = {"untrained": "^", "trained": "s"}
INK, GREY = "#222222", "#767676"


def use_style() -> None:
    """Set matplotlib up for the book: opaque white, light grid, SVG files that come out the same every time."""
    plt.rcParams.update(
        {
            "figure.facecolor": "white",
            "savefig.facecolor": "white",
            "figure.constrained_layout.use": True,
            "figure.dpi": 110,
            "font.size": 10,
            "axes.titlesize": 10,
            "axes.titleweight": "bold",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.color": "#e6e6e6",
            "grid.linewidth": 0.6,
            "axes.axisbelow": True,
            "axes.edgecolor": GREY,
            "text.color": INK,
            "axes.labelcolor": INK,
            "legend.frameon": False,
            "svg.hashsalt": "sslib",
        }
    )


def plot_distances(distances: Mapping[str, Tensor]) -> Figure:
    """Pair distances C as images, channels ordered by their mean distance to the others.

    distances: panel title -> (D, D) matrix of ``pair_distances``.
    """
    figure, axes = plt.subplots(1, len(distances), figsize=(3.7 * len(distances), 3.3), squeeze=False)
    for axis, (title, C) in zip(axes[0], distances.items()):
        C = _array(C)
        order = C.mean(0).argsort()
        image = axis.imshow(C[np.ix_(order, order)], cmap="cividis", interpolation="nearest", rasterized=True)
        axis.set(title=title, xlabel="channel, by mean distance", ylabel="channel")
        axis.grid(False)
        figure.colorbar(image, ax=axis, label=r"$C_{ij}$", shrink=0.85)
    return figure


def plot_adjacency(positions: Mapping[str, ArrayLike], graphs: Mapping[str, Mapping[str, Tensor]]) -> Figure:
    """A_epsilon drawn over the channels' positions: a row per layer, a column per epsilon (Eq. 1).

    positions: row title -> (D, 2); graphs: row title -> column title -> (D, D) bool adjacency matrix.

    At most 4000 edges are drawn per panel, evenly taken.
    """
    columns = max(map(len, graphs.values()))
    figure, axes = plt.subplots(len(graphs), columns, figsize=(2.7 * columns, 2.7 * len(graphs)), squeeze=False)
    for row, (layer, panels) in zip(axes, graphs.items()):
        place = _array(positions[layer])
        for axis, (title, A) in zip(row, panels.items()):
            i, j = np.nonzero(np.triu(_array(A), 1))
            shown = slice(None, None, math.ceil(len(i) / 4000) or 1)
            edges = np.stack([place[i[shown]], place[j[shown]]], axis=1)
            axis.add_collection(LineCollection(edges, colors=GREY, linewidths=0.3, alpha=0.35, rasterized=True))
            isolated = ~_array(A).any(0)
            axis.scatter(*place[~isolated].T, s=6, color=INK, linewidths=0, zorder=2)
            axis.scatter(*place[isolated].T, s=8, facecolor="white", edgecolor=INK, linewidths=0.5, zorder=2)
            axis.set(title=f"{layer}, {title}", xticks=[], yticks=[], aspect="equal")
            axis.spines[:].set_visible(False)
    return figure


def plot_positions(
    panels: Mapping[str, Mapping[str, ArrayLike]],
    families: Mapping[str, str],
    notes: Mapping[str, str] | None = None,
    *,
    columns: int = 4,
) -> Figure:
    """Fig. 2: channels of one layer per panel in the plane of an MDS, by training state.

    panels: title -> training state -> (D, 2) positions; families: title -> family; notes: title -> text below.
    """
    rows = math.ceil(len(panels) / columns)
    columns = min(columns, len(panels))
    figure, axes = plt.subplots(rows, columns, figsize=(2.1 * columns, 2.4 * rows), squeeze=False)
    for axis, (title, states) in zip(axes.flat, panels.items()):
        for state, place in states.items():
            face = FAMILY_COLOURS[families[title]] if state == "untrained" else "none"
            style = {"marker": STATE_MARKERS[state], "facecolor": face, "edgecolor": FAMILY_COLOURS[families[title]]}
            axis.scatter(*_array(place).T, s=14, linewidths=0.6, alpha=0.75, label=state, **style)
        axis.set(title=title, xticks=[], yticks=[], aspect="equal")
        axis.set_xlabel((notes or {}).get(title, ""), fontsize=9)
        axis.spines[:].set_visible(False)
        axis.set_adjustable("datalim")
    for axis in list(axes.flat)[len(panels) :]:
        axis.remove()
    if any(len(states) > 1 for states in panels.values()):
        axes[0, 0].legend(loc="best", fontsize=8)
    return figure


def plot_box_curves(curves: Mapping[str, Mapping[str, BoxCurve]]) -> Figure:
    """log N_theta against log(1 + theta), the line of Eq. 4, and SS_rate as the area between: a row per layer.

    curves: row title -> formula -> BoxCurve.
    """
    columns = max(map(len, curves.values()))
    figure, axes = plt.subplots(len(curves), columns, figsize=(3.9 * columns, 2.8 * len(curves)), squeeze=False)
    for row, (layer, by_formula) in zip(axes, curves.items()):
        for axis, (formula, curve) in zip(row, by_formula.items()):
            x, y, line = (_array(v) for v in (curve.theta.log1p(), curve.boxes.log(), curve.reference))
            axis.fill_between(x, y, line, color="#56B4E9", alpha=0.35, linewidth=0)
            axis.plot(x, line, color=GREY, linestyle="--", label="reference line (Eq. 4)")
            axis.plot(x, y, color=INK, linewidth=1.6, label=r"$\log N_\theta$")
            axis.set(title=f"{layer}, {formula}", xlabel=r"$\log(1+\theta)$", ylabel=r"$\log N_\theta$")
            # where the area leaves room: left below a falling curve, left below a high plateau
            axis.text(0.04, 0.06, f"SS_rate = {float(curve.ss_rate):.3f}", transform=axis.transAxes)
    axes[0, 0].legend(loc="upper right", fontsize=8.5)
    return figure


def plot_profiles(profiles: pd.DataFrame) -> Figure:
    """SS_rate along the depth of each model: a row of panels per formula, a column per family.

    profiles: columns model, family, module, depth (0 to 1), formula, ss_rate; with several rows per module (seeds)
        the line is the mean and the band one standard deviation.
    """
    formulas = list(dict.fromkeys(profiles["formula"]))
    families = [family for family in FAMILY_COLOURS if family in set(profiles["family"])]
    size = (3.1 * len(families), 2.5 * len(formulas) + 0.6)
    figure, axes = plt.subplots(len(formulas), len(families), figsize=size, squeeze=False, sharex=True, sharey=True)
    dashes = _dashes(profiles)
    for row, formula in zip(axes, formulas):
        for axis, family in zip(row, families):
            part = profiles[(profiles["formula"] == formula) & (profiles["family"] == family)]
            for model, rows in part.groupby("model", sort=False):
                spread = rows.groupby("depth")["ss_rate"].agg(["mean", "std"])
                style = {"color": FAMILY_COLOURS[family], "marker": STATE_MARKERS["untrained"], "ls": dashes[model]}
                axis.plot(spread.index, spread["mean"], ms=4, label=model, **style)
                if spread["std"].notna().all():
                    low, high = spread["mean"] - spread["std"], spread["mean"] + spread["std"]
                    axis.fill_between(spread.index, low, high, color=style["color"], alpha=0.12, linewidth=0)
            axis.set(title=f"{FAMILY_LABELS[family]}, {formula}", ylim=(0, 1))
        row[0].set_ylabel("SS_rate")
    for axis in axes[-1]:
        axis.set_xlabel("depth (first to last module)")
    for axis in axes[0]:
        axis.legend(loc="upper left", fontsize=8)
    return figure


def _array(values: Tensor | ArrayLike) -> np.ndarray:
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def _dashes(profiles: pd.DataFrame) -> dict[str, object]:
    """A line style per model within its family, so that colour is not the only sign."""
    styles: Sequence[object] = ("-", "--", ":", "-.", (0, (6, 2, 1, 2, 1, 2)))
    models = profiles[["model", "family"]].drop_duplicates()
    rank = models.groupby("family", sort=False).cumcount()
    return {model: styles[k % len(styles)] for model, k in zip(models["model"], rank)}
