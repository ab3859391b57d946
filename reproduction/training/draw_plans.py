"""The figure of a plan of training."""

from __future__ import annotations

import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reproduction.stats import mean_interval
from reproduction.style import FAMILY_COLOURS, GREY, INK
from reproduction.table_1 import find
from reproduction.training.confirm import Results
from reproduction.words import percent


def plot_plan(found: Results) -> Figure:
    """Of a finished plan, how much nearer to gamma each network comes and what its pairs gain; of
    another one, how many of its runs are done.
    """
    if found.delivery is None or found.differences is None:
        return _plot_progress(found.progress)
    compared = found.differences[["network", "comparison"]].drop_duplicates()
    heights = [max(1, len(found.delivery)), max(1, len(compared))]
    size = 6.6, 0.42 * sum(heights) + 1.9
    figure, axes = plt.subplots(2, 1, figsize=size, height_ratios=heights)
    _plot_delivery(axes[0], found.delivery, found.plan.text["delivery"]["share"])
    _plot_pairs(axes[1], found.differences)
    return figure


def _plot_delivery(axis: Axes, delivery: pd.DataFrame, share: float) -> None:
    axis.axvline(0, color=GREY, linestyle="--", linewidth=1)
    axis.axvline(100 * share, color=GREY, linewidth=1)
    for height, (network, row) in enumerate(delivery[::-1].iterrows()):
        colour = FAMILY_COLOURS[find(str(network)).family]
        if not math.isnan(row["low"]):
            interval = [100 * row["low"], 100 * row["high"]]
            axis.plot(interval, [height, height], color=colour, linewidth=2)
        axis.plot(100 * row["mean"], height, marker="D", ms=6, color=colour)
    axis.set(
        yticks=range(len(delivery)),
        yticklabels=list(delivery.index[::-1]),
        ylim=(-0.6, len(delivery) - 0.4),
        xlabel=f"share of the distance to γ that is closed, % (required: {percent(share)})",
    )
    axis.grid(False, axis="y")


def _plot_pairs(axis: Axes, differences: pd.DataFrame) -> None:
    """A dot per pair, and the mean with its 95 % interval."""
    groups = list(differences.groupby(["network", "comparison"], sort=False))[::-1]
    axis.axvline(0, color=GREY, linestyle="--", linewidth=1)
    for height, (_, part) in enumerate(groups):
        values, colour = part["difference"].to_numpy(), FAMILY_COLOURS[part["family"].iloc[0]]
        spread = np.linspace(0.12, 0.34, len(values)) if len(values) > 1 else np.full(1, 0.2)
        axis.scatter(values, height + spread, s=11, color=colour, alpha=0.5, linewidths=0)
        if len(values) > 1:
            mean, low, high, _ = mean_interval(values)
            axis.plot([low, high], [height, height], color=colour, linewidth=2)
            axis.plot(mean, height, marker="D", ms=6, color=colour)
    axis.set(
        yticks=range(len(groups)),
        yticklabels=[f"{network}: {comparison}" for (network, comparison), _ in groups],
        ylim=(-0.6, len(groups) - 0.3),
        xlabel="difference in top-1, points",
    )
    axis.grid(False, axis="y")


def _plot_progress(progress: pd.DataFrame) -> Figure:
    figure, axis = plt.subplots(figsize=(6.4, 0.32 * len(progress) + 1.1))
    labels = progress["network"] + ", " + progress["arm"]
    places = np.arange(len(progress))[::-1]
    axis.barh(places, progress["due"], color="none", edgecolor=GREY)
    axis.barh(places, progress["done"], color=INK)
    axis.set(yticks=places, yticklabels=list(labels), xlabel="runs: done (filled) of due")
    axis.grid(False, axis="y")
    return figure
