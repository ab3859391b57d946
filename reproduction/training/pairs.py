"""Differences between runs of one seed: effects, batches of seeds, doses, learning rates, epochs.

Every function takes the runs as `read.read_runs` gives them, or the differences that `paired` makes
of them, and returns numbers; how the book shows them is `read`'s.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from reproduction import stats
from reproduction.paper.tables import MARKED
from reproduction.table_1 import TABLE_1
from reproduction.training.arms import ALPHA, Arm
from reproduction.training.recipes import RECIPES

_PAIR = ["recipe", "dataset", "model", "family", "seed"]


def networks(runs: pd.DataFrame) -> list[str]:
    """The models among the runs, in the order of Table 1."""
    present = set(runs["model"])
    return [architecture.name for architecture in TABLE_1.values() if architecture.name in present]


def paired(
    runs: pd.DataFrame, arm: str, *, against: str = "baseline", metric: str = "top1_last"
) -> pd.DataFrame:
    """Differences arm - against of the same recipe, data set, model and seed: one row each, in
    column "difference".
    """
    one, other = (runs[runs["arm"] == name].set_index(_PAIR)[metric] for name in (arm, against))
    difference = (one - other.reindex(one.index)).dropna().astype(float)
    return difference.rename("difference").reset_index()


def effects(differences: pd.DataFrame, by: str = "model") -> pd.DataFrame:
    """What `paired` differences come to, per group and over all pairs.

    Intervals, p and "smallest effect" hold for pairs that are `judged`; those of others describe.

    Args:
        differences: as of `paired`.
        by: the column that groups them.

    Returns:
        A row per group and, last, "all", which pools the pairs: n, mean, std, the 95 % interval (t)
        from "low" to "high", p of the sign-flip test, "smallest effect", the smallest mean
        difference that this n would have shown four times in five (by a t-test at 0.05 over the
        number of groups; NaN where n is too small for any p below that), "largest", the largest
        single difference, and "p, Holm", corrected over the groups.
    """
    groups = {str(name): rows["difference"] for name, rows in differences.groupby(by, sort=False)}
    rows = {name: _effect(values, len(groups)) for name, values in groups.items()}
    rows["all"] = _effect(differences["difference"], 1)
    columns = ["n", "mean", "std", "low", "high", "p", "smallest effect", "largest"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    tested = [name for name in groups if not math.isnan(table.loc[name, "p"])]
    corrected = stats.holm(list(table.loc[tested, "p"]))
    table["p, Holm"] = pd.Series(corrected, index=tested, dtype=float)
    return table


def _effect(values: pd.Series, tests: int) -> dict[str, float]:
    row: dict[str, float] = {"n": len(values), "mean": values.mean(), "std": values.std()}
    row["largest"] = values.abs().max()
    if len(values) > 1:
        interval, p = stats.mean_interval(values), stats.sign_flip_test(values).p
        row |= {"low": interval.low, "high": interval.high, "p": p}
        # else no difference of any size could have p < 0.05
        if tests * 2 / 2 ** len(values) <= 0.05:
            level = 0.05 / tests
            row["smallest effect"] = stats.smallest_effect(values.std(), len(values), alpha=level)
    return row


def groups(differences: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """`effects` of the groups that the paper tells apart: the models it marks, and convolutional
    networks. A group without pairs is left out.
    """
    parts = {
        "the models that the paper marks": differences[differences["model"].isin(MARKED)],
        "convolutional networks": differences[differences["family"] == "cnn"],
    }
    return {name: effects(part) for name, part in parts.items() if len(part)}


# --- batches of seeds ---


@dataclass(frozen=True)
class Batch:
    """Seeds of one arm of one model that were written down before any of their runs was seen."""

    model: str
    arm: str
    seeds: tuple[int, ...]
    recipe: str = "cpu"
    dataset: str = "cifar10"


#: Seeds below it are the first batch: six pairs, the fewest of which p can be below 0.05.
FIRST = 6


def judged(pairs: pd.DataFrame, arm: str, plan: Iterable[Batch]) -> pd.DataFrame:
    """The pairs that tests and intervals may be of: of each model one batch of seeds, fixed before
    any of its runs was seen.

    That is the planned batch as soon as one of its pairs is there, else the first seeds, 0 to 5.
    Tests and intervals are for a number of pairs that no result has a say in. They do not hold for
    seeds that were added after a look at others, nor for all seeds together: those are described.

    Args:
        pairs: one row each, with recipe, dataset, model and seed, as of `paired`.
        arm: the one whose pairs they are.
        plan: the batches that were planned, at most one per recipe, dataset, model and arm.

    Returns:
        Rows of `pairs`, in their order, with "batch", "planned" or "first". Of a model whose
        planned batch has begun and is not whole there are none.
    """
    planned = {(b.recipe, b.dataset, b.model): set(b.seeds) for b in plan if b.arm == arm}
    parts = []
    for key, own in pairs.groupby(["recipe", "dataset", "model"], sort=False):
        seeds, present = planned.get(key, set()), set(own["seed"])
        batch = "planned" if seeds & present else "first"
        chosen = own["seed"].isin(seeds) if batch == "planned" else own["seed"] < FIRST
        if batch == "first" or seeds <= present:
            parts.append(own[chosen].assign(batch=batch))
    return pd.concat(parts).sort_index() if parts else pairs.iloc[:0].assign(batch=[])


def batches(runs: pd.DataFrame, plan: Iterable[Batch]) -> pd.DataFrame:
    """The effect of the constrained and the released arm in each batch of seeds, against baseline
    and placebo.

    Args:
        runs: of one recipe and data set.
        plan: the batches that were planned. Of the other seeds, those below `FIRST` were the first
            and the rest was added.

    Returns:
        Two rows per batch: model, arm, batch ("first", "added" or "planned"), from, to (its seeds),
        against, and n, mean, low, high, p of `effects` over all its pairs; NaN where that arm has
        fewer than two. A batch with fewer than two pairs with the baseline is left out.
    """
    planned = {(batch.model, batch.arm): set(batch.seeds) for batch in plan}
    rows = []
    for model in networks(runs):
        for arm in ("constrained", "released"):
            own = runs[runs["model"] == model]
            seeds = sorted(set(own[own["arm"] == arm]["seed"]))
            for batch, chosen in _by_batch(seeds, planned.get((model, arm), set())).items():
                part = own[own["seed"].isin(chosen)]
                where = {"model": model, "arm": arm, "batch": batch}
                if len(paired(part, arm)) > 1:
                    where |= {"from": chosen[0], "to": chosen[-1]}
                    rows += [where | _contrast(part, arm, other) for other in _AGAINST]
    columns = ["model", "arm", "batch", "from", "to", "against", "n", "mean", "low", "high", "p"]
    return pd.DataFrame(rows, columns=columns)


_AGAINST = ("baseline", "placebo")


def _by_batch(seeds: Sequence[int], planned: set[int]) -> dict[str, list[int]]:
    parts: dict[str, list[int]] = {"first": [], "added": [], "planned": []}
    for seed in seeds:
        parts["planned" if seed in planned else "first" if seed < FIRST else "added"].append(seed)
    return {name: part for name, part in parts.items() if part}


def _contrast(runs: pd.DataFrame, arm: str, against: str) -> dict[str, Any]:
    differences = paired(runs, arm, against=against)
    if len(differences) < 2:
        return {"against": against}
    return {"against": against, **effects(differences).loc["all"]}


def outcomes(table: pd.DataFrame, plan: Iterable[Batch]) -> pd.DataFrame:
    """What the planned batches say, in the order of the plan.

    Args:
        table: of `batches`.
        plan: as for `batches`. A batch that has not been run whole against any other arm, or that
            no first batch went before, is left out.

    Returns:
        The rows of `table` that are of a planned batch and not NaN, with "outcome", one of
        "repeated", "left open" or "not repeated", see `outcome`.
    """
    parts = []
    for batch in plan:
        own = table[(table["model"] == batch.model) & (table["arm"] == batch.arm)]
        part = own[own["batch"] == "planned"].dropna(subset="mean")
        first = own[(own["batch"] == "first") & (own["against"] == "baseline")]["mean"]
        if len(first) and len(batch.seeds) in set(part["n"]):
            parts.append(part.assign(outcome=outcome(first.iloc[0], part)))
    return pd.concat(parts) if parts else table.iloc[:0].assign(outcome=[])


def outcome(first: float, contrasts: pd.DataFrame) -> str:
    """Whether a planned batch repeats what the first one had shown.

    "repeated" if every contrast has the first difference's sign and p below 0.05, "not repeated" if
    any has not that sign, else "left open".

    >>> outcome(1.2, pd.DataFrame({"mean": [0.8, 0.9], "p": [0.03, 0.06]}))
    'left open'

    Args:
        first: the first batch's mean difference to the baseline.
        contrasts: a row per contrast of the planned batch, with mean and p.
    """
    if not (contrasts["mean"] * first > 0).all():
        return "not repeated"
    return "repeated" if (contrasts["p"] < 0.05).all() else "left open"


# --- does the constraint act? ---


def off_target(modules: Mapping[str, float], gamma: float) -> float:
    """How far the modules' SS_rates lie from gamma: the mean of abs(SS_rate - gamma).

    >>> round(off_target({"a": 0.1, "b": 0.3}, 0.2), 2)
    0.1
    """
    return float(np.mean([abs(rate - gamma) for rate in modules.values()]))


def closing_in(runs: pd.DataFrame, arm: str) -> pd.DataFrame:
    """Whether an arm ends nearer to its gamma than the baseline of the same seed: a row per pair.

    Columns: recipe, dataset, model, family, seed; "without" and "with", `off_target` of the
    baseline's and of the arm's modules from the arm's gamma; "nearer", their difference. The mean
    over modules of SS_rate itself would say nothing: the baseline's is gamma.
    """
    own = runs[(runs["arm"] == arm) & runs["gamma"].notna()]
    pairs = own.merge(runs[runs["arm"] == "baseline"], on=_PAIR, suffixes=("", " without"))
    without, after = (
        [off_target(*pair) for pair in zip(pairs[column], pairs["gamma"], strict=True)]
        for column in ("modules without", "modules")
    )
    table = pairs[_PAIR].assign(**{"without": without, "with": after})
    return table.assign(nearer=table["without"] - table["with"])


def dose_response(runs: pd.DataFrame) -> pd.DataFrame:
    """What the size of alpha does, in every arm with a penalty at the recipe's own learning rate: a
    row per model, arm (without its alpha) and alpha, indexed so.

    Columns: family; n pairs; "gamma", mean over runs; "SS_rate" at the end, as the penalty sees it;
    "with", "without" and "nearer" of `closing_in`, means over pairs; "top-1" difference to the
    baseline of the same seed in points, and "std", its standard deviation over all pairs, whatever
    their batch: described, not tested; "gradient" (mean ratio over training).
    """
    rows = {}
    for (model, text), part in runs.groupby(["model", "arm"], sort=False):
        arm = Arm.parse(text)
        if arm.kind != "baseline" and arm.lr is None:
            penalty, alpha = str(replace(arm, alpha=None)), float(part["alpha"].iloc[0])
            rows[model, penalty, alpha] = _dose(runs[runs["model"] == model], part, text)
    index = _index(rows, ["model", "penalty", "alpha"])
    columns = ["n", "gamma", "SS_rate", "with", "without", "nearer", "top-1", "std", "gradient"]
    table = pd.DataFrame(list(rows.values()), index=index, columns=["family", *columns])
    return table.sort_index(level="alpha", sort_remaining=False)


def _dose(runs: pd.DataFrame, part: pd.DataFrame, arm: str) -> dict[str, Any]:
    gains = paired(runs, arm)["difference"].astype(float)
    ratios = [ratio for history in part["history"] for ratio in history["gradient_ratio"]]
    return {
        "family": part["family"].iloc[0],
        "n": len(gains),
        "gamma": part["gamma"].astype(float).mean(),
        "SS_rate": part["ss_rate_train"].mean(),
        **closing_in(runs, arm)[["with", "without", "nearer"]].mean(),
        "top-1": gains.mean(),
        "std": gains.std(),
        "gradient": pd.Series(ratios, dtype=float).mean(),
    }


def raised(doses: pd.DataFrame) -> pd.DataFrame:
    """The rows of `dose_response` of those models that were run with more than the paper's alpha,
    too.
    """
    model, alpha = (doses.index.get_level_values(name) for name in ("model", "alpha"))
    return doses[model.isin(model[alpha > ALPHA])]


# --- would the protocol show a gain without it? ---


def learning_rates(runs: pd.DataFrame) -> pd.DataFrame:
    """Both arms at more than one learning rate: a row per model and rate (before scaling with the
    batch), mean top-1 per arm, n, and the gain of the constraint within the rate.

    Models that were run at one rate only, or with one arm only at any rate, are left out.
    """
    rows: dict[tuple[str, float], dict[str, float]] = {}
    for (model, text), part in runs.groupby(["model", "arm"], sort=False):
        arm = Arm.parse(text)
        own = arm.alpha is None and arm.gamma is None
        if arm.kind in ("baseline", "constrained") and own:
            rate = arm.lr or RECIPES[part["recipe"].iloc[0]].lr
            row = rows.setdefault((model, rate), {})
            row |= {arm.kind: part["top1_last"].mean(), f"{arm.kind}: n": len(part)}
            if arm.kind == "constrained":
                base = str(Arm("baseline", lr=arm.lr))
                pairs = paired(runs[runs["model"] == model], text, against=base)
                row["gain"] = pairs["difference"].mean()
    columns = ["baseline", "baseline: n", "constrained", "constrained: n", "gain"]
    rates = Counter(model for model, _ in rows)
    lacking = {model for (model, _), row in rows.items() if len(row) < len(columns)}
    kept = [key for key in rows if rates[key[0]] > 1 and key[0] not in lacking]
    index = _index(kept, ["model", "learning rate"])
    return pd.DataFrame([rows[key] for key in kept], index=index, columns=columns)


def rate_alone(runs: pd.DataFrame, rates: pd.DataFrame) -> pd.DataFrame:
    """What the lower learning rate changes by itself, per model of `learning_rates`.

    Args:
        runs: as for `learning_rates`.
        rates: of `learning_rates`, two rates a model.

    Returns:
        Columns: "alone", the baseline at the lower rate minus the baseline; "crossed", the
        constrained arm at the lower rate minus the baseline at the higher, as the released scripts
        compare them; "alone: n" and "crossed: n", pairs of the same seed; "higher" and "lower", the
        gain of the constraint within the rate. Points of top-1.
    """
    rows = {}
    for model in dict.fromkeys(rates.index.get_level_values("model")):
        gains, own = rates.loc[model]["gain"], runs[runs["model"] == model]
        row = {"higher": gains[gains.index.max()], "lower": gains[gains.index.min()]}
        for name, kind in (("alone", "baseline"), ("crossed", "constrained")):
            difference = paired(own, str(Arm(kind, lr=gains.index.min())))["difference"]
            row |= {name: difference.mean(), f"{name}: n": len(difference)}
        rows[model] = row
    columns = ["alone", "alone: n", "crossed", "crossed: n", "higher", "lower"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def choices(runs: pd.DataFrame, arms: Sequence[str] = ("baseline", "constrained")) -> pd.DataFrame:
    """What the choice of the epoch makes, per model: test top-1 at the best test epoch, and at the
    epoch that is best on held-out images, both minus the last epoch's, in points, averaged over
    seeds and `arms`; and the mean difference between the arms by each rule.
    """
    part = runs[runs["arm"].isin(arms)]
    rules = {"last": "top1_last", "held-out": "top1_heldout", "best test": "top1_best"}
    rows = {}
    for model, own in part.groupby("model", sort=False):
        added = {
            f"{rule} - last": (own[column] - own["top1_last"]).mean()
            for rule, column in rules.items()
            if rule != "last"
        }
        gains = {
            f"gain, {rule}": paired(own, arms[1], against=arms[0], metric=column)["difference"]
            for rule, column in rules.items()
        }
        rows[model] = added | {name: gain.mean() for name, gain in gains.items()}
    columns = [f"{rule} - last" for rule in list(rules)[1:]] + [f"gain, {rule}" for rule in rules]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def _index(keys: Iterable[tuple[Any, ...]], names: list[str]) -> pd.MultiIndex:
    """An index of the keys; pandas itself makes none of no keys."""
    return pd.MultiIndex.from_frame(pd.DataFrame(list(keys), columns=names))
