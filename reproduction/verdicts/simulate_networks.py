"""Draws for the claims about networks as they are, trained or not; see ``simulate``.

Where a claim is an order and prints no sizes, the measured values are dealt out anew: in the order
that the claim says, or, where nothing of it holds, at random.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
import pandas as pd

from reproduction.paper.tables import DATASETS, FORMULAS, MARKED, load_table
from reproduction.verdicts.finding import Limits
from reproduction.verdicts.rules import EVEN, LOW
from reproduction.verdicts.simulate import Draw, Sampler, Tables, around, more

# --- SS_rate ---


def known_sets(limits: Limits, tables: Tables, times: int) -> Sampler:
    """Sets of known self-similarity at 0; none: each is one more cloud."""
    rates, sets = tables
    # of ten values, the range is on average 3.08 standard deviations wide
    middle, spread = (sets["low"] + sets["high"]) / 2, (sets["high"] - sets["low"]) / 3.08

    def sample(share: float, random: np.random.Generator) -> Tables:
        own = random.normal((1 - share) * middle, spread)
        return rates, sets.assign(own=own)

    return sample


def costs(limits: Limits, tables: Tables, times: int) -> Sampler:
    """The penalty costs nothing; none: as much as the step itself. On the machines that there are:
    how much others differ is not known.
    """
    (table,) = tables

    def sample(share: float, random: np.random.Generator) -> Tables:
        return (table.assign(plain=1 - share, ours=1 - share),)

    return sample


def rates(limits: Limits, tables: Tables, times: int) -> Sampler:
    """Table 2; none: all networks at its mean. Of a single network nothing scatters."""
    (table,) = tables
    seeds, printed = (table["seeds"] * times).to_numpy(int), table["paper"].to_numpy(float)
    single = (table["seeds"] < 2).to_numpy()
    spread = np.where(single, 0.0, table["std"].fillna(0.0))

    def sample(share: float, random: np.random.Generator) -> Tables:
        means = printed.mean() + share * (printed - printed.mean())
        drawn = [random.normal(*row) for row in zip(means, spread, seeds, strict=True)]
        ours = [values.mean() if len(values) else np.nan for values in drawn]
        stds = [values.std(ddof=1) if len(values) > 1 else np.nan for values in drawn]
        return (table.assign(ours=ours, std=stds, seeds=np.where(single, table["seeds"], seeds)),)

    return sample


def rises(limits: Limits, tables: Tables, times: int) -> Sampler:
    """SS_rate changes in training as Table 2 prints for the network; none: it does not."""
    (table,) = tables
    printed = load_table(2).set_index("model")
    change = printed["pretrained"] - printed["untrained"]
    if "model" in table:  # a row per run of ours
        runs = more(table, times)
        return around(runs, "change", ["model"], runs["model"].map(change).to_numpy(float), 0.0)
    own, error = change.reindex(table.index), table["error"].fillna(0.0) / np.sqrt(times)

    def sample(share: float, random: np.random.Generator) -> Tables:
        return (table.assign(change=random.normal(share * own, error)),)

    return sample


def self_similar(limits: Limits, tables: Tables, times: int) -> Sampler:
    """Untrained networks with the SS_rates of Table 2; none: all alike. The gains stay."""
    (table,) = tables
    printed = load_table(2).set_index("model")["untrained"].reindex(table.index)
    error = table["error"].fillna(0.0) / np.sqrt(times)

    def sample(share: float, random: np.random.Generator) -> Tables:
        means = printed.mean() + share * (printed - printed.mean())
        return (table.assign(rate=random.normal(means, error)),)

    return sample


def depths(limits: Limits, tables: Tables, times: int) -> Sampler:
    """All change is in the shallow half, as much in all as was measured; none: both halves change
    alike.
    """
    runs = more(tables[0], times)
    change = runs.groupby("model")["change"].transform("mean").to_numpy()
    return around(runs, "difference", ["model"], 2 * change, 0.0)


def covers(limits: Limits, tables: Tables, times: int) -> Sampler:
    """N_θ is a covering number, anywhere in its bracket, and ranks layers so; none: its largest
    factor is the square of the allowed one, and its ranks know nothing of the covers. Factors
    scatter over networks as measured.
    """
    (table,) = tables
    parts = [table.assign(model=table["model"] + "′" * k) for k in range(times)]
    table = pd.concat(parts, ignore_index=True)
    ends, groups = [table["rate: lower"], table["rate: upper"]], table.groupby("model")
    of, names = pd.factorize(table["model"])
    spread = {f: np.log(groups[f"{f}: worst"].median()).std() for f in FORMULAS}
    layers = [np.flatnonzero(of == k) for k in range(len(names))]

    def sample(share: float, random: np.random.Generator) -> Tables:
        columns = {}
        for formula in FORMULAS:
            middle = 2 * (1 - share) * np.log(limits["factor"])
            off = np.abs(random.normal(middle, spread[formula], len(names)))
            columns[f"{formula}: worst"] = np.exp(off)[of]
            columns[f"{formula}: typical"] = np.exp(off / 2)[of]
            truth = ends[0] + random.random(len(table)) * (ends[1] - ends[0])
            dealt = truth.to_numpy(copy=True)
            for rows in layers:
                dealt[rows] = random.permutation(dealt[rows])
            columns[f"rate: {formula}"] = share * truth + (1 - share) * dealt
        return (table.assign(**columns),)

    return sample


# --- orders of networks ---


def directions(limits: Limits, tables: Tables, times: int) -> Sampler:
    """Directions dealt so that Fig. 2's first group has the fewest; none: at random."""
    return _figure_2(tables, times, dict.fromkeys(("untrained", "trained"), ((*LOW, *EVEN), LOW)))


def sides(limits: Limits, tables: Tables, times: int) -> Sampler:
    """Directions dealt so that PoolFormer has the fewest untrained and the most trained; none: at
    random.
    """
    own, cnn = "poolformer_s12", ("resnet34", "vgg11")
    groups = {"untrained": ((own, *cnn), (own,)), "trained": ((*LOW, own), LOW)}
    return _figure_2(tables, times, groups)


def _figure_2(
    tables: Tables, times: int, groups: Mapping[str, tuple[Sequence[str], Collection[str]]]
) -> Sampler:
    """By state: the networks that a rule compares, and those of them that shall have the fewest."""
    (table,) = tables
    deals = []
    for state, (names, low) in groups.items():
        own = table[state].reindex(list(names)).dropna()
        error = table[f"{state}: error"].reindex(own.index).fillna(0.0) / np.sqrt(times)
        rows, column = table.index.get_indexer(own.index), table.columns.get_loc(state)
        deals.append((rows, column, _deal(own, low), error.to_numpy()))

    def sample(share: float, random: np.random.Generator) -> Tables:
        drawn = table.copy()
        for rows, column, deal, error in deals:
            drawn.iloc[rows, column] = random.normal(deal(share, random), error)
        return (drawn,)

    return sample


def invariances(limits: Limits, tables: Tables, times: int) -> Sampler:
    """Trained networks, σ and Δ dealt so that the marked ones have the smallest; none: at random.
    They scatter over runs as measured.
    """
    runs = more(tables[0], times).assign(weights="trained")
    measures, groups = ["sigma", "delta"], tables[0].groupby("model")
    means = groups[measures].mean().dropna()
    spread = np.sqrt(groups[measures].var().mean()).fillna(0.0)
    runs = runs[runs["model"].isin(means.index)]
    rows = means.index.get_indexer(runs["model"])
    deals = {name: _deal(means[name], MARKED) for name in measures}

    def sample(share: float, random: np.random.Generator) -> Tables:
        drawn = {
            name: random.normal(deal(share, random)[rows], spread[name])
            for name, deal in deals.items()
        }
        return (runs.assign(**drawn),)

    return sample


def values(limits: Limits, tables: Tables, times: int) -> Sampler:
    """Trained networks with the values of Table 4 or 5; none: these dealt to the networks at
    random. They scatter over runs as measured, by the median network, on a log scale.
    """
    runs = more(tables[0], times).assign(weights="trained")
    printed = load_table(int(limits["table"])).set_index("model")[list(DATASETS)]
    positive = tables[0][tables[0]["value"] > 0]
    logs = np.log(positive["value"]).groupby([positive["model"], positive["images"]])
    spread = logs.std().median()
    rows = printed.index.get_indexer(runs["model"])
    columns = printed.columns.get_indexer(runs["images"])
    logged = np.log(printed.to_numpy())

    def sample(share: float, random: np.random.Generator) -> Tables:
        dealt = share * logged + (1 - share) * random.permutation(logged)
        drawn = random.normal(dealt[rows, columns], 0.0 if np.isnan(spread) else spread)
        return (runs.assign(value=np.exp(drawn)),)

    return sample


def _deal(
    own: pd.Series, low: Collection[str]
) -> Callable[[float, np.random.Generator], np.ndarray]:
    """Deals values to their owners anew: some get the smallest, and otherwise the order stays; at
    share 0 anyone gets any. Between, the weighted mean of both.
    """
    values, some = own.to_numpy(dtype=float), own.index.isin(list(low))
    right = np.empty(len(values))
    right[np.lexsort((values, ~some))] = np.sort(values)

    def deal(share: float, random: np.random.Generator) -> np.ndarray:
        return share * right + (1 - share) * values[random.permutation(len(values))]

    return deal


_AT_RANDOM = "values are dealt at random"

DRAWS: Mapping[str, Draw] = {
    "range": Draw(known_sets, "self-similar sets are at 0", "sets are clouds", "set", False),
    "cheap": Draw(costs, "it costs nothing", "it costs a step", "machine", False),
    "table2-untrained": Draw(rates, "Table 2's values", "all networks alike", "seed"),
    "table2-trained": Draw(rates, "Table 2's values", "all networks alike", "network", False),
    "rises": Draw(rises, "Table 2's changes", "no network changes", "run"),
    "low-dimensional": Draw(
        directions, "values dealt by Figure 2's groups", _AT_RANDOM, "network", False
    ),
    "poolformer": Draw(sides, "values dealt as Figure 2 has it", _AT_RANDOM, "network", False),
    "invariance": Draw(
        invariances, "trained, values dealt by the claim", f"trained, {_AT_RANDOM}", "seed"
    ),
    "boxes": Draw(covers, "N_θ counts boxes", "off by the square of the limit", "network"),
    "self-similar-gain": Draw(
        self_similar, "Table 2's values", "all networks alike", "network", False
    ),
    "shallow": Draw(depths, "all change is shallow", "both halves change alike", "run"),
    "table4": Draw(values, "trained, Table 4's values", f"trained, {_AT_RANDOM}", "seed"),
    "table5": Draw(values, "trained, Table 5's values", f"trained, {_AT_RANDOM}", "seed"),
}
