"""The rules of data/paper/claims.yml as functions: limits and tables in, a finding out.

No rule reads a file, and none knows a sentence: the tables may be measured (``read``) or made up.
What a table has to hold is said in ``read``, under the function that the rule is paired with.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from reproduction.paper.tables import FORMULAS, MARKED, load_table, mean_of_others, verdict
from reproduction.stats import pearson_exact, spearman_exact
from reproduction.stats_groups import apart
from reproduction.stats_means import INSIDE, OUTSIDE, Mean, beside_margin, mean_of
from reproduction.verdicts.finding import NOT_RUN, Finding, Limits
from reproduction.verdicts.intervals import FEWEST_OF_INTERVAL, intervals, signs

#: Timm names of Fig. 2's two groups; PoolFormer, which changes sides, is a claim of its own.
LOW = ("vit_small_patch16_224", "resmlp_12_224", "mixer_b16_224")

EVEN = ("resnet34", "vgg11", "pvt_v2_b1")


# --- measurements alone ---------------------------------------------------------------------------


def in_range(limits: Limits, rates: pd.DataFrame, sets: pd.DataFrame) -> Finding:
    """Whether SS_rate is smaller for self-similar sets than for noise. That it stays within 0…1 is
    arithmetic, once Eq. 3 and 9 are corrected, and decides nothing.
    """
    values: dict[str, Any] = {"low": rates.min(axis=None), "high": rates.max(axis=None)}
    values["sets"] = {row.Index: (row.own, row.low, row.high) for row in sets.itertuples()}
    below = values["below"] = int((sets["own"] < sets["low"]).sum())
    n = {"set": len(sets), "layer": len(rates)}
    if not len(sets):
        return Finding("undecided", values, n)
    if below == len(sets):
        return Finding("reproduced", values, n)
    return Finding("partly" if below else "not reproduced", values, n)


def cheap(limits: Limits, costs: pd.DataFrame) -> Finding:
    """Whether the penalty costs little, plainly written; on several machines the dearest counts."""
    plain, ours = costs["plain"], costs["ours"]
    if plain.max() <= limits["cheap"]:
        outcome = "reproduced"
    elif plain.max() <= limits["bearable"] or ours.max() <= limits["cheap"]:
        outcome = "partly"
    else:
        outcome = "not reproduced"
    values = {"plain": (plain.min(), plain.max()), "ours": (ours.min(), ours.max())}
    return Finding(outcome, values | {"machines": len(costs)}, {"machine": len(costs)})


def table_2(limits: Limits, table: pd.DataFrame) -> Finding:
    """How many of nine printed values are met, by tests of equivalence, and whether their order is;
    beside it a prediction that knows nothing of the networks.
    """
    run = table.dropna(subset=["ours"])
    if run.empty:
        return NOT_RUN
    words = [_met(limits, row) for row in run.to_dict("records")]
    counts = {word: words.count(word) for word in ("reproduced", "open", "differs")}
    constant = mean_of_others(table["paper"])
    pairs = zip(constant, table["paper"], strict=True)
    met = [verdict(guess, paper, margin=limits["margin"]) for guess, paper in pairs]
    values: dict[str, Any] = {"counts": counts, "constant": met.count("reproduced"), "order": None}
    values["off"] = (run["ours"] - run["paper"]).abs().mean()
    values["constant off"] = (constant - table["paper"]).abs().mean()
    n = {"network": len(run), "seed": int(run["seeds"].min())}
    ordered = False
    if len(run) > 2 and run["ours"].nunique() > 1 and run["paper"].nunique() > 1:
        rank, line = (test(run["paper"], run["ours"]) for test in (spearman_exact, pearson_exact))
        values["order"] = {"rho": (rank.estimate, rank.p), "r": (line.estimate, line.p)}
        ordered = rank.estimate > 0 and rank.p < 0.05
    if ordered and counts["reproduced"] == len(table):
        return Finding("reproduced", values, n)
    if ordered and values["off"] < values["constant off"]:
        return Finding("partly", values, n)
    differing = counts["differs"] >= limits["most"]
    return Finding("not reproduced" if differing else "undecided", values, n)


def _met(limits: Limits, row: Mapping[Any, Any]) -> str:
    """Whether a value is met; open with fewer seeds than limits["seeds"] asks for."""
    seeds = int(row["seeds"])
    if seeds < limits["seeds"]:
        return "open"
    std = None if seeds == 1 else row["std"]
    return verdict(row["ours"], row["paper"], std=std, seeds=seeds, margin=limits["margin"])


def rises(limits: Limits, table: pd.DataFrame) -> Finding:
    """In how many of the paper's networks SS_rate is higher pretrained than untrained."""
    change, of = table["change"], int(limits["models"])
    up, down = (int((sign * change > limits["margin"]).sum()) for sign in (1, -1))
    values = {"up": up, "down": down, "of": of}
    return Finding(_majority(up, down, of), values, {"network": len(change)})


def rises_in_small(limits: Limits, runs: pd.DataFrame) -> Finding:
    """In how many of our own networks SS_rate rises in training, and how many change as Table 2 has
    it. A majority is one of the paper's networks here, too.
    """
    n = {"run": len(runs), "model": runs["model"].nunique()}
    found = intervals(runs, ["model"], "change")
    if not found:
        return Finding("undecided", n=n)
    (up, down), of, printed = signs(found), int(limits["models"]), _printed_changes()
    values: dict[str, Any] = {"up": up, "down": down, "of": of, "run": len(found), "models": {}}
    where = []
    for model, own in runs.dropna(subset=["change"]).groupby("model", sort=False)["change"]:
        if model in found and model in printed.index:
            off = mean_of(own - printed[model])
            where.append(beside_margin(off, limits["margin"]))
            half = (found[model].high - found[model].low) / 2
            values["models"][model] = (found[model].mean, half, printed[model], off.p())
    values |= {"met": where.count(INSIDE), "off": where.count(OUTSIDE)}
    outcome = _majority(up, down, of)
    if outcome == "undecided" and where and values["met"] == len(found):
        outcome = "partly"
    return Finding(outcome, values, n)


@cache
def _printed_changes() -> pd.Series:
    """By how much each network's SS_rate rises in training by Table 2."""
    table = load_table(2).set_index("model")
    return table["pretrained"] - table["untrained"]


def _majority(up: int, down: int, of: int) -> str:
    """Whether most rise; undecided while those that do neither could still make a majority."""
    if up > of / 2:
        return "reproduced"
    return "not reproduced" if down > of / 2 else "undecided"


def low_dimensional(limits: Limits, directions: pd.DataFrame) -> Finding:
    """Whether Fig. 2's first group spreads over fewer directions than its second."""
    values: dict[str, Any] = {}
    kept, ordered = [], []
    for state in ("untrained", "trained"):
        low, even = (directions[state].reindex(list(group)).dropna() for group in (LOW, EVEN))
        values[state] = None
        if len(low) == len(LOW) and len(even) == len(EVEN):
            values[state] = {"low": (low.min(), low.max()), "even": (even.min(), even.max())}
            kept.append(low.max() < even.min())
            ordered.append(low.median() < even.median())
    if not kept:
        return NOT_RUN
    if sum(kept) == 2:
        outcome = "reproduced"
    else:
        outcome = "partly" if any(kept) or all(ordered) else "not reproduced"
    return Finding(outcome, values, {"network": len(LOW) + len(EVEN)})


def poolformer(limits: Limits, directions: pd.DataFrame) -> Finding:
    """Whether PoolFormer goes from the first group of Fig. 2 to the second in training."""
    name = "poolformer_s12"
    states = ["untrained", "trained"]
    if name not in directions.index or directions.loc[name, states].isna().any():
        return NOT_RUN
    before, after = directions.loc[name, states]
    cnn = directions["untrained"].reindex(["resnet34", "vgg11"])
    low = directions["trained"].reindex(list(LOW))
    if cnn.notna().all() and low.notna().all() and before < cnn.min() and after > low.max():
        outcome = "reproduced"
    else:
        outcome = "partly" if after >= limits["factor"] * before else "not reproduced"
    return Finding(outcome, {"before": before, "after": after}, {"network": 1})


def invariance(limits: Limits, runs: pd.DataFrame) -> Finding:
    """Whether the marked models, and only they, have small σ and Δ; and how both go with gains."""
    measures = ["sigma", "delta"]
    means = runs.groupby(["model", "images"])[[*measures, "gain"]].mean()
    table = means.groupby("model").mean().dropna(subset=measures)
    n = {"network": len(table), "seed": runs["seed"].nunique()}
    values: dict[str, Any] = {"untrained": bool((runs["weights"] == "untrained").all())}
    if len(table) < limits["models"]:
        return Finding("undecided", values, n)
    tests = {name: spearman_exact(table[name], table["gain"]) for name in measures}
    values["tests"] = {name: (test.estimate, test.p) for name, test in tests.items()}
    separations = {name: apart(table[name], MARKED) for name in measures}
    values["apart"] = [name for name, (alone, p) in separations.items() if alone and p < 0.05]
    if values["untrained"]:  # the claim is about trained networks
        return Finding("undecided", values, n)
    if len(values["apart"]) == len(measures):
        return Finding("reproduced", values, n)
    sure = any(test.p < 0.05 for test in tests.values())
    if values["apart"] or (sure and all(test.estimate < 0 for test in tests.values())):
        return Finding("partly", values, n)
    mixed = all(_mixed(runs[runs["model"].isin(table.index)], name) for name in measures)
    return Finding("not reproduced" if mixed else "undecided", values, n)


def _mixed(runs: pd.DataFrame, measure: str) -> bool:
    """Whether a model that is not marked lies below a marked one, by more than seeds explain.

    One-sided t tests at 5 % over all such pairs of models, with the scatter over seeds pooled over
    the models. Where each has one seed, as with published weights, values count as they are.
    """
    by_seed = runs.groupby(["model", "seed"])[measure].mean()
    values, models = by_seed.to_numpy(), by_seed.index.get_level_values("model")
    own, others = [], []
    for model in models.unique():
        (own if model in MARKED else others).append(values[models == model])
    df = sum(map(len, (*own, *others))) - len(own) - len(others)
    squares = sum(len(part) * part.var() for part in (*own, *others))
    scatter, level = squares / max(1, df), 0.1 / max(1, len(own) * len(others))
    for part, other in itertools.product(own, others):
        error = math.sqrt(scatter * (1 / len(part) + 1 / len(other)))
        if Mean(other.mean() - part.mean(), error, df).high(level) < 0:
            return True
    return False


def boxes(limits: Limits, covers: pd.DataFrame) -> Finding:
    """Whether N_θ comes near the numbers of true covers, and ranks the layers of a network as they
    do. Networks are the units.
    """
    n = {"layer": len(covers), "network": covers["model"].nunique()}
    values, good, bad = {}, [], []
    for formula in sorted(FORMULAS):
        off = covers.groupby("model")[[f"{formula}: worst", f"{formula}: typical"]].median()
        ranks = orders_within(covers, f"rate: {formula}")
        if min(len(off), len(ranks)) < FEWEST_OF_INTERVAL:
            return Finding("undecided", n=n)
        worst, rank = mean_of(np.log(off[f"{formula}: worst"])), mean_of(list(ranks.values()))
        values[formula] = {
            "off": off[f"{formula}: worst"].median(),
            "typical": off[f"{formula}: typical"].median(),
            "rank": (rank.value, max(-1.0, rank.low()), min(1.0, rank.high())),
            "ranked": len(ranks),
        }
        most = math.log(limits["factor"])
        good.append(int(worst.high() <= most) + int(rank.low() >= limits["rank"]))
        bad.append(worst.low() > most and rank.high() < limits["rank"])
    if any(good):
        return Finding("reproduced" if max(good) == 2 else "partly", values, n)
    return Finding("not reproduced" if all(bad) else "undecided", values, n)


def orders_within(covers: pd.DataFrame, rate: str) -> dict[str, float]:
    """How a rate orders the layers of each network, beside true covers: Kendall's τ over the pairs
    of layers whose brackets of SS_rate by covering are apart, so that their order is known.

    Networks with fewer than three such pairs say nothing, and are left out.
    """
    found, ends = {}, ["rate: lower", "rate: upper"]
    low, high = covers[ends].min(axis=1).to_numpy(), covers[ends].max(axis=1).to_numpy()
    rates = covers[rate].to_numpy(dtype=float)
    for model, rows in covers.groupby("model", sort=False).indices.items():
        i, j = (rows[part] for part in np.triu_indices(len(rows), 1))
        true = (high[i] < low[j]).astype(int) - (high[j] < low[i])
        apart = true != 0
        if apart.sum() >= FEWEST_OF_INTERVAL:
            found[str(model)] = float((true * np.sign(rates[j] - rates[i]))[apart].mean())
    return found
