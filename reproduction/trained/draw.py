"""Figures of trained networks: a table in, a matplotlib Figure out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reproduction.style import FAMILY_COLOURS, GREY, INK, STATE_MARKERS

_FAMILIES = {"ViT-Tiny": "attention", "EfficientNet-Lite0": "cnn"}
_STATISTICS = {
    "none": "",
    "interpolated": "statistics interpolated",
    "of the images": "statistics of the images",
}


def profiles(layers: pd.DataFrame, measures: Mapping[str, str]) -> Figure:
    """Layer by layer, trained beside untrained: a row of panels per network, a column per measure.

    Args:
        layers: as from ``read.layers``.
        measures: column of it -> title. The line of untrained networks is the mean over seeds and
            draws, the band their range; of the trained one, the mean over draws.
    """
    networks = list(dict.fromkeys(layers["network"]))
    size = (3.1 * len(measures), 2.4 * len(networks) + 0.4)
    figure, axes = plt.subplots(
        len(networks), len(measures), figsize=size, squeeze=False, sharey="col"
    )
    for row, network in zip(axes, networks, strict=True):
        for axis, (measure, title) in zip(row, measures.items(), strict=True):
            part = layers[layers["network"] == network]
            for state, filled in (("untrained", "none"), ("trained", None)):
                of = part[part["state"] == state].groupby("depth")[measure]
                colour, middle = FAMILY_COLOURS[_FAMILIES[network]], of.mean()
                if state == "untrained":
                    axis.fill_between(
                        middle.index, of.min(), of.max(), color=GREY, alpha=0.2, linewidth=0
                    )
                    colour = GREY
                axis.plot(
                    middle.index,
                    middle,
                    color=colour,
                    marker=STATE_MARKERS[state],
                    markerfacecolor=filled or colour,
                    ms=4,
                    label=state,
                )
            axis.set_title(f"{network}: {title}")
        row[0].legend(fontsize=9)
        row[0].set_ylabel("SS_rate")
    for axis in axes[-1]:
        axis.set_xlabel("depth (first to last module)")
    return figure


def parts(scale: pd.DataFrame) -> Figure:
    """The change of SS_rate split into that of the scale and that of the shape of the distances.

    Args:
        scale: as from ``read.scale``.
    """
    names = [f"{row.network}, {row.formula}" for row in scale.itertuples()]
    place = np.arange(len(scale))
    figure, axis = plt.subplots(figsize=(6.2, 0.55 * len(scale) + 1.2))
    axis.axvline(0, color=GREY, linewidth=1)
    for shift, column, colour in ((0.18, "scale", "#56B4E9"), (-0.18, "shape", "#E69F00")):
        axis.barh(place - shift, scale[column], height=0.32, color=colour, label=column)
    axis.plot(scale["change"], place, "D", color=INK, ms=5, label="whole change")
    axis.set_yticks(place, names)
    axis.invert_yaxis()
    axis.set_xlabel("change of SS_rate, trained less untrained")
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def path(path: pd.DataFrame) -> Figure:
    """Along the way from untrained to trained weights: SS_rate above, accuracy below.

    Args:
        path: as from ``read.path``. A line per seed of the untrained end.
    """
    cells = list(path.groupby(["network", "statistics"], sort=False))
    size = (2.5 * len(cells) + 0.6, 4.2)
    figure, axes = plt.subplots(2, len(cells), figsize=size, squeeze=False, sharex=True)
    for column, ((network, statistics), part) in zip(axes.T, cells, strict=True):
        for axis, measures in ((column[0], ("released", "printed")), (column[1], ("top1",))):
            for measure, dash in zip(measures, ("-", "--"), strict=False):
                for _, run in part.groupby("seed"):
                    colour = FAMILY_COLOURS[_FAMILIES[network]]
                    axis.plot(run["t"], run[measure], dash, color=colour, linewidth=1.2, alpha=0.8)
            axis.set_ylim(0, 1)
        column[0].set_title("\n".join(filter(None, (network, _STATISTICS[statistics]))))
        column[1].set_xlabel("t, share of trained weights")
    axes[0, 0].set_ylabel("SS_rate")
    axes[1, 0].set_ylabel("top-1")
    for measure, dash in (("released", "-"), ("printed", "--")):
        axes[0, 0].plot([], [], dash, color=GREY, label=measure)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def pictures(channels: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Figure 2's picture of the first module, untrained and trained in one plane.

    Args:
        channels: as from ``read_beside.channels``.
    """
    size = (3.2 * len(channels), 3.4)
    figure, axes = plt.subplots(1, len(channels), figsize=size, squeeze=False)
    for axis, (network, found) in zip(axes[0], channels.items(), strict=True):
        for state, colour in (("untrained", GREY), ("trained", FAMILY_COLOURS[_FAMILIES[network]])):
            x, y = np.array(found["positions"][state]).T
            axis.scatter(
                x, y, s=16, marker=STATE_MARKERS[state], color=colour, alpha=0.7, label=state
            )
        spread = found["participation"]
        axis.set_title(network)
        axis.set_xlabel(
            f"{found['channels']} channels; directions: untrained {spread['untrained']:.1f}, "
            f"trained {spread['trained']:.1f}",
            fontsize=8,
        )
        axis.set(xticks=[], yticks=[], aspect="equal", adjustable="datalim")
        axis.spines[:].set_visible(False)
    axes[0, 0].legend(fontsize=9)
    return figure
