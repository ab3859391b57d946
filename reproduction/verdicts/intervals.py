"""Intervals of groups and groups that lie apart, as several rules look at them."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

from reproduction.stats import Interval, mean_interval

#: Runs below which no interval is given.
FEWEST_OF_INTERVAL = 3


def intervals(pairs: pd.DataFrame, by: list[str], column: str) -> dict[Any, Interval]:
    """Mean and interval of each group that has enough rows for one."""
    groups = pairs.dropna(subset=[column]).groupby(by if len(by) > 1 else by[0], sort=False)[column]
    return {key: mean_interval(part) for key, part in groups if len(part) >= FEWEST_OF_INTERVAL}


def signs(intervals: Mapping[Any, Interval]) -> tuple[int, int]:
    """How many intervals lie above 0, and how many below."""
    found = intervals.values()
    return sum(i.low > 0 for i in found), sum(i.high < 0 for i in found)


def mean(intervals: Mapping[Any, Interval]) -> float:
    return float(np.mean([i.mean for i in intervals.values()]))


def apart(values: pd.Series, group: Collection[str]) -> tuple[bool, float]:
    """Whether every member of a group lies below every other, and the exact one-sided p of its rank
    sum: the share of all groups of that size whose sum is as small.

    >>> apart(pd.Series([1, 2, 3, 4], ["a", "b", "c", "d"]), ("a", "b"))
    (True, 0.16666666666666666)
    """
    inside = values.index.isin(list(group))
    if inside.all() or not inside.any():
        raise ValueError(f"group: expected some of {list(values.index)} and not all, got {group}")
    ranks = values.rank().to_numpy()
    sums = [sum(part) for part in itertools.combinations(ranks, int(inside.sum()))]
    p = float(np.mean([total <= ranks[inside].sum() + 1e-9 for total in sums]))
    return bool(values[inside].max() < values[~inside].min()), p
