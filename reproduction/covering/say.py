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
        f"layers, and {found.bracket_of_sets:.1f} times in the point sets. In the median layer of "
        f"the median network, the released N_θ is off by a factor of {released.typical:.1f} at the "
        f"median θ and {released.median:.1f} at the worst; in the worst layer by "
        f"{released.most:.1f}. For the printed one these factors are {printed.typical:.0f}, "
        f"{printed.median:.0f} and {printed.most:.0f}. On sets of known dimension, covers (upper "
        f"bound) give it with an error of {found.cover:.2f} on average, the released N_θ of "
        f"{released.dimension:.2f}, the printed one of {printed.dimension:.2f}. The formulas "
        "explain why. In a set that has a correlation dimension, the share p of near pairs is a "
        "power of θ. But once p is well above 1/D, the released N_θ is close to "
        "−(D − 1) log p / log D, so it falls with the logarithm of θ rather than with a power. The "
        "printed one stays near D until p is near 1."
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
        f"{found.bracket:.2f} in all {found.layers} layers. In the median layer of a network, the "
        f"released N_θ is off by a factor of {released.low:.1f} to {released.high:.1f} at its "
        f"worst θ (median network: {released.median:.1f}; at the median θ: "
        f"{released.typical:.1f}), the printed one by {printed.low:.0f} to {printed.high:.0f} "
        f"({printed.median:.0f}; {printed.typical:.0f}).\n"
        "> - **As a ranking**: Spearman's correlation over layers between SS_rate by N_θ and "
        f"SS_rate by true boxes is {rhos.loc['lower', 'released']} (lower bound) and "
        f"{rhos.loc['upper', 'released']} (upper bound) for the released formula, and "
        f"{rhos.loc['lower', 'printed']} and {rhos.loc['upper', 'printed']} for the printed one "
        "(95 % intervals over networks). Inside a network (median over networks) it is "
        f"{within.loc['lower', 'released']:.2f} and {within.loc['upper', 'released']:.2f} for the "
        f"released formula, {within.loc['lower', 'printed']:.2f} and "
        f"{within.loc['upper', 'printed']:.2f} for the printed one.\n"
        "> - **Box covering itself works where there is a dimension to find.** By colouring, d_B "
        f"of {dimensions.graphs} graphs with a known dimension comes out within "
        f"{percent(dimensions.off)} (standard errors {dimensions.error[0]:.2f} to "
        f"{dimensions.error[1]:.2f}). Power laws claimed on graphs that have none: "
        f"{dimensions.claimed}."
    )
