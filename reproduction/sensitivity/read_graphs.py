"""Degrees and small worlds of A_epsilon, from records."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from reproduction.style import FAMILY_LABELS
from reproduction.table_1 import find

#: Statistics of A_epsilon as the page calls them.
_GRAPH_NAMES = {
    "degree_cv": "variation",
    "clustering": "clustering",
    "largest": "largest",
    "path": "path",
    "sigma": "σ",
}


def graphs(runs: pd.DataFrame) -> pd.DataFrame:
    """Statistics of A_epsilon of each network's middle module, from ``ss-rate-measures`` records.

    Returns:
        A row per network, density and kind: "model", "family", "module", "of" ("features", or
        "gaussian" of the same shape), "asked" (density), and the keys of ``graph_statistics``.
    """
    rows = []
    for run in runs.to_dict("records"):
        network, graph = find(run["config.model"]), run["metrics.graph"]
        own = {"model": network.name, "family": network.family, "module": graph["module"]}
        rows += [own | row for row in graph["statistics"]]
    return pd.DataFrame(rows)


def small_world_table(graphs: pd.DataFrame) -> pd.DataFrame:
    """The table of ``graphs`` at three densities: mean over the networks of a family, and over all
    networks for noise; "–" where there is none.
    """
    shares = {0.02: "2 % of pairs", 0.1: "10 % of pairs", 0.5: "50 % of pairs"}
    if graphs.empty:
        return pd.DataFrame()
    used = graphs[graphs["asked"].isin(shares)]
    kinds = used["family"].map(FAMILY_LABELS).where(used["of"] == "features", "noise")
    groups = used.groupby([used["asked"].map(shares), kinds])
    mean = groups[list(_GRAPH_NAMES)].mean().rename(columns=_GRAPH_NAMES)
    rows = [
        (share, kind) for share in shares.values() for kind in (*FAMILY_LABELS.values(), "noise")
    ]
    shown = mean.reindex(rows).map("{:.2f}".format, na_action="ignore").fillna("–")
    return shown.rename_axis([None, None])


class SmallWorlds(NamedTuple):
    """How often sigma says "small world".

    Attributes:
        n: graphs of features, and as many of noise.
        features, noise: share of them with sigma above 1.
        larger: share in which the features have the larger sigma.
    """

    n: int
    features: float
    noise: float
    larger: float


def small_worlds(graphs: pd.DataFrame) -> SmallWorlds | None:
    """How often sigma is above 1 among ``graphs``; None where there are none."""
    if graphs.empty:
        return None
    pairs = graphs.pivot_table(index=["model", "asked"], columns="of", values="sigma").dropna()
    if pairs.empty or not {"features", "gaussian"} <= {*pairs}:
        return None
    features, noise = pairs["features"], pairs["gaussian"]
    return SmallWorlds(
        len(pairs), (features > 1).mean(), (noise > 1).mean(), (features > noise).mean()
    )
