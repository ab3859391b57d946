"""Tables 4 and 5, from records."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import pandas as pd

from reproduction import models
from reproduction.invariance.run import DRAW, INVARIANCE_UMAP, MODELS, N_IMAGES, UMAP_SETTINGS, WAYS
from reproduction.paper.tables import load_table
from reproduction.stats import spearman_exact
from sslib.dimension import RELEASED_UMAP, fluctuation

#: Number of the paper's table -> the metric it prints.
METRICS: Mapping[int, str] = MappingProxyType({4: "sigma", 5: "delta"})


def full_scale(runs: pd.DataFrame) -> pd.DataFrame:
    """The records among `runs` that may be held against Tables 4 and 5: 640 images at 224 px."""
    asked = {"config.n_images": N_IMAGES, "config.draw": DRAW, "config.size": 224}
    if runs.empty or not set(asked) <= set(runs):
        return runs.iloc[:0]
    return runs[(runs[list(asked)] == pd.Series(asked)).all(axis=1)]


def invariance_table(
    runs: pd.DataFrame, number: int, *, weights: str = "untrained"
) -> pd.DataFrame:
    """Table 4 (σ) or 5 (Δ) beside the records, tidy: model, images, way, paper, ours, std, seeds,
    rank, paper rank.

    runs: ``records.read_all("invariance")``; only what ``full_scale`` keeps counts. A row per
    printed cell and way, printed ones first; ours is the mean over seeds, std their sample standard
    deviation, both NaN where nothing was run (seeds is then 0), as for CIFAR-100. Rank 1 is the
    smallest, the most invariant, among the models that were run.
    """
    if number not in METRICS:
        raise ValueError(f"number: expected one of {tuple(METRICS)}, got {number!r}")
    runs = full_scale(runs)
    if not runs.empty:
        runs = runs[runs["config.weights"] == weights]
    rows = []
    printed = load_table(number)
    for images in ("cifar10", "cifar100", "imagenette"):
        for way in WAYS:
            for model, paper in zip(printed["model"], printed[images]):
                values = _values(runs, METRICS[number], way, MODELS[model], images)
                rows.append(
                    {
                        "model": model,
                        "images": images,
                        "way": way,
                        "paper": paper,
                        "ours": values.mean(),
                        "std": values.std(),
                        "seeds": int(values.notna().sum()),
                    }
                )
    table = pd.DataFrame(rows)
    cells = table.groupby(["images", "way"], sort=False)
    ran = table.assign(
        paper=table["paper"].where(table["ours"].notna() | cells["ours"].transform("count").eq(0))
    )
    ranked = ran.groupby(["images", "way"], sort=False)
    return table.assign(**{"rank": cells["ours"].rank(), "paper rank": ranked["paper"].rank()})


def _values(runs: pd.DataFrame, metric: str, way: str, model: str, images: str) -> pd.Series:
    """One value per seed."""
    if runs.empty:
        return pd.Series(dtype=float)
    part = runs[(runs["config.model"] == model) & (runs["config.images"] == images)]
    values = part[f"metrics.{metric}"].map(lambda by_way: by_way.get(way, math.nan)).astype(float)
    return values.groupby(part["seed"]).mean()


def rank_correlations(table: pd.DataFrame) -> pd.DataFrame:
    """Spearman's rho of the models' order, ours against the printed one, per data set and way, with
    exact two-sided p.

    table: of ``invariance_table``. Models that were not run are left out; n says how many are in.
    Cells with fewer than 3 have NaN.
    """
    rows = []
    for (images, way), part in table.groupby(["images", "way"], sort=False):
        part = part.dropna(subset="ours")
        rho, p = (
            spearman_exact(part["ours"], part["paper"]) if len(part) > 2 else (math.nan, math.nan)
        )
        rows.append({"images": images, "way": way, "rho": rho, "p": p, "n": len(part)})
    return pd.DataFrame(rows).set_index(["images", "way"])


def layer_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Every layer of every record by every way, tidy.

    Columns: model (the paper's name), family, weights, images, seed, module, depth (0 to 1), way,
    nonzero_share, and of the fits exponent, exponent_error, n_tail, ks_distance, null_exponent,
    dimension, dimension_error; NaN where the layer was left out.
    """
    names = {timm_name: name for name, timm_name in MODELS.items()}
    rows = []
    for _, run in runs.iterrows():
        layers = run["metrics.layers"]
        architecture = models.find(run["config.model"])
        for k, (module, layer) in enumerate(layers.items()):
            for way in layer["exponents"]:
                exponent, dimension = layer["exponents"][way] or {}, layer["dimensions"][way] or {}
                rows.append(
                    {
                        "model": names.get(architecture.timm_name, architecture.name),
                        "family": architecture.family,
                        "weights": run["config.weights"],
                        "images": run["config.images"],
                        "seed": run["seed"],
                        "module": module,
                        "depth": k / max(len(layers) - 1, 1),
                        "way": way,
                        "nonzero_share": layer["nonzero_share"],
                        "exponent": exponent.get("exponent", math.nan),
                        "exponent_error": exponent.get("standard_error", math.nan),
                        "n_tail": exponent.get("n_tail", math.nan),
                        "ks_distance": exponent.get("ks_distance", math.nan),
                        "null_exponent": layer["null_exponents"][way],
                        "dimension": dimension.get("dimension", math.nan),
                        "dimension_error": dimension.get("standard_error", math.nan),
                    }
                )
    return pd.DataFrame(rows)


def sensitivity_table(runs: pd.DataFrame, others: pd.DataFrame, way: str) -> pd.DataFrame:
    """Δ of each network under other UMAP settings: a row per setting, the released one first, a
    column per network.

    runs, others: ``records.read_all`` of `INVARIANCE` and `INVARIANCE_UMAP`; a network is in if it
    has records of both with random weights of one seed. NaN where a setting was not run.
    """
    columns: dict[str, dict[str, float]] = {}
    labels = {timm_name: name for name, timm_name in MODELS.items()}
    if not others.empty:
        runs = pd.concat([full_scale(runs), full_scale(others)])
        for (model, images, weights, seed), part in runs.groupby(
            ["config.model", "config.images", "config.weights", "seed"]
        ):
            if weights == "untrained" and (part["experiment"] == INVARIANCE_UMAP).any():
                columns[f"{labels[model]}, {images}, seed {seed}"] = {
                    _setting(umap): delta[way]
                    for umap, delta in zip(part["config.umap"], part["metrics.delta"])
                }
    order = [_setting(umap) for umap in (RELEASED_UMAP, *UMAP_SETTINGS)]
    return pd.DataFrame(columns, index=order, dtype=float)


def umap_seed_spread(runs: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """Δ of one and the same layer over UMAP's seeds alone, all else as released: a row per network,
    layer and way.

    runs, others: as for ``sensitivity_table``. Columns: model (timm's name), images, seed (of the
    weights), module, way, seeds (how many of UMAP's), delta. Only layers with at least two seeds
    are in.
    """
    rows = []
    for _, run in pd.concat([full_scale(runs), full_scale(others)]).iterrows():
        if run["config.weights"] == "untrained" and set(_changed(run["config.umap"])) <= {"seed"}:
            cell = {
                "model": run["config.model"],
                "images": run["config.images"],
                "seed": run["seed"],
            }
            rows += [
                {
                    **cell,
                    "module": module,
                    "way": way,
                    "dimension": (fit or {}).get("dimension", math.nan),
                }
                for module, layer in run["metrics.layers"].items()
                for way, fit in layer["dimensions"].items()
            ]
    keys = ["model", "images", "seed", "module", "way"]
    found = pd.DataFrame(rows, columns=[*keys, "dimension"]).dropna()
    groups = found.groupby(keys, sort=False)["dimension"]
    spread = groups.agg(
        seeds="count",
        delta=lambda values: fluctuation(values.tolist()) if len(values) > 1 else math.nan,
    )
    return spread.dropna().reset_index()


def _changed(umap: Mapping[str, float]) -> dict[str, float]:
    """What differs from the released settings of UMAP."""
    return {key: value for key, value in umap.items() if value != RELEASED_UMAP[key]}


def _setting(umap: Mapping[str, float]) -> str:
    return ", ".join(f"{key} = {value:g}" for key, value in _changed(umap).items()) or "as released"


def trained_table(runs: pd.DataFrame, number: int) -> pd.DataFrame:
    """σ or Δ of the networks of Table 3 before and after training, tidy: model, images, recipe,
    way, arm, ours, std, seeds.

    runs: ``records.read_all("invariance")``. Only networks with a trained record are in, and of the
    arm "untrained" the seeds that were trained.
    """
    columns = ["model", "images", "recipe", "way", "arm", "ours", "std", "seeds"]
    if runs.empty or "config.recipe" not in runs:
        return pd.DataFrame(columns=columns)
    rows = []
    runs = runs[runs["config.recipe"].notna()]
    for (model, images, recipe), part in runs.groupby(
        ["config.model", "config.images", "config.recipe"]
    ):
        trained = part[part["config.weights"] == "trained"]
        part = part[part["seed"].isin(trained["seed"])]
        for arm, way in ((arm, way) for way in WAYS for arm in part["config.arm"].unique()):
            values = part.loc[part["config.arm"] == arm, f"metrics.{METRICS[number]}"]
            values = (
                values.map(lambda by_way, way=way: by_way.get(way, math.nan)).astype(float).dropna()
            )
            if len(values):
                name = models.find(model).name
                rows.append(
                    dict(
                        zip(
                            columns,
                            (
                                name,
                                images,
                                recipe,
                                way,
                                arm,
                                values.mean(),
                                values.std(),
                                len(values),
                            ),
                        )
                    )
                )
    return pd.DataFrame(rows, columns=columns)


def trained_changes(table: pd.DataFrame) -> pd.DataFrame:
    """What training does, and the constraint, per way of `trained_table`: in how many networks the
    value falls.

    Columns: networks (with all of untrained, baseline and constrained), "by training", "by the
    constraint", "beyond scatter": in how many the constrained mean is further from the baseline's
    than the larger of their standard deviations over seeds.
    """
    rows = {}
    for way, part in table.groupby("way"):
        means, stds = (
            part.pivot_table(
                index=["model", "images", "recipe"], columns="arm", values=v, dropna=False
            )
            for v in ("ours", "std")
        )
        if {"untrained", "baseline", "constrained"} <= set(means):
            means = means.dropna(subset=["untrained", "baseline", "constrained"])
            stds = stds.reindex(index=means.index, columns=["baseline", "constrained"])
            change = means["constrained"] - means["baseline"]
            rows[way] = {
                "networks": len(means),
                "by training": int((means["baseline"] < means["untrained"]).sum()),
                "by the constraint": int((change < 0).sum()),
                "beyond scatter": int((change.abs() > stds.max(axis=1)).sum()),
            }
    return pd.DataFrame.from_dict(
        rows,
        orient="index",
        columns=["networks", "by training", "by the constraint", "beyond scatter"],
    )
