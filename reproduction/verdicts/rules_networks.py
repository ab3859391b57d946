"""The rules on which networks gain, respond or change, and on the values of Tables 3 to 5: limits
and tables in, a finding out, as in ``rules``.

What a table has to hold is said under each rule; ``read_networks`` makes it from records.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from reproduction.paper.audit import gains
from reproduction.paper.tables import DATASETS, MARKED, load_table
from reproduction.stats import Interval, mean_interval, spearman_exact
from reproduction.stats_groups import apart
from reproduction.stats_means import INSIDE, OUTSIDE, beside_margin, mean_of
from reproduction.verdicts.finding import NOT_RUN, Finding, Limits
from reproduction.verdicts.intervals import FEWEST_OF_INTERVAL, intervals, mean, signs


def self_similar_gain(limits: Limits, table: pd.DataFrame) -> Finding:
    """Whether the networks that gain are the self-similar ones.

    table: a row per model of Table 1: rate, its mean SS_rate untrained, and gain, the mean gain
    that Table 3 prints for it in points.
    """
    n = {"network": len(table)}
    if len(table) < limits["models"]:
        return Finding("undecided", n=n)
    separated, p = apart(table["rate"], MARKED)
    test = spearman_exact(table["rate"], table["gain"])
    follows = test.estimate < 0 and test.p < 0.05
    values = {"separated": separated, "p": p, "rho": test.estimate, "p of rho": test.p}
    lower = int((table["rate"] < table["rate"][table.index.isin(MARKED)].max()).sum())
    values |= {"before": lower + 1 - len(MARKED)}
    if separated and follows:
        return Finding("reproduced", values, n)
    if p < 0.05 or follows:
        return Finding("partly", values, n)
    return Finding("not reproduced" if p > limits["no order"] else "undecided", values, n)


def shallow(limits: Limits, runs: pd.DataFrame) -> Finding:
    """Whether training changes SS_rate more in shallow modules than in deep ones.

    runs: a row per run: model, and difference, the mean absolute change of SS_rate in the first
    half of the modules minus that in the second half.
    """
    n = {"run": len(runs), "network": runs["model"].nunique()}
    found = intervals(runs, ["model"], "difference")
    if not found:
        return Finding("undecided", n=n)
    up, down = signs(found)
    values = {"up": up, "down": down, "of": len(found), "mean": mean(found)}
    if up > len(found) / 2:
        return Finding("reproduced", values, n)
    if down > len(found) / 2:
        return Finding("not reproduced", values, n)
    return Finding("partly" if up and down else "undecided", values, n)


def negligible(limits: Limits, pairs: pd.DataFrame) -> Finding:
    """Whether the constraint makes no difference to the accuracy of convolutional networks.

    pairs: as in ``rules_training``: model, family, dataset, recipe, gain in points.
    """
    return _within(pairs[pairs["family"] == "cnn"], "gain", ["model"], limits["margin"])


def unresponsive(limits: Limits, pairs: pd.DataFrame) -> Finding:
    """Whether the constraint leaves PoolFormer's SS_rate where it is.

    pairs: model, dataset, recipe, and change, SS_rate at the end with the constraint minus without
    it, same seed.
    """
    own = pairs[pairs["model"] == "PoolFormer"]
    return _within(own, "change", ["dataset"], limits["margin"])


def _within(pairs: pd.DataFrame, column: str, by: list[str], margin: float) -> Finding:
    """All cells inside the margin: reproduced; half of them or more outside: not reproduced."""
    if pairs.empty:
        return NOT_RUN
    n = _pairs(pairs)
    groups = pairs.dropna(subset=[column]).groupby(by[0], sort=False)[column]
    cells = {key: part for key, part in groups if len(part) >= FEWEST_OF_INTERVAL}
    if not cells:
        return Finding("undecided", n=n)
    where = [beside_margin(mean_of(part), margin) for part in cells.values()]
    told = {key: (part.mean(), _half(mean_interval(part, 0.9))) for key, part in cells.items()}
    values: dict[str, Any] = {"cells": told, "margin": margin, "inside": where.count(INSIDE)}
    outside = where.count(OUTSIDE)
    if values["inside"] == len(where):
        return Finding("reproduced", values, n)
    if outside >= len(where) / 2:
        return Finding("not reproduced", values, n)
    return Finding("partly" if values["inside"] or outside else "undecided", values, n)


def slight_drop(limits: Limits, pairs: pd.DataFrame) -> Finding:
    """Whether VGG loses a little accuracy under the constraint.

    pairs: as in ``rules_training``: model, dataset, recipe, gain in points.
    """
    own = pairs[pairs["model"] == "VGG"]
    if own.empty:
        return NOT_RUN
    n = _pairs(own)
    if len(own) < FEWEST_OF_INTERVAL:
        return Finding("undecided", n=n)
    drop = _printed_gains()["VGG"].reindex(own["dataset"].unique()).mean()
    ours = mean_interval(own["gain"])
    values = {"mean": ours.mean, "half": _half(ours), "printed": drop}
    if ours.high < 0:
        return Finding("reproduced" if ours.mean > -limits["slight"] else "partly", values, n)
    return Finding("not reproduced" if ours.low > drop / 2 else "undecided", values, n)


def table_3_rates(limits: Limits, runs: pd.DataFrame) -> Finding:
    """Whether SS_rate at the end of training is what Table 3 prints.

    runs: a row per run: model, dataset, arm ("baseline" or "constrained"), rate.
    """
    keys = ["model", "dataset", "arm"]
    printed = load_table(3).set_index(keys)["ss_rate_mean"]
    where = []
    for key, part in runs.dropna(subset=["rate"]).groupby(keys)["rate"]:
        if key in printed.index and len(part) >= FEWEST_OF_INTERVAL:
            where.append(beside_margin(mean_of(part - printed[key]), limits["margin"]))
    n = {"run": len(runs), "network": runs["model"].nunique()}
    if not where:
        return Finding("undecided", n=n)
    values = {"inside": where.count(INSIDE), "outside": where.count(OUTSIDE), "of": len(where)}
    if values["inside"] == len(printed):
        return Finding("reproduced", values, n)
    if values["inside"] >= limits["share"] * len(where):
        return Finding("partly", values, n)
    return Finding(
        "not reproduced" if values["outside"] > len(where) / 2 else "undecided", values, n
    )


def table_4_or_5(limits: Limits, runs: pd.DataFrame) -> Finding:
    """Whether σ (limits["table"] 4) or Δ (5) has the printed values, and the models their ranks.

    runs: a row per record: model as in Table 1, images (a data set), seed, weights, value.
    """
    printed = load_table(int(limits["table"])).set_index("model")[list(DATASETS)]
    n = {"network": runs["model"].nunique(), "seed": runs["seed"].nunique()}
    positive = runs[runs["value"] > 0]
    if positive.empty:
        return Finding("undecided", n=n)
    logs = positive.assign(value=np.log(positive["value"]))
    ours = logs.groupby(["model", "images"])["value"].mean().unstack()
    theirs = np.log(printed).reindex(index=ours.index, columns=ours.columns)
    off = (ours - theirs).abs()
    close = int((off <= np.log(limits["factor"])).sum(axis=None))
    values: dict[str, Any] = {"table": int(limits["table"]), "close": close}
    values |= {"of": int(off.count().sum()), "off": float(np.exp(off.stack().median()))}
    values |= {"untrained": bool((runs["weights"] == "untrained").all())}
    if len(ours.dropna()) < limits["models"]:
        return Finding("undecided", values, n)
    test = spearman_exact(np.exp(ours).mean(axis=1), np.exp(theirs).mean(axis=1))
    values |= {"rho": test.estimate, "p": test.p}
    if values["untrained"]:  # the tables are about trained networks
        return Finding("undecided", values, n)
    good = [close >= limits["share"] * values["of"], test.estimate > 0 and test.p < 0.05]
    return Finding(("not reproduced", "partly", "reproduced")[sum(good)], values, n)


@cache
def _printed_gains() -> pd.Series:
    """The gains of Table 3 by model and data set, in points."""
    return gains()["gain"]


def _half(interval: Interval) -> float:
    return (interval.high - interval.low) / 2


def _pairs(pairs: pd.DataFrame) -> Mapping[str, int | tuple[str, ...]]:
    return {"pair": len(pairs), "recipe": tuple(sorted(pairs["recipe"].unique()))}
