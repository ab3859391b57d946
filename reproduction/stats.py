"""The few statistics that verdicts rest on: intervals, paired tests, and what a small study could
have seen at all.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import optimize
from scipy import stats as scipy_stats


@dataclass(frozen=True)
class Explained:
    """How much of a measure others explain, by ordinary least squares with an intercept.

    Attributes:
        r2: share of the variance explained.
        interval: of r2, 95 %, from resampling whole groups.
        r2_left_out: the same for groups that the fit has not seen, each left out once; can be
            negative.
        residual: standard deviation of what is left, in the unit of the measure.
        coefficients: per explaining column, in units of the measure per standard deviation of the
            column.
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

    Args:
        table: one row per layer, say; rows with a NaN in a column that is used are left out.
        target, by: the column to explain, and those to explain it by, all numbers.
        group: the column of the groups, such as the network a layer belongs to; at least 3.
        resamples: draws of groups with replacement, for the interval.

    Raises:
        ValueError: a column is missing, or too few rows or groups are left.

    >>> table = pd.DataFrame({"x": range(12), "net": list("abcd") * 3}).assign(y=lambda t: 2.0 * t["x"])
    >>> found = explained(table, "y", ["x"], "net")
    >>> round(found.r2, 6), found.n, found.groups
    (1.0, 12, 4)
    """
    missing = [column for column in (target, *by, group) if column not in table]
    if missing:
        raise ValueError(f"columns {missing} are not in the table, which has {list(table.columns)}")
    table = table[[target, *by, group]].dropna()
    codes, names = pd.factorize(table[group])
    if len(names) < 3 or len(table) <= len(by) + 2:
        raise ValueError(
            f"{len(table)} rows of {len(names)} groups are left; expected at least {len(by) + 3} of 3"
        )
    y = table[target].to_numpy(dtype=np.float64)
    X = table[list(by)].to_numpy(dtype=np.float64)
    X = np.column_stack([np.ones(len(X)), (X - X.mean(0)) / X.std(0)])

    def fit(rows: np.ndarray) -> np.ndarray:
        return np.linalg.lstsq(X[rows], y[rows], rcond=None)[0]

    def score(rows: np.ndarray) -> float:
        left = y[rows] - X[rows] @ fit(rows)
        return 1 - left @ left / max(np.sum((y[rows] - y[rows].mean()) ** 2), 1e-300)

    members = [np.flatnonzero(codes == k) for k in range(len(names))]
    rng = np.random.default_rng(seed)
    drawn = [
        score(np.concatenate([members[k] for k in rng.integers(0, len(names), len(names))]))
        for _ in range(resamples)
    ]
    everything = np.arange(len(y))
    coefficients = fit(everything)
    left_out = np.concatenate(
        [y[rows] - X[rows] @ fit(np.setdiff1d(everything, rows)) for rows in members]
    )
    spread = np.sum((y - y.mean()) ** 2)
    return Explained(
        r2=float(score(everything)),
        interval=tuple(float(q) for q in np.quantile(drawn, [0.025, 0.975]))
        if drawn
        else (math.nan, math.nan),
        r2_left_out=float(1 - left_out @ left_out / spread),
        residual=float((y - X @ coefficients).std(ddof=len(coefficients))),
        coefficients=dict(zip(by, map(float, coefficients[1:]))),
        n=len(y),
        groups=len(names),
    )


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's rank correlation of two columns, and its 95 % interval from resampling whole
    groups.
    """

    rho: float
    interval: tuple[float, float]
    n: int

    def __str__(self) -> str:
        return f"{self.rho:.2f} [{self.interval[0]:.2f}, {self.interval[1]:.2f}]"


def rank_correlation(
    table: pd.DataFrame, x: str, y: str, group: str, *, resamples: int = 1000, seed: int = 0
) -> RankCorrelation:
    """Whether two columns put the rows in the same order, with an interval that allows for alike
    rows of one group.

    Rows with a NaN in either column are left out. Raises ValueError if a column is missing or fewer
    than 3 groups are left.

    >>> table = pd.DataFrame({"x": range(12), "net": list("abcd") * 3}).assign(y=lambda t: t["x"] ** 2)
    >>> str(rank_correlation(table, "x", "y", "net"))
    '1.00 [1.00, 1.00]'
    """
    missing = [column for column in (x, y, group) if column not in table]
    if missing:
        raise ValueError(f"columns {missing} are not in the table, which has {list(table.columns)}")
    table = table[[x, y, group]].dropna()
    codes, names = pd.factorize(table[group])
    if len(names) < 3:
        raise ValueError(
            f"{len(table)} rows of {len(names)} groups are left; expected at least 3 groups"
        )

    def rho(rows: np.ndarray) -> float:
        ranks = [table[column].iloc[rows].rank().to_numpy() for column in (x, y)]
        return float(np.corrcoef(*ranks)[0, 1]) if all(np.ptp(r) > 0 for r in ranks) else math.nan

    members, rng = (
        [np.flatnonzero(codes == k) for k in range(len(names))],
        np.random.default_rng(seed),
    )
    drawn = [
        rho(np.concatenate([members[k] for k in rng.integers(0, len(names), len(names))]))
        for _ in range(resamples)
    ]
    interval = (
        tuple(float(q) for q in np.nanquantile(drawn, [0.025, 0.975]))
        if drawn
        else (math.nan, math.nan)
    )
    return RankCorrelation(rho(np.arange(len(table))), interval, len(table))


class Interval(NamedTuple):
    """A mean and its confidence interval; `n` is the number of values behind it."""

    mean: float
    low: float
    high: float
    n: int


class Estimate(NamedTuple):
    """An estimate and the two-sided p-value of its being zero."""

    estimate: float
    p: float


class Welch(NamedTuple):
    """Welch's test of two means: difference and its 95 % interval, in the unit of the means; t,
    degrees of freedom, p.
    """

    difference: float
    low: float
    high: float
    t: float
    df: float
    p: float


def mean_interval(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """Mean of independent values (runs of different seeds, say) with its t interval.

    values: n numbers, n >= 1; of a single one the limits are NaN, as nothing is known about the
    spread. Raises ValueError for no values, values that are not finite, and a confidence outside
    0..1.

    >>> [round(number, 3) for number in mean_interval([1.0, 2.0, 3.0])]
    [2.0, -0.484, 4.484, 3]
    """
    x = _vector("values", values)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence!r}")
    if len(x) == 1:
        return Interval(float(x[0]), math.nan, math.nan, 1)
    half = scipy_stats.t.ppf((1 + confidence) / 2, len(x) - 1) * x.std(ddof=1) / math.sqrt(len(x))
    return Interval(float(x.mean()), float(x.mean() - half), float(x.mean() + half), len(x))


def sign_flip_test(differences: ArrayLike, *, seed: int = 0, max_exact: int = 2**16) -> Estimate:
    """Whether paired differences have mean 0: the share of sign patterns whose mean is at least as
    far from 0.

    If the pairing makes nothing, each difference could as well have had the other sign. All 2**n
    patterns are counted where they are at most `max_exact`; else `max_exact` random ones, drawn by
    `seed`, and p is never below 1 / (max_exact + 1). So n pairs give no p below 2 / 2**n: five of
    them can never reach 0.05.

    Raises ValueError for no differences, or differences that are not finite.

    >>> sign_flip_test([0.5, 0.75, 1.0])
    Estimate(estimate=0.75, p=0.25)
    """
    x = _vector("differences", differences)
    if len(x) == 1:  # scipy refuses it; both signs are as far from 0
        return Estimate(float(x[0]), 1.0)
    done = scipy_stats.permutation_test(
        (x,), lambda d, axis: d.mean(axis=axis), permutation_type="samples", vectorized=True, n_resamples=max_exact,
        rng=np.random.default_rng(seed),
    )  # fmt: skip
    return Estimate(float(x.mean()), float(done.pvalue))


def smallest_effect(
    differences_sd: float, n: int, *, alpha: float = 0.05, power: float = 0.8
) -> float:
    """The smallest mean difference that a paired t-test of n pairs finds with probability `power`.

    A study that found nothing says something about effects above this value, and little about those
    below.

    Args:
        differences_sd: standard deviation of the paired differences; the result has its unit.
        n: number of pairs, 2 or more.
        alpha: two-sided level of the test.

    Raises ValueError for a negative or infinite differences_sd, n below 2, and alpha or power out
    of range.

    >>> round(smallest_effect(1.0, 10), 3)
    0.996
    """
    if not 0 <= differences_sd < math.inf:
        raise ValueError(f"differences_sd must be finite and at least 0, got {differences_sd!r}")
    if n < 2:
        raise ValueError(f"n must be at least 2 pairs, got {n!r}")
    if not (0 < alpha < 0.5 <= power < 1):
        raise ValueError(
            f"alpha and power must hold 0 < alpha < 0.5 <= power < 1, got {alpha!r} and {power!r}"
        )
    limit = scipy_stats.t.ppf(1 - alpha / 2, n - 1)

    def missing(
        shift: float,
    ) -> float:  # shift: mean difference in standard errors; the wrong tail is negligible
        return scipy_stats.nct.sf(limit, n - 1, shift) - power

    high = 2.0
    while missing(high) < 0:
        high *= 1.5
    return float(optimize.brentq(missing, 0, high)) * differences_sd / math.sqrt(n)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for their number by Holm's step-down method, in the order given.

    Raises ValueError for a value that is not between 0 and 1.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=float)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"p_values must be numbers between 0 and 1, got {p_values!r}")
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(stepped, 1)
    return corrected.tolist()


def welch(mean1: float, std1: float, n1: int, mean2: float, std2: float, n2: int) -> Welch:
    """Welch's two-sided t-test from printed means and standard deviations (n - 1 in their
    denominator).

    The difference is mean1 - mean2. Where both standard deviations are 0 (as after rounding), t is
    infinite and the interval a point, or all but the difference is NaN if the means are equal too.

    Raises ValueError for a negative standard deviation and for fewer than 2 values on a side.

    >>> [round(number, 3) for number in welch(12.0, 1.0, 10, 11.0, 1.0, 10)]
    [1.0, 0.06, 1.94, 2.236, 18.0, 0.038]
    """
    for name, std, n in (("1", std1, n1), ("2", std2, n2)):
        if not 0 <= std < math.inf or n < 2:
            raise ValueError(
                f"std{name} must be at least 0 and n{name} at least 2, got {std!r} and {n!r}"
            )
    difference, parts = float(mean1 - mean2), (std1**2 / n1, std2**2 / n2)
    error = math.sqrt(sum(parts))
    if error == 0:
        if difference == 0:
            return Welch(0.0, *[math.nan] * 5)
        return Welch(
            difference, difference, difference, math.copysign(math.inf, difference), math.nan, 0.0
        )
    df = sum(parts) ** 2 / (parts[0] ** 2 / (n1 - 1) + parts[1] ** 2 / (n2 - 1))
    t, half = difference / error, float(scipy_stats.t.ppf(0.975, df)) * error
    return Welch(
        difference,
        difference - half,
        difference + half,
        t,
        df,
        float(2 * scipy_stats.t.sf(abs(t), df)),
    )


def spearman_exact(x: ArrayLike, y: ArrayLike, *, max_n: int = 9) -> Estimate:
    """Spearman's rank correlation and its exact two-sided p: the share of all n! pairings at least
    as strong.

    Ties share their mean rank. For n = 7, as in Tables 4 and 5, that is 5040 pairings, and rho has
    to reach 0.786 for p < 0.05; the usual approximations are poor there.

    Raises ValueError for lengths that differ, fewer than 3 pairs, more than `max_n` (9! = 362,880
    pairings), values that are not finite, and a side whose values are all equal.

    >>> spearman_exact([1, 2, 3, 4], [10, 20, 30, 40])
    Estimate(estimate=1.0, p=0.08333333333333333)
    """
    a, b = _vector("x", x), _vector("y", y)
    if len(a) != len(b) or not 3 <= len(a) <= max_n:
        raise ValueError(
            f"x and y have lengths {len(a)} and {len(b)}; expected the same, from 3 to {max_n}"
        )
    ranks = [scipy_stats.rankdata(side) for side in (a, b)]
    if any(np.ptp(side) == 0 for side in ranks):
        raise ValueError("x or y has the same value throughout: it has no ranks to correlate")
    u, v = (side - side.mean() for side in ranks)
    scale = math.sqrt((u @ u) * (v @ v))
    every = v[np.array(list(itertools.permutations(range(len(v)))))] @ u / scale
    rho = float(u @ v / scale)
    return Estimate(rho, float((np.abs(every) >= abs(rho) - 1e-9).mean()))


def _vector(name: str, values: ArrayLike) -> np.ndarray:
    x = np.asarray(values, dtype=float)
    if x.ndim != 1 or not len(x) or not np.isfinite(x).all():
        raise ValueError(
            f"{name} must be a list of at least one finite number, got shape {x.shape}: {values!r}"
        )
    return x
