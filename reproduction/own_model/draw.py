"""Figures of SS_rate along the layers of any model."""

from __future__ import annotations

import math
from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reproduction.style import GREY, INK


def plot_self_similarity(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """SS_rate along the layers of any models, over the band of their null value: a panel per model.

    Args:
        tables: title -> DataFrame of ``sslib.self_similarity``. The band is null +- 2 null_std.
    """
    columns = min(len(tables), 2)
    rows = math.ceil(len(tables) / columns)
    size = (3.1 * columns, 2.6 * rows + 0.3)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, sharey=True)
    for axis, (title, table) in zip(axes.flat, tables.items(), strict=False):
        place = np.arange(len(table))
        low, high = (table["null"] + side * table["null_std"] for side in (-2, 2))
        axis.fill_between(
            place, low, high, color=GREY, alpha=0.25, linewidth=0, label="noise, ± 2 std"
        )
        axis.plot(place, table["null"], color=GREY, linestyle="--", linewidth=1)
        axis.plot(place, table["SS_rate"], color=INK, marker="o", ms=4, label="SS_rate")
        axis.set(title=title, ylim=(0, None), xticks=place)
        axis.set_xticklabels(table.index, rotation=90, fontsize=9)
    for axis in list(axes.flat)[len(tables) :]:
        axis.remove()
    for row in axes:
        row[0].set_ylabel("SS_rate")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure
