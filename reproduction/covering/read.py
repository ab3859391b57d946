"""Covers and box dimensions, from records."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from reproduction import models
from reproduction.covering.known import KNOWN_GRAPHS
from reproduction.invariance.rulers import KNOWN_SETS
from sslib.boxes import FORMULAS


def cover_table(runs: pd.DataFrame) -> pd.DataFrame:
    """``COVERING`` records, a row per layer or point set, with how far each N_theta lies outside
    the bounds.

    Columns: of ("network" or "points"), model, family, seed, module, D; "bracket", the largest
    ratio of upper to lower bound; per formula "<formula>: worst", the largest ratio, up or down, of
    N_theta to the nearer bound over all theta, and "<formula>: rank", Spearman's correlation of
    N_theta with the geometric mean of the bounds over theta; "rate: <name>" for the four SS_rates.
    """
    from scipy.stats import spearmanr

    rows = []
    for run in runs.to_dict("records"):
        known = run.get("config.points")
        of_points = isinstance(known, str)
        architecture = None if of_points else models.find(run["config.model"])
        for module, curve in run["metrics.layers"].items():
            lower, upper = np.array(curve["lower"]), np.array(curve["upper"])
            row = {
                "of": "points" if of_points else "network",
                "model": known if of_points else architecture.name,
                "family": "" if of_points else architecture.family,
                "seed": run["seed"],
                "module": module,
                "D": curve["D"],
                "bracket": float((upper / lower).max()),
            }
            for formula in FORMULAS:
                boxes = np.array(curve[formula])
                row[f"{formula}: worst"] = float(np.maximum(boxes / upper, lower / boxes).max())
                row[f"{formula}: rank"] = float(spearmanr(boxes, np.sqrt(lower * upper)).statistic)
            rows.append(row | {f"rate: {name}": rate for name, rate in curve["rates"].items()})
    return pd.DataFrame(rows)


def dimension_table(runs: pd.DataFrame) -> pd.DataFrame:
    """``GRAPHS`` records: a row per graph and way to cover, with the known dimension and what was
    found.
    """
    rows = []
    for run in runs.to_dict("records"):
        for method, found in run["metrics.covers"].items():
            rows.append(
                {
                    "graph": run["config.graph"],
                    "nodes": run["metrics.nodes"],
                    "diameter": run["metrics.diameter"],
                    "known": run["metrics.dimension"],
                    "method": method,
                    **found,
                }
            )
    order = list(KNOWN_GRAPHS)
    table = pd.DataFrame(rows)
    return (
        table.sort_values("graph", key=lambda names: names.map(order.index), kind="stable")
        if rows
        else table
    )


def point_slopes(runs: pd.DataFrame) -> pd.DataFrame:
    """The dimension that each number of boxes gives a point set, beside the known one: ``COVERING``
    records of points.

    Minus the least-squares slope of log N against log theta, over the thresholds at which the true
    number of boxes (geometric mean of the bounds) is from 5 to a tenth of the points; NaN with
    fewer than 3 of them. Columns: "dimension", "thresholds", "lower", "upper", "released",
    "printed".
    """
    rows = {}
    for run in runs[runs["config.points"].notna()].to_dict("records"):
        name, n = run["config.points"], run["config.n"]
        curve = {
            key: np.array(value)
            for key, value in run["metrics.layers"][name].items()
            if isinstance(value, list)
        }
        true = np.sqrt(curve["lower"] * curve["upper"])
        used = (true >= 5) & (true <= n / 10) & (curve["theta"] > 0)
        row = {"dimension": KNOWN_SETS[name], "thresholds": int(used.sum())}
        for key in ("lower", "upper", *FORMULAS):
            x, y = np.log(curve["theta"][used]), np.log(curve[key][used])
            row[key] = -np.polyfit(x, y, 1)[0] if used.sum() >= 3 else math.nan
        rows[name] = row
    return pd.DataFrame.from_dict(rows, orient="index").reindex(
        [name for name in KNOWN_SETS if name in rows]
    )
