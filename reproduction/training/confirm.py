"""What a finished plan of training comes to, by the tests that its text names.

Of a plan that is not finished there is its progress and nothing else: no accuracy is read from its
records here before the last of its runs is there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats as scipy_stats

from reproduction.paper.tables import RUNS, load_table
from reproduction.paths import RESULTS
from reproduction.stats import Interval, holm, mean_interval, sign_flip_test
from reproduction.table_1 import find
from reproduction.training.due import (
    Runs,
    finished,
    looks_after,
    pairs_wanted,
    reached,
    runs_in,
    share_closed,
    stopped,
)
from reproduction.training.plans import Plan, load, names

LEVEL = 0.05


@dataclass(frozen=True)
class Comparison:
    """What a hypothesis compares: differences in top-1 between arms of a seed.

    Attributes:
        network, more, less: the difference is the mean over the arms `more` minus that over `less`.
        other: a network whose difference of the same seed is taken off it.
        test: "signs", exact sign flips; "t", a t test; "margin", two one-sided t tests; "" where it
            is described only.
        holm: whether its p is corrected together with the others that say so.
    """

    network: str
    more: tuple[str, ...] = ("R",)
    less: tuple[str, ...] = ("B",)
    other: str | None = None
    test: str = "signs"
    holm: bool = False

    @property
    def label(self) -> str:
        sides = [" and ".join(arms) for arms in (self.more, self.less)]
        return f"{sides[0]} − {sides[1]}" + (f", less {self.other}'s" if self.other else "")


_VIT = "ViT (small)"
_GAIN = {"H1": (Comparison(_VIT, holm=True),), "H2": (Comparison(_VIT, less=("W",), holm=True),)}

#: The hypotheses of each plan but H0, as its text has them.
COMPARISONS: Mapping[str, Mapping[str, tuple[Comparison, ...]]] = {
    "small-confirm": {
        **_GAIN,
        "H3": (Comparison("ResNet34", test="margin"),),
        "H4": (Comparison(_VIT, other="ResNet34"),),
        "secondary": (Comparison("MLP-Mixer", test=""), Comparison("ResMLP", test="")),
    },
    "small-mixer": {"H1": (Comparison("MLP-Mixer"),)},
    "imagenette-vit": {"H1": (Comparison(_VIT),)},
    "imagenette-vit-base": {
        "H1": (
            Comparison("ViT (base)", ("R", "R at 1e-4"), ("B", "B at 1e-4"), test="t", holm=True),
        ),
        "H2": (Comparison("ViT (base)", ("B at 1e-4",), test="t", holm=True),),
    },
    "imagenette-controls": {**_GAIN, "H3": (Comparison("ResNet50", test="margin"),)},
}

#: Plans whose text tests nothing on a network to which nothing was delivered.
NEEDS_DELIVERY = ("small-confirm", "imagenette-controls")


@dataclass(frozen=True)
class Results:
    """A plan as far as it has come. The tables after `progress` are None until it is finished.

    Attributes:
        progress: see `progress`.
        delivery, hypotheses, paper, differences: see the functions of these names.
    """

    plan: Plan
    progress: pd.DataFrame
    delivery: pd.DataFrame | None = None
    hypotheses: pd.DataFrame | None = None
    paper: pd.DataFrame | None = None
    differences: pd.DataFrame | None = None

    @property
    def finished(self) -> bool:
        return self.hypotheses is not None


def results(plan: Plan, root: Path = RESULTS) -> Results:
    """How far a plan has come and, once it is finished, what came of it."""
    return results_of(plan, runs_in(plan, root))


def every_plan(root: Path = RESULTS) -> dict[str, Results]:
    """`results` of every plan of ``data/results/plan.yml``, by name."""
    return {name: results(load(name), root) for name in names()}


def results_of(plan: Plan, runs: Runs) -> Results:
    """`results`, of the runs that are there."""
    table = progress(plan, runs)
    if not finished(plan, runs):
        return Results(plan, table)
    acts, tested = delivery(plan, runs), hypotheses(plan, runs)
    return Results(plan, table, acts, tested, paper(plan, runs), differences(plan, runs))


def progress(plan: Plan, runs: Runs) -> pd.DataFrame:
    """How many runs are done: a row per network and arm, and no accuracy.

    Columns: network, arm, done, due (as far as is known by now), look ("done", "to come" or
    "none"), state ("stopped" where the constraint was not delivered, "done", "running", "not
    begun").
    """
    rows = []
    for model, network in plan.networks.items():
        halted, after = stopped(plan, model, runs), looks_after(plan, model)
        looked = bool(after) and not halted and reached(plan, model, after or 0, runs)
        due = pairs_wanted(plan, model, runs) if looked else network.pairs
        look = "none" if not after or halted else "done" if looked else "to come"
        for arm in network.arms:
            done = sum(key[:2] == (model, arm) for key in runs)
            most = due
            if halted:
                most = plan.text["delivery"]["after"] if arm in network.arms[:2] else 0
            state = "done" if done >= most else "running" if done else "not begun"
            row = {"network": model, "arm": arm, "done": done, "due": most, "look": look}
            rows.append({**row, "state": "stopped" if halted else state})
    return pd.DataFrame(rows)


def delivery(plan: Plan, runs: Runs) -> pd.DataFrame:
    """H0: a row per network with the share of the baseline's distance to gamma that was closed.

    Columns: n, mean, low, high (95 % t interval of the share), outcome ("holds", "does not hold",
    "not delivered" where the network was stopped for it).
    """
    rows = {}
    for model, network in plan.networks.items():
        baseline, constrained = network.arms[:2]
        shares = [
            share_closed(runs[model, baseline, seed], runs[model, constrained, seed])
            for seed in _seeds(runs, model, (baseline, constrained))
        ]
        interval = _interval(shares)
        outcome = "holds" if interval.mean >= plan.text["delivery"]["share"] else "does not hold"
        if stopped(plan, model, runs):
            outcome = "not delivered"
        rows[model] = {**_numbers(interval), "outcome": outcome}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("network")


def hypotheses(plan: Plan, runs: Runs) -> pd.DataFrame:
    """The other hypotheses: a row per comparison, in points of top-1.

    Columns: hypothesis, network, comparison, n (pairs), mean, low, high (95 % t interval), test,
    p (corrected by Holm's rule where the plan says so; of two one-sided tests the larger one),
    outcome: "holds", "the opposite" (a loss where a gain was expected), "open", "described" where
    no test was planned, and "not tested: stopped" or "not tested: not delivered".
    """
    acts = delivery(plan, runs)["outcome"]
    rows: list[dict[str, Any]] = []
    tested = []
    for name, comparisons in COMPARISONS[_name(plan)].items():
        for comparison in comparisons:
            values = _differences(comparison, runs)
            row: dict[str, Any] = {
                "hypothesis": name,
                "network": comparison.network,
                "test": comparison.test,
            }
            row |= {"comparison": comparison.label, **_numbers(_interval(values)), "p": math.nan}
            why = _not_tested(plan, comparison, acts)
            if why or not comparison.test:
                row["outcome"] = why or "described"
            else:
                row["p"] = _p(comparison, values, plan)
                tested.append((len(rows), comparison))
            rows.append(row)
    together = [place for place, comparison in tested if comparison.holm]
    for place, p in zip(together, holm([rows[i]["p"] for i in together]), strict=True):
        rows[place]["p"] = p
    for place, comparison in tested:
        found = rows[place]["p"] < LEVEL
        right = comparison.test == "margin" or rows[place]["mean"] > 0
        rows[place]["outcome"] = ("holds" if right else "the opposite") if found else "open"
    order = ["hypothesis", "network", "comparison", "n", "mean", "low", "high"]
    return pd.DataFrame(rows)[[*order, "test", "p", "outcome"]]


def paper(plan: Plan, runs: Runs) -> pd.DataFrame:
    """Each network's R - B against its cell of Table 3, both uncertainties counted.

    Columns: n, mean, low, high (ours, 95 % t interval); gain and error (the paper's, with its
    standard error); outcome: "not reproduced" only where the interval's upper end lies below the
    gain less 1.96 errors, "reproduced in small" where H1's test finds a gain and the paper's is in
    the interval or below it, "not tested" where nothing was delivered, else "open".
    """
    tested, acts = hypotheses(plan, runs), delivery(plan, runs)["outcome"]
    first = tested[tested["hypothesis"] == "H1"].iloc[0]
    rows = {}
    for model, network in plan.networks.items():
        comparison = Comparison(model, network.arms[1:2], network.arms[:1])
        ours, (gain, error) = _interval(_differences(comparison, runs)), printed(model, plan)
        outcome = "open"
        if _not_tested(plan, comparison, acts):
            outcome = "not tested"
        elif ours.high < gain - 1.96 * error:
            outcome = "not reproduced"
        elif (first["network"], first["outcome"]) == (model, "holds") and gain <= ours.high:
            outcome = "reproduced in small"
        rows[model] = {**_numbers(ours), "gain": gain, "error": error, "outcome": outcome}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("network")


def printed(model: str, plan: Plan) -> tuple[float, float]:
    """The gain of a cell of Table 3 in points, and its standard error; NaN where there is none."""
    table = load_table(3)
    cell = table[(table["model"] == model) & (table["dataset"] == plan.text["dataset"])]
    arms = cell.set_index("arm")
    if arms.empty:
        return math.nan, math.nan
    gain = arms["top1_mean"]["constrained"] - arms["top1_mean"]["baseline"]
    return float(gain), float(math.sqrt((arms["top1_std"] ** 2).sum() / RUNS))


def differences(plan: Plan, runs: Runs) -> pd.DataFrame:
    """What the tests look at, a row per pair: network, family, comparison, seed, difference."""
    rows = []
    for comparison in (c for several in COMPARISONS[_name(plan)].values() for c in several):
        if comparison.other is None:
            seeds = _seeds(runs, comparison.network, comparison.more + comparison.less)
            same = {"network": comparison.network, "family": find(comparison.network).family}
            same["comparison"] = comparison.label
            pairs = zip(seeds, _differences(comparison, runs), strict=True)
            rows += [{**same, "seed": seed, "difference": value} for seed, value in pairs]
    return pd.DataFrame(rows, columns=["network", "family", "comparison", "seed", "difference"])


def _name(plan: Plan) -> str:
    return plan.name.removeprefix("rehearsal-")


def _seeds(runs: Runs, model: str, arms: tuple[str, ...]) -> list[int]:
    """The seeds that have all these arms."""
    own = [{seed for name, run, seed in runs if (name, run) == (model, arm)} for arm in arms]
    return sorted(set.intersection(*own))


def _differences(comparison: Comparison, runs: Runs) -> list[float]:
    """One difference in top-1 per seed, in points."""
    more, less = comparison.more, comparison.less
    networks = [comparison.network] + ([comparison.other] if comparison.other else [])
    seeds = [set(_seeds(runs, network, more + less)) for network in networks]

    def difference(network: str, seed: int) -> float:
        sides = [[runs[network, arm, seed]["top1_last"] for arm in arms] for arms in (more, less)]
        return float(np.mean(sides[0]) - np.mean(sides[1]))

    values = []
    for seed in sorted(set.intersection(*seeds)):
        own = [difference(network, seed) for network in networks]
        values.append(own[0] - sum(own[1:]))
    return values


def _not_tested(plan: Plan, comparison: Comparison, acts: pd.Series) -> str:
    """Why a comparison is not tested; "" where it is."""
    if _name(plan) not in NEEDS_DELIVERY:
        return ""
    outcomes = [acts[comparison.network]] + ([acts[comparison.other]] if comparison.other else [])
    if "not delivered" in outcomes:
        return "not tested: stopped"
    return "not tested: not delivered" if "does not hold" in outcomes else ""


def _p(comparison: Comparison, values: list[float], plan: Plan) -> float:
    if comparison.test == "signs":
        return sign_flip_test(values).p
    if comparison.test == "margin":
        return equivalence(values, plan.networks[comparison.network].margin or 0.0)
    return _t(values, 0.0, "two-sided")


def equivalence(values: list[float], margin: float) -> float:
    """The larger p of two one-sided t tests: that the mean lies above -margin, and below margin.

    Below 0.05 just where the 90 % interval lies within the margin.

    >>> equivalence([0.1, -0.1, 0.2, -0.2], 0.5) < 0.05 < equivalence([0.1, -0.1, 0.9, 0.5], 0.5)
    True
    """
    return max(_t(values, -margin, "greater"), _t(values, margin, "less"))


def _t(values: list[float], centre: float, alternative: str) -> float:
    """p of a t test; values that are all equal are taken as exact."""
    x = np.asarray(values) - centre
    if len(x) < 2:
        return 1.0
    if not np.ptp(x):
        right = {"two-sided": x[0] != 0, "greater": x[0] > 0, "less": x[0] < 0}[alternative]
        return 0.0 if right else 1.0
    return float(scipy_stats.ttest_1samp(x, 0.0, alternative=alternative).pvalue)


def _interval(values: list[float]) -> Interval:
    return mean_interval(values) if values else Interval(math.nan, math.nan, math.nan, 0)


def _numbers(interval: Interval) -> dict[str, Any]:
    return {"n": interval.n, "mean": interval.mean, "low": interval.low, "high": interval.high}
