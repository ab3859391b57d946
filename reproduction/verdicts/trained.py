"""Rules of the claims that need training runs."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from reproduction import models, records
from reproduction.paper.tables import DATASETS, MARKED
from reproduction.paths import RESULTS
from reproduction.ss_rate.cells import SS_RATE
from reproduction.ss_rate.read import full_scale, table_2
from reproduction.stats import mean_interval, sign_flip_test
from reproduction.training.pairs import off_target
from reproduction.verdicts.finding import (
    _FEWEST,
    _TOO_FEW,
    NOT_RUN,
    Finding,
    _count_pairs,
    _count_runs,
    _hardware,
    _intervals,
    _Limits,
    _of,
    _Pair,
    _points,
    _Root,
)


def _rises(limits: _Limits, root: _Root) -> _Pair:
    measured = full_scale(records.read_all(SS_RATE, root))
    table = table_2(measured)
    change = (table["pretrained: ours, released"] - table["untrained: ours, released"]).dropna()
    full = NOT_RUN
    if len(change):
        up, down = (change > 0.03).sum(), (change < -0.03).sum()
        full = Finding(
            _majority(up, down, len(change)),
            f"{up} rise, {down} fall",
            f"{len(change)} networks",
            _hardware(measured),
        )

    runs = _training(root)
    runs = runs[runs["arm"] == "baseline"] if len(runs) else runs
    if runs.empty:
        return full, NOT_RUN
    after, before = (
        runs[column].map(_probe_mean)
        for column in ("metrics.ss_rate_probe", "metrics.ss_rate_probe_before")
    )
    runs = runs.assign(change=after - before).dropna(subset=["change"])
    intervals = {
        model: mean_interval(part["change"])
        for model, part in runs.groupby("model")
        if len(part) >= 3
    }
    if not intervals:
        return full, Finding("undecided", _TOO_FEW, _count_runs(runs), _hardware(runs))
    up, down = (
        sum(i.low > 0 for i in intervals.values()),
        sum(i.high < 0 for i in intervals.values()),
    )
    mean = np.mean([i.mean for i in intervals.values()])
    ours = f"{up} of {len(intervals)} models rise, {down} fall, {len(intervals) - up - down} undecided; {mean:+.2f} on average"
    return full, Finding(
        _majority(up, down, len(intervals)), ours, _count_runs(runs), _hardware(runs)
    )


def _majority(up: int, down: int, n: int) -> str:
    if up > n / 2 and down < up:
        return "reproduced"
    if up and up == down:
        return "partly"
    return "not reproduced" if up + down >= n / 2 else "undecided"


def _probe_mean(by_size: Any) -> float:
    """Mean SS_rate over the modules on the probe's 512 images; NaN where a record has none."""
    values = (
        list(by_size["512"].values())
        if isinstance(by_size, dict) and by_size.get("512")
        else [math.nan]
    )
    return float(np.mean(values))


def _training(root: _Root) -> pd.DataFrame:
    """The training records that may count: a row each, with model (as in Table 1), family, recipe,
    dataset and arm.
    """
    runs = records.read_all("constraint", root)
    if runs.empty:
        return runs
    found = [models.find(name) for name in runs["config.model"]]
    runs = runs.assign(model=[a.name for a in found], family=[a.family for a in found])
    runs = runs.assign(**{key: runs[f"config.{key}"] for key in ("recipe", "dataset", "arm")})
    return runs[runs["recipe"] != "quick"]


_CELL = ["recipe", "dataset", "model", "family", "seed"]


def training_pairs(root: str | os.PathLike[str] = RESULTS) -> pd.DataFrame:
    """Constrained minus baseline, seed by seed: what the rules on training look at.

    Returns a row per recipe, data set, model and seed that has both arms: gain (top-1 of the last
    epoch, points) and nearer (by how much the modules end nearer to gamma: mean abs(SS_rate -
    gamma) of the baseline's minus that of the constrained run's, training mode); the record's
    device. No rows if there are no records.

    >>> len(training_pairs("no-such-folder"))
    0
    """
    runs, device = _training(root), ["device.type", "device.name"]
    if runs.empty:
        return pd.DataFrame(columns=[*_CELL, "gain", "nearer", *device])
    runs = runs.rename(
        columns={f"metrics.{c}": c for c in ("top1_last", "ss_rate_train_modules", "gamma")}
    )
    runs = runs.reindex(
        columns=[*_CELL, "arm", "top1_last", "ss_rate_train_modules", "gamma", *device]
    )
    baseline = runs[runs["arm"] == "baseline"].drop(columns=["arm", "gamma", *device])
    pairs = runs[runs["arm"] == "constrained"].merge(baseline, on=_CELL, suffixes=("", "_baseline"))
    pairs["gain"] = (pairs["top1_last"] - pairs["top1_last_baseline"]).astype(float)
    without, with_it = (
        [
            off_target(modules, gamma)
            if isinstance(modules, dict) and gamma is not None
            else math.nan
            for modules, gamma in zip(pairs[column], pairs["gamma"])
        ]
        for column in ("ss_rate_train_modules_baseline", "ss_rate_train_modules")
    )
    pairs["nearer"] = np.subtract(without, with_it)
    return pairs[[*_CELL, "gain", "nearer", *device]]


def _on_pairs(
    judge: Callable[[_Limits, pd.DataFrame], tuple[str, str]],
) -> Callable[[_Limits, _Root], _Pair]:
    """A rule on `training_pairs`, applied to the paper's recipe and to the smaller ones."""

    def rule(limits: _Limits, root: _Root) -> _Pair:
        pairs = training_pairs(root)
        found = []
        for part in (pairs[pairs["recipe"] == "paper"], pairs[pairs["recipe"] != "paper"]):
            if part.empty:
                found.append(NOT_RUN)
                continue
            outcome, ours = judge(limits, part)
            if (
                outcome == "reproduced"
                and len(found) == 0
                and part["dataset"].nunique() < len(DATASETS)
            ):
                outcome = "partly"  # at the paper's scale, all of its data sets are asked for
            found.append(Finding(outcome, ours, _count_pairs(part), _hardware(part)))
        return found[0], found[1]

    return rule


def _judge_helps(limits: _Limits, pairs: pd.DataFrame) -> tuple[str, str]:
    groups = [pairs[pairs["model"].isin(MARKED)], pairs[pairs["family"] == "cnn"]]
    told = [
        f"{' and '.join(part['model'].unique())} {_points(part['gain'])}"
        for part in groups
        if len(part)
    ]
    marked, cnn = (part["gain"] for part in groups)
    if len(marked) < _FEWEST:
        return "undecided", "; ".join([_TOO_FEW, *told])
    interval = mean_interval(marked)
    gains = sign_flip_test(marked).p < 0.05 and interval.mean > 0
    cnn_gains = len(cnn) > 0 and sign_flip_test(cnn).p < 0.05 and cnn.mean() > 0
    if interval.high < limits["least"]:
        outcome = "partly" if gains else "not reproduced"
    elif not gains:
        outcome = "undecided"
    elif cnn_gains:
        outcome = "partly"
    else:
        outcome = "reproduced" if len(cnn) >= _FEWEST else "undecided"
    return outcome, "; ".join(told)


def _judge_average_gain(limits: _Limits, pairs: pd.DataFrame) -> tuple[str, str]:
    intervals = _intervals(pairs[pairs["model"].isin(MARKED)], ["model"], "gain")
    told = "; ".join(f"{model} {_of(interval)}" for model, interval in intervals.items())
    if not intervals:
        return "undecided", _TOO_FEW
    good = [
        i.low > 0 and i.low <= limits["high"] and i.high >= limits["low"]
        for i in intervals.values()
    ]
    if all(good):
        return "reproduced", told
    if any(good):
        return "partly", told
    return (
        "not reproduced" if all(i.high < limits["low"] for i in intervals.values()) else "undecided"
    ), told


def _judge_up_to_six(limits: _Limits, pairs: pd.DataFrame) -> tuple[str, str]:
    intervals = _intervals(
        pairs[pairs["family"].isin(["mlp", "attention"])], ["model", "dataset", "recipe"], "gain"
    )
    if not intervals:
        return "undecided", _TOO_FEW
    (model, dataset, _), largest = max(intervals.items(), key=lambda item: item[1].mean)
    told = f"at most {_of(largest)}: {model}, {DATASETS.get(dataset, dataset)}"
    if any(i.low > 0 and i.high >= limits["most"] for i in intervals.values()):
        return "reproduced", told
    return (
        "undecided"
        if any(i.high >= limits["most"] for i in intervals.values())
        else "not reproduced"
    ), told


def _judge_toward(limits: _Limits, pairs: pd.DataFrame) -> tuple[str, str]:
    intervals = _intervals(pairs, ["model", "dataset", "recipe"], "nearer")
    if not intervals:
        return "undecided", _TOO_FEW
    toward, away = (
        sum(i.low > 0 for i in intervals.values()),
        sum(i.high < 0 for i in intervals.values()),
    )
    mean = np.mean([i.mean for i in intervals.values()])
    told = (
        f"{toward} of {len(intervals)} networks come nearer, {away} go away; {mean:+.3f} on average"
    )
    if toward >= limits["share"] * len(intervals):
        return "reproduced", told
    if toward > away:
        return "partly", told
    far = all(i.high < limits["least"] for i in intervals.values())
    return ("not reproduced" if toward == 0 and far else "undecided"), told
