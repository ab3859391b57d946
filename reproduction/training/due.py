"""What a plan of training asks for next, decided by the records that are there.

Two decisions are made on the way, both by the plan's text: a network stops where the constraint
does not act, and a look at the scatter, blind to every sign, may ask for more pairs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats as scipy_stats

from reproduction import records
from reproduction.paths import RESULTS
from reproduction.stats import mean_interval
from reproduction.table_1 import find
from reproduction.training.pairs import off_target
from reproduction.training.plans import MIRRORED, Plan, PlanCell, mirrored

#: What each run of a plan came to: the metrics of its record, by model, arm and seed.
Runs = Mapping[tuple[str, str, int], Mapping[str, Any]]


def runs_of(plan: Plan, table: pd.DataFrame) -> Runs:
    """The runs of the plan among records.

    Args:
        table: the records of the folder that has the plan's name, of ``records.read_all``.
    """
    runs = {}
    for record in table.to_dict("records"):
        if record.get("config.plan") == plan.fingerprint:
            key = find(record["config.model"]).name, record["config.arm"], record["seed"]
            opened = {
                name.partition(".")[2]: cell
                for name, cell in record.items()
                if str(name).startswith("metrics.")
            }
            runs[key] = opened
    return runs


def runs_in(plan: Plan, root: Path = RESULTS) -> Runs:
    """`runs_of` the records of a folder."""
    return runs_of(plan, records.read_all(plan.name, root))


def unchanged(plan: Plan, root: Path = RESULTS) -> None:
    """Check that all records of the plan are of its text as it stands.

    Raises:
        ValueError: the text was changed after a run of it.
    """
    table = records.read_all(plan.name, root)
    other = set(table.get("config.plan", pd.Series())) - {plan.fingerprint}
    if other:
        raise ValueError(
            f"plan {plan.name!r}: records of {', '.join(sorted(map(str, other)))} lie in "
            f"{Path(root) / plan.name}, but the plan's text has the hash {plan.fingerprint}; a "
            "plan is not changed once a run of it exists: give a new one a new name"
        )


def due(plan: Plan, root: Path = RESULTS) -> list[PlanCell]:
    """The runs that the plan asks for, as far as its records tell: in order, those done included.

    Seed by seed, network by network, arm by arm, so that a stop leaves pairs. How many seeds there
    are of a network is known step by step: first the pairs after which it may be stopped, then
    those before the look at the scatter, then the rest.
    """
    return due_after(plan, runs_in(plan, root))


def due_after(plan: Plan, runs: Runs) -> list[PlanCell]:
    """`due`, of the runs that are there."""
    most = {model: _pairs_now(plan, model, runs) for model in plan.networks}
    cells = []
    for k in range(max(most.values())):
        for model, network in plan.networks.items():
            for arm in network.arms if k < most[model] else ():
                if not mirrored(plan, arm) or reached(plan, model, MIRRORED, runs):
                    cells.append(plan.cell(model, arm, plan.first_seed + k))
    return cells


def finished(plan: Plan, runs: Runs) -> bool:
    """Whether every run that the plan asks for is there."""
    return all((cell.model, cell.arm, cell.seed) in runs for cell in due_after(plan, runs))


def _pairs_now(plan: Plan, model: str, runs: Runs) -> int:
    network = plan.networks[model]
    after, look = plan.text["delivery"].get("after"), plan.text.get("look", {}).get("after")
    if after and not reached(plan, model, after, runs):
        return min(after, network.pairs)
    if stopped(plan, model, runs):
        return after
    if any(mirrored(plan, arm) for arm in network.arms):
        look = max(look or 0, MIRRORED)
    if look and not reached(plan, model, look, runs):
        return min(look, network.pairs)
    return pairs_wanted(plan, model, runs)


def looks_after(plan: Plan, model: str) -> int | None:
    """The pairs after which the scatter of a network is looked at, None where it is not."""
    network = plan.networks[model]
    planned = network.difference is not None or network.margin is not None
    return plan.text.get("look", {}).get("after") if planned and network.most else None


def reached(plan: Plan, model: str, n: int, runs: Runs) -> bool:
    """Whether the first n pairs of baseline and constrained arm are there."""
    return len(_first_pairs(plan, model, n, runs)) == n


def _first_pairs(
    plan: Plan, model: str, n: int, runs: Runs
) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    baseline, constrained = plan.networks[model].arms[:2]
    seeds = range(plan.first_seed, plan.first_seed + n)
    keys = [((model, baseline, seed), (model, constrained, seed)) for seed in seeds]
    return [(runs[one], runs[two]) for one, two in keys if one in runs and two in runs]


def share_closed(baseline: Mapping[str, Any], constrained: Mapping[str, Any]) -> float:
    """The share of the baseline's distance to gamma by which the constrained arm ends nearer.

    Args:
        baseline, constrained: metrics of the two runs of a seed.
    """
    gamma = constrained["gamma"]
    without = off_target(baseline["ss_rate_train_modules"], gamma)
    return 1 - off_target(constrained["ss_rate_train_modules"], gamma) / without


def stopped(plan: Plan, model: str, runs: Runs) -> bool:
    """The decision after the first pairs: True where they tell that the constraint does not act.

    That is, where the upper end of the 95 % interval of the share closed lies below the plan's.
    """
    rule = plan.text["delivery"]
    after = rule.get("after")
    if not after or not reached(plan, model, after, runs):
        return False
    shares = [share_closed(*pair) for pair in _first_pairs(plan, model, after, runs)]
    return mean_interval(shares).high < rule["share"]


def pairs_wanted(plan: Plan, model: str, runs: Runs) -> int:
    """How many pairs, after the look at the scatter: blind to the sign of every difference."""
    network, after = plan.networks[model], looks_after(plan, model)
    if not after:
        return network.pairs
    pairs = _first_pairs(plan, model, after, runs)
    differences = [one["top1_last"] - other["top1_last"] for other, one in pairs]
    wanted = pairs_for(
        differences, plan.text["look"], difference=network.difference, margin=network.margin
    )
    return min(max(wanted, network.pairs), network.most)


def pairs_for(
    differences: Iterable[float],
    look: Mapping[str, float],
    *,
    difference: float | None = None,
    margin: float | None = None,
) -> int:
    """The number of pairs that finds `difference`, or holds a difference of 0 within `margin`.

    >>> look = {"level": 0.05, "power": 0.8}
    >>> pairs_for([1.0, -1.0, 1.0, -1.0], look, margin=0.5)
    35
    >>> pairs_for([1.0, -1.0], look, margin=0.5) == pairs_for([1.0, 1.0], look, margin=0.5)
    True

    Args:
        differences: of the pairs seen; only their sizes count.
        look: level and power. A difference is found at half the level, two-sided (Holm's first
            step of two); a margin is held by two one-sided tests at the level.
        difference, margin: in points, one of the two.
    """
    scatter, size = float(np.mean(np.square(list(differences)))), difference or margin
    if size is None:
        raise ValueError("difference, margin: expected one of the two")
    z = scipy_stats.norm.ppf
    if difference:
        scatter = max(0.0, scatter - difference**2)
        factor = z(1 - look["level"] / 4) + z(look["power"])
    else:
        factor = z(1 - look["level"]) + z((1 + look["power"]) / 2)
    return math.ceil(factor**2 * scatter / size**2)
