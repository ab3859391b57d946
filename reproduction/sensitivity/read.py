"""What SS_rate goes with, from records: the tables of the page, and the numbers behind them.

Functions named after a thing (``layers``, ``nulls``) give numbers, a row per layer or so; those
that end in ``table`` give the table as the page shows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from reproduction import records
from reproduction.invariance.known import SET_NAMES
from reproduction.paper.tables import FORMULAS
from reproduction.sensitivity.read_cka import cka_of_noise
from reproduction.stats_groups import RankCorrelation, explained, rank_correlation
from reproduction.table_1 import TABLE_1, find

_SHAPE = ("log_scale", "cv", "distance_skewness")

#: Products of two of the numbers that describe the histogram: name of the column -> its factors.
_PRODUCTS = {f"{a} * {b}": (a, b) for i, a in enumerate(_SHAPE) for b in _SHAPE[i:]}

#: What SS_rate is regressed on, step by step: the scale and the shape of the distances' histogram,
#: then more.
STEPS: Mapping[str, tuple[str, ...]] = {
    "scale": ("log_scale",),
    "shape": ("cv", "distance_skewness"),
    "scale and shape": _SHAPE,
    "and squares, products": (*_SHAPE, *_PRODUCTS),
    "scale, shape, log D, range": (*_SHAPE, "log_D", "log_range"),
}

#: Measures that SS_rate of a layer is held against: column of ``layers`` -> name.
MEASURES_BESIDE: Mapping[str, str] = {
    "participation_ratio": "participation ratio",
    "effective_rank": "effective rank",
    "two_nn": "TwoNN dimension",
    "cka": "CKA with layer before",
    "distance_mean": "mean distance",
}

#: The SS_rates held against them: column of ``layers`` -> name.
RATES: Mapping[str, str] = {
    "released": "released",
    "printed": "printed",
    "released, mean": "scale-free",
}

#: The axes of the released SS_rate, the last three without a unit: name -> column of ``layers``.
AXES: Mapping[str, str] = {
    "released": "released",
    "log(1 + θ/m)": "released, mean",
    "log θ": "released, log",
    "θ": "released, linear",
}

#: Null models as the page calls them, where that is shorter.
_NULL_NAMES = {"gaussian": "noise", "one direction": "line"}


def layers(runs: pd.DataFrame) -> pd.DataFrame:
    """The layers of ``ss-rate-measures`` or ``ss-rate`` records, with the moments of the distances.

    Args:
        runs: as from ``records.read_all``.

    Returns:
        What ``records.layers`` gives, and "log_scale" (log of the mean distance), "cv" (standard
        deviation over mean), "log_D", "log_range" (log of the ratio of 1 + TV to 1 + TZ), and,
        beside "cka" with the layer before, "cka_noise", what it is of noise of these shapes.
    """
    table = records.layers(runs)
    if table.empty:
        return table
    if "cka" in table:
        before = table.groupby(["model", "seed", "draw"], sort=False)["D"].shift()
        shapes = zip(before, table["D"], table["n_images"], strict=True)
        table["cka_noise"] = [cka_of_noise(*shape) for shape in shapes]
    return table.assign(
        log_scale=np.log(table["distance_mean"]),
        cv=table["distance_std"] / table["distance_mean"],
        log_D=np.log(table["D"]),
        log_range=np.log1p(table["TV"]) - np.log1p(table["TZ"]),
    )


def fits(layers: pd.DataFrame, *, resamples: int = 1000) -> pd.DataFrame:
    """``stats.explained`` of SS_rate for each formula and each of ``STEPS``; networks are the
    groups.

    Args:
        layers: as from ``layers``.
        resamples: draws of networks, for the intervals.

    Returns:
        A row per formula and step: "r2", "low", "high"; "unseen", r2 for networks left out; "left",
        the standard deviation of the residuals.
    """
    used = layers.assign(**{name: layers[a] * layers[b] for name, (a, b) in _PRODUCTS.items()})
    rows = {}
    for formula in FORMULAS:
        for step, columns in STEPS.items():
            fit = explained(used, formula, columns, "model", resamples=resamples)
            low, high = fit.interval
            rows[formula, step] = {
                "r2": fit.r2,
                "low": low,
                "high": high,
                "unseen": fit.r2_left_out,
                "left": fit.residual,
            }
    return pd.DataFrame.from_dict(rows, orient="index")


def explained_table(fits: pd.DataFrame) -> pd.DataFrame:
    """The table of ``fits``: per formula, R² with its interval, and R² for unseen networks."""
    columns = {}
    for formula in FORMULAS:
        fit = fits.loc[formula]
        columns[formula, "R²"] = _with_interval(fit["r2"], fit["low"], fit["high"])
        columns[formula, "unseen"] = fit["unseen"].map("{:.2f}".format)
    return pd.DataFrame(columns)


def change_table(rates: pd.DataFrame) -> pd.DataFrame:
    """The table of ``live.changed_rates``."""
    return rates.map("{:.3f}".format)


def nulls(runs: pd.DataFrame, *, formula: str = "released") -> pd.DataFrame:
    """SS_rate of the layers of ``ss-rate-measures`` records and of their null models.

    Returns:
        A row per layer: "model", "family", "module", "features", and one column per null model, NaN
        where SS_rate does not exist.
    """
    rows = []
    for run in runs.to_dict("records"):
        network = find(run["config.model"])
        for module, layer in run["metrics.layers"].items():
            row = {"model": network.name, "family": network.family, "module": module}
            rates = {kind: rates[formula] for kind, rates in layer["nulls"].items()}
            rows.append(row | {"features": layer[formula]} | rates)
    return pd.DataFrame(rows)


def null_table(nulls: pd.DataFrame) -> pd.DataFrame:
    """The table of ``nulls``: mean over the layers of each network, and in brackets over how many,
    where there is no SS_rate of all.
    """
    networks = nulls.drop(columns=["family", "module"]).groupby("model")
    mean, count, size = networks.mean(), networks.count(), networks.size()
    text = mean.map("{:.2f}".format).replace("nan", "–")
    some = count.lt(size, axis=0) & (count > 0)
    of = count.astype(str).add(" of ").add(size.astype(str), axis=0)
    text = text.mask(some, text + " (" + of + ")")
    return _in_papers_order(text).rename(columns=_NULL_NAMES).rename_axis(None)


class NoiseComparison(NamedTuple):
    """How SS_rate of layers stands to that of Gaussian noise of their shape.

    Attributes:
        low, high: the smallest and largest SS_rate of noise.
        n, networks: layers, and networks that they are of.
        below: share of a network's layers below their noise, mean over networks.
        most: networks of which more than half of the layers are below.
        below_line: share of layers below the same channels put on one line, mean over networks.
        gap: mean distance of a network's layers from their noise, mean over networks.
    """

    low: float
    high: float
    n: int
    networks: int
    below: float
    most: int
    below_line: float
    gap: float


def against_noise(nulls: pd.DataFrame) -> NoiseComparison | None:
    """How the layers of ``nulls`` stand to noise, by network; None where there are none."""
    if nulls.empty:
        return None
    features, noise = nulls["features"], nulls["gaussian"]
    layers = pd.DataFrame(
        {
            "below": features < noise,
            "below_line": features < nulls["one direction"],
            "gap": (features - noise).abs(),
        }
    )
    networks = layers.groupby(nulls["model"]).mean()
    return NoiseComparison(
        low=noise.min(),
        high=noise.max(),
        n=len(nulls),
        networks=len(networks),
        most=int((networks["below"] > 0.5).sum()),
        **networks.mean(),
    )


def fractal_table(rates: pd.DataFrame) -> pd.DataFrame:
    """The table of ``live.fractal_rates``."""
    two = "{:.2f}".format
    columns = {
        "dimension": rates["dimension"].map(two),
        "SS_rate": rates["rate"].map(two),
        "noise like it": rates["low"].map(two) + " to " + rates["high"].map(two),
    }
    return pd.DataFrame(columns).rename(index=SET_NAMES)


def correlations(layers: pd.DataFrame) -> pd.DataFrame:
    """Rank correlations over layers of each of ``RATES``, a column, with each of
    ``MEASURES_BESIDE``, a row; networks are the groups.
    """
    if layers.empty:
        return pd.DataFrame()
    return pd.DataFrame(
        {
            label: {
                name: rank_correlation(layers, column, rate, "model")
                for column, name in MEASURES_BESIDE.items()
            }
            for rate, label in RATES.items()
        }
    )


def correlation_table(correlations: pd.DataFrame) -> pd.DataFrame:
    """The table of rank correlations, each with its interval; then the median inside a network."""
    return correlations.map(lambda rho: f"{rho}; {rho.inside()}")


def clear(correlations: pd.Series) -> list[str]:
    """The names of the rank correlations whose interval excludes zero."""
    return [name for name, rho in correlations.items() if rho.interval[0] * rho.interval[1] > 0]


def ranking(layers: pd.DataFrame, columns: Mapping[str, str] = AXES) -> pd.DataFrame:
    """Networks by SS_rate, mean over modules, and their ranks from 1, the smallest.

    Args:
        layers: as from ``layers``.
        columns: heading -> column of it.

    Returns:
        A row per network: a column per heading, and "rank, <heading>". A layer without a value
        makes its network's mean NaN, and no rank.
    """
    means = layers.groupby("model", sort=False)[list(columns.values())].agg(
        lambda values: values.mean(skipna=False)
    )
    means.columns = list(columns)
    return pd.concat([means, means.rank().add_prefix("rank, ")], axis=1)


def axis_table(ranking: pd.DataFrame) -> pd.DataFrame:
    """The table of ``ranking`` by ``AXES``: SS_rate, and its rank in brackets."""
    text = {
        heading: ranking[heading].map("{:.3f}".format)
        + ranking[f"rank, {heading}"].map(" ({:.0f})".format)
        for heading in AXES
    }
    undefined = ranking[list(AXES)].isna()
    return _in_papers_order(pd.DataFrame(text).mask(undefined, "–")).rename_axis(None)


class Order(NamedTuple):
    """What becomes of the order of networks on an axis without a unit.

    Attributes:
        n: networks.
        mean, linear: rank correlation of the released SS_rate with that on log(1 + θ/m) and θ.
        mover, places: the network that moves most on log(1 + θ/m), and by how many places.
        undefined: networks for which log θ gives no value.
    """

    n: int
    mean: RankCorrelation
    linear: RankCorrelation
    mover: str
    places: float
    undefined: tuple[str, ...]


def order(ranking: pd.DataFrame) -> Order | None:
    """How the order of networks by ``AXES`` changes with the axis; None with fewer than 3."""
    if len(ranking) < 3:
        return None
    ranking = _in_papers_order(ranking)
    places = ranking.rename_axis("model").reset_index()
    mean, linear = (
        rank_correlation(places, "released", heading, "model") for heading in ("log(1 + θ/m)", "θ")
    )
    moved = (ranking["rank, log(1 + θ/m)"] - ranking["rank, released"]).abs()
    undefined = tuple(ranking.index[ranking["log θ"].isna()])
    return Order(len(ranking), mean, linear, str(moved.idxmax()), moved.max(), undefined)


def _with_interval(
    value: pd.Series, low: pd.Series, high: pd.Series, form: str = ".2f"
) -> pd.Series:
    value, low, high = (numbers.map(f"{{:{form}}}".format) for numbers in (value, low, high))
    return value + " [" + low + ", " + high + "]"


def _in_papers_order(table: pd.DataFrame) -> pd.DataFrame:
    """A table with a row per network, in the order of the paper's tables."""
    return table.loc[[known.name for known in TABLE_1.values() if known.name in table.index]]
