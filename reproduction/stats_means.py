"""Estimates with their standard errors: means over seeds, their differences and averages, and how
they lie beside a margin.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special


class Mean(NamedTuple):
    """An estimate, its standard error, and the degrees of freedom of that error."""

    value: float
    error: float
    df: float

    def low(self, level: float = 0.05) -> float:
        """Lower end of the two-sided t interval that misses the truth with probability `level`."""
        return self.value - self._half(level)

    def high(self, level: float = 0.05) -> float:
        """Upper end of the same interval."""
        return self.value + self._half(level)

    def p(self) -> float:
        """Of the two-sided t test that the truth is 0.

        >>> round(Mean(1.0, 0.5, 9).p(), 3)
        0.077
        """
        if not self.error:
            return float(self.value == 0)
        return 2 * float(special.stdtr(self.df, -abs(self.value) / self.error))

    def _half(self, level: float) -> float:
        # scipy.stats.t takes a hundred times as long, and simulations ask thousands of times
        return float(special.stdtrit(self.df, 1 - level / 2)) * self.error if self.error else 0.0

    def minus(self, other: Mean) -> Mean:
        """The difference of two independent estimates."""
        return Mean(self.value - other.value, *_combined([self, other]))


def mean_of(values: ArrayLike) -> Mean:
    """The mean of independent values, at least two.

    >>> mean_of([1.0, 2.0, 3.0]).value, round(mean_of([1.0, 2.0, 3.0]).high(), 3)
    (2.0, 4.484)
    """
    x = np.asarray(values, dtype=float)
    if x.ndim != 1 or len(x) < 2:
        raise ValueError(
            f"values must be a list of at least two numbers, got shape {x.shape}: {values!r}"
        )
    return Mean(float(x.mean()), float(x.std(ddof=1)) / math.sqrt(len(x)), len(x) - 1)


def average(means: Collection[Mean]) -> Mean:
    """The unweighted mean of independent estimates; degrees of freedom by Welch and Satterthwaite.

    >>> average([Mean(1.0, 0.3, 9), Mean(3.0, 0.4, 9)]).value
    2.0
    """
    error, df = _combined(means)
    return Mean(float(np.mean([m.value for m in means])), error / len(means), df)


def _combined(means: Iterable[Mean]) -> tuple[float, float]:
    """Standard error of a sum or difference, and its degrees of freedom."""
    parts = [(m.error**2, m.df) for m in means]
    total = sum(variance for variance, _ in parts)
    if not total:
        return 0.0, math.inf
    return math.sqrt(total), total**2 / sum(variance**2 / df for variance, df in parts)


#: Where an estimate lies beside a margin around 0.
INSIDE, OUTSIDE, OPEN = "inside", "outside", "open"


def beside_margin(estimate: Mean, margin: float, level: float = 0.05) -> str:
    """Whether an estimate is equivalent to 0 within ± margin.

    "inside" if two one-sided t tests at `level` say so, "outside" if the two-sided interval of that
    level lies wholly beyond the margin, else "open".

    >>> beside_margin(Mean(0.1, 0.1, 20), 0.5), beside_margin(Mean(1.0, 0.3, 20), 0.5)
    ('inside', 'open')
    """
    if -margin <= estimate.low(2 * level) and estimate.high(2 * level) <= margin:
        return INSIDE
    beyond = estimate.low(level) > margin or estimate.high(level) < -margin
    return OUTSIDE if beyond else OPEN
