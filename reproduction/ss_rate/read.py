"""Table 2 and the depth profiles, from records."""

from __future__ import annotations

from typing import Any

import pandas as pd

from reproduction import models
from reproduction.paper.tables import load_table, verdict
from sslib.boxes import FORMULAS


def full_scale(runs: pd.DataFrame) -> pd.DataFrame:
    """The records among `runs` that may be held against Table 2: 512 ImageNet images, 224 px, eval
    mode.
    """
    if runs.empty:
        return runs
    asked = {"images": "imagenet-sample", "n_images": 512, "size": 224, "mode": "eval"}
    keep = pd.Series(True, index=runs.index)
    for key, value in asked.items():
        keep &= runs[f"config.{key}"] == value
    return runs[keep]


def table_2(runs: pd.DataFrame, *, scale: str = "full") -> pd.DataFrame:
    """Table 2 beside the records: a row per model of the paper, printed values first.

    runs: ``records.read_all("ss-rate")``; only what ``full_scale`` keeps counts. Ours is the mean
    over the modules of Table 1, averaged over the draws of images, then over the seeds of the
    weights; the standard deviation is over seeds. The verdict is that of ``paper.verdict`` on the
    released formula, "not run" where there is no record.
    """
    rows, runs = [], full_scale(runs)
    for printed in load_table(2).itertuples():
        row: dict[str, Any] = {"model": printed.model}
        for state in ("untrained", "pretrained"):
            theirs = getattr(printed, state)
            part = _cells(runs, models.find(printed.model).timm_name, state)
            row[f"{state}: paper"] = theirs
            for formula in ("printed", "released"):
                values = (
                    part[formula].groupby(part["seed"]).mean()
                    if len(part)
                    else pd.Series(dtype=float)
                )
                row[f"{state}: ours, {formula}"] = values.mean()
                row[f"{state}: std, {formula}"] = values.std()
            row[f"{state}: seeds"] = part["seed"].nunique()
            row[f"{state}: records"] = len(part)
            ours, std = row[f"{state}: ours, released"], row[f"{state}: std, released"]
            row[f"{state}: verdict"] = verdict(ours, theirs, std=std, scale=scale)
        rows.append(row)
    return pd.DataFrame(rows).set_index("model")


def _cells(runs: pd.DataFrame, timm_name: str, state: str) -> pd.DataFrame:
    """The records of one model in one state, with a column per formula; none if there are none."""
    if "config.model" not in runs:
        return pd.DataFrame(columns=["seed", *FORMULAS])
    part = runs[
        (runs["config.model"] == timm_name)
        & ((runs["config.weights"] == "untrained") == (state == "untrained"))
    ]
    means = part["metrics.mean_printed_modules"]
    return part.assign(
        **{
            formula: means.map(lambda cell, f=formula: cell[f]).astype(float)
            for formula in FORMULAS
        }
    )


def depth_profiles(runs: pd.DataFrame, *, modules: str = "printed") -> pd.DataFrame:
    """SS_rate of every layer of every record, tidy: model, family, seed, draw, module, depth (0 to
    1), formula, ss_rate.
    """
    rows = []
    for _, run in runs.iterrows():
        architecture = models.find(run["config.model"])
        names = run["metrics.modules"][modules]
        for k, module in enumerate(names):
            for formula in FORMULAS:
                rows.append(
                    {
                        "model": architecture.name,
                        "family": architecture.family,
                        "seed": run["seed"],
                        "draw": run["config.draw"],
                        "module": module,
                        "depth": k / (len(names) - 1),
                        "formula": formula,
                        "ss_rate": run["metrics.layers"][module][formula],
                    }
                )
    return pd.DataFrame(rows)
