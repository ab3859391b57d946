"""The evidence that pairs of training runs give, as ``read`` gives that of the other claims."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from reproduction.table_1 import find
from reproduction.training.arms import RELEASED
from reproduction.training.confirm import delivery
from reproduction.training.due import finished, runs_of, share_closed
from reproduction.training.pairs import judged
from reproduction.training.plans import Plan, load
from reproduction.training.read import one_gamma, plan
from reproduction.verdicts.finding import DEVICE, Evidence, Limits, Reader, devices

#: The plan that decides on the authors' own form in small, once it is finished.
PLAN = "small-confirm"

CELL = ["recipe", "dataset", "model", "family", "seed"]

COLUMNS = [*CELL, "gain", "share", "share_eval", *DEVICE]


def pairs_at_paper_scale(read_all: Reader, limits: Limits) -> Evidence | None:
    """`training_pairs` of the paper's recipe."""
    pairs = training_pairs(read_all)
    return _pairs(pairs[pairs["recipe"] == "paper"])


def pairs_in_small(read_all: Reader, limits: Limits) -> Evidence | None:
    """`training_pairs` of the smaller recipes."""
    pairs = training_pairs(read_all)
    return _pairs(pairs[pairs["recipe"] != "paper"])


def released_in_small(read_all: Reader, limits: Limits) -> Evidence | None:
    """Pairs of the smaller recipes with the authors' own form of the penalty: `plan_pairs`, and
    `training_pairs` as long as there are none; never both.
    """
    pairs = plan_pairs(read_all)
    if pairs.empty:
        pairs = training_pairs(read_all, "released")
    return _pairs(pairs[pairs["recipe"] != "paper"])


def delivered_in_small(read_all: Reader, limits: Limits) -> Evidence | None:
    """`released_in_small`, of the plan only the networks in which the constraint acts: what it
    gains elsewhere is, by the plan's text, not tested.
    """
    pairs = plan_pairs(read_all)
    if pairs.empty:
        return released_in_small(read_all, limits)
    return _pairs(pairs[pairs["acts"]])


def plan_pairs(read_all: Reader) -> pd.DataFrame:
    """R minus B of each seed of the plan `small-confirm`; no rows before the plan is finished.

    Returns:
        As `training_pairs`, and acts, whether H0 holds for the network, and own settings, whether
        alpha and gamma are those of the network's own released command, if it has one.
    """
    plan, table = load(PLAN), read_all(PLAN)
    runs = runs_of(plan, table)
    if not finished(plan, runs):
        return pd.DataFrame(columns=[*COLUMNS, "batch", "acts", "own settings"])
    acts = delivery(plan, runs)["outcome"] == "holds"
    rows = []
    for record in table[table["config.plan"] == plan.fingerprint].to_dict("records"):
        own = find(record["config.model"])
        baseline, constrained = plan.networks[own.name].arms[:2]
        if record["config.arm"] != constrained:
            continue
        without = runs[own.name, baseline, record["seed"]]
        with_ = runs[own.name, constrained, record["seed"]]
        row = {"recipe": plan.text["recipe"]["name"], "dataset": plan.dataset, "model": own.name}
        row |= {"family": own.family, "seed": record["seed"], "batch": "planned"}
        row |= {"gain": with_["top1_last"] - without["top1_last"], "acts": acts[own.name]}
        row["own settings"] = _own_settings(plan, record["config.model"], constrained)
        row |= {"share": share_closed(without, with_)} | {key: record[key] for key in DEVICE}
        row["share_eval"] = _share(_probe(without), _probe(with_), with_["gamma"])
        rows.append(row)
    return pd.DataFrame(rows)


def _own_settings(plan: Plan, model: str, arm: str) -> bool:
    """Whether an arm has the alpha and gamma of the network's released command, if it has one."""
    command, settings = RELEASED.get((model, plan.dataset)), plan.arms[arm] or {}
    return command is None or command[1:] == (settings.get("alpha"), settings.get("gamma"))


def _pairs(part: pd.DataFrame) -> Evidence | None:
    return Evidence((part,), devices(part)) if len(part) else None


def training_pairs(read_all: Reader, arm: str = "constrained") -> pd.DataFrame:
    """An arm with the constraint minus the baseline, seed by seed: what the rules on training look
    at.

    >>> len(training_pairs(lambda experiment: pd.DataFrame()))
    0

    Args:
        read_all: gives the records of an experiment.
        arm: "constrained", Eq. 6 as printed, or "released", the authors' own form, alpha and gamma.

    Returns:
        A row per recipe, data set, model and seed that has both arms: gain (top-1 of the last
        epoch, points) and share (of the baseline's distance to gamma, by which the constrained run
        ends nearer, training mode, see `share_closed`; NaN where a record does not say);
        share_eval, the same on the probe's 512 images in eval mode; the record's device; the batch
        of seeds, one of each model, see `judged`. No rows if there are no records.
    """
    runs = training_runs(read_all)
    if runs.empty:
        return pd.DataFrame(columns=[*COLUMNS, "batch"])
    metrics = ["top1_last", "ss_rate_train_modules", "ss_rate_probe", "gamma"]
    runs = runs.rename(columns={f"metrics.{name}": name for name in metrics})
    runs = runs.reindex(columns=[*CELL, "arm", *metrics, *DEVICE])
    baseline = runs[runs["arm"] == "baseline"].drop(columns=["arm", "gamma", *DEVICE])
    pairs = runs[runs["arm"] == arm].merge(baseline, on=CELL, suffixes=("", "_baseline"))
    pairs["gain"] = (pairs["top1_last"] - pairs["top1_last_baseline"]).astype(float)
    modules = (pairs[f"ss_rate_train_modules{arm}"] for arm in ("_baseline", ""))
    pairs["share"] = [_share(*run) for run in zip(*modules, pairs["gamma"], strict=True)]
    probes = (pairs[f"ss_rate_probe{arm}"].map(_on_probe) for arm in ("_baseline", ""))
    pairs["share_eval"] = [_share(*run) for run in zip(*probes, pairs["gamma"], strict=True)]
    return judged(pairs[COLUMNS], arm, plan())


def _probe(metrics: Mapping[str, Any]) -> Any:
    return _on_probe(metrics.get("ss_rate_probe"))


def _on_probe(by_size: Any) -> Any:
    """SS_rate by module on the probe's 512 images, eval mode; None where a record has none."""
    return by_size.get("512") if isinstance(by_size, dict) else None


def _share(baseline: Any, constrained: Any, gamma: float | None) -> float:
    if gamma is None or not (isinstance(baseline, dict) and isinstance(constrained, dict)):
        return math.nan
    key = "ss_rate_train_modules"
    return share_closed({key: baseline}, {key: constrained, "gamma": gamma})


def training_runs(read_all: Reader) -> pd.DataFrame:
    """The training records that may count: a row each, with model (as in Table 1), family, recipe,
    dataset and arm; gamma as of `one_gamma`.
    """
    runs = read_all("constraint")
    if runs.empty:
        return runs
    found = [find(name) for name in runs["config.model"]]
    runs = runs.assign(model=[a.name for a in found], family=[a.family for a in found])
    runs = runs.assign(**{key: runs[f"config.{key}"] for key in ("recipe", "dataset", "arm")})
    return one_gamma(runs[runs["recipe"] != "quick"])


def baselines(read_all: Reader) -> pd.DataFrame:
    """The runs without the constraint: those of `training_runs`, and of the plan `small-confirm`
    once it is finished; with model and family.
    """
    runs, plan, planned = training_runs(read_all), load(PLAN), read_all(PLAN)
    parts = [runs[runs["arm"] == "baseline"]] if len(runs) else []
    if finished(plan, runs_of(plan, planned)):
        own = planned[planned["config.plan"] == plan.fingerprint]
        first = {network.model: network.arms[0] for network in plan.networks.values()}
        found = [find(name) for name in own["config.model"]]
        own = own.assign(model=[a.name for a in found], family=[a.family for a in found])
        parts.append(own[own["config.arm"] == own["model"].map(first)])
    return pd.concat(parts, ignore_index=True) if parts else runs
