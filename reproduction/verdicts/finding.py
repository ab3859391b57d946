"""What records say about a claim."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from reproduction import machine
from reproduction.stats import Interval, mean_interval


@dataclass(frozen=True)
class Finding:
    """What records say about a claim.

    Attributes:
        outcome: a key of `IN_SMALL`.
        ours: the measured value in words and numbers, with its spread; "" if not run.
        n: how many runs (networks, pairs of runs, layers) are behind it.
        hardware: what they ran on.
    """

    outcome: str = "not run"
    ours: str = ""
    n: str = ""
    hardware: str = ""


NOT_RUN = Finding()

_TOO_FEW = "too few runs yet"

#: Pairs below which no sign-flip test can reach p < 0.05.
_FEWEST = 6

_Limits = Mapping[str, float]

_Root = str | os.PathLike[str]

_Pair = tuple[Finding, Finding | None]


def _percent(share: pd.Series) -> str:
    low, high = (f"{100 * value:.1f}" for value in (share.min(), share.max()))
    return f"{low} %" if low == high else f"{low} to {high} %"


def _intervals(pairs: pd.DataFrame, by: list[str], column: str) -> dict[Any, Interval]:
    """Mean and interval of each group of at least three pairs."""
    groups = pairs.dropna(subset=[column]).groupby(by if len(by) > 1 else by[0], sort=False)[column]
    return {key: mean_interval(part) for key, part in groups if len(part) >= 3}


def _points(gain: pd.Series) -> str:
    return f"{gain.mean():+.2f} points, one pair" if len(gain) == 1 else _of(mean_interval(gain))


def _of(interval: Interval) -> str:
    """Mean and half the width of the 95 % interval."""
    return f"{interval.mean:+.2f} ± {(interval.high - interval.low) / 2:.2f} points"


def _count_runs(runs: pd.DataFrame) -> str:
    return f"{_count(len(runs), 'run')}, {_count(runs['model'].nunique(), 'model')}"


def _count_pairs(pairs: pd.DataFrame) -> str:
    recipes = " and ".join(sorted(pairs["recipe"].unique()))
    return f"{_count(len(pairs), 'pair')}, {recipes}"


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"


def _hardware(runs: pd.DataFrame) -> str:
    """What the runs ran on, by name, without the makers' decoration."""
    if "device.name" not in runs or runs.empty:
        return ""
    return machine.names(runs[["device.type", "device.name"]].itertuples(index=False))
