"""Intervals of groups, as several rules look at them."""

from __future__ import annotations

from collections.abc import Mapping
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
