"""The few statistics that verdicts rest on: intervals, paired tests, and what a small study could
have seen at all.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special
from scipy import stats as scipy_stats


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
    if not np.ptp(x):  # the mean of equal values is off by rounding
        return Interval(float(x[0]), float(x[0]), float(x[0]), len(x))
    mean, error = float(x.mean()), float(x.std(ddof=1)) / math.sqrt(len(x))
    # scipy.stats.t takes a hundred times as long, and simulations ask thousands of times
    half = float(special.stdtrit(len(x) - 1, (1 + confidence) / 2)) * error
    return Interval(mean, mean - half, mean + half, len(x))


def sign_flip_test(differences: ArrayLike) -> Estimate:
    """Whether paired differences have mean 0: the share of all sign patterns whose mean is at least
    as far from 0.

    If the pairing makes no difference, each value could as well have had the other sign. n pairs
    give no p below 2 / 2**n: five of them can never reach 0.05. Nothing is drawn at random.

    >>> sign_flip_test([0.5, 0.75, 1.0])
    Estimate(estimate=0.75, p=0.25)

    Args:
        differences: one per pair.

    Returns:
        Mean and p. Differences that are whole multiples of a common unit, as those of accuracies on
        a fixed number of images are, count as whole numbers, ties included: p is the exact share
        for up to 53 differences other than 0, and within 1e-12 of itself beyond. Others count as
        they are up to ``HALVED`` of them; beyond, on a grid so fine that p is too large by at most
        some thousandths of itself, and never too small.

    Raises:
        ValueError: no differences, or differences that are not finite.
    """
    x = _vector("differences", differences)
    sizes = np.abs(x[x != 0])
    unit = _common_unit(sizes)
    if unit:
        whole = np.rint(x / unit).astype(np.int64)
        share = _share_of_subsets(np.abs(whole[whole != 0]), _lesser(whole))
    elif len(sizes) <= HALVED:
        share = _share_of_sums(sizes, _lesser(x))
    else:
        # Rounded down, no sum that counts is lost.
        grid = sizes.sum() / (256 * len(sizes) ** 1.5)
        share = _share_of_subsets((sizes / grid).astype(np.int64), int(_lesser(x) / grid + 1e-6))
    return Estimate(float(x.mean()), min(1.0, 2 * share))


#: Differences without a common unit up to which all their sums are compared.
HALVED = 30

#: Relative size of what counts as rounding in a difference of two floats.
_ROUNDING = 1e-9


def _lesser(x: np.ndarray) -> float:
    """The smaller of the sums of the positive and of the negative values, as a size.

    A pattern's sum is as far from 0 as that of x where the values of one sign sum to no more.
    """
    return min(x[x > 0].sum(), -x[x < 0].sum())


def _common_unit(sizes: np.ndarray) -> float:
    """The largest number that all sizes, above 0, are whole multiples of; 0 if there is none that
    is large enough to count with.
    """
    if not len(sizes):
        return 0.0
    rounding = _ROUNDING * sizes.max()
    unit = 0.0
    for size in np.unique(sizes):
        a, b = float(size), unit
        while b > rounding:  # Euclid's algorithm
            a, b = b, abs(math.remainder(a, b))
        unit = a
        if sizes.sum() > unit * (2**14 if len(sizes) <= HALVED else 2**20):
            return 0.0
    whole = np.rint(sizes / unit)
    unit = float(sizes @ whole / (whole @ whole))  # the last of Euclid's remainders is the roughest
    return unit if np.abs(sizes - whole * unit).max() <= rounding else 0.0


def _share_of_subsets(sizes: np.ndarray, most: int) -> float:
    """The share of all subsets of whole numbers, none below 0, that sum to `most` or less."""
    shares = np.zeros(most + 1)
    shares[0], end = 1.0, 1
    for size in np.sort(sizes):
        end = min(end + int(size), most + 1)
        before = shares[: max(0, end - size)].copy()
        shares[:end] /= 2
        shares[size:end] += before / 2
    return float(shares.sum())


def _share_of_sums(sizes: np.ndarray, most: float) -> float:
    """The same of any numbers, none below 0: sums of one half of them, held against those of the
    other.
    """
    halves = []
    for half in (sizes[::2], sizes[1::2]):
        sums = np.zeros(1)
        for size in half:
            sums = np.concatenate([sums, sums + size])
        halves.append(sums)
    left = most + _ROUNDING * sizes.sum() - halves[0]
    counts = np.searchsorted(np.sort(halves[1]), left, side="right")
    return float(counts.sum()) / 2 ** len(sizes)


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
    p = np.asarray(p_values, dtype=float)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"p_values must be numbers between 0 and 1, got {p_values!r}")
    # Not statsmodels' multipletests: it collects garbage at every call, half of a scorecard's time.
    order = np.argsort(p)
    corrected = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return np.minimum(corrected, 1)[np.argsort(order)].tolist()


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
    a, b = (scipy_stats.rankdata(side) for side in _pair(x, y, max_n))
    u, v = a - a.mean(), b - b.mean()
    sizes = _rank_products(tuple(np.sort(u).tolist()), tuple(np.sort(v).tolist()))
    product, scale = abs(float(u @ v)), math.sqrt((u @ u) * (v @ v))
    weaker = int(np.searchsorted(sizes, product - 1e-9 * scale))
    return Estimate(float(u @ v / scale), (len(sizes) - weaker) / len(sizes))


def pearson_exact(x: ArrayLike, y: ArrayLike, *, max_n: int = 9) -> Estimate:
    """Pearson's correlation and its exact two-sided p, as `spearman_exact` has it of ranks.

    >>> pearson_exact([1, 2, 3, 4], [1, 2, 3, 4.5]).p
    0.08333333333333333
    """
    a, b = _pair(x, y, max_n)
    u, v = a - a.mean(), b - b.mean()
    scale = math.sqrt((u @ u) * (v @ v))
    every = np.abs(_pairings(tuple(np.sort(u).tolist())) @ v)
    rho = float(u @ v / scale)
    as_strong = np.count_nonzero(every >= (abs(rho) - 1e-9) * scale)
    return Estimate(rho, float(as_strong / len(every)))


def _pair(x: ArrayLike, y: ArrayLike, max_n: int) -> tuple[np.ndarray, np.ndarray]:
    a, b = _vector("x", x), _vector("y", y)
    if len(a) != len(b) or not 3 <= len(a) <= max_n:
        raise ValueError(
            f"x and y have lengths {len(a)} and {len(b)}; expected the same, from 3 to {max_n}"
        )
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        raise ValueError("x or y has the same value throughout: it has no ranks to correlate")
    return a, b


@lru_cache(maxsize=8)
def _rank_products(u: tuple[float, ...], v: tuple[float, ...]) -> np.ndarray:
    """The sizes of the products of two lists in every pairing, in their order."""
    return np.sort(np.abs(_pairings(u) @ np.array(v)))


@lru_cache(maxsize=8)
def _pairings(values: tuple[float, ...]) -> np.ndarray:
    """Some values in every order, a row each."""
    every = np.array(values)[np.array(list(itertools.permutations(range(len(values)))))]
    return np.asfortranarray(every)  # long columns multiply nine times as fast as short rows


def _vector(name: str, values: ArrayLike) -> np.ndarray:
    x = np.asarray(values, dtype=float)
    if x.ndim != 1 or not len(x) or not np.isfinite(x).all():
        raise ValueError(
            f"{name} must be a list of at least one finite number, got shape {x.shape}: {values!r}"
        )
    return x
