"""Colours and style of every figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

FAMILY_COLOURS = {"attention": "#0072B2", "cnn": "#D55E00", "mlp": "#009E73"}

FAMILY_LABELS = {"attention": "attention", "cnn": "convolution", "mlp": "MLP"}

STATE_MARKERS = {"untrained": "^", "trained": "s"}

INK, GREY = "#222222", "#767676"


def use_style() -> None:
    """Set matplotlib up for the book: opaque white, light grid, SVG files that come out the same
    every time.
    """
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


def _log_axis(axis: Axes, low: float, high: float) -> None:
    """A logarithmic x axis with three or four plain numbers, however short it is."""
    for digits in ((1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7)):
        steps = [m * 10.0**e for e in range(-3, 5) for m in digits]
        inside = [step for step in steps if low * 0.99 <= step <= high * 1.01]
        if len(inside) > 2:
            break
    if len(inside) > 5:  # whole decades alone, or every third step
        inside = (
            [step for step in inside if math.log10(step) % 1 == 0]
            if high / low > 1e3
            else inside[::3]
        )
    axis.set_xscale("log")
    axis.set_xticks(inside, [f"{step:g}" for step in inside])
    axis.xaxis.set_minor_formatter("")


def _array(values: Any) -> np.ndarray:
    """A torch tensor (told without importing torch) or anything array-like, as an array."""
    return values.detach().cpu().numpy() if hasattr(values, "detach") else np.asarray(values)


def _dashes(profiles: pd.DataFrame) -> dict[str, object]:
    """A line style per model within its family, so that colour is not the only sign."""
    styles: Sequence[object] = ("-", "--", ":", "-.", (0, (6, 2, 1, 2, 1, 2)))
    models = profiles[["model", "family"]].drop_duplicates()
    rank = models.groupby("family", sort=False).cumcount()
    return {model: styles[k % len(styles)] for model, k in zip(models["model"], rank, strict=True)}


def panels(
    count: int, across: int, *, size: tuple[float, float], ylabel: str = "", sharey: bool = False
) -> tuple[Figure, list[Axes]]:
    """A figure of equal panels with room for a legend below them.

    Args:
        count: how many panels.
        across: at most so many beside each other.
        size: width and height of one, in inches.
        ylabel: of the first panel in each row.
        sharey: whether all have the same y axis.

    Returns:
        The figure and its panels, row by row.
    """
    across = min(across, count)
    rows = math.ceil(count / across)
    figure, axes = plt.subplots(
        rows, across, figsize=(size[0] * across, size[1] * rows + 0.3), squeeze=False, sharey=sharey
    )
    for axis in axes.flat[count:]:
        axis.remove()
    for first in axes[:, 0]:
        first.set_ylabel(ylabel)
    return figure, list(axes.flat[:count])


def legend_below(figure: Figure, axis: Axes, *, columns: int, markerscale: float = 1) -> None:
    """One legend for all panels below them: what `axis` has labels for."""
    figure.legend(
        *axis.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=columns,
        fontsize=9,
        markerscale=markerscale,
    )
