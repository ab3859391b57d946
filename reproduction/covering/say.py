"""What the page on covers says of its tables: each function words an outcome decided elsewhere."""

from __future__ import annotations

import pandas as pd

from reproduction.covering.read import Accuracy, Dimensions
from reproduction.words import percent

_NOT_RUN = "This study was **not run**."


def accuracy(found: Accuracy | None) -> str:
    """How tight the bounds are and how far N_theta is off them (``read.accuracy``)."""
    if found is None:
        return _NOT_RUN
    released, printed = found.released, found.printed
    return (
        f"The bounds are tight: the upper is at most {found.bracket:.2f} times the lower in all "
        f"layers, and {found.bracket_of_sets:.1f} times in the point sets. Against them, the "
        f"released N_θ is off by a factor of {released.typical:.1f} at the median θ and "
        f"{released.median:.1f} at the worst in the median layer of the median network, and up to "
        f"{released.most:.1f}; the printed one by {printed.typical:.0f} and {printed.median:.0f}, "
        "and up to "
        f"{printed.most:.0f}. On sets of known dimension, covers (upper bound) give it with an "
        f"error of {found.cover:.2f} on average, the released N_θ of {released.dimension:.2f}, the "
        f"printed one of {printed.dimension:.2f}. The reason is in the formulas. The share p of "
        "near pairs is a power of θ in a set that has a correlation dimension, but the released "
        "N_θ is close to −(D − 1) log p / log D once p is well above 1/D: it falls with the "
        "logarithm of θ, not with a power. The printed one stays near D until p is near 1."
    )


def answer(
    found: Accuracy | None, correlations: pd.DataFrame, dimensions: Dimensions | None
) -> str:
    """Whether N_theta stands in for box covering.

    Args:
        found: as from ``read.accuracy``.
        correlations: as from ``read.correlations``.
        dimensions: as from ``read.colouring``.
    """
    if found is None or correlations.empty or dimensions is None:
        return _NOT_RUN
    released, printed = found.released, found.printed
    rhos = correlations.loc[["lower", "upper"]]
    within = rhos.map(lambda rho: rho.within)
    return (
        "> **Does N_θ stand in for box covering?**\n>\n"
        "> - **Not as a number of boxes.** The true number is known within a factor of "
        f"{found.bracket:.2f} in all {found.layers} layers; the released N_θ is off by "
        f"{released.low:.1f} to {released.high:.1f} times at its worst θ in the median layer of a "
        f"network ({released.median:.1f} in the median network, {released.typical:.1f} at the "
        f"median θ); the printed one by {printed.low:.0f} to {printed.high:.0f} "
        f"({printed.median:.0f}, {printed.typical:.0f}).\n"
        "> - **As a ranking**: SS_rate by the released N_θ correlates over layers with SS_rate by "
        f"true boxes by {rhos.loc['lower', 'released']} (lower bound) and "
        f"{rhos.loc['upper', 'released']} (upper), by the printed one by "
        f"{rhos.loc['lower', 'printed']} and {rhos.loc['upper', 'printed']} (Spearman, 95 % "
        "interval over networks). Inside a network it is "
        f"{within.loc['lower', 'released']:.2f} and {within.loc['upper', 'released']:.2f} by the "
        "released one, and "
        f"{within.loc['lower', 'printed']:.2f} and {within.loc['upper', 'printed']:.2f} by the "
        "printed one (median over networks).\n"
        "> - **Box covering itself works where there is something to find**: d_B of "
        f"{dimensions.graphs} graphs with a known dimension within {percent(dimensions.off)} by "
        f"colouring (standard errors {dimensions.error[0]:.2f} to {dimensions.error[1]:.2f}); "
        f"power laws claimed on graphs that have none: {dimensions.claimed}."
    )
