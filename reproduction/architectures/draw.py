"""Tables in, figures out: every design a mark, and what SS_rate is made of."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from reproduction.style import GREY, INK

#: A sign per family: Okabe and Ito's colours, told apart without red-green vision, and a marker.
SIGNS = {
    "global attention": ("#0072B2", "o"),
    "global MLP": ("#009E73", "^"),
    "windowed attention": ("#56B4E9", "s"),
    "pooling": ("#CC79A7", "D"),
    "convolution": ("#D55E00", "v"),
    "hybrid": ("#999999", "P"),
}
_TICKS = [1, 1.2, 1.5, 2, 3, 5, 10, 20, 50, 100]


def plot_designs(designs: pd.DataFrame) -> Figure:
    """Directions of the first module against SS_rate: a mark per design, the paper's nine named.

    Args:
        designs: what ``read.table`` gives.
    """
    figure, axis = plt.subplots(figsize=(8.2, 5.2))
    for family, (colour, marker) in SIGNS.items():
        part = designs[designs["family"] == family]
        others, nine = part[part["paper"] == ""], part[part["paper"] != ""]
        style = {"c": colour, "marker": marker, "linewidths": 0.5}
        label = f"{family} ({len(part)})"
        axis.scatter(
            others["directions"],
            others["ss_rate"],
            s=30,
            alpha=0.75,
            edgecolors="white",
            label=label,
            **style,
        )
        axis.scatter(nine["directions"], nine["ss_rate"], s=85, edgecolors=INK, zorder=3, **style)
    _name_nine(axis, designs[designs["paper"] != ""])
    axis.set_xscale("log")
    low, high = designs["directions"].min(), designs["directions"].max()
    axis.xaxis.set_major_locator(
        FixedLocator([tick for tick in _TICKS if low * 0.95 <= tick <= high * 1.05])
    )
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter("{x:g}")
    axis.set(xlabel="directions the first module's channels spread over (participation ratio)")
    axis.set(ylabel="SS_rate, released formula, mean over modules")
    figure.legend(fontsize=8.5, loc="outside upper left", ncols=3, handletextpad=0.3)
    return figure


def _name_nine(axis: plt.Axes, nine: pd.DataFrame) -> None:
    """The paper's names in a column at the right edge, a thin line from each to its mark."""
    low, high = axis.get_ylim()
    ordered = nine.sort_values("ss_rate")
    heights = spread(ordered["ss_rate"].to_numpy(), least=0.048 * (high - low))
    for (_, design), height in zip(ordered.iterrows(), heights, strict=True):
        axis.annotate(
            design["paper"],
            (design["directions"], design["ss_rate"]),
            xytext=(1.02, (height - low) / (high - low)),
            textcoords="axes fraction",
            fontsize=8.5,
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.5, "shrinkB": 5},
        )
    axis.set_ylim(low, high)


def spread(values: np.ndarray, *, least: float) -> np.ndarray:
    """Rising values moved as little as it takes for neighbours to be `least` apart.

    >>> spread(np.array([0.0, 0.1, 3.0]), least=1).round(2).tolist()
    [-0.45, 0.55, 3.0]
    """
    from scipy.optimize import isotonic_regression

    steps = least * np.arange(len(values))
    return isotonic_regression(values - steps).x + steps


def plot_shares(shares: pd.DataFrame) -> Figure:
    """What SS_rate is made of: each factor's Shapley share of R2 with its interval, largest on top.

    Args:
        shares: what ``read.shares`` gives.
    """
    factors = shares.drop(index="all")
    height = np.arange(len(factors))[::-1]
    figure, axis = plt.subplots(figsize=(6.4, 2.9))
    errors = [factors["share"] - factors["low"], factors["high"] - factors["share"]]
    colours = ["#0072B2" if verdict == "a good part" else GREY for verdict in factors["answer"]]
    axis.barh(height, factors["share"], color=colours, height=0.62)
    axis.errorbar(
        factors["share"],
        height,
        xerr=np.clip(errors, 0, None),
        fmt="none",
        ecolor=INK,
        capsize=3,
        linewidth=1,
    )
    axis.axvline(0.10, color=GREY, linestyle="--", linewidth=1)
    axis.set(
        yticks=height,
        yticklabels=factors.index,
        xlim=(0, None),
        xlabel="share of the variance of SS_rate between designs",
    )
    axis.grid(axis="y", visible=False)
    return figure
