"""Rules of the claims that need measurements alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from scipy import stats as scipy_stats

from reproduction import models, records
from reproduction.covering.read import covers
from reproduction.invariance.read import full_scale as of_tables_4_and_5
from reproduction.invariance.rulers import SET_NAMES, known_points
from reproduction.paper.audit import mean_gains
from reproduction.paper.tables import DATASETS
from reproduction.ss_rate.cells import SS_RATE
from reproduction.ss_rate.read import full_scale, table_2
from reproduction.stats import spearman_exact
from reproduction.verdicts.finding import (
    NOT_RUN,
    Finding,
    _count,
    _hardware,
    _Limits,
    _Pair,
    _percent,
    _Root,
)
from reproduction.verdicts.trained import training_pairs
from sslib.noise import null_features
from sslib.rate import ss_rate


def _table_2(state: str) -> Callable[[_Limits, _Root], _Pair]:
    def rule(limits: _Limits, root: _Root) -> _Pair:
        runs = full_scale(records.read_all(SS_RATE, root))
        table = table_2(runs)
        verdicts = table[f"{state}: verdict"]
        run = verdicts != "not run"
        if not run.any():
            return NOT_RUN, None
        close = verdicts.isin(["reproduced", "near"]).sum()
        outcome = "not reproduced" if close < limits["most"] else "partly"
        if (verdicts == "reproduced").all():
            outcome = "reproduced"
        off = (table[f"{state}: ours, released"] - table[f"{state}: paper"])[run].abs()
        counts = [
            f"{(verdicts == word).sum()} {word}" for word in ("reproduced", "near", "differs")
        ]
        spread = table.loc[run, f"{state}: std, released"].mean()
        ours = f"{', '.join(counts)}; {off.mean():.3f} ± {spread:.3f} off on average"
        seeds = table.loc[run, f"{state}: seeds"].min()
        return Finding(
            outcome, ours, f"{run.sum()} networks, {_count(int(seeds), 'seed')}", _hardware(runs)
        ), None

    return rule


def _range(limits: _Limits, root: _Root) -> _Pair:
    runs = records.read_all(SS_RATE, root)
    if runs.empty:
        return NOT_RUN, None
    layers = [layer for run in runs["metrics.layers"] for layer in run.values()]
    values = pd.DataFrame(layers)[["released", "printed"]]
    values = values.dropna()
    held = bool(((values >= 0) & (values <= 1)).all(axis=None))
    ours = f"{values.min(axis=None):.2f} to {values.max(axis=None):.2f} once corrected"
    order = _order(root)
    # As printed, the equations cannot be evaluated at the largest distance: "reproduced" is out of
    # reach.
    outcome = "partly" if held or order.startswith("; ordered") else "not reproduced"
    ours += order
    return Finding(outcome, ours, f"{len(values)} layers", _hardware(runs)), None


def _order(root: _Root) -> str:
    """Whether sets known to be self-similar have smaller SS_rates than Gaussian clouds in the same
    space; "" if not run.

    Each set is held against ten clouds with its number of points, its coordinates and its mean
    distance.
    """
    sets = records.read_all("box-covering", root)
    if sets.empty or "config.points" not in sets:
        return ""
    found = {}
    for run in sets[sets["config.points"].isin(["cantor", "sierpinski"])].to_dict("records"):
        points = torch.from_numpy(
            known_points(run["config.points"], int(run["config.n"]), seed=run["seed"])
        )
        clouds = [
            float(ss_rate(null_features(points, "gaussian", seed=seed))) for seed in range(10)
        ]
        found[SET_NAMES[run["config.points"]]] = float(ss_rate(points)), min(clouds), max(clouds)
    if not found:
        return ""
    held = "; ordered" if all(own < low for own, low, _ in found.values()) else "; not ordered"
    told = (
        f"{name} {own:.2f} (noise {low:.2f}–{high:.2f})"
        for name, (own, low, high) in sorted(found.items())
    )
    return f"{held}: {', '.join(told)}"


def _cheap(limits: _Limits, root: _Root) -> _Pair:
    runs = records.read_all("benchmark-constraint", root)
    if runs.empty:
        return NOT_RUN, None
    runs = runs[(runs["config.model"] == "vit_small_patch16_224") & (runs["config.size"] == 224)]
    if runs.empty:
        return NOT_RUN, None
    plain, ours = (runs[f"metrics.{way}_share"].astype(float) for way in ("plain", "ours"))
    # On several machines the dearest counts.
    if plain.max() <= limits["cheap"]:
        outcome = "reproduced"
    elif plain.max() <= limits["bearable"] or ours.max() <= limits["cheap"]:
        outcome = "partly"
    else:
        outcome = "not reproduced"
    text = (
        f"{_percent(plain)} of a training step if written down plainly, {_percent(ours)} in sslib"
    )
    return Finding(outcome, text, _count(len(runs), "machine"), _hardware(runs)), None


#: Timm names of Fig. 2's two groups; PoolFormer, which changes sides, is a claim of its own.
_LOW = ("vit_small_patch16_224", "resmlp_12_224", "mixer_b16_224")

_EVEN = ("resnet34", "vgg11", "pvt_v2_b1")


def _directions(root: _Root) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Participation ratio of the first module by state and timm name, mean over draws, then over
    seeds; and the records.
    """
    runs = full_scale(records.read_all(SS_RATE, root))
    if runs.empty:
        return pd.DataFrame({"untrained": [], "trained": []}), runs
    first = [models.find(name).modules[0] for name in runs["config.model"]]
    ratio = [
        layers[module]["participation_ratio"]
        for layers, module in zip(runs["metrics.layers"], first)
    ]
    state = np.where(runs["config.weights"] == "untrained", "untrained", "trained")
    by_seed = (
        runs.assign(ratio=ratio, state=state)
        .groupby(["config.model", "state", "seed"], as_index=False)["ratio"]
        .mean()
    )
    table = by_seed.pivot_table(index="config.model", columns="state", values="ratio")
    return table.reindex(columns=["untrained", "trained"]), runs


def _low_dimensional(limits: _Limits, root: _Root) -> _Pair:
    table, runs = _directions(root)
    kept, ordered, told = [], [], []
    for state in table:
        low, even = (table[state].reindex(group).dropna() for group in (_LOW, _EVEN))
        if len(low) < len(_LOW) or len(even) < len(_EVEN):
            continue
        kept.append(low.max() < even.min())
        ordered.append(low.median() < even.median())
        told.append(
            f"{state}: {low.min():.1f}–{low.max():.1f} directions against {even.min():.1f}–{even.max():.1f}"
        )
    if not told:
        return NOT_RUN, None
    if sum(kept) == 2:
        outcome = "reproduced"
    else:
        outcome = "partly" if any(kept) or all(ordered) else "not reproduced"
    if len(told) == 1:
        told.append("trained: not run" if told[0].startswith("untrained") else "untrained: not run")
    return Finding(
        outcome, "; ".join(told), f"{len(_LOW) + len(_EVEN)} networks", _hardware(runs)
    ), None


def _poolformer(limits: _Limits, root: _Root) -> _Pair:
    table, runs = _directions(root)
    if "poolformer_s12" not in table.index or table.loc["poolformer_s12"].isna().any():
        return NOT_RUN, None
    before, after = table.loc["poolformer_s12", ["untrained", "trained"]]
    cnn, low = table["untrained"].reindex(["resnet34", "vgg11"]), table["trained"].reindex(_LOW)
    if cnn.notna().all() and low.notna().all() and before < cnn.min() and after > low.max():
        outcome = "reproduced"
    else:
        outcome = "partly" if after >= limits["factor"] * before else "not reproduced"
    return Finding(
        outcome,
        f"{before:.1f} directions untrained, {after:.1f} trained",
        "1 network",
        _hardware(runs),
    ), None


def _invariance(limits: _Limits, root: _Root) -> _Pair:
    runs = records.read_all("invariance", root)
    if runs.empty:
        return NOT_RUN, NOT_RUN
    # full-size networks have a size, those of a training recipe have an arm
    runs = runs.reindex(
        columns=[*runs.columns.union(["config.size", "config.arm", "config.recipe"], sort=False)]
    )
    runs = runs.assign(
        model=[models.find(name).name for name in runs["config.model"]],
        sigma=runs["metrics.sigma"].map(lambda ways: ways.get("released", math.nan)).astype(float),
        delta=runs["metrics.delta"].map(lambda ways: ways.get("released", math.nan)).astype(float),
    )
    printed = mean_gains()["points"]
    large = of_tables_4_and_5(runs)
    large = large[large["config.images"].isin(list(DATASETS))]
    pretrained = large[large["config.weights"].str.startswith("pretrained")]
    untrained = large[large["config.weights"] == "untrained"]
    trained = pretrained["model"].nunique() >= limits["models"]
    full = _correlated(limits, pretrained if trained else untrained, printed)
    if full.ours and not trained:
        full = replace(full, ours=f"untrained: {full.ours}")

    pairs = training_pairs(root)
    own = runs[
        (runs["config.weights"] == "trained")
        & (runs["config.arm"] == "baseline")
        & (runs["config.recipe"] != "quick")
    ]
    return full, _correlated(limits, own, pairs.groupby("model")["gain"].mean())


def _correlated(limits: _Limits, runs: pd.DataFrame, gain: pd.Series) -> Finding:
    runs = runs[runs["model"].isin(gain.index)]
    if runs.empty:
        return NOT_RUN
    table = (
        runs.groupby(["model", "config.images"])[["sigma", "delta"]]
        .mean()
        .groupby("model")
        .mean()
        .dropna()
    )
    n = f"{len(table)} networks, {_count(runs['seed'].nunique(), 'seed')}"
    if len(table) < limits["models"]:
        return Finding("undecided", "too few networks yet", n, _hardware(runs))
    tests = {
        symbol: spearman_exact(table[column], gain[table.index])
        for symbol, column in (("σ", "sigma"), ("Δ", "delta"))
    }
    told = ", ".join(
        f"ρ({symbol}, gain) {test.estimate:+.2f} (p = {test.p:.2f})"
        for symbol, test in tests.items()
    )
    sure = [test.p < 0.05 for test in tests.values()]
    negative = [test.estimate < 0 for test in tests.values()]
    if all(negative) and any(sure):
        return Finding("reproduced" if all(sure) else "partly", told, n, _hardware(runs))
    return Finding("not reproduced", told, n, _hardware(runs))


def _boxes(limits: _Limits, root: _Root) -> _Pair:
    runs = records.read_all("box-covering", root)
    if runs.empty:
        return NOT_RUN, None
    table = covers(runs)
    table = table[table["of"] == "network"]
    if table.empty:
        return NOT_RUN, None
    covering = (table["rate: lower"] + table["rate: upper"]) / 2
    best, told = 0, []
    for formula in ("printed", "released"):
        off = table[f"{formula}: worst"].median()
        rank = float(scipy_stats.spearmanr(table[f"rate: {formula}"], covering).statistic)
        best = max(best, int(off <= limits["factor"]) + int(rank >= limits["rank"]))
        told.append(f"{formula} {off:.1f}× off, ranks {rank:+.2f}")
    outcome = ("not reproduced", "partly", "reproduced")[best]
    n = f"{len(table)} layers, {table['model'].nunique()} networks"
    return Finding(outcome, "; ".join(told), n, _hardware(runs)), None
