"""What a difference between print and release changes, in numbers: from records and printed tables.

Every function takes the folder of records. It gives None, for a part or for all of it, where
nothing was run. The words are in ``say_effects``; what is computed on the spot is in ``live``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from reproduction import records
from reproduction.invariance.read import full_scale as of_tables_4_and_5
from reproduction.invariance.read import of_way
from reproduction.paper.audit import gains, movement
from reproduction.paper.tables import released_commands
from reproduction.ss_rate.read import factor_table, full_scale, table_2
from reproduction.table_1 import find
from reproduction.training.arms import Arm
from reproduction.training.pairs import paired
from reproduction.training.read import read_runs

Values = Mapping[str, Any]

#: (model, mean change of SS_rate, its standard deviation over seeds), a row per model.
Factor = list[tuple[str, float, float]]


# --- SS_rate --------------------------------------------------------------------------------------


def box_number(root: Path) -> Values | None:
    """SS_rate of untrained networks by both formulas, and how far each lies from Table 2."""
    table = table_2(_ss_rates(root))
    released, printed, theirs = (
        table[f"untrained: {column}"] for column in ("ours, released", "ours, printed", "paper")
    )
    if released.isna().all():
        return None
    return {
        "networks": int(released.notna().sum()),
        "released": released.mean(),
        "printed": printed.mean(),
        "released off": (released - theirs).abs().mean(),
        "printed off": (printed - theirs).abs().mean(),
    }


def factor(root: Path, name: str, value: str) -> Factor:
    """What one factor does to SS_rate, by model, from the records of the factor study."""
    table = factor_table(records.read_all("ss-rate-factors", root))
    if table.empty or (name, value) not in table.index:
        return []
    row = table.loc[(name, value)]
    rows = [(model, row[model, "change"], row[model, "std of change"]) for model in _models(table)]
    return [found for found in rows if not math.isnan(found[1])]


def _models(table: pd.DataFrame) -> pd.Index:
    return table.columns.levels[0]


def batch(root: Path) -> dict[str, Factor]:
    """What fewer and more images do."""
    return {n: factor(root, "B", f"{n} images") for n in ("16", "256")}


def class_token(root: Path) -> Factor:
    """What leaving the class token out does."""
    return factor(root, "class token", "left out")


def training_mode(root: Path) -> Factor:
    """What the network's mode does."""
    return factor(root, "mode", "training")


def other_images(root: Path) -> Factor:
    """What another draw of images does."""
    return factor(root, "which images", "another draw")


def channels(root: Path) -> Factor:
    """What 128 channels instead of all do."""
    return factor(root, "channels", "128 drawn at random")


def normalisation(root: Path) -> Factor:
    """What pixels in 0…1 do."""
    return factor(root, "normalisation", "none: pixels 0 to 1")


def layers_drawn(root: Path) -> Values | None:
    """Where the released list of layers changes the mean over Table 1's most."""
    runs = _ss_rates(root)
    if runs.empty:
        return None
    by_model = (_mean_rate(runs, "released") - _mean_rate(runs, "printed")).groupby(
        [find(name).name for name in runs["config.model"]]
    )
    change = by_model.mean()
    largest = change.abs().idxmax()
    return {"model": largest, "change": change[largest]}


def variants(root: Path) -> Values | None:
    """SS_rate of the two sizes of PVT."""
    runs = _ss_rates(root)
    if runs.empty:
        return None
    rate = _mean_rate(runs, "printed").groupby(runs["config.model"]).mean()
    sizes = ("pvt_v2_b1", "pvt_v2_b3")
    return {name: rate[name] for name in sizes} if set(sizes) <= set(rate.index) else None


def _ss_rates(root: Path) -> pd.DataFrame:
    return full_scale(records.read_all("ss-rate", root))


def _mean_rate(runs: pd.DataFrame, modules: str) -> pd.Series:
    """The released SS_rate of each run, averaged over the printed or the released modules."""
    return runs[f"metrics.mean_{modules}_modules"].map(lambda mean: mean["released"])


# --- the constraint -------------------------------------------------------------------------------


def damping(root: Path) -> Values | None:
    """What share of a network's drawn modules lies near its mean over layers; in how many epochs of
    our released arms the penalty does not vanish.
    """
    runs = _ss_rates(root)
    if runs.empty:
        return None
    close: dict[str, list[float]] = {}
    for run in runs.to_dict("records"):
        layers, drawn = run["metrics.layers"], run["metrics.modules"]["released"]
        rates = np.array([layers[module]["released"] for module in drawn])
        share = float((abs(rates / rates.mean() - 1) < 0.05).mean())
        close.setdefault(run["config.model"], []).append(share)
    training = _training(root)
    histories = training[training["arm"] == "released"]["history"]
    penalties = [value > 0 for history in histories for value in history["penalty"][1:]]
    return {
        "close": _over_networks([float(np.mean(own)) for own in close.values()]),
        "epochs": np.mean(penalties) if penalties else None,
    }


def _over_networks(values: Sequence[float]) -> Values:
    """One value per network: their median, smallest and largest, and how many."""
    return {
        "median": float(np.median(values)),
        "low": min(values),
        "high": max(values),
        "networks": len(values),
    }


def alpha(root: Path) -> Values:
    """The released α, halved, in units of the printed 10⁻⁴."""
    found = released_commands()["alpha"].dropna()
    low, high = found.min() / 2 / 1e-4, found.max() / 2 / 1e-4
    return {"low": low, "high": high, "highest": int((found == 5e-2).sum()), "of": len(found)}


def gamma(root: Path) -> Values:
    """How far the commands' γ lie from the baseline's SS_rate in Table 3."""
    table = movement().dropna(subset=["gamma: released"])
    gap = (table["gamma: released"] - table["gamma: own"]).abs()
    return {"mean": gap.mean(), "largest": gap.max(), "of": len(gap)}


def learning_rate(root: Path) -> Values:
    """Comparisons whose arms have other learning rates, and what another rate does here."""
    table = _arms()
    return {
        "cells": list(table.index[table["other rate"]]),
        "of": len(table),
        "control": _rate_control(root),
    }


def _rate_control(root: Path) -> Values | None:
    runs = _training(root)
    arms = {text: Arm.parse(text) for text in runs["arm"].unique()}
    others = [text for text, arm in arms.items() if arm.kind == "baseline" and arm.lr is not None]
    if not others:
        return None
    change = pd.concat([paired(runs, text) for text in others])["difference"]
    return {"mean": change.mean(), "n": len(change), "low": change.min(), "high": change.max()}


def unequal_arms(root: Path) -> Values:
    """Comparisons whose arms differ in more than the constraint, with their gains in Table 3."""
    table, gain = _arms(), gains()["gain"]
    unequal = table.index[table["other rate"] | table["other augmentation"]]
    return {
        "rates": int(table["other rate"].sum()),
        "augmentation": int(table["other augmentation"].sum()),
        "cells": [(model, dataset, gain[model, dataset]) for model, dataset in unequal],
    }


def _arms() -> pd.DataFrame:
    """The comparisons with released commands for both arms, and whether the constrained one has
    another learning rate or another augmentation than all of the baseline's.
    """
    commands = released_commands().fillna({"augmentation": ""})
    arms = {arm: part.set_index(["model", "dataset"]) for arm, part in commands.groupby("arm")}
    constrained, rows = arms["constrained"], {}
    for cell in constrained.index.intersection(arms["baseline"].index, sort=False):
        own, base = constrained.loc[cell], arms["baseline"].loc[[cell]]
        rows[cell] = {
            "other rate": own["learning_rate"] not in set(base["learning_rate"]),
            "other augmentation": own["augmentation"] not in set(base["augmentation"]),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def best_epoch(root: Path) -> Values | None:
    """What the best test epoch adds to the last one's accuracy."""
    runs = _training(root)
    if runs.empty:
        return None
    gap = (runs["top1_best"] - runs["top1_last"]).astype(float)
    return {"mean": gap.mean(), "std": gap.std(), "largest": gap.max(), "runs": len(gap)}


def _training(root: Path) -> pd.DataFrame:
    runs = read_runs(root)
    return runs[runs["recipe"] != "quick"]


# --- invariance -----------------------------------------------------------------------------------


def ways(root: Path, metric: str, one: str, other: str) -> Values | None:
    """Two ways to measure σ ("sigma") or Δ ("delta"), averaged over untrained networks."""
    runs = _untrained(root)
    if runs.empty:
        return None
    values = pd.DataFrame({way: of_way(runs, metric, way) for way in (one, other)})
    values = values.groupby(runs["config.model"]).mean().dropna()
    if len(values) < 3:
        return None
    return {
        "metric": metric,
        "one": values[one].mean(),
        "other": values[other].mean(),
        "networks": len(values),
        "rank": values.corr("spearman").iloc[0, 1],
    }


def features_of_sigma(root: Path) -> Values | None:
    """σ on F against σ on activations."""
    return ways(root, "sigma", "released, F", "released")


def features_of_delta(root: Path) -> Values | None:
    """Δ on F against Δ on activations."""
    return ways(root, "delta", "released, F", "released")


def skipped_layers(root: Path) -> Values | None:
    """In how many networks a layer has no released exponent."""
    return _without(root, "exponents")


def sparsity(root: Path) -> Values | None:
    """The share of activations that are not zero, averaged over a network's layers."""
    layers = _layers(root)
    if not layers:
        return None
    return _over_networks(
        [float(np.mean([layer["nonzero_share"] for layer in own])) for own in layers.values()]
    )


def dropped_dimensions(root: Path) -> Values | None:
    """In how many networks a layer has no released dimension."""
    return _without(root, "dimensions")


def _without(root: Path, measure: str) -> Values | None:
    layers = _layers(root)
    if not layers:
        return None
    lacking = [
        any(layer[measure].get("released", 0) is None for layer in own) for own in layers.values()
    ]
    return {"networks": sum(lacking), "of": len(lacking)}


def _layers(root: Path) -> dict[str, list[dict[str, Any]]]:
    """The layers of each network, over its records."""
    runs = _untrained(root)
    found: dict[str, list[dict[str, Any]]] = {}
    for run in runs.to_dict("records"):
        found.setdefault(run["config.model"], []).extend(run["metrics.layers"].values())
    return found


def _untrained(root: Path) -> pd.DataFrame:
    """The records of Tables 4 and 5's untrained networks: neither noise nor small networks."""
    runs = of_tables_4_and_5(records.read_all("invariance", root))
    return runs[runs["config.weights"] == "untrained"] if len(runs) else runs
