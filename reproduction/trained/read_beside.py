"""Records of what stands beside SS_rate as tables: remote channels, σ and Δ, Figure 2, covers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats as scipy_stats

from reproduction.paper.tables import load_table
from reproduction.paths import RESULTS
from reproduction.trained import CHANNELS, COVERS, INVARIANCE, NORMS, REMOTE, SIMILARITY
from reproduction.trained.read import FORMULAS, WITHIN, outside, runs_of


def beside_table_2(rates: pd.DataFrame) -> pd.DataFrame:
    """The released SS_rate of our networks below the printed ones of their relatives in Table 2.

    Returns:
        like ("ViT" or "CNN"), network, by ("paper" or "measured"), untrained, trained, change.
    """
    printed = load_table(2)
    printed["like"] = printed["model"].str.extract("^(ViT|ResNet|VGG)")[0]
    printed = printed.replace({"like": {"ResNet": "CNN", "VGG": "CNN"}}).dropna(subset="like")
    printed = printed.rename(columns={"model": "network", "pretrained": "trained"})
    ours = rates[rates["measure"] == "released"]
    likes = {"ViT-Tiny": "ViT", "EfficientNet-Lite0": "CNN"}
    ours = ours.assign(like=ours["network"].map(likes), by="measured")
    both = pd.concat([printed.assign(by="paper"), ours])
    both["change"] = both["trained"] - both["untrained"]
    columns = ["like", "network", "by", "untrained", "trained", "change"]
    return both.sort_values("like", ascending=False, kind="stable")[columns]


def invariance(root: Path = RESULTS) -> pd.DataFrame:
    """σ and Δ, trained beside untrained: a row per network, images, metric and way.

    Returns:
        network, images, metric, way, untrained (mean over seeds), lowest, highest, seeds, trained,
        change, outcome ("above", "below" the range of the seeds, or "within"; "" with fewer than
        three seeds).
    """
    rows = []
    for run in runs_of(INVARIANCE, root).to_dict("records"):
        for metric in ("sigma", "delta"):
            for way, value in run[f"metrics.{metric}"].items():
                key = {"network": run["network"], "images": run["config.images"], "metric": metric}
                rows.append(key | {"way": way, "state": run["state"], "value": value})
    if not rows:
        return pd.DataFrame()
    table = []
    keys = ["network", "images", "metric", "way"]
    for key, part in pd.DataFrame(rows).groupby(keys, sort=False):
        untrained = part.loc[part["state"] == "untrained", "value"]
        trained = part.loc[part["state"] == "trained", "value"].mean()
        side = (
            "above"
            if trained > untrained.max()
            else "below"
            if trained < untrained.min()
            else "within"
        )
        table.append(
            dict(zip(keys, key, strict=True))
            | {
                "untrained": untrained.mean(),
                "lowest": untrained.min(),
                "highest": untrained.max(),
                "seeds": len(untrained),
                "trained": trained,
                "change": trained - untrained.mean(),
                "outcome": side if len(untrained) >= 3 else "",
            }
        )
    return pd.DataFrame(table)


def channels(root: Path = RESULTS) -> dict[str, dict[str, Any]]:
    """Figure 2's pictures: network -> channels, stress, positions and participation per state."""
    names = ("channels", "stress", "positions", "participation")
    runs = runs_of(CHANNELS, root).to_dict("records")
    return {run["network"]: {name: run[f"metrics.{name}"] for name in names} for run in runs}


def covers(root: Path = RESULTS) -> pd.DataFrame:
    """N_theta against true covers: a row per layer, with how far N_theta lies outside the bounds.

    Columns: network, state, module, D; per formula "<formula>: off", the largest ratio, up or down,
        of N_theta to the nearer bound over all theta; "rate: <name>" by either formula and either
        bound.
    """
    rows = []
    for run in runs_of(COVERS, root).to_dict("records"):
        for module, of in run["metrics.layers"].items():
            lower, upper = np.array(of["lower"]), np.array(of["upper"])
            row = {"network": run["network"], "state": run["state"], "module": module, "D": of["D"]}
            for formula in FORMULAS:
                boxes = np.array(of[formula])
                row[f"{formula}: off"] = float(np.maximum(boxes / upper, lower / boxes).max())
            rows.append(row | {f"rate: {name}": rate for name, rate in of["rates"].items()})
    return pd.DataFrame(rows)


def cover_outcomes(covers: pd.DataFrame) -> pd.DataFrame:
    """Does N_theta stand in for box covering? A row per network, state and formula.

    "stands in" asks for a factor of at most 2 in the median layer, and a rank correlation over
    layers of at least 0.9 of SS_rate by N_theta with SS_rate by covering (mean of both bounds).
    """
    rows = []
    for (network, state), part in covers.groupby(["network", "state"], sort=False):
        true = (part["rate: lower"] + part["rate: upper"]) / 2
        for formula in FORMULAS:
            off = float(part[f"{formula}: off"].median())
            rho = float(scipy_stats.spearmanr(part[f"rate: {formula}"], true).statistic)
            rows.append(
                {
                    "network": network,
                    "state": state,
                    "formula": formula,
                    "off": off,
                    "rho": rho,
                    "layers": len(part),
                    "outcome": "stands in" if off <= 2 and rho >= 0.9 else "does not",
                }
            )
    return pd.DataFrame(rows)


def remote(root: Path = RESULTS) -> pd.DataFrame:
    """SS_rate without remote channels, means over modules.

    Returns:
        network, state, seed, share (left out), which ("remote" or "random"), released, printed, and
        "released, mean".
    """
    rows = []
    for run in runs_of(REMOTE, root).to_dict("records"):
        for module, found in run["metrics.layers"].items():
            key = {"network": run["network"], "state": run["state"], "seed": run["seed"]}
            rows += [key | {"module": module} | row for row in found]
    if not rows:
        return pd.DataFrame()
    keys = ["network", "state", "seed", "share", "which"]
    rates = [*FORMULAS, "released, mean"]
    return pd.DataFrame(rows).groupby(keys, sort=False)[rates].mean().reset_index()


def remote_outcomes(remote: pd.DataFrame, rates: pd.DataFrame, share: float = 0.05) -> pd.DataFrame:
    """Do a few remote channels make the change of the released SS_rate? A row per network.

    "a few channels": without the remotest `share` less than half the change is left, without as
    many at random more; "many": more than half is left; "not told apart" where `rates` says so of
    the whole.

    Returns:
        network, whole, without remote, without random (changes, trained less mean of seeds), seeds,
        outcome.
    """
    rows = []
    for network, part in remote.groupby("network", sort=False):
        means = part.groupby(["which", "share", "state"])["released"].mean().unstack("state")
        change = means["trained"] - means["untrained"]
        whole = change["remote", 0.0]
        left = {which: change[which, share] for which in ("remote", "random")}
        outcome = "many" if left["remote"] / whole >= 0.5 else "undecided"
        if outcome != "many" and left["random"] / whole >= 0.5:
            outcome = "a few channels"
        of = rates[(rates["network"] == network) & (rates["measure"] == "released")]
        rows.append(
            {
                "network": network,
                "whole": whole,
                "without remote": left["remote"],
                "without random": left["random"],
                "seeds": part.loc[part["state"] == "untrained", "seed"].nunique(),
                "outcome": WITHIN if (of["outcome"] == WITHIN).all() else outcome,
            }
        )
    return pd.DataFrame(rows)


def norms(layers: pd.DataFrame, root: Path = RESULTS) -> pd.DataFrame:
    """Does the change depend on untrained batch norm? A row per network with it, and formula.

    Args:
        layers: as from ``read.layers``; draw 0 alone is looked at.

    Returns:
        As ``read.outside``, the untrained networks normalising by the statistics of each batch;
        with "trained in batches", the trained network's value if it does so too, "running", the
        outcome with running statistics, and "depends", whether that is another.
    """
    rows = []
    for run in runs_of(NORMS, root).to_dict("records"):
        key = {"network": run["network"], "state": run["state"], "seed": run["seed"], "draw": 0}
        for module, found in run["metrics.layers"].items():
            rows.append(key | {"module": module} | {f: found[f] for f in FORMULAS})
    if not rows or layers.empty:
        return pd.DataFrame()
    batches, layers = pd.DataFrame(rows), layers[layers["draw"] == 0]
    own = layers[(layers["state"] == "trained") & layers["network"].isin(batches["network"])]
    columns = list(batches)
    untrained, trained = (batches[batches["state"] == s] for s in ("untrained", "trained"))
    table = outside(pd.concat([own[columns], untrained]), FORMULAS)
    running = outside(layers, FORMULAS).set_index(["network", "measure"])["outcome"]
    means = trained.groupby("network")[list(FORMULAS)].mean()
    pairs = list(zip(table["network"], table["measure"], strict=True))
    table["trained in batches"] = [means.loc[network, measure] for network, measure in pairs]
    table["running"] = [running[pair] for pair in pairs]
    return table.assign(depends=table["running"] != table["outcome"])


def alike(root: Path = RESULTS) -> pd.DataFrame:
    """Unbiased CKA of each untrained network's modules, a row per module and seed.

    Columns: network, seed, module, depth; trained, with the trained network; another seed, with
    another untrained one; bias, by how much the usual estimator is larger for the trained one.
    """
    rows = []
    for run in runs_of(SIMILARITY, root).to_dict("records"):
        found = run["metrics.trained"]
        for place, (module, of) in enumerate(found.items()):
            where = {"network": run["network"], "seed": run["seed"], "module": module}
            rows.append(
                where
                | {
                    "depth": place / max(1, len(found) - 1),
                    "trained": of["unbiased"],
                    "another seed": run["metrics.another seed"][module]["unbiased"],
                    "bias": of["biased"] - of["unbiased"],
                }
            )
    columns = ["network", "seed", "module", "depth", "trained", "another seed", "bias"]
    return pd.DataFrame(rows, columns=columns)
