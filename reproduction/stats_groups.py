"""Statistics of rows that belong to groups, such as layers to networks: the rows of one group are
alike, so that whole groups are resampled or left out.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats as scipy_stats


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


@dataclass(frozen=True)
class Explained:
    """How much of a measure others explain, by ordinary least squares with an intercept.

    Attributes:
        r2: share of the variance explained.
        interval: of r2, 95 %, from resampling whole groups.
        r2_left_out: for groups that the fit has not seen, each left out once; can be negative.
        residual: standard deviation of what is left, in the unit of the measure.
        coefficients: per explaining column, units of the measure per standard deviation of it.
        n, groups: rows and groups.
    """

    r2: float
    interval: tuple[float, float]
    r2_left_out: float
    residual: float
    coefficients: dict[str, float]
    n: int
    groups: int


def explained(
    table: pd.DataFrame,
    target: str,
    by: Sequence[str],
    group: str,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> Explained:
    """How much of a column others explain, with an interval that allows for rows of one group being
    alike.

    >>> table = pd.DataFrame({"x": range(12), "net": list("abcd") * 3})
    >>> found = explained(table.assign(y=2.0 * table["x"]), "y", ["x"], "net")
    >>> round(found.r2, 6), found.n, found.groups
    (1.0, 12, 4)

    Args:
        table: one row per layer, say; rows with a NaN in a column that is used are left out.
        target, by: the column to explain, and those to explain it by, all numbers.
        group: the column of the groups, such as the network a layer belongs to; at least 3.
        resamples: draws of groups with replacement, for the interval.

    Raises:
        ValueError: a column is missing, or too few rows or groups are left.
    """
    from sklearn.linear_model import LinearRegression
    from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict

    table, groups = _grouped(table, (target, *by), group, rows=len(by) + 3)
    y = table[target].to_numpy(dtype=np.float64)
    X = table[list(by)].to_numpy(dtype=np.float64)
    X = (X - X.mean(0)) / X.std(0)
    with_intercept = np.column_stack([np.ones(len(X)), X])

    def r2(rows: np.ndarray) -> float:  # by hand: scikit-learn takes eight times as long
        A, b = with_intercept[rows], y[rows]
        left = b - A @ np.linalg.lstsq(A, b, rcond=None)[0]
        return float(1 - left @ left / max(np.sum((b - b.mean()) ** 2), 1e-300))

    interval = _group_interval(groups, r2, resamples, seed)
    model = LinearRegression()
    unseen = cross_val_predict(model, X, y, groups=groups, cv=LeaveOneGroupOut())
    model.fit(X, y)
    left, spread = y - model.predict(X), np.sum((y - y.mean()) ** 2)
    return Explained(
        r2=float(model.score(X, y)),
        interval=interval,
        r2_left_out=float(1 - np.sum((y - unseen) ** 2) / spread),
        residual=float(left.std(ddof=len(by) + 1)),
        coefficients=dict(zip(by, map(float, model.coef_), strict=True)),
        n=len(y),
        groups=int(groups.max()) + 1,
    )


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's rank correlation of two columns over all rows, and what the groups say of it.

    Attributes:
        rho, n: over all rows, and how many.
        interval: of rho, 95 %, from resampling whole groups.
        left_out: smallest and largest rho when one group is left out.
        within: median over groups of the rank correlation inside a group.
        alike, groups: how many groups have inside the sign of rho, of how many in which there is an
            order: 3 rows or more, and both columns vary.
    """

    rho: float
    interval: tuple[float, float]
    n: int
    left_out: tuple[float, float]
    within: float
    alike: int
    groups: int

    def __str__(self) -> str:
        return f"{self.rho:.2f} [{self.interval[0]:.2f}, {self.interval[1]:.2f}]"

    def inside(self) -> str:
        """The median inside a group, and how many groups share the sign of rho."""
        return f"{self.within:.2f} ({self.alike} of {self.groups})" if self.groups else "–"


def rank_correlation(
    table: pd.DataFrame, x: str, y: str, group: str, *, resamples: int = 1000, seed: int = 0
) -> RankCorrelation:
    """Whether two columns put the rows in the same order, over all rows with an interval that
    allows for alike rows of one group, and inside the groups.

    >>> table = pd.DataFrame({"x": range(12), "net": list("abcd") * 3})
    >>> found = rank_correlation(table.assign(y=table["x"] ** 2), "x", "y", "net")
    >>> str(found), found.within, found.alike, found.groups
    ('1.00 [1.00, 1.00]', 1.0, 4, 4)

    Args:
        table: one row per layer, say; rows with a NaN in either column are left out.
        x, y: the two columns.
        group: the column of the groups; at least 3.
        resamples: draws of groups with replacement, for the interval.

    Raises:
        ValueError: a column is missing, or fewer than 3 groups are left.
    """
    table, groups = _grouped(table, (x, y), group, rows=3)
    values = table[[x, y]].to_numpy(dtype=np.float64)

    def rho(rows: np.ndarray) -> float:
        return float(scipy_stats.spearmanr(values[rows]).statistic)

    with warnings.catch_warnings():
        # a draw in which a column does not vary has no order, and is left out of the interval
        warnings.simplefilter("ignore", scipy_stats.ConstantInputWarning)
        interval = _group_interval(groups, rho, resamples, seed)
        whole, numbers = rho(np.arange(len(table))), range(groups.max() + 1)
        others = [rho(np.flatnonzero(groups != k)) for k in numbers]
        inside = [rho(np.flatnonzero(groups == k)) for k in numbers if (groups == k).sum() > 2]
    inside = [own for own in inside if not math.isnan(own)]
    return RankCorrelation(
        rho=whole,
        interval=interval,
        n=len(table),
        left_out=(min(others), max(others)),
        within=float(np.median(inside)) if inside else math.nan,
        alike=sum(own * whole > 0 for own in inside),
        groups=len(inside),
    )


def _grouped(
    table: pd.DataFrame, columns: Sequence[str], group: str, *, rows: int
) -> tuple[pd.DataFrame, np.ndarray]:
    """The complete rows of some columns, and the number of the group that each belongs to.

    rows: how many are needed; 3 groups always are.
    """
    missing = [column for column in (*columns, group) if column not in table]
    if missing:
        raise ValueError(f"columns {missing} are not in the table, which has {list(table.columns)}")
    table = table[[*columns, group]].dropna()
    groups, names = pd.factorize(table[group])
    if len(names) < 3 or len(table) < rows:
        raise ValueError(
            f"{len(table)} rows of {len(names)} groups are left; expected at least {rows} of 3"
        )
    return table, groups


def _group_interval(
    groups: np.ndarray, statistic: Callable[[np.ndarray], float], resamples: int, seed: int
) -> tuple[float, float]:
    """The 95 % interval of a statistic of rows, from drawing whole groups with replacement.

    groups: number of each row's group; resamples: 0 gives NaN.
    """
    members = [np.flatnonzero(groups == k) for k in range(groups.max() + 1)]
    rng = np.random.default_rng(seed)
    drawn = [
        statistic(np.concatenate([members[k] for k in rng.integers(0, len(members), len(members))]))
        for _ in range(resamples)
    ]
    low, high = np.nanquantile(drawn, [0.025, 0.975]) if drawn else (math.nan, math.nan)
    return float(low), float(high)
