"""Tables in, figures out: time and memory of SS_rate against the number of channels."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

#: Name, colour and marker of each way.
_WAYS = {
    "ours": ("sslib", "#0072B2", "o"),
    "floor": ("floor", "#999999", "s"),
    "pdist": ("pdist", "#D55E00", "v"),
    "plain": ("plain", "#CC79A7", "^"),
}


def plot_scaling(scaling: pd.DataFrame) -> Figure:
    """Seconds, and megabytes above the inputs, against D: a line per way, both axes logarithmic.

    Args:
        scaling: what ``read.scaling`` gives.
    """
    figure, axes = plt.subplots(1, 2, figsize=(8.2, 3.6))
    for axis, unit, label in zip(axes, ("s", "MB"), ("time, s", "memory, MB"), strict=True):
        for way, (name, colour, marker) in _WAYS.items():
            if f"{way}_{unit}" in scaling:
                line = scaling[f"{way}_{unit}"].dropna()
                axis.plot(line.index, line, marker=marker, ms=4, color=colour, label=name)
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        axis.set_xticks(scaling.index, [f"{D:,}" for D in scaling.index], rotation=45)
        axis.set_xlabel("channels D")
        axis.set_ylabel(label)
    whole = 4e-6 * scaling.index.to_numpy(float) ** 2
    axes[1].plot(scaling.index, whole, ":", color="#222222", label="D × D distances")
    axes[0].legend()
    axes[1].legend()
    return figure
