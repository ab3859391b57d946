"""The rules on pairs of training runs: limits and tables in, a finding out, as in ``rules``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd

from reproduction.paper.audit import gains
from reproduction.paper.tables import DATASETS, MARKED
from reproduction.stats import Interval, mean_interval, sign_flip_test
from reproduction.verdicts.finding import NOT_RUN, Finding, Limits
from reproduction.verdicts.intervals import intervals, mean, signs

#: Pairs below which no sign-flip test can reach p < 0.05.
FEWEST = 6


def at_paper_scale(rule: Callable[[Limits, pd.DataFrame], Finding]) -> Callable[..., Finding]:
    """The same rule, which "reproduces" only what was run on all of the paper's data sets."""

    def judge(limits: Limits, pairs: pd.DataFrame) -> Finding:
        finding = rule(limits, pairs)
        if finding.outcome == "reproduced" and pairs["dataset"].nunique() < len(DATASETS):
            return replace(finding, outcome="partly")
        return finding

    return judge


def helps(limits: Limits, pairs: pd.DataFrame) -> Finding:
    """Whether the marked models gain and the convolutional ones do not."""
    marked, cnn = pairs[pairs["model"].isin(MARKED)], pairs[pairs["family"] == "cnn"]
    values = {"too few": len(marked) < FEWEST, "marked": _group(marked), "cnn": _group(cnn)}
    n = _pairs(pairs)
    if values["too few"]:
        return Finding("undecided", values, n)
    interval = mean_interval(marked["gain"])
    gaining = sign_flip_test(marked["gain"]).p < 0.05 and interval.mean > 0
    cnn_gains = len(cnn) > 0 and cnn["gain"].mean() > 0 and sign_flip_test(cnn["gain"]).p < 0.05
    if interval.high < limits["least"]:
        outcome = "partly" if gaining else "not reproduced"
    elif not gaining:
        outcome = "undecided"
    elif cnn_gains:
        outcome = "partly"
    else:
        outcome = "reproduced" if len(cnn) >= FEWEST else "undecided"
    return Finding(outcome, values, n)


def _group(pairs: pd.DataFrame) -> dict[str, Any] | None:
    """Models of a group, its mean gain, and half of the 95 % interval (None of a single pair)."""
    if pairs.empty:
        return None
    gain = pairs["gain"]
    half = None if len(gain) == 1 else _half(mean_interval(gain))
    return {"models": tuple(pairs["model"].unique()), "mean": gain.mean(), "half": half}


def average_gain(limits: Limits, pairs: pd.DataFrame) -> Finding:
    """Whether every marked model gains as much as the text says, averaged over all data sets.

    A model that was not run on all of them has no such average.
    """
    marked = pairs[pairs["model"].isin(MARKED)]
    whole = marked.groupby("model")["dataset"].transform("nunique") == len(DATASETS)
    if not whole.any():
        return NOT_RUN
    n = _pairs(marked[whole])
    found = intervals(marked[whole], ["model"], "gain")
    if not found:
        return Finding("undecided", n=n)
    values = {"models": {model: (i.mean, _half(i)) for model, i in found.items()}}
    each = found.values()
    good = [i.low > 0 and i.low <= limits["high"] and i.high >= limits["low"] for i in each]
    if any(good):
        return Finding("reproduced" if all(good) else "partly", values, n)
    short = all(i.high < limits["low"] for i in each)
    return Finding("not reproduced" if short else "undecided", values, n)


def up_to_six(limits: Limits, pairs: pd.DataFrame) -> Finding:
    """Whether the cell with the largest gain in print gains as much, both uncertainties counted."""
    printed = gains()
    model, dataset = printed["gain"].idxmax()
    part = pairs[(pairs["model"] == model) & (pairs["dataset"] == dataset)]
    if part.empty:
        return NOT_RUN
    n = _pairs(part)
    found = intervals(part, ["model"], "gain")
    if not found:
        return Finding("undecided", n=n)
    ours, least = found[model], printed.loc[(model, dataset), "low"]
    values = {"model": model, "dataset": dataset, "mean": ours.mean, "half": _half(ours)}
    if ours.high < least:
        return Finding("not reproduced", values, n)
    return Finding("reproduced" if ours.low > 0 else "undecided", values, n)


def toward(limits: Limits, pairs: pd.DataFrame) -> Finding:
    """In how many cells the modules end nearer to γ with the constraint than without it."""
    found = intervals(pairs, ["model", "dataset", "recipe"], "nearer")
    n = _pairs(pairs)
    if not found:
        return Finding("undecided", n=n)
    nearer, away = signs(found)
    values = {"nearer": nearer, "away": away, "of": len(found), "mean": mean(found)}
    if nearer >= limits["share"] * len(found):
        return Finding("reproduced", values, n)
    if nearer > away:
        return Finding("partly", values, n)
    far = all(i.high < limits["least"] for i in found.values())
    return Finding("not reproduced" if nearer == 0 and far else "undecided", values, n)


def _half(interval: Interval) -> float:
    """Half the width of the 95 % interval."""
    return (interval.high - interval.low) / 2


def _pairs(pairs: pd.DataFrame) -> dict[str, int | tuple[str, ...]]:
    return {"pair": len(pairs), "recipe": tuple(sorted(pairs["recipe"].unique()))}
