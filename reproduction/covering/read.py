"""Covers and box dimensions, from records: the tables of the page, and the numbers behind them.

Functions named after a thing (``covers``, ``slopes``) give numbers; those that end in ``table``
give the table as the page shows it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from reproduction.covering.known import KNOWN_GRAPHS
from reproduction.invariance.known import KNOWN_SETS, SET_NAMES
from reproduction.paper.tables import FORMULAS
from reproduction.sensitivity.cells import ONE_PER_FAMILY, layer_name
from reproduction.stats_groups import RankCorrelation, rank_correlation
from reproduction.table_1 import TABLE_1, find
from reproduction.words import percent

#: The bounds on the true number of boxes.
BOUNDS = ("lower", "upper")

#: The point sets whose curves are drawn.
_DRAWN_SETS = ("cantor", "line", "square")


def covers(runs: pd.DataFrame) -> pd.DataFrame:
    """``box-covering`` records, a row per layer or point set, with how far each N_theta lies
    outside the bounds.

    Returns:
        Columns: of ("network" or "points"), model, family, seed, module, D; "bracket", the largest
        ratio of upper to lower bound; per formula "<formula>: worst", the largest ratio, up or
        down, of N_theta to the nearer bound over all theta, "<formula>: typical", the median of
        that ratio (1 between the bounds), and "<formula>: rank", Spearman's correlation of N_theta
        with the geometric mean of the bounds over theta; "rate: <name>" for
        the four SS_rates.
    """
    rows = []
    for run in runs.to_dict("records"):
        known = run.get("config.points")
        own: dict[str, Any] = {"of": "points", "model": known, "family": ""}
        if not isinstance(known, str):
            network = find(run["config.model"])
            own = {"of": "network", "model": network.name, "family": network.family}
        for module, curve in run["metrics.layers"].items():
            place = {"seed": run["seed"], "module": module, "D": curve["D"]}
            rows.append(own | place | _distance_to_bounds(curve))
    return pd.DataFrame(rows)


def _distance_to_bounds(curve: Mapping[str, Any]) -> dict[str, float]:
    lower, upper = (np.array(curve[bound]) for bound in BOUNDS)
    row = {"bracket": float((upper / lower).max())}
    for formula in FORMULAS:
        boxes = np.array(curve[formula])
        off = np.maximum(boxes / upper, lower / boxes)
        row[f"{formula}: worst"] = float(off.max())
        row[f"{formula}: typical"] = float(np.median(np.maximum(off, 1)))
        row[f"{formula}: rank"] = float(spearmanr(boxes, np.sqrt(lower * upper)).statistic)
    return row | {f"rate: {name}": rate for name, rate in curve["rates"].items()}


def networks(covers: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``covers`` that are layers of networks."""
    return covers[covers["of"] == "network"] if len(covers) else covers


def curves(runs: pd.DataFrame) -> dict[str, Mapping[str, Any]]:
    """The curves that are drawn: title -> a record's, the middle layer of one network per family
    and a point set in turn.
    """
    of_networks: dict[str, Mapping[str, Any]] = {}
    of_sets: dict[str, Mapping[str, Any]] = {}
    if not {"config.model", "config.points"} <= {*runs}:  # a curve of each is drawn, or none
        return of_networks
    drawn = runs[runs["config.model"].isin(ONE_PER_FAMILY)]
    for run in drawn.sort_values("config.model", ascending=False).to_dict("records"):
        module = run["metrics.graph"]["module"]
        of_networks[layer_name(run["config.model"])] = run["metrics.layers"][module]
    for run in runs[runs["config.points"].isin(_DRAWN_SETS)].to_dict("records"):
        name = run["config.points"]
        of_sets[SET_NAMES[name]] = run["metrics.layers"][name]
    pairs = zip(of_networks.items(), of_sets.items(), strict=False)  # as many as both have
    return dict(pair for both in pairs for pair in both)


def network_table(covers: pd.DataFrame) -> pd.DataFrame:
    """N_theta against the bounds, per network: the largest ratios over its layers, and the mean
    SS_rate with each number of boxes.
    """
    if networks(covers).empty:
        return pd.DataFrame()
    by_model = networks(covers).groupby("model")
    names = ("released", "printed", *BOUNDS)
    worst = by_model[["bracket", "released: worst", "printed: worst"]].max()
    rates = by_model[[f"rate: {name}" for name in names]].mean()
    table = pd.concat([worst.map("{:.1f}".format), rates.map("{:.2f}".format)], axis=1)
    table.columns = pd.MultiIndex.from_tuples(
        [("bounds", "ratio"), ("N_θ off by", "released"), ("N_θ off by", "printed")]
        + [("SS_rate", name) for name in names]
    )
    order = [known.name for known in TABLE_1.values() if known.name in table.index]
    return table.loc[order].rename_axis(None)


def correlations(covers: pd.DataFrame) -> pd.DataFrame:
    """Rank correlations over the layers of networks of SS_rate by each N_theta, a column, with that
    by each bound, a row; networks are the groups.
    """
    layers = networks(covers)
    if layers.empty or layers["model"].nunique() < 3:  # of fewer groups there is no interval
        return pd.DataFrame()
    return pd.DataFrame(
        {
            formula: {
                bound: rank_correlation(layers, f"rate: {formula}", f"rate: {bound}", "model")
                for bound in BOUNDS
            }
            for formula in FORMULAS
        }
    )


def correlation_table(correlations: pd.DataFrame) -> pd.DataFrame:
    """The table of ``correlations``: over all layers with its interval, the range when a network is
    left out, and inside networks.
    """
    columns: dict[tuple[str, str], pd.Series] = {}
    for formula, rhos in correlations.items():
        columns[formula, "over layers"] = rhos.map(str)
        columns[formula, "one network left out"] = rhos.map(
            lambda rho: "{:.2f} to {:.2f}".format(*rho.left_out)
        )
        columns[formula, "inside a network"] = rhos.map(RankCorrelation.inside)
    return pd.DataFrame(columns).rename(index="with the {} bound".format)


def slopes(runs: pd.DataFrame) -> pd.DataFrame:
    """The dimension that each number of boxes gives a point set, beside the known one:
    ``box-covering`` records of points.

    Minus the least-squares slope of log N against log theta, over the thresholds at which the true
    number of boxes (geometric mean of the bounds) is from 5 to a tenth of the points; NaN with
    fewer than 3 of them.

    Returns:
        A row per set: "dimension", "thresholds", "lower", "upper", "released", "printed".
    """
    rows = {}
    points = runs[runs["config.points"].notna()] if "config.points" in runs else runs.iloc[:0]
    for run in points.to_dict("records"):
        name, n = run["config.points"], run["config.n"]
        curve = run["metrics.layers"][name]
        theta, lower, upper = (np.array(curve[key]) for key in ("theta", *BOUNDS))
        true = np.sqrt(lower * upper)
        used = (true >= 5) & (true <= n / 10) & (theta > 0)
        row = {"dimension": KNOWN_SETS[name], "thresholds": int(used.sum())}
        for key in (*BOUNDS, *FORMULAS):
            x, y = np.log(theta[used]), np.log(np.array(curve[key])[used])
            row[key] = -np.polyfit(x, y, 1)[0] if used.sum() >= 3 else math.nan
        rows[name] = row
    table = pd.DataFrame.from_dict(rows, orient="index")
    return table.reindex([name for name in KNOWN_SETS if name in rows])


def point_table(slopes: pd.DataFrame, covers: pd.DataFrame) -> pd.DataFrame:
    """The dimension of point sets by each number of boxes, and by what factor N_theta is off."""
    if slopes.empty:
        return pd.DataFrame()
    columns = ["dimension", "upper", "lower", *FORMULAS]
    found = slopes[columns].map("{:.2f}".format).rename(columns={"dimension": "true"})
    points = covers[covers["of"] == "points"].set_index("model").loc[slopes.index]
    off = points[[f"{formula}: worst" for formula in FORMULAS]].map("{:.0f}".format)
    off.columns = list(FORMULAS)
    table = pd.concat({"dimension": found, "N_θ off by": off}, axis=1)
    return table.rename(index=SET_NAMES).rename_axis(None)


class Off(NamedTuple):
    """By what factor an N_theta is off the bounds, over the layers of networks.

    Attributes:
        median, low, high: at the worst theta of the median layer of a network, over networks:
            median, smallest and largest.
        most: of any layer, at its worst theta.
        typical: at the median theta of the median layer of the median network.
        dimension: mean error of the dimension of point sets.
    """

    median: float
    low: float
    high: float
    most: float
    typical: float
    dimension: float


class Accuracy(NamedTuple):
    """How close to the true number of boxes bounds and N_theta come.

    Attributes:
        layers: of networks.
        bracket, bracket_of_sets: the largest ratio of the upper to the lower bound, over layers and
            over point sets.
        cover: mean error of the dimension of point sets by covers, the upper bound.
        released, printed: of each N_theta.
    """

    layers: int
    bracket: float
    bracket_of_sets: float
    cover: float
    released: Off
    printed: Off


def accuracy(covers: pd.DataFrame, slopes: pd.DataFrame) -> Accuracy | None:
    """How close ``covers`` and ``slopes`` come to the truth; None without networks or sets."""
    layers = networks(covers)
    if layers.empty or slopes.empty:
        return None
    error = slopes[["upper", *FORMULAS]].sub(slopes["dimension"], axis=0).abs().mean()
    released, printed = (_off(layers, f, error[f]) for f in FORMULAS)
    bracket = covers.groupby("of")["bracket"].max()
    return Accuracy(
        len(layers), bracket["network"], bracket["points"], error["upper"], released, printed
    )


def _off(layers: pd.DataFrame, formula: str, dimension: float) -> Off:
    worst, typical = (layers.groupby("model")[f"{formula}: {of}"] for of in ("worst", "typical"))
    networks = worst.median()
    ends = networks.median(), networks.min(), networks.max()
    return Off(*ends, worst.max().max(), typical.median().median(), dimension)


def dimensions(runs: pd.DataFrame) -> pd.DataFrame:
    """``box-covering-graphs`` records: a row per graph and way to cover, with the known dimension
    and what was found.
    """
    rows = []
    for run in runs.to_dict("records"):
        own = {"graph": run["config.graph"], "known": run["metrics.dimension"]}
        own |= {key: run[f"metrics.{key}"] for key in ("nodes", "diameter")}
        for method, fit in run["metrics.covers"].items():
            rows.append(own | {"method": method} | fit)
    if not rows:
        return pd.DataFrame()
    order = list(KNOWN_GRAPHS)
    return pd.DataFrame(rows).sort_values(
        "graph", key=lambda names: names.map(order.index), kind="stable"
    )


def graph_table(dimensions: pd.DataFrame) -> pd.DataFrame:
    """Box dimension of graphs, known and found by each way to cover."""
    found = dimensions.apply(_dimension_text, axis=1)
    table = (
        dimensions.assign(found=found)
        .pivot_table(index="graph", columns="method", values="found", aggfunc="first", sort=False)
        .rename_axis(None)
        .rename_axis(columns=None)
    )
    first = dimensions.groupby("graph", sort=False)[["nodes", "known"]].first()
    return first.assign(known=first["known"].map(_or_none("{:.2f}"))).join(table).rename_axis(None)


def _dimension_text(row: pd.Series) -> str:
    return "none" if row["reason"] else f"{row['slope']:.2f} ± {row['error']:.2f}"


def _or_none(form: str) -> Any:
    return lambda value: "none" if math.isnan(value) else form.format(value)


def live_graph_table(dimensions: pd.DataFrame) -> pd.DataFrame:
    """The table of ``live.graph_dimensions``."""
    found = dimensions["slope"].map("{:.1f}".format).where(dimensions["reason"] == "", "none")
    known = dimensions["known"].map(_or_none("{:.1f}"))
    return pd.DataFrame({"known": known, "found": found, "reason": dimensions["reason"]})


def live_cover_table(covers: pd.DataFrame) -> pd.DataFrame:
    """The table of ``live.layer_covers``."""
    columns = {
        "bounds": ("bounds", "ratio", "{:.1f}"),
        "released": ("SS_rate", "released", "{:.2f}"),
        "lower": ("SS_rate", "lower", "{:.1f}"),
        "upper": ("SS_rate", "upper", "{:.1f}"),
    }
    return pd.DataFrame(
        {(top, name): covers[key].map(form.format) for key, (top, name, form) in columns.items()}
    )


def graph_covers(dimensions: pd.DataFrame) -> dict[str, dict[str, Mapping[str, Any]]]:
    """``dimensions`` as they are drawn: graph -> way to cover -> sizes, boxes and fit."""
    drawn: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in dimensions.to_dict("records"):
        drawn.setdefault(row["graph"], {})[row["method"]] = row
    return drawn


def component_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Boxes on A_epsilon of the middle layers: the largest component, and how many power laws are
    claimed, per share of pairs joined.
    """
    if "config.model" not in runs:
        return pd.DataFrame()
    rows = [
        {"model": run["config.model"], **row}
        for run in runs[runs["config.model"].notna()].to_dict("records")
        for row in run["metrics.graph"]["covers"]
    ]
    table = (
        pd.DataFrame(rows)
        .groupby("density")
        .agg(
            networks=("model", "nunique"),
            nodes=("nodes", "median"),
            diameter=("diameter", "max"),
            claimed=("reason", lambda reasons: (reasons == "").sum()),
        )
    )
    table.index = [f"{percent(share)} of pairs" for share in table.index]
    return table.astype({"nodes": int}).rename(columns={"claimed": "power laws"})


class Dimensions(NamedTuple):
    """What greedy colouring makes of graphs whose box dimension is known.

    Attributes:
        graphs: that have one.
        off: the largest relative error among them.
        error: smallest and largest standard error.
        claimed: power laws claimed on graphs that have none.
    """

    graphs: int
    off: float
    error: tuple[float, float]
    claimed: int


def colouring(dimensions: pd.DataFrame) -> Dimensions | None:
    """How well greedy colouring finds the known dimensions; None without records."""
    if dimensions.empty:
        return None
    table = dimensions[dimensions["method"] == "colouring"]
    fractal = table[table["known"].notna()]
    off = (fractal["slope"] / fractal["known"] - 1).abs().max()
    claimed = table[table["known"].isna()]["reason"].eq("").sum()
    error = fractal["error"].min(), fractal["error"].max()
    return Dimensions(len(fractal), float(off), error, int(claimed))
