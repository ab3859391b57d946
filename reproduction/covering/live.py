"""What the page on covers computes while the book is built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from reproduction.covering.known import KNOWN_GRAPHS, graphs
from reproduction.covering.run import cover_curves
from reproduction.sensitivity.cells import layer_name
from reproduction.sensitivity.live import middle_layers
from sslib.covering import box_counts, box_dimension, box_sizes, hop_distances


def graph_dimensions(passes: int = 4) -> pd.DataFrame:
    """Box dimension of the known graphs by greedy colouring, a row each.

    Args:
        passes: tries per box size.

    Returns:
        Columns "known" (NaN where there is none), "slope", and "reason", why no power law is
        claimed, or "".
    """
    rows = {}
    for name, A in graphs().items():
        hops = hop_distances(A)
        sizes = box_sizes(hops)
        fit = box_dimension(sizes, box_counts(hops, sizes, passes=passes))
        reason = "" if fit.power_law else fit.reason
        rows[name] = {"known": KNOWN_GRAPHS[name], "slope": fit.slope, "reason": reason}
    return pd.DataFrame.from_dict(rows, orient="index")


def layer_covers(settings: Mapping[str, Any]) -> pd.DataFrame:
    """Covers of the middle layers of two untrained networks, a row each.

    Args:
        settings: as for ``sensitivity.live.middle_layers``.

    Returns:
        Columns "bounds", the largest ratio of the upper to the lower one, and SS_rate "released",
        "lower" and "upper".
    """
    rows = {}
    for name, F in middle_layers(settings, ("vit_small_patch16_224", "resnet34")).items():
        cover = cover_curves(F)
        rates = {key: cover["rates"][key] for key in ("released", "lower", "upper")}
        rows[layer_name(name)] = {"bounds": (cover["upper"] / cover["lower"]).max()} | rates
    return pd.DataFrame.from_dict(rows, orient="index")
