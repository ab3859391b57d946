"""Made-up measurements of the size and scatter of the measured ones, whose means are what a claim
says: exactly, in half, or not at all.

A rule that is given such tables shows how often it comes to each verdict when the truth is known.
Here are the claims about training; ``simulate_networks`` has those about networks as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import special

from reproduction.paper.audit import gains as printed_gains
from reproduction.paper.tables import RUNS, load_table
from reproduction.verdicts.finding import Limits

Tables = tuple[pd.DataFrame, ...]

#: How much of the claimed effect is there.
TRUTHS: Mapping[str, float] = {"paper": 1.0, "half": 0.5, "none": 0.0}

#: Share of the effect and a generator -> tables as the rule takes them.
Sampler = Callable[[float, np.random.Generator], Tables]


class Draw(NamedTuple):
    """How the tables of a claim are drawn.

    Attributes:
        prepare: limits, measured tables and how many times as many runs -> a sampler.
        paper: what holds if the paper is right, in words.
        none: what holds if it is wrong.
        unit: what is drawn anew: a key of ``Finding.n``.
        more: whether more of them could be had.
        design: the paper's own runs, where they can be drawn from its printed ± alone.
    """

    prepare: Callable[[Limits, Tables, int], Sampler]
    paper: str
    none: str
    unit: str = "pair"
    more: bool = True
    design: Callable[[], Tables] | None = None


CELL = ["model", "dataset", "recipe"]

#: In points: accuracies are shares of whole images, of 2,000 in most small runs. A common unit also
#: keeps the exact sign-flip test fast.
STEP = 0.05


# --- pairs of runs ---


def gains(limits: Limits, tables: Tables, times: int) -> Sampler:
    """Pairs that gain what their cells of Table 3 print; none: 0."""
    pairs = more(tables[0], times)
    return around(pairs, "gain", CELL, _printed_gains(pairs), 0.0, step=STEP)


def margins(limits: Limits, tables: Tables, times: int) -> Sampler:
    """Pairs that gain what is printed; none: as much as the margin for no effect."""
    pairs = more(tables[0], times)
    return around(pairs, "gain", CELL, _printed_gains(pairs), limits["margin"], step=STEP)


def shares(limits: Limits, tables: Tables, times: int) -> Sampler:
    """Pairs that close the whole distance to γ; none: nothing of it."""
    return around(more(tables[0], times), "share", CELL, 1.0, 0.0)


def changes(limits: Limits, tables: Tables, times: int) -> Sampler:
    """PoolFormer's SS_rate stays; none: it moves by the margin.

    So the text has it; by Table 3 it moves more, and the paper contradicts itself.
    """
    pairs = more(tables[0], times)
    return around(pairs, "change", ["model", "dataset"], 0.0, limits["margin"])


def rates_of_table_3(limits: Limits, tables: Tables, times: int) -> Sampler:
    """Runs that end at the printed SS_rates; none: all at their mean."""
    runs, printed = more(tables[0], times), load_table(3).set_index(_ARM)["ss_rate_mean"]
    own = printed.reindex(pd.MultiIndex.from_frame(runs[_ARM])).to_numpy(float)
    return around(runs, "rate", _ARM, own, printed.mean())


_ARM = ["model", "dataset", "arm"]


# --- the paper's own runs ---


@cache
def printed_pairs() -> Tables:
    """Table 3 as pairs: ten a cell, with the gain and the scatter that it prints; change: of
    SS_rate.
    """
    table = load_table(3)
    table = table.assign(
        **{name: table[name].clip(lower=_LEAST) for name in ("top1_std", "ss_rate_std")}
    )
    both = table.pivot_table(index=["model", "dataset"], columns="arm", sort=False)
    family, scores, parts = load_table(1).set_index("model")["family"], _scores(), []
    for (model, dataset), row in both.iterrows():
        cell = {"model": model, "family": family[model], "dataset": dataset, "recipe": "paper"}
        part = pd.DataFrame({**cell, "seed": np.arange(RUNS)})
        for column, name in (("gain", "top1"), ("change", "ss_rate")):
            mean, std = row[f"{name}_mean"], row[f"{name}_std"]
            off = np.hypot(std["constrained"], std["baseline"])
            part[column] = mean["constrained"] - mean["baseline"] + off * scores
        parts.append(part)
    return (pd.concat(parts, ignore_index=True),)


@cache
def printed_runs() -> Tables:
    """Table 3's SS_rates as runs: ten a cell and arm, with the scatter that it prints."""
    table, scores = load_table(3), _scores()
    parts = [
        pd.DataFrame(
            {
                **{key: getattr(row, key) for key in _ARM},
                "rate": row.ss_rate_mean + max(row.ss_rate_std, _LEAST) * scores,
            }
        )
        for row in table.itertuples()
    ]
    return (pd.concat(parts, ignore_index=True),)


#: A printed ± of 0.00 says less than half of the last digit.
_LEAST = 0.005


def _scores() -> np.ndarray:
    """As many numbers as the paper has runs, with mean 0 and standard deviation 1."""
    scores = special.ndtri((np.arange(RUNS) + 0.5) / RUNS)
    return scores / scores.std(ddof=1)


DRAWS: Mapping[str, Draw] = {
    "helps": Draw(gains, "Table 3's gains", "no network gains", design=printed_pairs),
    "average-gain": Draw(gains, "Table 3's gains", "no network gains", design=printed_pairs),
    "up-to-six": Draw(gains, "Table 3's gain", "no gain", design=printed_pairs),
    "toward-target": Draw(shares, "γ is reached", "nothing of the distance to γ is closed"),
    "negligible": Draw(
        margins, "Table 3's gains", "gains as large as the margin", design=printed_pairs
    ),
    "vgg-drop": Draw(gains, "Table 3's drops", "VGG stays as it is", design=printed_pairs),
    "poolformer-response": Draw(
        changes, "SS_rate stays, as the text says", "it moves by the margin", design=printed_pairs
    ),
    "table3-rates": Draw(
        rates_of_table_3, "Table 3's values", "all networks alike", "run", design=printed_runs
    ),
}


# --- shared ---


def more(table: pd.DataFrame, times: int) -> pd.DataFrame:
    """The table, repeated; its seeds, where it has them, go on."""
    parts = [table] * times
    if "seed" in table:
        step = int(table["seed"].max()) + 1 if len(table) else 0
        parts = [table.assign(seed=table["seed"] + k * step) for k in range(times)]
    return pd.concat(parts, ignore_index=True)


def around(
    table: pd.DataFrame,
    column: str,
    by: Sequence[str],
    paper: ArrayLike,
    none: ArrayLike,
    *,
    step: float = 0.0,
) -> Sampler:
    """The table with normal values around means, each group with the scatter that it has; groups of
    one have the scatter of the others.

    Args:
        paper, none: the means at the two ends, of each row or of all.
        step: the values are whole multiples of it; 0: any.
    """
    groups = table.groupby(list(by), sort=False)[column]
    pooled = np.sqrt(groups.var().mean())
    spread = groups.transform("std").fillna(pooled if pooled > 0 else 0.0).to_numpy()
    low = np.broadcast_to(np.asarray(none, dtype=float), len(table))

    def sample(share: float, random: np.random.Generator) -> Tables:
        values = random.normal(low + share * (np.asarray(paper) - low), spread)
        if step:
            values = np.round(values / step) * step
        return (table.assign(**{column: values}),)

    return sample


@cache
def _gains_in_print() -> Mapping[object, float]:
    return printed_gains()["gain"].to_dict()


def _printed_gains(pairs: pd.DataFrame) -> np.ndarray:
    cells = pairs[["model", "dataset"]].itertuples(index=False, name=None)
    return np.array([_gains_in_print().get(cell, 0.0) for cell in cells])
