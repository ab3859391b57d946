"""What the paper's printed tables say by arithmetic alone: gains and their certainty, ranks,
averages, movement.

Nothing here reads a measurement of ours. Standard deviations are taken as printed, over ten runs.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pandas as pd
from scipy import integrate
from scipy import stats as scipy_stats

from reproduction.paper.tables import (
    DATASETS,
    MARKED,
    RUNS,
    SIZES,
    TEST_IMAGES,
    load_table,
    released_commands,
)
from reproduction.stats import Estimate, holm, spearman_exact, welch
from reproduction.stats_groups import apart


def gains(*, spread: float = 1.0) -> pd.DataFrame:
    """Table 3 as 27 comparisons: what the constraint adds to top-1 accuracy, and how sure the print
    allows one to be.

    Returns a row per model and data set, in the paper's order: family, marked (an arrow in Table
    3), baseline and constrained top-1 in per cent, gain in points with Welch's 95 % interval (low,
    high), t, df, p, p_holm over all 27, and relative, the gain in per cent of the baseline.

    >>> table = gains()
    >>> len(table), float(table.loc[("ViT (base)", "cifar100"), "gain"].round(2))
    (27, 5.75)

    Args:
        spread: factor on the printed standard deviations, for `best_of`.
    """
    family = load_table(1).set_index("model")["family"]
    rows = []
    for (model, dataset), part in load_table(3).groupby(["model", "dataset"], sort=False):
        arms = part.set_index("arm")
        base, ours = arms.loc["baseline"], arms.loc["constrained"]
        test = welch(
            ours.top1_mean,
            spread * ours.top1_std,
            RUNS,
            base.top1_mean,
            spread * base.top1_std,
            RUNS,
        )
        row = {
            "model": model,
            "dataset": dataset,
            "family": family[model],
            "marked": model in MARKED,
        }
        row |= {"baseline": base.top1_mean, "constrained": ours.top1_mean, "gain": test.difference}
        row |= {"low": test.low, "high": test.high, "t": test.t, "df": test.df, "p": test.p}
        rows.append(row | {"relative": 100 * test.difference / base.top1_mean})
    table = pd.DataFrame(rows).set_index(["model", "dataset"])
    table.insert(table.columns.get_loc("p") + 1, "p_holm", holm(table["p"].tolist()))
    return table


def mean_gains() -> pd.DataFrame:
    """The gains of Table 3 averaged over the data sets, a row per model: points, and per cent of
    the baseline.

    >>> mean_gains().loc["ViT (base)"].round(2).tolist()
    [4.57, 6.36]
    """
    table = gains().groupby("model", sort=False)[["gain", "relative"]].mean()
    return table.rename(columns={"gain": "points"})


def decided(table: pd.DataFrame, *, level: float = 0.05) -> pd.Series:
    """What each comparison of `gains` says after Holm's correction: "gain", "loss" or "not told
    apart".

    >>> decided(gains()).loc[("MLP-Mixer", "imagenette")]
    'loss'
    """
    sure = table["p_holm"] < level
    words = np.select(
        [sure & (table["gain"] > 0), sure & (table["gain"] < 0)],
        ["gain", "loss"],
        "not significant",
    )
    return pd.Series(words, index=table.index, name="decided")


def comparisons(*, spread: float = 1.0) -> pd.DataFrame:
    """`gains` with a column "decided", in which `decided` says what each one comes to.

    >>> comparisons()["decided"].value_counts().to_dict()
    {'gain': 12, 'not significant': 8, 'loss': 7}
    """
    table = gains(spread=spread)
    return table.assign(decided=decided(table))


@cache
def best_of(epochs: int) -> tuple[float, float]:
    """Mean and standard deviation of the largest of `epochs` independent standard normal numbers.

    If a run reports the best of that many test epochs that differ by chance alone, with standard
    deviation s, its number is too high by the mean times s, and scatters over runs by the standard
    deviation times s only.

    >>> [round(number, 3) for number in best_of(10)]
    [1.539, 0.587]
    """
    if epochs < 1:
        raise ValueError(f"epochs must be at least 1, got {epochs!r}")

    def moment(power: int) -> float:
        def density(x: float) -> float:
            below = scipy_stats.norm.cdf(x) ** (epochs - 1)
            return float(x**power * epochs * scipy_stats.norm.pdf(x) * below)

        return float(integrate.quad(density, -10, 12, limit=200)[0])

    mean = moment(1)
    return mean, math.sqrt(moment(2) - mean**2)


def sampling_errors() -> dict[str, float]:
    """Standard error of one accuracy from the choice of the test images, in points, by data set.

    Binomial, at the median baseline of Table 3. All runs share these images, so no spread over runs
    contains it.

    >>> {dataset: round(error, 2) for dataset, error in sampling_errors().items()}
    {'cifar10': 0.3, 'cifar100': 0.47, 'imagenette': 0.58}
    """
    share = gains().groupby("dataset", sort=False)["baseline"].median() / 100
    return {d: 100 * math.sqrt(p * (1 - p) / TEST_IMAGES[d]) for d, p in share.items()}


def invariance_against_gain(number: int) -> pd.DataFrame:
    """Table 4 or 5 beside the mean gain of Table 3: a row per model of that table, in its printed
    order.

    Columns: network (the row of Table 3), average (printed), points (mean gain), rank of the
    average (1 smallest) and rank of the gain (1 largest), marked, family.

    >>> invariance_against_gain(4)["rank of gain"].tolist()
    [3, 1, 7, 4, 2, 5, 6]
    """
    table = load_table(_four_or_five(number)).set_index("model")
    found = pd.DataFrame(
        {"network": [SIZES.get(model, model) for model in table.index]}, index=table.index
    )
    found["average"] = table["average"]
    found["points"] = mean_gains()["points"][found["network"]].to_numpy()
    found["rank"] = found["average"].rank().astype(int)
    found["rank of gain"] = found["points"].rank(ascending=False).astype(int)
    found["marked"] = found["network"].isin(MARKED)
    found["family"] = found["network"].map(load_table(1).set_index("model")["family"])
    return found


def invariance_correlation(number: int, dataset: str | None = None) -> Estimate:
    """Spearman's rho over the seven models between Table 4 or 5 and the gain of Table 3, with exact
    p.

    >>> round(invariance_correlation(4).estimate, 2)
    -0.43

    Args:
        dataset: the column and the gain on this data set alone; None: the printed averages and the
            mean gains. If invariance explained the gain, rho would be near -1.
    """
    table = invariance_against_gain(number)
    if dataset is None:
        return spearman_exact(table["average"], table["points"])
    gain = gains().xs(dataset, level="dataset")["gain"][table["network"]]
    return spearman_exact(load_table(number)[dataset], gain)


def invariance_summary() -> pd.DataFrame:
    """What Tables 4 and 5 say of the gains: a row per table, by its number.

    Columns: rho and p of `invariance_correlation` on the averages; "separated", whether all marked
    models lie below all others, and "p of ranks", exact and one-sided, of a rank sum as small;
    "before", the models that are not marked and yet stand before the last of the marked ones, in
    the table's order.

    >>> invariance_summary().loc[4, "before"]
    ('PoolFormer', 'ResNet')
    """
    rows = {}
    for number in (4, 5):
        test, table = invariance_correlation(number), invariance_against_gain(number)
        last = table.loc[table["marked"], "rank"].max()
        before = tuple(table.index[~table["marked"] & (table["rank"] < last)])
        separated, p = apart(table["rank"], table.index[table["marked"]])
        rows[number] = {"rho": test.estimate, "p": test.p, "before": before}
        rows[number] |= {"separated": separated, "p of ranks": p}
    return pd.DataFrame.from_dict(rows, orient="index")


def self_similarity_summary() -> pd.DataFrame:
    """Whether the networks that gain are the self-similar ones of Table 2: a row per column of it.

    Columns: separated, whether all marked models lie below all others, p, exact and one-sided, of a
    rank sum as small; rho and "p of rho", Spearman's correlation of SS_rate with the mean gain.

    >>> self_similarity_summary()["separated"].to_dict()
    {'untrained': True, 'pretrained': False}
    """
    gain, table = mean_gains()["points"], load_table(2).set_index("model")
    rows = {}
    for state in ("untrained", "pretrained"):
        separated, p = apart(table[state], MARKED)
        test = spearman_exact(table[state], gain[table.index])
        rows[state] = {"separated": separated, "p": p, "rho": test.estimate, "p of rho": test.p}
    return pd.DataFrame.from_dict(rows, orient="index")


def readded_averages() -> pd.DataFrame:
    """Tables 4 and 5 re-added: a row per table and model with the printed average and the exact
    mean of its columns.

    "off" is the distance in units of the last printed digit; 0.5 is what rounding may do.

    >>> float(readded_averages().loc[(5, "ResNet"), "off"].round(2))
    0.67
    """
    rows = []
    for number in (4, 5):
        table = load_table(number)
        mean = table[list(DATASETS)].mean(axis=1)
        for model, printed, exact in zip(table["model"], table["average"], mean, strict=True):
            rows.append(
                {
                    "table": number,
                    "model": model,
                    "printed": printed,
                    "mean": exact,
                    "off": (printed - exact) * 1e4,
                }
            )
    return pd.DataFrame(rows).set_index(["table", "model"])


def duplicates() -> list[tuple[int, str, float, list[str]]]:
    """Values printed more than once in a row of Tables 4 and 5: (table, model, value, data sets).

    >>> duplicates()
    [(4, 'ResMLP', 0.3404, ['cifar100', 'imagenette'])]
    """
    found = []
    for number in (4, 5):
        for row in load_table(number).itertuples():
            cells: dict[float, list[str]] = {}
            for dataset in DATASETS:
                cells.setdefault(getattr(row, dataset), []).append(dataset)
            found += [
                (number, row.model, value, where)
                for value, where in cells.items()
                if len(where) > 1
            ]
    return found


def movement() -> pd.DataFrame:
    """Where SS_rate went in Table 3: a row per model and data set, printed means.

    By the text, the target gamma is the level that the model reaches in ordinary training. That can
    be read in two ways, and the released commands have a third value:

    - "own": the baseline's SS_rate in the same row, from which every change then leads away;
    - "table 2": Table 2's value after training;
    - "released": gamma of the released command, NaN where there is none.

    Returns family, marked, gain in points, baseline and constrained SS_rate, change; and for each
    reading, under "gamma: …" the target and under "nearer: …" how much closer to it the constrained
    value lies than the baseline's.

    >>> row = movement().loc[("ResMLP", "imagenette")]
    >>> row[["baseline", "constrained", "gamma: released"]].to_dict()
    {'baseline': 0.21, 'constrained': 0.37, 'gamma: released': 0.2}
    """
    rates = load_table(3).pivot_table(
        index=["model", "dataset"], columns="arm", values="ss_rate_mean", sort=False
    )
    table = gains()[["family", "marked", "gain"]].join(rates.rename_axis(columns=None))
    table["change"] = (table["constrained"] - table["baseline"]).round(2)
    commands = released_commands()
    released = commands[commands["arm"] == "constrained"].set_index(["model", "dataset"])["gamma"]
    targets = {
        "own": table["baseline"],
        "table 2": load_table(2)
        .set_index("model")["pretrained"]
        .reindex(table.index, level="model"),
        "released": released.reindex(table.index),
    }
    for reading, gamma in targets.items():
        table[f"gamma: {reading}"] = gamma
        nearer = (table["baseline"] - gamma).abs() - (table["constrained"] - gamma).abs()
        table[f"nearer: {reading}"] = nearer.round(2)
    return table


def movement_summary() -> pd.DataFrame:
    """`movement` counted: a row per reading of gamma.

    Columns: cells, how many came nearer and went away by more than the 0.01 that rounding may make,
    the mean of "nearer", and Spearman's rho with the gain over the cells (p by scipy's
    approximation; three cells share a model).

    >>> movement_summary().loc["own", ["nearer", "away"]].tolist()
    [0, 19]
    """
    table, rows = movement(), {}
    for reading in ("own", "table 2", "released"):
        part = table.dropna(subset=[f"nearer: {reading}"])
        step = part[f"nearer: {reading}"]
        rho = scipy_stats.spearmanr(step, part["gain"])
        rows[reading] = {
            "cells": len(step),
            "nearer": (step > 0.01 + 1e-9).sum(),
            "away": (step < -0.01 - 1e-9).sum(),
        }
        rows[reading] |= {"mean": step.mean(), "rho": rho.statistic, "p": rho.pvalue}
    return pd.DataFrame.from_dict(rows, orient="index")


def table_2_changes() -> pd.DataFrame:
    """Table 2's two columns and the change between them, a row per model.

    >>> table_2_changes().query("change < 0").index.tolist()
    ['ResNet34', 'VGG']
    """
    table = load_table(2).set_index("model")
    return table.assign(change=(table["pretrained"] - table["untrained"]).round(2))


def trained_rates() -> pd.Series:
    """How far Table 3's baselines, averaged over the data sets, lie from Table 2's trained SS_rate.

    >>> trained_rates().idxmax()
    'MLP-Mixer'
    """
    baselines = load_table(3).query("arm == 'baseline'").groupby("model")["ss_rate_mean"].mean()
    return (baselines - load_table(2).set_index("model")["pretrained"]).abs()


def smallest_ss_rate_in_print() -> float:
    """The smallest value of Table 2, before or after training.

    >>> smallest_ss_rate_in_print()
    0.09
    """
    return float(load_table(2)[["untrained", "pretrained"]].min(axis=None))


def largest_ss_rate_as_printed(D: int) -> float:
    """The largest value that Eq. 3 can take with its printed factor 2/D: log(D)/D, where the text
    says 1.

    >>> round(largest_ss_rate_as_printed(384), 4)
    0.0155
    """
    if D < 2:
        raise ValueError(f"D must be at least 2, got {D!r}")
    return math.log(D) / D


def _four_or_five(number: int) -> int:
    if number not in (4, 5):
        raise ValueError(f"number must be 4 or 5, the tables of invariance, got {number!r}")
    return number
