"""What moves SS_rate, from records."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from reproduction import models
from reproduction.stats import explained, mean_interval
from sslib.boxes import FORMULAS


def layer_table(runs: pd.DataFrame) -> pd.DataFrame:
    """The layers of ``MEASURES`` or of ``experiments.SS_RATE`` records, a row each, with the
    moments of the distances.

    Columns: model, family, seed, draw, module, all numbers of the record's layer, and "log_scale"
    (log of the mean distance), "cv" (standard deviation over mean), "log_D", "log_range" (log of
    the ratio of 1 + TV to 1 + TZ).
    """
    rows = []
    for run in runs.to_dict("records"):
        architecture = models.find(run["config.model"])
        for module, layer in run["metrics.layers"].items():
            numbers = {key: value for key, value in layer.items() if isinstance(value, int | float)}
            rows.append(
                {
                    "model": architecture.name,
                    "family": architecture.family,
                    "seed": run["seed"],
                    "draw": run["config.draw"],
                    "module": module,
                    **numbers,
                }
            )
    table = pd.DataFrame(rows)
    if table.empty:
        return table
    return table.assign(
        log_scale=np.log(table["distance_mean"]),
        cv=table["distance_std"] / table["distance_mean"],
        log_D=np.log(table["D"]),
        log_range=np.log1p(table["TV"]) - np.log1p(table["TZ"]),
    )


#: What SS_rate is regressed on, step by step: the scale and the shape of the distances' histogram,
#: then more.
STEPS: Mapping[str, tuple[str, ...]] = {
    "scale": ("log_scale",),
    "shape: variation, skewness": ("cv", "distance_skewness"),
    "scale and shape": ("log_scale", "cv", "distance_skewness"),
    "and their squares and products": ("log_scale", "cv", "distance_skewness"),
    "scale, shape, D and range": ("log_scale", "cv", "distance_skewness", "log_D", "log_range"),
}


def explained_table(layers: pd.DataFrame, formula: str, *, resamples: int = 1000) -> pd.DataFrame:
    """``measures.explained`` of SS_rate for each of ``STEPS``, a row each: r2, low, high, unseen,
    left.

    layers: ``layer_table``; networks are the groups. "unseen" is r2 for networks left out, "left"
    the residual.
    """
    rows = {}
    for step, columns in STEPS.items():
        used, by = layers, list(columns)
        if "squares" in step:
            for i, a in enumerate(columns):
                for b in columns[i:]:
                    used = used.assign(**{f"{a} * {b}": used[a] * used[b]})
                    by.append(f"{a} * {b}")
        fit = explained(used, formula, by, "model", resamples=resamples)
        low, high = fit.interval
        rows[step] = {
            "r2": fit.r2,
            "low": low,
            "high": high,
            "unseen": fit.r2_left_out,
            "left": fit.residual,
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def one_factor_table(runs: pd.DataFrame) -> pd.DataFrame:
    """``ONE_FACTOR`` records: a row per model, factor and value.

    Columns: model, family, module, factor, value, draws; per formula its mean over draws,
    "<formula>, low" and "<formula>, high" (for the factor "images" the 2.5 and 97.5 % quantiles,
    else the 95 % interval of the mean, NaN for one draw), and "<formula>, change" of the mean from
    the unchanged layer.
    """
    rows = []
    for run in runs.to_dict("records"):
        architecture = models.find(run["config.model"])
        found = pd.DataFrame(run["metrics.rows"])
        plain = found[(found["factor"] == "scale") & (found["value"] == 1)].iloc[0]
        for (factor, value), part in found.groupby(["factor", "value"], sort=False):
            row = {
                "model": architecture.name,
                "family": architecture.family,
                "module": run["metrics.module"],
                "factor": factor,
                "value": value,
                "draws": len(part),
            }
            for formula in FORMULAS:
                rates = part[formula].astype(float)
                mean = rates.mean()
                if factor == "images":
                    low, high = rates.quantile(0.025), rates.quantile(0.975)
                elif len(part) > 1:
                    low, high = mean_interval(rates)[1:3]
                else:
                    low = high = math.nan
                row |= {
                    formula: mean,
                    f"{formula}, low": low,
                    f"{formula}, high": high,
                    f"{formula}, change": mean - float(plain[formula]),
                }
            rows.append(row)
    return pd.DataFrame(rows)


#: What a reader may want to compare SS_rate across: the rows of a factor that stand for it.
COMPARED: Mapping[str, tuple[str, tuple]] = {
    "another draw of 512 of the images": ("draw", ("other",)),
    "64 to 256 images, mean of draws": ("B", (64, 128, 256)),
    "half precision of F": ("precision", ("float16", "bfloat16")),
    "64 or 1024 thresholds instead of 256": ("thresholds", (64, 1024)),
    "training instead of eval mode": ("mode", ("training",)),
    "another seed of the random weights": ("seed", ("other",)),
    "a sixth to a half of the channels, mean of draws": ("D", ("half", "quarter")),
    "features three times larger or smaller": ("scale", (0.3, 3.0)),
    "features ten times larger or smaller": ("scale", (0.1, 10.0)),
}


def comparable(
    table: pd.DataFrame, layers: pd.DataFrame | None = None, *, formula: str = "released"
) -> pd.DataFrame:
    """What a raw SS_rate can be compared across: how far each change moves it, against the spread
    over images.

    table: ``one_factor_table``; layers: ``layer_table`` of several seeds and draws of images, for a
    row of each. The yardstick of a layer is half the width of its bootstrap interval over images.
    Per change of ``COMPARED``: "moves by", the largest shift over layers and values, of the mean
    over draws; "low" and "high", its 95 % interval, from the draws of the change itself, or the
    yardstick where it is a single number; "times the spread", the largest ratio of a shift to its
    layer's yardstick; "comparable", whether that is at most 1; "layers", how many were measured.
    """
    boot = table[table["factor"] == "images"].set_index("model")
    yardstick = (boot[f"{formula}, high"] - boot[f"{formula}, low"]) / 2
    if layers is not None:
        table = pd.concat([table, _other_seeds(layers, boot["module"], formula)], ignore_index=True)
    rows = {}
    for change, (factor, values) in COMPARED.items():
        part = table[table["factor"] == factor]
        if factor == "D":
            full = part.groupby("model")["value"].transform("max")
            share = {"half": 2, "quarter": 4}
            # the drawn sizes are powers of 2: the nearest below the share asked for
            wanted = [(full / share[v]).map(lambda x: 2 ** int(math.log2(x))) for v in values]
            part = part[np.logical_or.reduce([part["value"] == w for w in wanted])]
        else:
            part = part[part["value"].isin(values)]
        if part.empty:
            continue
        part = part.assign(
            ratio=(part[f"{formula}, change"].abs() / part["model"].map(yardstick)),
            half=((part[f"{formula}, high"] - part[f"{formula}, low"]) / 2).fillna(
                part["model"].map(yardstick)
            ),
        )
        worst = part.loc[part[f"{formula}, change"].abs().idxmax()]
        moved = worst[f"{formula}, change"]
        rows[change] = {
            "moves by": moved,
            "low": moved - worst["half"],
            "high": moved + worst["half"],
            "times the spread": part["ratio"].max(),
            "comparable": bool(part["ratio"].max() <= 1),
            "layers": part["model"].nunique(),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def _other_seeds(layers: pd.DataFrame, modules: pd.Series, formula: str) -> pd.DataFrame:
    """Rows of ``one_factor_table`` for other seeds and draws than 0 of the same layers, one per
    seed or draw.
    """
    rows = []
    for model, module in modules.items():
        part = layers[(layers["model"] == model) & (layers["module"] == module)]
        plain = part[(part["seed"] == 0) & (part["draw"] == 0)][formula].iloc[0]
        for factor, other in (("seed", "draw"), ("draw", "seed")):
            rates = part[(part[other] == 0) & (part[factor] != 0)][formula]
            rows += [
                {
                    "model": model,
                    "factor": factor,
                    "value": "other",
                    formula: rate,
                    f"{formula}, change": rate - plain,
                    f"{formula}, low": math.nan,
                    f"{formula}, high": math.nan,
                }
                for rate in rates
            ]
    return pd.DataFrame(rows)


def null_table(runs: pd.DataFrame, *, formula: str = "released") -> pd.DataFrame:
    """``MEASURES`` records: SS_rate of the layers and of their null models, a row per layer.

    Columns: model, family, module, "features", and one per null model.
    """
    rows = []
    for run in runs.to_dict("records"):
        architecture = models.find(run["config.model"])
        for module, layer in run["metrics.layers"].items():
            nulls = {kind: rates[formula] for kind, rates in layer["nulls"].items()}
            rows.append(
                {
                    "model": architecture.name,
                    "family": architecture.family,
                    "module": module,
                    "features": layer[formula],
                }
                | nulls
            )
    return pd.DataFrame(rows)


def ranking(table: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    """Networks by SS_rate, mean over modules: one column per measure, and per measure its rank from
    1, the smallest.

    table: ``layer_table``; columns: heading -> column of it. A layer for which a measure is NaN
    makes its network's mean NaN, and no rank.
    """
    means = table.groupby("model", sort=False)[list(columns.values())].agg(
        lambda values: values.mean(skipna=False)
    )
    means.columns = list(columns)
    return pd.concat([means, means.rank().add_prefix("rank, ")], axis=1)


def graph_table(runs: pd.DataFrame) -> pd.DataFrame:
    """``MEASURES`` records: statistics of A_epsilon of each network's middle module, a row per
    density and kind.

    Columns: model, family, module, "of" ("features", or "gaussian" of the same shape), and the keys
    of ``graph_statistics``.
    """
    rows = []
    for run in runs.to_dict("records"):
        architecture, graph = models.find(run["config.model"]), run["metrics.graph"]
        for row in graph["statistics"]:
            rows.append(
                {
                    "model": architecture.name,
                    "family": architecture.family,
                    "module": graph["module"],
                    **row,
                }
            )
    return pd.DataFrame(rows)


def cka_table(runs: pd.DataFrame) -> pd.DataFrame:
    """``TRAINED`` records, a row per module of every run: model, family, dataset, recipe, arm,
    seed, module, depth, cka.

    depth: 0 for the first module, 1 for the last.
    """
    rows = []
    for run in runs.to_dict("records"):
        architecture, layers = models.find(run["config.model"]), run["metrics.cka"]
        rows += [
            {
                "model": architecture.name,
                "family": architecture.family,
                "dataset": run["config.dataset"],
                "recipe": run["config.recipe"],
                "arm": run["config.arm"],
                "seed": run["seed"],
                "module": module,
                "depth": k / (len(layers) - 1),
                "cka": cka,
            }
            for k, (module, cka) in enumerate(layers.items())
        ]
    return pd.DataFrame(rows)
