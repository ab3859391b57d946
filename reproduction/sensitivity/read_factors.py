"""One factor at a time, from records: what moves SS_rate, and what it can be compared across."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from reproduction.paper.tables import FORMULAS
from reproduction.stats import mean_interval
from reproduction.table_1 import find


class Change(NamedTuple):
    """What a reader may want to compare SS_rate across: the rows of a factor that stand for it.

    Attributes:
        label: as a table says it.
        factor, values: of ``factors``.
    """

    label: str
    factor: str
    values: tuple[Any, ...]


#: Changes by the words of a sentence.
COMPARED: Mapping[str, Change] = {
    "another draw of 512 of the images": Change("another draw of the images", "draw", ("other",)),
    "64 to 256 images, mean of draws": Change("64 to 256 images", "B", (64, 128, 256)),
    "half precision of F": Change("half precision of F", "precision", ("float16", "bfloat16")),
    "64 or 1024 thresholds instead of 256": Change(
        "64 or 1024 thresholds", "thresholds", (64, 1024)
    ),
    "training instead of eval mode": Change("training mode", "mode", ("training",)),
    "another seed of the random weights": Change("another seed of the weights", "seed", ("other",)),
    "a sixth to a half of the channels, mean of draws": Change(
        "⅙ to ½ of the channels", "D", ("half", "quarter")
    ),
    "features three times larger or smaller": Change("features × 3 or ÷ 3", "scale", (0.3, 3.0)),
    "features ten times larger or smaller": Change("features × 10 or ÷ 10", "scale", (0.1, 10.0)),
}


def factors(runs: pd.DataFrame) -> pd.DataFrame:
    """``ss-rate-one-factor`` records: a row per model, factor and value.

    Returns:
        Columns model, family, module, factor, value, draws; per formula its mean over draws,
        "<formula>, low" and "<formula>, high" (for the factor "images" the 2.5 and 97.5 %
        quantiles, else the 95 % interval of the mean, NaN for one draw), and "<formula>, change" of
        the mean from the unchanged layer.
    """
    rows = []
    for run in runs.to_dict("records"):
        network, measured = find(run["config.model"]), pd.DataFrame(run["metrics.rows"])
        own = {"model": network.name, "family": network.family, "module": run["metrics.module"]}
        plain = measured[(measured["factor"] == "scale") & (measured["value"] == 1)].iloc[0]
        for (factor, value), part in measured.groupby(["factor", "value"], sort=False):
            row = own | {"factor": factor, "value": value, "draws": len(part)}
            for formula in FORMULAS:
                rates = part[formula].astype(float)
                low, high = _limits(rates, quantiles=factor == "images")
                row |= {
                    formula: rates.mean(),
                    f"{formula}, low": low,
                    f"{formula}, high": high,
                    f"{formula}, change": rates.mean() - float(plain[formula]),
                }
            rows.append(row)
    return pd.DataFrame(rows)


def _limits(rates: pd.Series, *, quantiles: bool) -> tuple[float, float]:
    if quantiles:
        return rates.quantile(0.025), rates.quantile(0.975)
    return mean_interval(rates)[1:3]


def setting_table(factors: pd.DataFrame) -> pd.DataFrame:
    """The table of other settings: a row per setting, a column per layer, released SS_rate with its
    change from the default; for other images, with its interval.
    """
    if factors.empty:
        return pd.DataFrame()
    few = factors[factors["factor"].isin(["thresholds", "precision", "mode", "images"])]
    named = few.assign(
        cell=few.apply(_setting_text, axis=1),
        setting=few["factor"] + ": " + few["value"].astype(str),
        layer=few["model"] + " " + few["module"],
    )
    table = named.pivot_table(
        index="setting", columns="layer", values="cell", aggfunc="first", sort=False
    )
    return table.fillna("–").rename_axis(None).rename_axis(columns=None)


def _setting_text(row: pd.Series) -> str:
    if row["factor"] == "images":
        limits = f"{row['released, low']:.3f}, {row['released, high']:.3f}"
        return f"{row['released']:.3f} [{limits}]"
    change = f"{row['released, change']:+.3f}".replace("-0.000", "+0.000")
    return f"{row['released']:.3f} ({change})"


def live_table(rates: pd.DataFrame) -> pd.DataFrame:
    """The table of ``live.factor_rates``: scale, thresholds and precision."""
    table = rates.loc[["scale", "thresholds", "precision"]].map("{:.2f}".format)
    table.index = [
        f"{factor}: {value:g}" if factor == "scale" else f"{factor}: {value}"
        for factor, value in table.index
    ]
    return table


def comparable(
    factors: pd.DataFrame, layers: pd.DataFrame | None = None, *, formula: str = "released"
) -> pd.DataFrame:
    """What a raw SS_rate can be compared across: how far each change moves it, against the spread
    over images.

    The yardstick of a layer is half the width of its bootstrap interval over images.

    Args:
        factors: as from ``factors``.
        layers: ``read.layers`` of several seeds and draws of images, for a row of each.
        formula: "released" or "printed".

    Returns:
        Per change of ``COMPARED``: "moves by", the largest shift over layers and values, of the
        mean over draws; "low" and "high", its 95 % interval, from the draws of the change itself,
        or the yardstick where it is a single number; "times the spread", the largest ratio of a
        shift to its layer's yardstick; "comparable", whether that is at most 1; "layers", how many
        were measured.
    """
    if factors.empty:
        return pd.DataFrame()
    boot = factors[factors["factor"] == "images"].set_index("model")
    yardstick = (boot[f"{formula}, high"] - boot[f"{formula}, low"]) / 2
    if layers is not None:
        others = _other_seeds(layers, boot["module"], formula)
        factors = pd.concat([factors, others], ignore_index=True)
    rows = {}
    for words, change in COMPARED.items():
        part = _rows_of(change, factors)
        if not part.empty:
            rows[words] = _shift(part, yardstick, formula)
    return pd.DataFrame.from_dict(rows, orient="index")


def _rows_of(change: Change, factors: pd.DataFrame) -> pd.DataFrame:
    part = factors[factors["factor"] == change.factor]
    if change.factor != "D":
        return part[part["value"].isin(change.values)]
    full = part.groupby("model")["value"].transform("max")
    share = {"half": 2, "quarter": 4}
    # the drawn sizes are powers of 2: the nearest below the share asked for
    sizes = [(full / share[v]).map(lambda x: 2 ** int(math.log2(x))) for v in change.values]
    return part[np.logical_or.reduce([part["value"] == size for size in sizes])]


def _shift(part: pd.DataFrame, yardstick: pd.Series, formula: str) -> dict[str, object]:
    change, own = part[f"{formula}, change"], part["model"].map(yardstick)
    half = ((part[f"{formula}, high"] - part[f"{formula}, low"]) / 2).fillna(own)
    worst = change.abs().idxmax()
    ratio = float((change.abs() / own).max())
    return {
        "moves by": change[worst],
        "low": change[worst] - half[worst],
        "high": change[worst] + half[worst],
        "times the spread": ratio,
        "comparable": ratio <= 1,
        "layers": part["model"].nunique(),
    }


def _other_seeds(layers: pd.DataFrame, modules: pd.Series, formula: str) -> pd.DataFrame:
    """Rows of ``factors`` for other seeds and draws than 0 of the same layers, one per seed or
    draw.
    """
    rows = []
    for model, module in modules.items():
        part = layers[(layers["model"] == model) & (layers["module"] == module)]
        own = part[(part["seed"] == 0) & (part["draw"] == 0)][formula]
        if own.empty:  # the layer itself has no record
            continue
        plain = own.iloc[0]
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


class Comparability(NamedTuple):
    """What a raw SS_rate can be compared across.

    Attributes:
        yes, no: changes that move it by no more than other images do, and those that move it
            further.
        formulas: by how much the printed formula is larger in the median layer of a network:
            median, smallest and largest over networks.
        scale: the largest shift when features are three times as large or small, without its sign,
            with its interval.
        times: how many times the spread over images that shift is at most.
        unit: smallest and largest mean distance of the layers.
    """

    yes: tuple[str, ...]
    no: tuple[str, ...]
    formulas: tuple[float, float, float]
    scale: tuple[float, float, float]
    times: float
    unit: tuple[float, float]


def comparability(comparable: pd.DataFrame, layers: pd.DataFrame) -> Comparability | None:
    """What ``comparable`` comes to; None without records.

    Args:
        comparable: as from ``comparable``.
        layers: as from ``read.layers``.
    """
    if comparable.empty or layers.empty:
        return None
    can = comparable["comparable"].astype(bool)
    gap = (layers["printed"] - layers["released"]).groupby(layers["model"]).median()
    scale = comparable.loc["features three times larger or smaller"]
    ends = sorted((abs(scale["low"]), abs(scale["high"])))
    return Comparability(
        yes=tuple(comparable.index[can]),
        no=tuple(comparable.index[~can]),
        formulas=(gap.median(), gap.min(), gap.max()),
        scale=(abs(scale["moves by"]), *ends),
        times=scale["times the spread"],
        unit=(layers["distance_mean"].min(), layers["distance_mean"].max()),
    )


def comparison_table(comparable: pd.DataFrame) -> pd.DataFrame:
    """The table of ``comparable``."""
    if comparable.empty:
        return pd.DataFrame()
    shift, low, high = (comparable[k].map("{:+.3f}".format) for k in ("moves by", "low", "high"))
    columns = {
        "shift": shift + " [" + low + ", " + high + "]",
        "ratio": comparable["times the spread"].map("{:.1f}".format),
        "n": comparable["layers"],
        "comparable": comparable["comparable"].map({True: "yes", False: "no"}),
    }
    labels = {words: change.label for words, change in COMPARED.items()}
    return pd.DataFrame(columns).rename(index=labels)
