"""The evidence for ``rules_networks``, as ``read`` gives that of the other claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from reproduction.paper.audit import mean_gains
from reproduction.paper.tables import DATASETS, SIZES, load_table
from reproduction.ss_rate.read import full_scale, table_2
from reproduction.table_1 import find
from reproduction.verdicts.finding import DEVICE, Evidence, Limits, Reader, devices
from reproduction.verdicts.read import SS_RATE, invariances
from reproduction.verdicts.read_training import baselines, training_runs

PAIR = ["recipe", "dataset", "model", "family", "seed"]


def rates_and_gains(read_all: Reader, limits: Limits) -> Evidence | None:
    """Mean SS_rate of each untrained network beside its printed gain: rate, gain, and error, the
    standard error of the rate over seeds (NaN of one seed); a row per model that was run.
    """
    runs = full_scale(read_all(SS_RATE))
    own = table_2(runs).rename(columns=lambda name: name.removeprefix("untrained: "))
    error = (own["std, released"] / own["seeds"].clip(lower=1) ** 0.5).rename("error")
    columns = [own["ours, released"].rename("rate"), mean_gains()["points"].rename("gain"), error]
    table = pd.concat(columns, axis=1).dropna(subset=["rate", "gain"])
    return Evidence((table,), devices(runs)) if len(table) else None


def depth(read_all: Reader, limits: Limits) -> Evidence | None:
    """By how much more training changes SS_rate in the first half of a network's modules than in
    the second: model, difference, and change, of all modules; a row per seed of a pretrained
    network's untrained twin.
    """
    runs = full_scale(read_all(SS_RATE))
    if runs.empty:
        return None
    untrained = runs["config.weights"] == "untrained"
    rows = []
    for name, part in runs[~untrained].groupby("config.model"):
        network = find(name)
        after = _means([_released(layers) for layers in part["metrics.layers"]])
        twins = runs[untrained & (runs["config.model"] == name)]
        for _, twin in twins.groupby("seed"):
            before = _means([_released(layers) for layers in twin["metrics.layers"]])
            rows.append({"model": network.name, **_change(before, after, network.modules)})
    return Evidence((pd.DataFrame(rows),), devices(runs)) if rows else None


def depth_in_small(read_all: Reader, limits: Limits) -> Evidence | None:
    """The same of our own training without the constraint, a row per run."""
    runs = baselines(read_all)
    probes = ["metrics.ss_rate_probe_before", "metrics.ss_rate_probe"]
    if runs.empty or not set(probes) <= set(runs):
        return None
    rows = []
    for model, before, after in runs[["model", *probes]].itertuples(index=False):
        old, new = (
            probe.get("512") if isinstance(probe, dict) else None for probe in (before, after)
        )
        if old and new:
            rows.append({"model": model, **_change(old, new, tuple(new))})
    return Evidence((pd.DataFrame(rows),), devices(runs)) if rows else None


def _change(
    before: Mapping[str, float], after: Mapping[str, float], modules: Sequence[str]
) -> dict[str, float]:
    size = float(np.mean([abs(after[module] - before[module]) for module in modules]))
    return {"difference": halves(before, after, modules), "change": size}


def halves(
    before: Mapping[str, float], after: Mapping[str, float], modules: Sequence[str]
) -> float:
    """Mean absolute change in the first half of the modules minus that in the second; a module in
    the middle is in neither.

    >>> halves({"a": 0.1, "b": 0.1, "c": 0.1}, {"a": 0.4, "b": 0.9, "c": 0.2}, ("a", "b", "c"))
    0.2
    """
    change = [abs(after[module] - before[module]) for module in modules]
    half = len(change) // 2
    return round(float(np.mean(change[:half]) - np.mean(change[len(change) - half :])), 12)


def _released(layers: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    return {module: layer["released"] for module, layer in layers.items()}


def _means(rates: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return pd.DataFrame(list(rates)).mean().to_dict()


def changes_at_paper_scale(read_all: Reader, limits: Limits) -> Evidence | None:
    """How SS_rate ends with the constraint against without it: recipe, dataset, model, family, seed
    and change, a row per pair of the paper's recipe.
    """
    runs = _rates(read_all)
    arms = [runs[runs["arm"] == arm] for arm in ("constrained", "baseline")]
    pairs = arms[0].merge(arms[1][[*PAIR, "rate"]], on=PAIR, suffixes=("", " without"))
    table = pairs.assign(change=pairs["rate"] - pairs["rate without"])
    return Evidence((table[[*PAIR, "change"]],), devices(pairs)) if len(table) else None


def rates_at_paper_scale(read_all: Reader, limits: Limits) -> Evidence | None:
    """SS_rate at the end of training, both arms: model, dataset, arm, rate, a row per run of the
    paper's recipe on the paper's data sets.
    """
    runs = _rates(read_all)
    return Evidence((runs,), devices(runs)) if len(runs) else None


def _rates(read_all: Reader) -> pd.DataFrame:
    runs, columns = training_runs(read_all), [*PAIR, "arm", "rate", *DEVICE]
    if runs.empty:
        return pd.DataFrame(columns=columns)
    runs = runs.assign(rate=runs["metrics.ss_rate_train"].astype(float))
    asked = (runs["recipe"] == "paper") & runs["dataset"].isin(list(DATASETS))
    return runs[asked & runs["arm"].isin(["baseline", "constrained"])].reindex(columns=columns)


def sigmas(read_all: Reader, limits: Limits) -> Evidence | None:
    """σ of the paper's networks by the released estimator: model as in Table 4, images, seed,
    weights, value, a row per record; pretrained networks where there are enough of them.
    """
    return _of_tables_4_and_5(read_all, limits, "sigma")


def deltas(read_all: Reader, limits: Limits) -> Evidence | None:
    """Δ, as `sigmas` has σ."""
    return _of_tables_4_and_5(read_all, limits, "delta")


def _of_tables_4_and_5(read_all: Reader, limits: Limits, metric: str) -> Evidence | None:
    found = invariances(read_all, limits)
    if found is None:
        return None
    runs = found.tables[0].rename(columns={metric: "value"})
    printed = {SIZES.get(model, model): model for model in load_table(4)["model"]}
    runs = runs.assign(model=runs["model"].map(printed)).dropna(subset=["model", "value"])
    return Evidence((runs[["model", "images", "seed", "weights", "value"]],), found.devices)
