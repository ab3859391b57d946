"""Made-up measurements of the size and scatter of the measured ones, whose means are what a claim
says: exactly, in half, or not at all.

A rule that is given such tables shows how often it comes to each verdict when the truth is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from reproduction.paper.audit import gains as printed_gains
from reproduction.paper.tables import load_table
from reproduction.verdicts.finding import Limits

Tables = tuple[pd.DataFrame, ...]

#: How much of the claimed effect is there.
TRUTHS: Mapping[str, float] = {"paper": 1.0, "half": 0.5, "none": 0.0}


class Draw(NamedTuple):
    """How the tables of a claim are drawn.

    Attributes:
        draw: limits, measured tables, share of the effect, how many times the measured number, and
            a generator -> tables as the rule takes them. ValueError where nothing printed says what
            the means are.
        none: what "none" means.
        unit: what is drawn anew: a key of ``Finding.n``.
        more: whether more of them could be had.
    """

    draw: Callable[[Limits, Tables, float, int, np.random.Generator], Tables]
    none: str
    unit: str = "pair"
    more: bool = True


def gains(
    limits: Limits, tables: Tables, share: float, times: int, random: np.random.Generator
) -> Tables:
    """Pairs that gain `share` of what their cells of Table 3 print."""
    pairs = _more(tables[0], times)
    printed = _printed(pairs)
    return (_around(pairs, "gain", share * printed, _CELL, random),)


def margins(
    limits: Limits, tables: Tables, share: float, times: int, random: np.random.Generator
) -> Tables:
    """Pairs that gain what is printed or, at share 0, as much as the margin for no effect."""
    pairs = _more(tables[0], times)
    means = limits["margin"] + share * (_printed(pairs) - limits["margin"])
    return (_around(pairs, "gain", means, _CELL, random),)


def shares(
    limits: Limits, tables: Tables, share: float, times: int, random: np.random.Generator
) -> Tables:
    """Pairs that close a share of the distance to γ; all of it, as the claim has it, at 1."""
    pairs = _more(tables[0], times)
    return (_around(pairs, "share", np.full(len(pairs), share), _CELL, random),)


def changes(
    limits: Limits, tables: Tables, share: float, times: int, random: np.random.Generator
) -> Tables:
    """PoolFormer's SS_rate under the constraint: it stays, or at share 0 moves by the margin."""
    pairs = _more(tables[0], times)
    means = np.full(len(pairs), (1 - share) * limits["margin"])
    return (_around(pairs, "change", means, ["model", "dataset"], random),)


def rises(
    limits: Limits, tables: Tables, share: float, times: int, random: np.random.Generator
) -> Tables:
    """Runs whose SS_rate rises in training by `share` of what Table 2 prints for the network."""
    if "model" not in tables[0]:
        raise ValueError("tables: one value a network, and nothing that scatters")
    runs, printed = _more(tables[0], times), load_table(2).set_index("model")
    rise = runs["model"].map(printed["pretrained"] - printed["untrained"]).to_numpy(float)
    return (_around(runs, "change", share * rise, ["model"], random),)


def depths(
    limits: Limits, tables: Tables, share: float, times: int, random: np.random.Generator
) -> Tables:
    """Runs whose shallow modules change as much as their deep ones: of more, no size is printed."""
    if share:
        raise ValueError("share: no size of this effect is printed")
    runs = _more(tables[0], times)
    return (_around(runs, "difference", np.zeros(len(runs)), ["model"], random),)


def rates(
    limits: Limits, tables: Tables, share: float, times: int, random: np.random.Generator
) -> Tables:
    """Table 2: networks that differ from their common mean by `share` of what is printed."""
    (table,) = tables
    seeds = (table["seeds"] * times).to_numpy(int)
    means = table["paper"].mean() + share * (table["paper"] - table["paper"].mean())
    drawn = [
        random.normal(mean, std if std > 0 else 0.0, n) if n else np.empty(0)
        for mean, std, n in zip(means, table["std"], seeds, strict=True)
    ]
    ours = [values.mean() if len(values) else np.nan for values in drawn]
    stds = [values.std(ddof=1) if len(values) > 1 else np.nan for values in drawn]
    return (table.assign(ours=ours, std=stds, seeds=seeds),)


def rates_of_table_3(
    limits: Limits, tables: Tables, share: float, times: int, random: np.random.Generator
) -> Tables:
    """Runs that end at the printed SS_rates or, at share 0, all at their mean."""
    runs, keys = _more(tables[0], times), ["model", "dataset", "arm"]
    printed = load_table(3).set_index(keys)["ss_rate_mean"]
    own = printed.reindex(pd.MultiIndex.from_frame(runs[keys])).to_numpy(float)
    means = printed.mean() + share * (own - printed.mean())
    return (_around(runs, "rate", means, keys, random),)


def self_similar(
    limits: Limits, tables: Tables, share: float, times: int, random: np.random.Generator
) -> Tables:
    """Untrained networks that differ by `share` of what Table 2 prints; the gains stay."""
    (table,) = tables
    printed = load_table(2).set_index("model")["untrained"].reindex(table.index)
    means = printed.mean() + share * (printed - printed.mean())
    error = table["error"].fillna(0) / np.sqrt(times)
    return (table.assign(rate=random.normal(means, error)),)


def covers(
    limits: Limits, tables: Tables, share: float, times: int, random: np.random.Generator
) -> Tables:
    """N_θ that is `share` of the way from the measured factor, and from ranks that know nothing of
    the covers, to the covers themselves. More layers cannot be drawn: networks have what they have.
    """
    (table,) = tables
    truth = (table["rate: lower"] + table["rate: upper"]) / 2
    drawn = table.copy()
    for formula in ("printed", "released"):
        shuffled = truth.groupby(table["model"]).transform(lambda own: random.permutation(own))
        drawn[f"rate: {formula}"] = share * truth + (1 - share) * shuffled
        for name in ("worst", "typical"):
            drawn[f"{formula}: {name}"] = table[f"{formula}: {name}"] ** (1 - share)
    return (drawn,)


#: By the keys of data/paper/claims.yml.
DRAWS: Mapping[str, Draw] = {
    "table2-untrained": Draw(rates, "all networks alike", "seed"),
    "table2-trained": Draw(rates, "all networks alike", "seed"),
    "rises": Draw(rises, "no network changes", "run"),
    "helps": Draw(gains, "no network gains"),
    "average-gain": Draw(gains, "no network gains"),
    "up-to-six": Draw(gains, "no network gains"),
    "boxes": Draw(
        covers, "N_θ is off as measured and knows nothing of the ranks", "network", False
    ),
    "toward-target": Draw(shares, "nothing of the distance to γ is closed"),
    "self-similar-gain": Draw(self_similar, "all networks alike", "network", False),
    "shallow": Draw(depths, "shallow and deep modules change alike", "run"),
    "negligible": Draw(margins, "a gain as large as the margin"),
    "vgg-drop": Draw(gains, "VGG stays as it is"),
    "poolformer-response": Draw(changes, "SS_rate moves by the margin"),
    "table3-rates": Draw(rates_of_table_3, "all networks alike", "run"),
}

#: Claims whose rules have nothing that could be drawn, with the reason.
NOT_DRAWN: Mapping[str, str] = {
    "range": "every layer is measured exactly; no rule of chance decides",
    "cheap": "a ratio of times, one a machine",
    "low-dimensional": "an order of networks, without a scatter in its rule",
    "poolformer": "one network before and after training, without a scatter in its rule",
    "invariance": "undecided while only untrained networks, or too few, are measured",
    "table4": "undecided while only untrained networks are measured",
    "table5": "undecided while only untrained networks are measured",
}

_CELL = ["model", "dataset", "recipe"]


def _more(table: pd.DataFrame, times: int) -> pd.DataFrame:
    """The table, repeated; its seeds, where it has them, go on."""
    parts = [table] * times
    if "seed" in table:
        step = int(table["seed"].max()) + 1 if len(table) else 0
        parts = [table.assign(seed=table["seed"] + k * step) for k in range(times)]
    return pd.concat(parts, ignore_index=True)


def _around(
    table: pd.DataFrame, column: str, means: Any, by: list[str], random: np.random.Generator
) -> pd.DataFrame:
    """The table with normal values around means, each group with the scatter that it has; groups of
    one have the scatter of the others.
    """
    groups = table.groupby(by, sort=False)[column]
    spread = groups.transform("std")
    pooled = np.sqrt(groups.var().mean())
    spread = spread.fillna(pooled if pooled > 0 else 0.0)
    return table.assign(**{column: random.normal(np.asarray(means, dtype=float), spread)})


@cache
def _gains_in_print() -> Mapping[Any, float]:
    return printed_gains()["gain"].to_dict()


def _printed(pairs: pd.DataFrame) -> np.ndarray:
    cells = pairs[["model", "dataset"]].itertuples(index=False, name=None)
    return np.array([_gains_in_print().get(cell, 0.0) for cell in cells])
