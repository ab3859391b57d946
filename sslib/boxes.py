"""From pair distances to SS_rate, one function per equation (Alg. 2).

The paper prints one box number and its authors' code runs another. Both are here: with x the
argument of the logarithm and p the share of pairs closer than theta::

    "printed"   N = 1 + (D - 1) log_D x,   x = D - (D - 1) p,   integral by the trapezoid rule
    "released"  N = D - (D - 1) log_D x,   x = 1 + (D - 1) p,   integral by a mean over thresholds

The printed formula needs two corrections before it can be computed, made here and nowhere else: p
counts pairs i != j only (with i = j the printed sum exceeds 1 and N is undefined), and Eq. 3 is
divided by log D (the printed factor D does not give the stated range 0 to 1).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sslib import checks
from sslib.distances import CACHED, CHUNK, Distances, distinct_pairs, on_host, wide

FORMULAS = ("released", "printed")
AXES = ("mean", "log", "linear")  #: of ``scale_free_rate``
_BINS = 2**13
_TIES = 256  # rounding errors of the largest: distances that differ by less are equal


class DegenerateDistances(UserWarning):
    """All pair distances are equal, so Eq. 4 reads 0/0 and SS_rate is NaN."""


@dataclass(frozen=True)
class BoxCurve:
    """The curve behind one SS_rate: T thresholds and what is counted at each (Fig. 1)."""

    theta: Tensor  #: (T,) thresholds in units of C, from TZ to TV, uniform in log(1 + theta)
    density: Tensor  #: (T,) p(theta), the share of pairs closer than theta, 0 to 1
    boxes: Tensor  #: (T,) N_theta, from D down to 1
    reference: Tensor  #: (T,) pf(theta), the line from log D to 0 that log N_theta is held against
    ss_rate: Tensor  #: 0-d, from 0 to 1
    theta_min: Tensor  #: 0-d, TZ, the smallest pair distance
    theta_max: Tensor  #: 0-d, TV, the largest pair distance


def box_curve(F: Tensor, *, formula: str = "released", thresholds: int = 256) -> BoxCurve:
    """N_theta against theta, the line it is held against, and the SS_rate between them (Alg. 2).

    >>> curve = box_curve(torch.tensor([[0.0], [1.0], [3.0]]), thresholds=3)
    >>> [round(n, 3) for n in curve.boxes.tolist()], curve.theta_max.item()
    ([3.0, 2.07, 1.458], 3.0)

    Args:
        F, formula, thresholds: as for ``ss_rate``.

    Returns:
        A BoxCurve of float64 tensors, on F's device. No gradient.

    Raises:
        ValueError: an argument is not as said above.
    """
    F = checks.matrix("F", F)
    check_curve(formula, thresholds)
    curve = curve_of(Distances(F), formula, thresholds)
    if curve.ss_rate.isnan():
        warn_degenerate(len(F))
    return curve


def thresholds(TZ: Tensor, TV: Tensor, T: int) -> Tensor:
    """T thresholds from TZ to TV, uniform in lo(theta) = log(1 + theta) (Eq. 5)."""
    s = torch.linspace(0, 1, T, dtype=TZ.dtype, device=TZ.device)  # (T,)
    small = torch.expm1(torch.lerp(TZ.log1p(), TV.log1p(), s))  # where 1 + theta loses digits
    theta = torch.where(TV < 1e-3, small, (1 + TZ) * ((1 + TV) / (1 + TZ)) ** s - 1).clamp(TZ, TV)
    theta[0], theta[-1] = TZ, TV  # rounding moves neither
    return theta


def density(pairs: Tensor | Distances, theta: Tensor, formula: str) -> Tensor:
    """p(theta) of Alg. 2: the share of the pairs (n,) below each of the thresholds (T,).

    "printed" counts those at theta as well, except at the ends, which are the same for both:
    nothing is below TZ, and at TV the largest pair is not counted.
    """
    edges = theta.to(pairs.dtype)
    TV = edges[-1]
    if formula == "printed":  # at most theta: below the next number
        inner = torch.nextafter(edges[1:-1], torch.full_like(edges[1:-1], math.inf))
        edges = torch.cat([edges[:1], inner, edges[-1:]])
    count = _below(pairs, edges.clamp(max=TV))
    return torch.where(edges > TV, pairs.numel(), count).to(theta.dtype) / pairs.numel()


def _below(pairs: Tensor | Distances, edges: Tensor) -> Tensor:
    """How many pairs are below each of the thresholds (T,), sorted from TZ to TV: (T,).

    On a CPU only those that share one of `_BINS` bins with a threshold are sorted. A bin's number
    never falls as the distance grows, rounding or not, so it decides for the others.
    """
    count = torch.zeros(len(edges), dtype=torch.int64, device=edges.device)
    if not on_host(edges.device):
        for part in pairs.split(CHUNK):
            count += torch.searchsorted(part.flatten().sort().values, edges)
        return count
    scale = (_BINS - 1) / (edges[-1] - edges[0])

    def bins(values: Tensor) -> Tensor:  # NaN and inf, where there is no pair, are in the last
        return (values - edges[0]).mul_(scale).nan_to_num_(_BINS, _BINS).clamp_(0, _BINS).int()

    own = bins(edges).long()  # (T,)
    held = count.new_zeros(_BINS + 1)
    mixed = held.bool().index_fill_(0, own, True)
    for part in pairs.split(CACHED):
        values = part.flatten()  # (n,)
        at = bins(values)  # (n,)
        held += torch.bincount(at, minlength=_BINS + 1)
        beside = np.sort(values.numpy()[mixed.index_select(0, at).numpy()])  # torch is slow at both
        count += torch.searchsorted(torch.from_numpy(beside), edges)
    return count + held.masked_fill_(mixed, 0).cumsum(0).index_select(0, own)


def box_number(density: Tensor, D: int, formula: str) -> Tensor:
    """N_theta from the density p (Eq. 9, and the released code's own): (T,), from D down to 1."""
    steps = (D - 1) / math.log(D) * _inside(density, D, formula).log()
    return 1 + steps if formula == "printed" else D - steps


def _inside(density: Tensor, D: int, formula: str) -> Tensor:
    """x, of which N_theta takes the logarithm."""
    return D - (D - 1) * density if formula == "printed" else 1 + (D - 1) * density


def reference_line(like: Tensor, D: int) -> Tensor:
    """pf(theta), (T,), which log N_theta follows if N_theta is a power law (Eq. 2 and Eq. 4).

    Thresholds are uniform on their axis, so the line falls by equal steps from log D to 0.
    """
    s = torch.linspace(0, 1, len(like), dtype=like.dtype, device=like.device)
    return (1 - s) * math.log(D)


def area(boxes: Tensor, line: Tensor, D: int, formula: str) -> Tensor:
    """SS_rate: twice the area between log N_theta and the line, over log D (Eq. 3): 0-d, 0 to 1."""
    return (_weights(line, formula) * (line - boxes.log()).abs()).sum() / math.log(D)


def _weights(line: Tensor, formula: str) -> Tensor:
    """(T,) weights of the sum that stands for the integral of Eq. 3."""
    if formula == "released":
        return torch.full_like(line, 2 / len(line))
    weights = torch.full_like(line, 2 / (len(line) - 1))
    weights[0] /= 2  # by number: a list of indices would be copied to the device, and waited for
    weights[-1] /= 2
    return weights


def area_slope(density: Tensor, boxes: Tensor, line: Tensor, D: int, formula: str) -> Tensor:
    """dSS_rate/dp at each threshold, (T,): ``area`` differentiated through ``box_number``."""
    sign = (line - boxes.log()).sign()
    sign[0] = 0  # at TZ the two agree, and what rounding leaves has no say
    # dN/dp = -(D - 1)^2 / (x log D) for either formula
    scale = _inside(density, D, formula) * boxes * math.log(D) ** 2
    return _weights(line, formula) * sign * (D - 1) ** 2 / scale


def curve_of(C: Distances, formula: str, T: int) -> BoxCurve:
    """The curve of a matrix's distances; its SS_rate is NaN where Eq. 4 is not defined."""
    D = len(C.rows)
    TZ, TV = (end.to(wide(end.device, end.dtype)) for end in C.ends())
    theta = thresholds(TZ, TV, T)  # (T,)
    p = density(C, theta, formula)  # (T,)
    boxes = box_number(p, D, formula)  # (T,)
    line = reference_line(theta, D)  # (T,)
    apart = (TV - TZ > _TIES * torch.finfo(C.dtype).eps * TV) & (TV > C.rounding) & TV.isfinite()
    rate = torch.where(apart, area(boxes, line, D, formula), math.nan)  # 0-d
    return BoxCurve(theta, p, boxes, line, rate, TZ, TV)


def check_curve(formula: str, thresholds: int) -> None:
    checks.choice("formula", formula, FORMULAS)
    checks.integer("thresholds", thresholds, 2)


def warn_degenerate(D: int, of: str = "") -> None:
    warnings.warn(
        f"{of}all distances between the D = {D} rows of F are equal, rounding apart: "
        "SS_rate is 0/0 (Eq. 4), so NaN",
        DegenerateDistances,
        stacklevel=3,
    )


def scale_free_rate(
    F: Tensor, *, axis: str = "mean", formula: str = "released", thresholds: int = 256
) -> float:
    """SS_rate with log(1 + theta) replaced by an axis on which the unit of F does not matter.

    Thresholds run from TZ to TV in equal steps of g(theta), and the line of Eq. 4 is straight in g:

    - "mean": g = log(1 + theta / m), m the mean distance of pairs i < j. SS_rate of F / m.
    - "log": g = log theta. What SS_rate of c F tends to as c grows. NaN where two channels are
      equal, as log TZ does not exist.
    - "linear": g = theta. What SS_rate of c F tends to as c goes to 0.

    >>> F = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    >>> [round(scale_free_rate(F, axis=axis), 4) for axis in AXES]
    [0.1536, 0.2461, 0.1753]

    Args:
        F, formula, thresholds: as for ``ss_rate``.
        axis: one of ``AXES``.

    Returns:
        0 to 1; NaN where all distances are equal.

    Raises:
        ValueError: an argument is not as said above.
    """
    checks.choice("axis", axis, AXES)
    check_curve(formula, thresholds)
    pairs = distinct_pairs(F)
    TZ, TV, mean = pairs.min(), pairs.max(), pairs.mean()
    tie = _TIES * min(checks.precision(F), 2**-23)  # of half precision: that of its distances
    if not TV - TZ > tie * TV or (axis == "log" and TZ == 0):
        return math.nan
    functions: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {  # g and back
        "mean": (lambda x: np.log1p(x / mean), lambda y: np.expm1(y) * mean),
        "log": (np.log, np.exp),
        "linear": (np.positive, np.positive),
    }
    g, back = functions[axis]
    steps = back(np.linspace(g(TZ), g(TV), thresholds)).clip(TZ, TV)  # (T,)
    steps[0], steps[-1] = TZ, TV
    D, theta = len(F), torch.from_numpy(steps)
    boxes = box_number(density(torch.from_numpy(pairs), theta, formula), D, formula)
    return float(area(boxes, reference_line(theta, D), D, formula))
