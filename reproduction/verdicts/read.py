"""The evidence for each claim, from records: the tables that its rule looks at.

Every function takes a reader of records, by experiment, and the limits of the claim. It gives None
where nothing was run, and changes none of the frames that it reads.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from reproduction.covering.read import covers as layers_and_sets
from reproduction.covering.read import networks
from reproduction.invariance.read import full_scale as of_tables_4_and_5
from reproduction.invariance.read import of_way
from reproduction.paper.audit import mean_gains
from reproduction.paper.tables import DATASETS, FORMULAS
from reproduction.ss_rate.read import full_scale, table_2
from reproduction.table_1 import find
from reproduction.verdicts.finding import Evidence, Limits, Reader, devices
from reproduction.verdicts.read_training import baselines, training_pairs

SS_RATE, INVARIANCE, COVERING = "ss-rate", "invariance", "box-covering"


# --- measurements alone ---------------------------------------------------------------------------


def layer_rates(read_all: Reader, limits: Limits) -> Evidence | None:
    """SS_rate of every measured layer, a column per formula; and sets of known self-similarity
    against noise, as ``live.against_noise`` has them (no rows if none was measured).
    """
    runs = read_all(SS_RATE)
    if runs.empty:
        return None
    layers = [layer for run in runs["metrics.layers"] for layer in run.values()]
    rates = pd.DataFrame(layers)[list(FORMULAS)].dropna()
    return Evidence((rates, _known_sets(read_all)), devices(runs))


def _known_sets(read_all: Reader) -> pd.DataFrame:
    sets = read_all(COVERING)
    known = ["cantor", "sierpinski"]
    sets = sets[sets["config.points"].isin(known)] if "config.points" in sets else sets.iloc[:0]
    if sets.empty:
        return pd.DataFrame(columns=["own", "low", "high"])
    from reproduction.verdicts.live import against_noise

    asked = sets[["config.points", "config.n", "seed"]].itertuples(index=False, name=None)
    return against_noise([(name, int(n), int(seed)) for name, n, seed in asked])


def costs(read_all: Reader, limits: Limits) -> Evidence | None:
    """What the penalty adds to a training step of ViT (small) at 224 px, a row per machine: shares
    plain and ours.
    """
    runs = read_all("benchmark-constraint")
    if runs.empty:
        return None
    of_vit = (runs["config.model"] == "vit_small_patch16_224") & (runs["config.size"] == 224)
    runs = runs[of_vit]
    if runs.empty:
        return None
    shares = {way: runs[f"metrics.{way}_share"].astype(float) for way in ("plain", "ours")}
    return Evidence((pd.DataFrame(shares),), devices(runs))


def untrained_rates(read_all: Reader, limits: Limits) -> Evidence | None:
    """Table 2's first column beside the records: a row per model that was run."""
    return _rates(read_all, "untrained")


def trained_rates(read_all: Reader, limits: Limits) -> Evidence | None:
    """Table 2's second column beside the records: a row per model that was run."""
    return _rates(read_all, "pretrained")


def _rates(read_all: Reader, state: str) -> Evidence | None:
    """Columns paper, ours, std (over seeds) and seeds; nine rows, NaN where not run."""
    runs = full_scale(read_all(SS_RATE))
    table = table_2(runs)
    names = {"paper": "paper", "ours, released": "ours", "std, released": "std"}
    names |= {"seeds": "seeds"}
    table = table[[f"{state}: {name}" for name in names]].set_axis(list(names.values()), axis=1)
    return Evidence((table,), devices(runs)) if table["ours"].notna().any() else None


def rises(read_all: Reader, limits: Limits) -> Evidence | None:
    """How much a pretrained network's SS_rate lies above the untrained one's: change, and error,
    the standard error over untrained seeds (NaN of one); a row per model that has both.
    """
    runs = full_scale(read_all(SS_RATE))
    table = table_2(runs)
    change = table["pretrained: ours, released"] - table["untrained: ours, released"]
    error = table["untrained: std, released"] / table["untrained: seeds"].clip(lower=1) ** 0.5
    table = pd.DataFrame({"change": change, "error": error}).dropna(subset=["change"])
    return Evidence((table,), devices(runs)) if len(table) else None


def rises_in_small(read_all: Reader, limits: Limits) -> Evidence | None:
    """How much SS_rate rose in our own training without the constraint: model and change, a row per
    run; no rows if no record says so.
    """
    runs = baselines(read_all)
    if runs.empty:
        return None
    after, before = (
        runs[column].map(_probe_mean)
        for column in ("metrics.ss_rate_probe", "metrics.ss_rate_probe_before")
    )
    runs = runs.assign(change=after - before).dropna(subset=["change"])
    return Evidence((runs[["model", "change"]],), devices(runs))


def _probe_mean(by_size: Any) -> float:
    """Mean SS_rate over the modules on the probe's 512 images; NaN where a record has none."""
    found = by_size.get("512") if isinstance(by_size, dict) else None
    return float(np.mean(list(found.values()))) if found else math.nan


def directions(read_all: Reader, limits: Limits) -> Evidence | None:
    """Participation ratio of the first module of each network, by timm's name: columns untrained
    and trained; mean over draws, then over seeds; with ": error" its standard error over seeds (NaN
    of one).
    """
    runs = full_scale(read_all(SS_RATE))
    if runs.empty:
        return None
    first = [find(name).modules[0] for name in runs["config.model"]]
    layers = zip(runs["metrics.layers"], first, strict=True)
    ratio = [layer[module]["participation_ratio"] for layer, module in layers]
    state = np.where(runs["config.weights"] == "untrained", "untrained", "trained")
    keys = ["config.model", "state", "seed"]
    by_seed = runs.assign(ratio=ratio, state=state).groupby(keys, as_index=False)["ratio"].mean()
    groups, states = by_seed.groupby(["config.model", "state"])["ratio"], ["untrained", "trained"]
    table = groups.mean().unstack().reindex(columns=states)
    errors = groups.sem().unstack().reindex(columns=states).add_suffix(": error")
    return Evidence((table.join(errors),), devices(runs))


def covers(read_all: Reader, limits: Limits) -> Evidence | None:
    """N_θ against true covers, a row per layer of a network, as the covering room has them."""
    runs = read_all(COVERING)
    if runs.empty:
        return None
    table = networks(layers_and_sets(runs))
    return Evidence((table,), devices(runs)) if len(table) else None


# --- invariance and gains -------------------------------------------------------------------------


def invariances(read_all: Reader, limits: Limits) -> Evidence | None:
    """σ and Δ of the paper's networks beside its printed gains: model, images, seed, weights,
    sigma, delta, gain; a row per record.

    Pretrained networks where there are enough of them, else untrained ones.
    """
    runs = of_tables_4_and_5(_invariance_runs(read_all))
    if runs.empty:
        return None
    runs = runs[runs["images"].isin(list(DATASETS))]
    pretrained = runs[runs["weights"].str.startswith("pretrained")]
    enough = pretrained["model"].nunique() >= limits["models"]
    part = pretrained if enough else runs[runs["weights"] == "untrained"]
    return _beside_gains(part, mean_gains()["points"])


def invariances_in_small(read_all: Reader, limits: Limits) -> Evidence | None:
    """σ and Δ of our own networks, trained without the constraint, beside our own gains."""
    runs = _invariance_runs(read_all)
    if runs.empty:
        return None
    arm, recipe = runs["config.arm"], runs["config.recipe"]
    own = runs[(runs["weights"] == "trained") & (arm == "baseline") & (recipe != "quick")]
    return _beside_gains(own, training_pairs(read_all).groupby("model")["gain"].mean())


def _invariance_runs(read_all: Reader) -> pd.DataFrame:
    runs = read_all(INVARIANCE)
    if runs.empty:
        return runs
    # full-size networks have a size, those of a training recipe have an arm
    asked = ["config.size", "config.arm", "config.recipe"]
    runs = runs.reindex(columns=[*runs.columns.union(asked, sort=False)])
    return runs.assign(
        model=[find(name).name for name in runs["config.model"]],
        images=runs["config.images"],
        weights=runs["config.weights"],
        sigma=of_way(runs, "sigma", "released"),
        delta=of_way(runs, "delta", "released"),
    )


def _beside_gains(runs: pd.DataFrame, gain: pd.Series) -> Evidence | None:
    runs = runs[runs["model"].isin(gain.index)]
    if runs.empty:
        return None
    table = runs[["model", "images", "seed", "weights", "sigma", "delta"]]
    return Evidence((table.assign(gain=table["model"].map(gain)),), devices(runs))
