"""Figures of spectra and correlation integrals, and of σ and Δ beside the paper's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from reproduction.paper.tables import DATASETS
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

if TYPE_CHECKING:
    from sslib.dimension import CorrelationDimension
    from sslib.powerlaw import PowerLaw


def plot_spectra(spectra: Mapping[str, Mapping[str, tuple[ArrayLike, PowerLaw]]]) -> Figure:
    """Share of a layer's eigenvalues that reach a value, and the power law fitted to them.

    A power law is a straight line here; the fit is drawn over the eigenvalues it uses.

    Args:
        spectra: row title -> column title -> (eigenvalues, fit).
    """
    figure, panels = _panels(list(spectra), _columns(spectra), height=2.0, sharex="col")
    for (layer, way), axis in panels.items():
        values, fit = spectra[layer][way]
        values = np.sort(_array(values))[::-1]
        values = values[values > 1e-10]
        axis.loglog(values, np.arange(1, len(values) + 1) / len(values), ".", ms=3, color=GREY)
        tail = np.array([fit.x_min, values[0]])
        share = fit.n_tail / fit.n * (tail / fit.x_min) ** (1 - fit.exponent)
        axis.loglog(tail, share, color=FAMILY_COLOURS["cnn"], linewidth=1.8)
        exponent = f"exponent {fit.exponent:.2f} ± {fit.standard_error:.2f}"
        text = f"{exponent}\nKS {fit.ks_distance:.2f}, n = {fit.n_tail}"
        axis.text(0.97, 0.95, text, transform=axis.transAxes, fontsize=9, ha="right", va="top")
        axis.set(title=f"{layer}, {way}", ylim=(0.5 / len(values), 1.5))
    _label(panels, "eigenvalue λ", "share ≥ λ")
    return figure


def plot_correlation_integrals(fits: Mapping[str, Mapping[str, CorrelationDimension]]) -> Figure:
    """T(r) against r on log-log axes and the line fitted to it; shaded: the region of the fit.

    Args:
        fits: row title -> column title -> fit.
    """
    shared = {"sharex": "col", "sharey": "col"}
    figure, panels = _panels(list(fits), _columns(fits), height=2.0, **shared)
    for (layer, way), axis in panels.items():
        fit = fits[layer][way]
        axis.loglog(fit.radii, fit.integral, ".", ms=2.5, color=GREY)
        ends = np.array(fit.region)
        axis.axvspan(*ends, color="#56B4E9", alpha=0.2, linewidth=0)
        line = np.exp(fit.intercept) * ends**fit.dimension
        axis.loglog(ends, line, color=FAMILY_COLOURS["cnn"], linewidth=1.8)
        text = f"{fit.dimension:.2f} ± {fit.standard_error:.2f}"
        axis.text(0.96, 0.05, text, transform=axis.transAxes, fontsize=9, ha="right")
        axis.set(title=f"{layer}, {way}")
    _label(panels, "distance r", "T(r)")
    return figure


def plot_against_paper(
    table: pd.DataFrame, families: Mapping[str, str], ways: Sequence[str]
) -> Figure:
    """Measured values beside the printed ones, a row of panels per way and a column per data set.

    Models stand in the order of their printed values, the smallest below; those that were not run
    are left out.

    Args:
        table: columns model, images, way, paper, ours, std (``read.invariance_table``).
        families: model -> family.
        ways: of `table`, that are drawn.
    """
    table, marker = table.dropna(subset="ours"), STATE_MARKERS["untrained"]
    sets = list(dict.fromkeys(table["images"])) or [""]
    figure, panels = _panels(ways, sets, height=2.5, extra=0.3, sharex="row")
    for (way, images), axis in panels.items():
        row = table[table["way"] == way]
        part = row[row["images"] == images].sort_values("paper")
        for y, cell in enumerate(part.itertuples()):
            axis.plot([cell.paper, cell.ours], [y, y], color=GREY, linewidth=0.8, zorder=1)
            colour = FAMILY_COLOURS[families[cell.model]]
            error = cell.std if cell.std > 0 else None
            axis.errorbar(
                cell.ours, y, xerr=error, ls="", marker=marker, color=colour, ms=6, capsize=2
            )
        axis.plot(part["paper"], range(len(part)), ls="", marker="o", mfc="white", color=INK, ms=5)
        axis.set_yticks(range(len(part)), part["model"])
        axis.set(xscale="log", title=f"{DATASETS.get(images, images)}, {way}")
        axis.grid(False, axis="y")
        low, high = row[["paper", "ours"]].min(axis=None), row[["paper", "ours"]].max(axis=None)
        if high < 100 * low:
            _log_axis(axis, low, high)
    handles = [
        Line2D([], [], ls="", marker="o", mfc="white", color=INK, label="paper"),
        Line2D([], [], ls="", marker=marker, color=GREY, label="ours, untrained"),
        *(
            Line2D([], [], lw=4, color=FAMILY_COLOURS[family], label=FAMILY_LABELS[family])
            for family in dict.fromkeys(table["model"].map(families))
        ),
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

    Args:
        layers: of ``read.layer_table``. Lines are means over seeds.
        value: the column drawn.
        label: of the axis.
        ways: of `layers`, that are drawn.
        null: the column of the null value, drawn as a grey band from the smallest to the largest.
        log: rows that span more than a decade have a logarithmic axis.
    """
    sets = list(dict.fromkeys(layers["images"]))
    shared = {"sharex": True, "sharey": "row"}
    figure, panels = _panels(ways, sets, height=2.5, extra=0.5, **shared)
    dashes = _dashes(layers)
    for (way, images), axis in panels.items():
        row = layers[layers["way"] == way]
        part = row[row["images"] == images]
        if null and len(part):
            ends, about = (part[null].min(), part[null].max()), "noise of these shapes"
            axis.axhspan(*ends, color=GREY, alpha=0.2, linewidth=0, label=about)
        for model, rows in part.groupby("model", sort=False):
            line = rows.groupby("depth")[value].mean()
            colour = FAMILY_COLOURS[rows["family"].iloc[0]]
            style = {"marker": STATE_MARKERS["untrained"], "ls": dashes[model], "ms": 4}
            axis.plot(line.index, line, color=colour, label=model, **style)
        axis.set(title=f"{DATASETS.get(images, images)}, {way}")
        drawn = row[[value, null] if null else [value]]
        if log and drawn.max(axis=None) > 10 * drawn.min(axis=None):
            axis.set_yscale("log")
    _label(panels, "depth (first to last module)", label)
    signs = [axis.get_legend_handles_labels() for axis in panels.values()]
    lines = {label: line for handles in signs for line, label in zip(*handles, strict=True)}
    figure.legend(lines.values(), lines.keys(), loc="outside lower center", ncols=4, fontsize=9)
    return figure


def _columns(panels: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Column titles of a row title -> column title -> panel."""
    return list(next(iter(panels.values())))


def _panels(
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    height: float,
    extra: float = 0.0,
    sharex: bool | str = False,
    sharey: bool | str = False,
) -> tuple[Figure, dict[tuple[str, str], Axes]]:
    """A figure with a panel per row and column, `height` inches each and `extra` for the legend."""
    size = (3.3 * len(columns), height * len(rows) + extra)
    figure, axes = plt.subplots(
        len(rows), len(columns), figsize=size, squeeze=False, sharex=sharex, sharey=sharey
    )
    names = [(row, column) for row in rows for column in columns]
    return figure, dict(zip(names, axes.flat, strict=True))


def _label(panels: Mapping[tuple[str, str], Axes], x: str, y: str) -> None:
    """Name the axes: x below the last row, y beside the first column."""
    (_, first_column), (last_row, _) = next(iter(panels)), list(panels)[-1]
    for (row, column), axis in panels.items():
        if row == last_row:
            axis.set_xlabel(x)
        if column == first_column:
            axis.set_ylabel(y)
