"""The few statistics that verdicts rest on: intervals, paired tests, and what a small study could
have seen at all.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Sequence
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

    >>> table = pd.DataFrame({"x": range(12), "net": list("abcd") * 3})
    >>> str(rank_correlation(table.assign(y=table["x"] ** 2), "x", "y", "net"))
    '1.00 [1.00, 1.00]'

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
        return RankCorrelation(rho(np.arange(len(table))), interval, len(table))


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

    >>> [round(number, 3) for number in mean_interval([1.0, 2.0, 3.0])]
    [2.0, -0.484, 4.484, 3]

    Args:
        values: n numbers, n >= 1.
        confidence: of the interval, above 0 and below 1.

    Returns:
        Mean, limits and n; the limits of a single value are NaN, as nothing is known of its spread.

    Raises:
        ValueError: no values, values that are not finite, or a confidence out of range.
    """
    x = _vector("values", values)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence!r}")
    if len(x) == 1:
        return Interval(float(x[0]), math.nan, math.nan, 1)
    if not np.ptp(x):  # no spread at all: scipy has no interval of width 0
        return Interval(float(x[0]), float(x[0]), float(x[0]), len(x))
    low, high = scipy_stats.t.interval(confidence, len(x) - 1, x.mean(), scipy_stats.sem(x))
    return Interval(float(x.mean()), float(low), float(high), len(x))


def sign_flip_test(differences: ArrayLike, *, seed: int = 0, max_exact: int = 2**16) -> Estimate:
    """Whether paired differences have mean 0: the share of sign patterns whose mean is at least as
    far from 0.

    If the pairing makes no difference, each value could as well have had the other sign. n pairs
    give no p below 2 / 2**n: five of them can never reach 0.05.

    >>> sign_flip_test([0.5, 0.75, 1.0])
    Estimate(estimate=0.75, p=0.25)

    Args:
        differences: one per pair.
        seed: of the random patterns.
        max_exact: all 2**n patterns are counted where there are at most so many; else so many
            random ones, and p is never below 1 / (max_exact + 1).

    Raises:
        ValueError: no differences, or differences that are not finite.
    """
    x = _vector("differences", differences)
    if len(x) == 1:  # scipy refuses it; both signs are as far from 0
        return Estimate(float(x[0]), 1.0)
    done = scipy_stats.permutation_test(
        (x,),
        lambda d, axis: d.mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=max_exact,
        rng=np.random.default_rng(seed),
    )
    return Estimate(float(x.mean()), float(done.pvalue))


def smallest_effect(
    differences_sd: float, n: int, *, alpha: float = 0.05, power: float = 0.8
) -> float:
    """The smallest mean difference that a paired t-test of n pairs finds with probability `power`.

    A study that found nothing says much about effects above it, and little about those below.

    >>> round(smallest_effect(1.0, 10), 3)
    0.996

    Args:
        differences_sd: standard deviation of the paired differences; the result has its unit.
        n: number of pairs, 2 or more.
        alpha: two-sided level of the test, below 0.5.
        power: at least 0.5, below 1.

    Raises:
        ValueError: an argument is out of range.
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

    # Not statsmodels' TTestPower.solve_power: for 3 pairs, level 0.01 and power 0.9 it answers 4.19
    # (version 0.15), an effect whose power by its own account is 0.41.
    def missing(shift: float) -> float:
        """Power short of what is asked; shift: the mean difference in standard errors."""
        return float(scipy_stats.nct.sf(limit, n - 1, shift)) - power  # the wrong tail is tiny

    high = 2.0
    while missing(high) < 0:
        high *= 1.5
    return float(optimize.brentq(missing, 0, high)) * differences_sd / math.sqrt(n)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for their number by Holm's step-down method, in the order given.

    >>> [round(p, 6) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]

    Raises:
        ValueError: a value is not between 0 and 1.
    """
    from statsmodels.stats.multitest import multipletests

    p = np.asarray(p_values, dtype=float)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"p_values must be numbers between 0 and 1, got {p_values!r}")
    return multipletests(p, method="holm")[1].tolist() if len(p) else []


def welch(mean1: float, std1: float, n1: int, mean2: float, std2: float, n2: int) -> Welch:
    """Welch's two-sided t-test from printed means and standard deviations (n - 1 in their
    denominator).

    >>> [round(number, 3) for number in welch(12.0, 1.0, 10, 11.0, 1.0, 10)]
    [1.0, 0.06, 1.94, 2.236, 18.0, 0.038]

    Returns:
        The test of mean1 - mean2. Where both standard deviations are 0 (as after rounding), t is
        infinite and the interval a point, or all but the difference is NaN if the means are equal.

    Raises:
        ValueError: a standard deviation is negative, or a side has fewer than 2 values.
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
        t = math.copysign(math.inf, difference)
        return Welch(difference, difference, difference, t, math.nan, 0.0)
    t, p = scipy_stats.ttest_ind_from_stats(mean1, std1, n1, mean2, std2, n2, equal_var=False)
    # scipy keeps the degrees of freedom, and with them the interval, to itself here
    df = sum(parts) ** 2 / (parts[0] ** 2 / (n1 - 1) + parts[1] ** 2 / (n2 - 1))
    low, high = scipy_stats.t.interval(0.95, df, difference, error)
    return Welch(difference, float(low), float(high), float(t), df, float(p))


def spearman_exact(x: ArrayLike, y: ArrayLike, *, max_n: int = 9) -> Estimate:
    """Spearman's rank correlation and its exact two-sided p: the share of all n! pairings at least
    as strong.

    Ties share their mean rank. For n = 7, as in Tables 4 and 5, that is 5040 pairings, and rho has
    to reach 0.786 for p < 0.05; the usual approximations are poor there.

    >>> spearman_exact([1, 2, 3, 4], [10, 20, 30, 40])
    Estimate(estimate=1.0, p=0.08333333333333333)

    Args:
        x, y: of the same length, 3 to `max_n`.
        max_n: the most pairs; 9! = 362,880 pairings take a moment.

    Raises:
        ValueError: lengths that differ or are out of range, values that are not finite, or a side
            whose values are all equal.
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
