"""Figures of what moves SS_rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reproduction.paper.tables import FORMULAS
from reproduction.sensitivity.read import MEASURES_BESIDE
from reproduction.style import (
    FAMILY_COLOURS,
    FAMILY_LABELS,
    GREY,
    INK,
    STATE_MARKERS,
    _log_axis,
    legend_below,
    panels,
)

#: What describes the histogram of a layer's distances: column of ``read.layers`` -> label.
HISTOGRAM: Mapping[str, str] = {
    "distance_mean": "mean distance",
    "cv": "variation of distances",
    "distance_skewness": "skewness of distances",
    "D": "channels D",
}

#: Known measures of a layer; the mean distance has its panel in the histogram's figure.
KNOWN: Mapping[str, str] = {
    column: label for column, label in MEASURES_BESIDE.items() if column != "distance_mean"
}

#: Factors that are numbers: name -> label.
FACTORS: Mapping[str, str] = {"scale": "features multiplied by", "D": "channels D", "B": "images B"}

#: Statistics of A_epsilon: column of ``read_graphs.graphs`` -> label.
STATISTICS: Mapping[str, str] = {
    "degree_cv": "variation of degrees",
    "clustering": "clustering",
    "largest": "largest component",
    "sigma": "small-world σ",
}

_LOG = ("distance_mean", "D", "participation_ratio", "effective_rank")

_NOISE = "Gaussian noise"

#: Label of a family -> colour.
_COLOURS = {FAMILY_LABELS[family]: colour for family, colour in FAMILY_COLOURS.items()}


def plot_layers(
    layers: pd.DataFrame,
    columns: Mapping[str, str],
    *,
    y: str = "released",
    log: Sequence[str] = _LOG,
) -> Figure:
    """One point per layer: SS_rate against each of several columns, a panel each.

    Args:
        layers: with `y`, "family" and `columns`.
        columns: column -> label, as ``HISTOGRAM`` or ``KNOWN``.
        y: the column of SS_rate.
        log: the columns drawn on a log axis.
    """
    figure, axes = panels(len(columns), 2, size=(3.3, 2.4), ylabel="SS_rate", sharey=True)
    families = layers.assign(family=layers["family"].map(FAMILY_LABELS))
    for axis, (column, label) in zip(axes, columns.items(), strict=True):
        sns.scatterplot(
            families,
            x=column,
            y=y,
            hue="family",
            hue_order=[label for label in _COLOURS if label in set(families["family"])],
            palette=_COLOURS,
            marker=STATE_MARKERS["untrained"],
            s=9 if len(layers) > 300 else 22,
            alpha=0.5,
            linewidth=0,
            rasterized=True,
            legend="full" if axis is axes[0] else False,
            ax=axis,
        )
        axis.set(xlabel=label)
        if column in log:
            _log_axis(axis, layers[column].min(), layers[column].max())
    legend_below(figure, axes[0], columns=3, markerscale=2)
    axes[0].get_legend().remove()
    return figure


def plot_factors(
    factors: pd.DataFrame, names: Mapping[str, str] = FACTORS, formulas: Sequence[str] = FORMULAS
) -> Figure:
    """SS_rate of one layer per family as one thing changes: a row per factor, a column per formula.

    Args:
        factors: as from ``read_factors.factors``.
        names: factor with numbers as values -> label of its axis.
        formulas: the columns drawn.
    """
    figure, axes = panels(
        len(names) * len(formulas), len(formulas), size=(3.3, 2.2), ylabel="SS_rate"
    )
    for k, (factor, label) in enumerate(names.items()):
        part = factors[factors["factor"] == factor]
        part = part.assign(value=part["value"].astype(float)).sort_values("value")
        for column, formula in enumerate(formulas):
            axis = axes[k * len(formulas) + column]
            if k:
                axis.sharey(axes[column])
            _lines(axis, part, formula)
            _log_axis(axis, part["value"].min(), part["value"].max())
            axis.set(title="" if k else formula, xlabel=label)
    legend_below(figure, axes[0], columns=3)
    return figure


def _lines(axis: Axes, part: pd.DataFrame, formula: str) -> None:
    """A line per layer, and a band where there is an interval."""
    for (model, family), layer in part.groupby(["model", "family"], sort=False):
        colour = FAMILY_COLOURS[family]
        axis.plot(
            layer["value"],
            layer[formula],
            color=colour,
            marker=STATE_MARKERS["untrained"],
            ms=4,
            label=f"{model} {layer['module'].iloc[0]}",
        )
        low, high = (layer[f"{formula}, {end}"].fillna(layer[formula]) for end in ("low", "high"))
        axis.fill_between(layer["value"], low, high, color=colour, alpha=0.15, linewidth=0)


def plot_graph_profile(graphs: pd.DataFrame, statistics: Mapping[str, str] = STATISTICS) -> Figure:
    """Statistics of A_epsilon against the share of pairs it joins: solid for features, dashed for
    Gaussian noise.

    Args:
        graphs: as from ``read_graphs.graphs``.
        statistics: column -> label, a panel each.
    """
    noise = graphs["of"] == "gaussian"
    curves = graphs.assign(
        kind=graphs["family"].map(FAMILY_LABELS).mask(noise, _NOISE),
        curve=graphs["model"] + " " + graphs["of"],
    )
    kinds = [*(kind for kind in _COLOURS if kind in set(curves["kind"])), _NOISE]
    figure, axes = panels(len(statistics), 2, size=(3.3, 2.4))
    for axis, (column, label) in zip(axes, statistics.items(), strict=True):
        sns.lineplot(
            curves,
            x="density",
            y=column,
            hue="kind",
            hue_order=kinds,
            style="kind",
            style_order=kinds,
            size="kind",
            palette=_COLOURS | {_NOISE: GREY},
            dashes=dict.fromkeys(kinds, "") | {_NOISE: (4, 2)},
            sizes=dict.fromkeys(kinds, 1.3) | {_NOISE: 0.8},
            units="curve",
            estimator=None,
            legend="full" if axis is axes[0] else False,
            ax=axis,
        )
        axis.set(xlabel="share of pairs joined", ylabel="", title=label)
        _log_axis(axis, graphs["density"].min(), graphs["density"].max())
        if column == "sigma":
            axis.axhline(1, color=INK, lw=0.8, ls=":")
            axis.set_yscale("log")
    legend_below(figure, axes[0], columns=4)
    axes[0].get_legend().remove()
    return figure
