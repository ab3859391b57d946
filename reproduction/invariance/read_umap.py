"""Δ where nothing changes: noise for layers, one layer under several seeds of UMAP, other UMAPs."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from reproduction.invariance.cells import INVARIANCE_UMAP, RELEASED_UMAP, UMAP_SETTINGS, WAYS
from reproduction.invariance.read import (
    ESTIMATORS,
    NAMES,
    full_scale,
    invariance_table,
    of_way,
    with_weights,
)
from reproduction.paper.tables import DATASETS
from reproduction.table_1 import find


def noise_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Δ of Gaussian noise of the shapes of each network's layers, by every way; two decimals."""
    noise = with_weights(runs, "noise")
    if noise.empty:
        return pd.DataFrame(columns=[*WAYS, "records"])
    null = pd.DataFrame({way: of_way(noise, "delta", way) for way in WAYS})
    networks = null.groupby(noise["config.model"].map(NAMES))
    shown = networks.mean().map("{:.2f}".format)
    return shown.assign(records=networks.size()).rename_axis(None)


def sensitivity_table(runs: pd.DataFrame, others: pd.DataFrame, way: str) -> pd.DataFrame:
    """Δ of each network under other UMAP settings, by one way.

    Args:
        runs, others: ``records.read_all`` of `INVARIANCE` and `INVARIANCE_UMAP`; a network is in if
            it has records of both with random weights of one seed.
        way: a name of `WAYS`.

    Returns:
        A row per setting, the released one first, a column per network; NaN where a setting was not
        run.
    """
    columns: dict[str, dict[str, float]] = {}
    if not others.empty:
        runs = with_weights(pd.concat([full_scale(runs), full_scale(others)]))
        for (model, images, seed), part in runs.groupby(["config.model", "config.images", "seed"]):
            if (part["experiment"] == INVARIANCE_UMAP).any():
                settings = part["config.umap"].map(_setting)
                delta = dict(zip(settings, of_way(part, "delta", way), strict=True))
                columns[f"{NAMES[model]}, {DATASETS.get(images, images)}, seed {seed}"] = delta
    order = [_setting(umap) for umap in (RELEASED_UMAP, *UMAP_SETTINGS)]
    return pd.DataFrame(columns, index=order, dtype=float)


def umap_table(runs: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """`sensitivity_table` as a reader sees it: a column per network and estimator, two decimals."""
    tables = {way: sensitivity_table(runs, others, way) for way in ESTIMATORS}
    table = pd.concat(tables, axis=1).swaplevel(axis=1)
    table = table.sort_index(axis=1, level=0, sort_remaining=False).rename(index=_in_words)
    return table.map("{:.2f}".format).replace("nan", "not run")


def _in_words(setting: str) -> str:
    return setting.replace("n_components", "components").replace("n_neighbors", "neighbours")


def umap_seed_spread(runs: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """Δ of one and the same layer over UMAP's seeds alone, all else as released.

    Args:
        runs, others: as for ``sensitivity_table``.

    Returns:
        A row per network, layer and way with at least two of UMAP's seeds. Columns: model (timm's
        name), images, seed (of the weights), module, way, seeds (how many of UMAP's), delta.
    """
    keys = ["model", "images", "seed", "module", "way"]
    rows = []
    for _, run in with_weights(pd.concat([full_scale(runs), full_scale(others)])).iterrows():
        if set(_changed(run["config.umap"])) <= {"seed"}:
            cell = (run["config.model"], run["config.images"], run["seed"])
            rows += [
                (*cell, module, way, (fit or {}).get("dimension", math.nan))
                for module, layer in run["metrics.layers"].items()
                for way, fit in layer["dimensions"].items()
            ]
    found = pd.DataFrame(rows, columns=[*keys, "dimension"]).dropna()
    groups = found.groupby(keys, sort=False)["dimension"]
    spread = groups.agg(seeds="count", low="min", high="max", mean="mean").reset_index()
    spread = spread[spread["seeds"] > 1].reset_index(drop=True)
    delta = (spread["high"] - spread["low"]) / spread["mean"]
    return spread[[*keys, "seeds"]].assign(delta=delta)


def repeats(runs: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """Δ of one layer over UMAP's seeds, beside the Δ of networks, per estimator.

    Args:
        runs, others: as for ``sensitivity_table``.

    Returns:
        Columns: seeds (of UMAP), low and high Δ over layers, layers (how many), networks (their
        names), resmlp (Δ of the untrained ResMLP), printed and ours: the share of Table 5's values
        and of the measured ones that are no larger than `high`; paper_low and paper_high: Table 5's
        smallest and largest value. No row for an estimator without repeats.
    """
    table, spread = invariance_table(runs, 5), umap_seed_spread(runs, others)
    rows = {}
    for way in ESTIMATORS:
        part, ours = spread[spread["way"] == way], table[table["way"] == way].dropna(subset="ours")
        resmlp = ours.loc[ours["model"] == "ResMLP", "ours"].mean()
        if len(part) and not math.isnan(resmlp):
            high, pairs = part["delta"].max(), part[["model", "images"]].drop_duplicates()
            names = [f"{find(model).name} on {DATASETS[images]}" for model, images in pairs.values]
            rows[way] = {
                "seeds": part["seeds"].min(),
                "low": part["delta"].min(),
                "high": high,
                "layers": len(part),
                "networks": " and ".join(names),
                "resmlp": resmlp,
                "printed": (table["paper"] <= high).mean(),
                "ours": (ours["ours"] <= high).mean(),
                "paper_low": table["paper"].min(),
                "paper_high": table["paper"].max(),
            }
    return pd.DataFrame.from_dict(rows, orient="index")


def _changed(umap: Mapping[str, float]) -> dict[str, float]:
    """What differs from the released settings of UMAP."""
    return {key: value for key, value in umap.items() if value != RELEASED_UMAP[key]}


def _setting(umap: Mapping[str, float]) -> str:
    return ", ".join(f"{key} = {value:g}" for key, value in _changed(umap).items()) or "as released"
