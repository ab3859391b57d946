"""CKA from records: before and after training, between unrelated networks, and of noise."""

from __future__ import annotations

import math
from typing import NamedTuple

import pandas as pd

from reproduction.table_1 import find


def cka_of_noise(D: float, other: float, B: int) -> float:
    """Linear CKA of independent noise, on average: what the bias of the usual estimator makes of
    layers of D and `other` features over B images that have nothing in common.

    >>> round(cka_of_noise(384, 384, 512), 2), round(cka_of_noise(16384, 16384, 640), 2)
    (0.43, 0.96)
    """
    n = B - 1
    return math.sqrt(D * other / ((D + n + 1) * (other + n + 1)))


def similarity(runs: pd.DataFrame) -> pd.DataFrame:
    """CKA of ``cka-training`` records, a row per module of every run.

    Returns:
        Columns model, family, dataset, recipe, arm, seed, module, depth (0 for the first module, 1
        for the last), cka (biased).
    """
    rows = []
    for run in runs.to_dict("records"):
        network, found = find(run["config.model"]), run["metrics.cka"]
        own = {"model": network.name, "family": network.family}
        own |= {key: run[f"config.{key}"] for key in ("dataset", "recipe", "arm")}
        for k, (module, cka) in enumerate(found.items()):
            place = {"module": module, "depth": k / max(1, len(found) - 1), "cka": cka}
            rows.append(own | {"seed": run["seed"]} | place)
    return pd.DataFrame(rows)


def unrelated(runs: pd.DataFrame) -> pd.DataFrame:
    """CKA of ``cka-unrelated`` records, a row per module of every two networks.

    Returns:
        Columns model, seed, module; biased, unbiased; noise, what the biased one is of noise with
        as many features and images.
    """
    rows = []
    for run in runs.to_dict("records"):
        own = {"model": find(run["config.model"]).name, "seed": run["seed"]}
        for module, layer in run["metrics.layers"].items():
            D, B = layer["features"], layer["images"]
            both = {kind: layer[kind] for kind in ("biased", "unbiased")}
            rows.append(own | {"module": module, **both, "noise": cka_of_noise(D, D, B)})
    return pd.DataFrame(rows, columns=["model", "seed", "module", "biased", "unbiased", "noise"])


class Reference(NamedTuple):
    """CKA before and after training, beside that of unrelated networks; smallest and largest over
    models, of means over layers and seeds.

    Attributes:
        trained: without the constraint, before and after.
        unrelated, unbiased: two untrained networks.
        noise: of noise with as many features and images.
        closer, models: in how many of so many models the unrelated networks are the more alike.
    """

    trained: tuple[float, float]
    unrelated: tuple[float, float]
    unbiased: tuple[float, float]
    noise: tuple[float, float]
    closer: int
    models: int


def reference(
    similarity: pd.DataFrame, unrelated: pd.DataFrame, *, recipe: str = "cpu"
) -> Reference | None:
    """What the CKA of trained networks is to be held against; None without records of both."""
    if similarity.empty or unrelated.empty:
        return None
    used = similarity[(similarity["recipe"] == recipe) & (similarity["arm"] == "baseline")]
    means = unrelated.groupby("model")[["biased", "unbiased", "noise"]].mean()
    means = means.assign(trained=used.groupby("model")["cka"].mean()).dropna()
    kinds = ("trained", "biased", "unbiased", "noise")
    trained, biased, unbiased, noise = ((means[k].min(), means[k].max()) for k in kinds)
    closer = int((means["biased"] > means["trained"]).sum())
    return Reference(trained, biased, unbiased, noise, closer, len(means))


def cka_table(
    similarity: pd.DataFrame, unrelated: pd.DataFrame, *, recipe: str = "cpu"
) -> pd.DataFrame:
    """CKA before and after training under one recipe, without the constraint and with it, beside
    what unrelated networks and noise have: mean over layers ± standard deviation over seeds, in
    brackets the first and the last layer.

    Args:
        similarity, unrelated: of the functions of these names.
    """
    used = similarity[similarity["recipe"] == recipe]
    columns = {
        f"{arm} ({seeds})": text
        for arm in ("baseline", "constrained")
        for seeds, text in [_column(used[used["arm"] == arm], "cka")]
    }
    names = {"biased": "two seeds", "unbiased": "two seeds, unbiased", "noise": "noise"}
    columns |= {name: _column(unrelated, kind)[1] for kind, name in names.items()}
    return pd.DataFrame(columns).reindex(dict.fromkeys(used["model"])).fillna("not run")


def _column(layers: pd.DataFrame, kind: str) -> tuple[str, pd.Series]:
    """Over how many seeds a column of the table is, and its text per model."""
    runs = layers.groupby(["model", "seed"], sort=False)[kind].agg(["mean", "first", "last"])
    by_model = runs.groupby("model", sort=False)
    table = by_model.mean().assign(std=by_model["mean"].std())
    form = "{mean:.2f} ({first:.2f}, {last:.2f})"
    if kind != "noise":
        form = "{mean:.2f} ± {std:.2f} ({first:.2f}, {last:.2f})"
    seeds = sorted(set(by_model.size()))
    text = {model: form.format(**row) for model, row in table.iterrows()}
    return " or ".join(map(str, seeds)) + " seeds", pd.Series(text, dtype=object)
