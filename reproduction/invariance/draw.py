"""Figures of spectra and correlation integrals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from reproduction.style import (
    FAMILY_COLOURS,
    FAMILY_LABELS,
    GREY,
    INK,
    STATE_MARKERS,
    _array,
    _dashes,
    _log_axis,
)
from sslib.dimension import CorrelationDimension
from sslib.powerlaw import PowerLaw


def plot_spectra(spectra: Mapping[str, Mapping[str, tuple[ArrayLike, PowerLaw]]]) -> Figure:
    """Share of a layer's eigenvalues that reach a value, and the power law fitted to them: a row
    per layer.

    spectra: row title -> column title -> (eigenvalues, fit). A power law is a straight line here;
    the fit is drawn over the eigenvalues it uses.
    """
    columns = max(map(len, spectra.values()))
    size = (3.3 * columns, 2.0 * len(spectra))
    figure, axes = plt.subplots(len(spectra), columns, figsize=size, squeeze=False, sharex="col")
    for row, (layer, panels) in zip(axes, spectra.items()):
        for axis, (way, (values, fit)) in zip(row, panels.items()):
            values = np.sort(_array(values))[::-1]
            values = values[values > 1e-10]
            axis.loglog(values, np.arange(1, len(values) + 1) / len(values), ".", ms=3, color=GREY)
            tail = np.array([fit.x_min, values[0]])
            share = fit.n_tail / fit.n * (tail / fit.x_min) ** (1 - fit.exponent)
            axis.loglog(tail, share, color=FAMILY_COLOURS["cnn"], linewidth=1.8)
            text = f"γ = {fit.exponent:.2f} ± {fit.standard_error:.2f}\nKS {fit.ks_distance:.2f}, n = {fit.n_tail}"
            axis.text(0.97, 0.95, text, transform=axis.transAxes, fontsize=9, ha="right", va="top")
            axis.set(title=f"{layer}, {way}", ylim=(0.5 / len(values), 1.5))
        row[0].set_ylabel("share ≥ λ")
    for axis in axes[-1]:
        axis.set_xlabel("eigenvalue λ")
    return figure


def plot_correlation_integrals(fits: Mapping[str, Mapping[str, CorrelationDimension]]) -> Figure:
    """T(r) against r on log-log axes and the line fitted to it: a row per layer, a column per
    estimator.

    fits: row title -> column title -> CorrelationDimension. The shaded band is the region of the
    fit.
    """
    columns = max(map(len, fits.values()))
    size = (3.3 * columns, 2.0 * len(fits))
    figure, axes = plt.subplots(
        len(fits), columns, figsize=size, squeeze=False, sharex="col", sharey="col"
    )
    for row, (layer, panels) in zip(axes, fits.items()):
        for axis, (way, fit) in zip(row, panels.items()):
            axis.loglog(fit.radii, fit.integral, ".", ms=2.5, color=GREY)
            ends = np.array(fit.region)
            axis.axvspan(*ends, color="#56B4E9", alpha=0.2, linewidth=0)
            axis.loglog(
                ends,
                np.exp(fit.intercept) * ends**fit.dimension,
                color=FAMILY_COLOURS["cnn"],
                linewidth=1.8,
            )
            text = f"{fit.dimension:.2f} ± {fit.standard_error:.2f}"
            axis.text(0.96, 0.05, text, transform=axis.transAxes, fontsize=9, ha="right")
            axis.set(title=f"{layer}, {way}")
        row[0].set_ylabel("T(r)")
    for axis in axes[-1]:
        axis.set_xlabel("distance r")
    return figure


def plot_against_paper(
    table: pd.DataFrame, families: Mapping[str, str], ways: Sequence[str]
) -> Figure:
    """Measured values beside the printed ones, a row of panels per way and a column per data set.

    table: columns model, images, way, paper, ours, std (``invariance_grid.invariance_table``);
    families: model -> family.

    Models stand in the order of their printed values, the smallest below; those that were not run
    are left out.
    """
    table = table.dropna(subset="ours")
    sets = list(dict.fromkeys(table["images"]))
    size = (3.3 * max(len(sets), 1), 2.5 * len(ways) + 0.3)
    figure, axes = plt.subplots(
        len(ways), max(len(sets), 1), figsize=size, squeeze=False, sharex="row"
    )
    for row, way in zip(axes, ways):
        for axis, images in zip(row, sets):
            part = table[(table["way"] == way) & (table["images"] == images)].sort_values("paper")
            for y, cell in enumerate(part.itertuples()):
                axis.plot([cell.paper, cell.ours], [y, y], color=GREY, linewidth=0.8, zorder=1)
                style = {
                    "marker": STATE_MARKERS["untrained"],
                    "color": FAMILY_COLOURS[families[cell.model]],
                    "ms": 6,
                    "capsize": 2,
                }
                axis.errorbar(cell.ours, y, xerr=cell.std if cell.std > 0 else None, ls="", **style)
            axis.plot(
                part["paper"], range(len(part)), ls="", marker="o", mfc="white", color=INK, ms=5
            )
            axis.set_yticks(range(len(part)), part["model"])
            axis.set(xscale="log", title=f"{images}, {way}")
            axis.grid(False, axis="y")
            values = table.loc[table["way"] == way, ["paper", "ours"]]
            if values.max(axis=None) < 100 * values.min(axis=None):
                _log_axis(axis, values.min(axis=None), values.max(axis=None))
    handles = [Line2D([], [], ls="", marker="o", mfc="white", color=INK, label="paper")]
    handles.append(
        Line2D(
            [], [], ls="", marker=STATE_MARKERS["untrained"], color=GREY, label="ours, untrained"
        )
    )
    present = dict.fromkeys(families[model] for model in table["model"])
    handles += [
        Line2D([], [], lw=4, color=FAMILY_COLOURS[f], label=FAMILY_LABELS[f]) for f in present
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=9)
    return figure


def plot_invariance_layers(
    layers: pd.DataFrame,
    value: str,
    label: str,
    ways: Sequence[str],
    *,
    null: str | None = None,
    log: bool = False,
) -> Figure:
    """A number of every layer along the depth: a row per way, a column per data set, a line per
    model.

    layers: of ``invariance_grid.layer_table``; value: the column drawn, null: the column of its
    null value, drawn as a grey band from the smallest to the largest; label: of the axis; log: rows
    that span more than a decade have a logarithmic axis. Lines are means over seeds.
    """
    sets = list(dict.fromkeys(layers["images"]))
    size = (3.3 * len(sets), 2.5 * len(ways) + 0.5)
    figure, axes = plt.subplots(
        len(ways), len(sets), figsize=size, squeeze=False, sharex=True, sharey="row"
    )
    dashes = _dashes(layers)
    for row, way in zip(axes, ways):
        for axis, images in zip(row, sets):
            part = layers[(layers["way"] == way) & (layers["images"] == images)]
            if null and len(part):
                low, high = part[null].min(), part[null].max()
                axis.axhspan(
                    low, high, color=GREY, alpha=0.2, linewidth=0, label="noise of these shapes"
                )
            for model, rows in part.groupby("model", sort=False):
                line = rows.groupby("depth")[value].mean()
                colour = FAMILY_COLOURS[rows["family"].iloc[0]]
                marker = STATE_MARKERS["untrained"]
                axis.plot(
                    line.index,
                    line,
                    ms=4,
                    color=colour,
                    marker=marker,
                    ls=dashes[model],
                    label=model,
                )
            axis.set(title=f"{images}, {way}")
        drawn = layers.loc[layers["way"] == way, [value, null] if null else [value]]
        if log and drawn.max().max() > 10 * drawn.min().min():
            row[0].set_yscale("log")  # shared along the row
        row[0].set_ylabel(label)
    for axis in axes[-1]:
        axis.set_xlabel("depth (first to last module)")
    lines = {
        label: line for axis in axes.flat for line, label in zip(*axis.get_legend_handles_labels())
    }
    figure.legend(lines.values(), lines.keys(), loc="outside lower center", ncols=4, fontsize=9)
    return figure
