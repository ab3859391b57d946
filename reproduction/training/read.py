"""Table 3 from records: pairs, effects, doses, learning rates."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from reproduction import models, records, stats
from reproduction.paper.tables import load_table
from reproduction.paths import RESULTS
from reproduction.training.recipes import PROBE, RECIPES
from reproduction.training.run import ALPHA, EXPERIMENT, Arm


def read_runs(root: Path = RESULTS) -> pd.DataFrame:
    """All records of the grid, one row each: recipe, dataset, model (timm's name), family, arm,
    seed, alpha, gamma, the accuracies "top1_last", "top1_best", "top1_heldout" in per cent,
    "ss_rate_train", "ss_rate_probe" (512 images, eval mode), "history", "modules" (SS_rate of each
    at the end, as the penalty sees it), "device". Empty, with these columns, if there is none.
    Warns where runs of one recipe were trained under different settings: a recipe that was changed
    under its old name.
    """
    columns = [
        "recipe",
        "dataset",
        "model",
        "family",
        "arm",
        "seed",
        "alpha",
        "gamma",
        "top1_last",
        "top1_best",
        "top1_heldout",
        "ss_rate_train",
        "ss_rate_probe",
        "modules",
        "history",
        "device",
        "epochs",
        "images_per_second",
        "path",
    ]
    rows, first, told = [], {}, set()
    for _, run in records.read_all(EXPERIMENT, root).iterrows():
        arm, settings = Arm.parse(run["config.arm"]), run["metrics.settings"]
        own = {key: value for key, value in settings.items() if key not in ("penalty", "lr")}
        name, seen = first.setdefault(run["config.recipe"], (Path(run["path"]).name, own))
        if own != seen and run["config.recipe"] not in told:
            told.add(run["config.recipe"])
            changed = ", ".join(
                sorted(key for key in own.keys() | seen.keys() if own.get(key) != seen.get(key))
            )
            warnings.warn(
                f"runs of recipe {run['config.recipe']!r} differ in {changed}: {Path(run['path']).name} and {name}",
                stacklevel=2,
            )
        rows.append(
            {
                "recipe": run["config.recipe"],
                "dataset": run["config.dataset"],
                "model": run["config.model"],
                "family": models.find(run["config.model"]).family,
                "arm": str(arm),
                "seed": run["seed"],
                "alpha": settings["penalty"]["alpha"] if settings["penalty"] else 0.0,
                "gamma": run["metrics.gamma"],
                **{
                    key: run[f"metrics.{key}"]
                    for key in ("top1_last", "top1_best", "top1_heldout", "ss_rate_train")
                },
                "ss_rate_probe": float(
                    np.mean(list(run["metrics.ss_rate_probe"][str(PROBE[-1])].values()))
                ),
                "modules": run["metrics.ss_rate_train_modules"],
                "history": run["metrics.history"],
                "device": run["device.name"],
                "epochs": settings["epochs"],
                "images_per_second": run["metrics.images_per_second"],
                "path": run["path"],
            }
        )
    return pd.DataFrame(rows, columns=columns)


def table_3(runs: pd.DataFrame, recipe: str, dataset: str) -> pd.DataFrame:
    """Table 3 beside the records of one recipe and data set: a row per model of the paper, printed
    values first.

    Columns: "paper: baseline" and "paper: constrained" (top-1, NaN for a data set the paper does
    not have), and per arm "<arm>: mean", "<arm>: std", "<arm>: n" of the last epoch's test top-1 in
    per cent, "<arm>: SS_rate" (training mode). n is 0 where nothing was run.
    """
    part = runs[(runs["recipe"] == recipe) & (runs["dataset"] == dataset)]
    printed = load_table(3)
    rows = []
    for name in dict.fromkeys(printed["model"]):
        row: dict[str, Any] = {"model": name}
        theirs = printed[(printed["model"] == name) & (printed["dataset"] == dataset)].set_index(
            "arm"
        )["top1_mean"]
        for arm in ("baseline", "constrained"):
            row[f"paper: {arm}"] = theirs.get(arm, math.nan)
        for arm in ("baseline", "constrained"):
            own = part[(part["model"] == models.find(name).timm_name) & (part["arm"] == arm)]
            row |= {
                f"{arm}: mean": own["top1_last"].mean(),
                f"{arm}: std": own["top1_last"].std(),
                f"{arm}: n": len(own),
                f"{arm}: SS_rate": own["ss_rate_train"].mean(),
            }
        rows.append(row)
    return pd.DataFrame(rows).set_index("model")


def paired(
    runs: pd.DataFrame, arm: str, *, against: str = "baseline", metric: str = "top1_last"
) -> pd.DataFrame:
    """Differences arm - against of the same recipe, data set, model and seed: one row each, in
    column "difference".
    """
    keys = ["recipe", "dataset", "model", "family", "seed"]
    one, other = (runs[runs["arm"] == name].set_index(keys)[metric] for name in (arm, against))
    difference = (one - other.reindex(one.index)).dropna().astype(float)
    return difference.rename("difference").reset_index()


def effects(differences: pd.DataFrame, by: str = "model") -> pd.DataFrame:
    """Per group of `paired` differences: n, mean, 95 % interval (t), p of the sign-flip test, the
    same after Holm, and the smallest mean difference that this n would have shown four times in
    five (by a t-test at 0.05 over the number of groups; NaN where n is too small for any p below
    that). The last row pools all pairs; Holm is over the others.
    """
    groups = {str(name): rows["difference"] for name, rows in differences.groupby(by, sort=False)}
    rows = {}
    for name, values in {**groups, "all": differences["difference"]}.items():
        row: dict[str, float] = {"n": len(values), "mean": values.mean(), "std": values.std()}
        if len(values) > 1:
            interval = stats.mean_interval(values)
            row |= {
                "low": interval.low,
                "high": interval.high,
                "p": stats.sign_flip_test(values)[1],
            }
            tests = 1 if name == "all" else len(groups)
            if (
                tests * 2 / 2 ** len(values) <= 0.05
            ):  # else no difference of any size could have p < 0.05
                row["smallest effect"] = stats.smallest_effect(
                    values.std(), len(values), alpha=0.05 / tests
                )
        rows[name] = row
    table = pd.DataFrame.from_dict(
        rows, orient="index", columns=["n", "mean", "std", "low", "high", "p", "smallest effect"]
    )
    tested = [name for name in groups if not math.isnan(table.loc[name, "p"])]
    table["p, Holm"] = pd.Series(
        stats.holm(list(table.loc[tested, "p"])), index=tested, dtype=float
    )
    return table


def histories(runs: pd.DataFrame) -> pd.DataFrame:
    """What was kept of every epoch, tidy: model, family, arm, alpha, seed, gamma, epoch (from 1),
    and a column per quantity of the runs' "history": "test", "heldout" (top-1, %), "ss_rate_train",
    "gradient_ratio", ...
    """
    keys = ["model", "family", "arm", "alpha", "seed", "gamma"]
    parts = [
        pd.DataFrame(run["history"]).assign(
            epoch=lambda part: range(1, len(part) + 1), **{key: run[key] for key in keys}
        )
        for _, run in runs.iterrows()
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*keys, "epoch"])


def off_target(modules: Mapping[str, float], gamma: float) -> float:
    """How far the modules' SS_rates lie from gamma: the mean of abs(SS_rate - gamma).

    >>> round(off_target({"a": 0.1, "b": 0.3}, 0.2), 2)
    0.1
    """
    return float(np.mean([abs(rate - gamma) for rate in modules.values()]))


def closing_in(runs: pd.DataFrame, arm: str) -> pd.DataFrame:
    """Whether an arm ends nearer to its gamma than the baseline of the same seed: a row per pair.

    Columns: recipe, dataset, model, family, seed; "without" and "with", ``off_target`` of the
    baseline's and of the arm's modules from the arm's gamma; "nearer", their difference. The mean
    over modules of SS_rate itself would say nothing: the baseline's is gamma.
    """
    keys = ["recipe", "dataset", "model", "family", "seed"]
    own = runs[(runs["arm"] == arm) & runs["gamma"].notna()]
    pairs = own.merge(runs[runs["arm"] == "baseline"], on=keys, suffixes=("", " without"))
    found = pairs[keys].assign(
        **{
            name: [
                off_target(modules, gamma) for modules, gamma in zip(pairs[column], pairs["gamma"])
            ]
            for name, column in (("without", "modules without"), ("with", "modules"))
        }
    )
    return found.assign(nearer=found["without"] - found["with"])


def dose_response(runs: pd.DataFrame) -> pd.DataFrame:
    """What the size of alpha does, for the printed penalty and its placebo: a row per model, arm
    kind and alpha, indexed so.

    Columns: n pairs; "SS_rate" at the end, as the penalty sees it; "with", "without" and "nearer"
    of ``closing_in``, means over pairs; "top-1" difference to the baseline of the same seed in
    points with "low" and "high" of its 95 % interval; "gradient" (mean ratio over training).
    """
    columns = ["n", "SS_rate", "with", "without", "nearer", "top-1", "low", "high", "gradient"]
    rows = {}
    for (model, text), part in runs.groupby(["model", "arm"], sort=False):
        arm = Arm.parse(text)
        if arm.kind not in ("constrained", "placebo") or arm.lr is not None:
            continue
        own = runs[runs["model"] == model]
        gains, distances = paired(own, text)["difference"], closing_in(own, text)
        interval = (
            stats.mean_interval(gains)
            if len(gains)
            else stats.Interval(math.nan, math.nan, math.nan, 0)
        )
        rows[model, arm.kind, ALPHA if arm.alpha is None else arm.alpha] = {
            "n": len(gains),
            "SS_rate": part["ss_rate_train"].mean(),
            **distances[["with", "without", "nearer"]].mean(),
            "top-1": interval.mean,
            "low": interval.low,
            "high": interval.high,
            "gradient": histories(part)["gradient_ratio"].mean(),
        }
    index = (
        pd.MultiIndex.from_tuples(list(rows), names=["model", "penalty", "alpha"]) if rows else None
    )
    return pd.DataFrame(list(rows.values()), index=index, columns=columns).sort_index(
        level="alpha", sort_remaining=False
    )


def choices(runs: pd.DataFrame, arms: Sequence[str] = ("baseline", "constrained")) -> pd.DataFrame:
    """What the choice of the epoch makes, per model: test top-1 at the best test epoch, and at the
    epoch that is best on held-out images, both minus the last epoch's, in points, averaged over
    seeds and `arms`; and the mean difference between the arms by each rule.
    """
    part, rules = (
        runs[runs["arm"].isin(arms)],
        {"last": "top1_last", "held-out": "top1_heldout", "best test": "top1_best"},
    )
    rows = {}
    for model, own in part.groupby("model", sort=False):
        row = {
            f"{rule} - last": (own[column] - own["top1_last"]).mean()
            for rule, column in rules.items()
            if rule != "last"
        }
        for rule, column in rules.items():
            row[f"gain, {rule}"] = paired(own, arms[1], against=arms[0], metric=column)[
                "difference"
            ].mean()
        rows[model] = row
    return pd.DataFrame.from_dict(rows, orient="index")


def learning_rates(runs: pd.DataFrame) -> pd.DataFrame:
    """Both arms at more than one learning rate: a row per model and rate (before scaling with the
    batch), mean top-1 per arm, n, and the gain of the constraint within the rate. Models that were
    run at one rate only are left out.
    """
    rows = {}
    for (model, text), part in runs.groupby(["model", "arm"], sort=False):
        arm = Arm.parse(text)
        if arm.kind in ("baseline", "constrained") and arm.alpha is None:
            rate = arm.lr or RECIPES[part["recipe"].iloc[0]].lr
            row = rows.setdefault((model, rate), {})
            row |= {arm.kind: part["top1_last"].mean(), f"{arm.kind}: n": len(part)}
            if arm.kind == "constrained":
                base = str(Arm("baseline", lr=arm.lr))
                row["gain"] = paired(runs[runs["model"] == model], text, against=base)[
                    "difference"
                ].mean()
    several = {model for model, _ in rows if sum(other == model for other, _ in rows) > 1}
    kept = {key: row for key, row in rows.items() if key[0] in several}
    columns = ["baseline", "baseline: n", "constrained", "constrained: n", "gain"]
    index = (
        pd.MultiIndex.from_tuples(list(kept), names=["model", "learning rate"]) if kept else None
    )
    return pd.DataFrame(list(kept.values()), index=index, columns=columns)
