"""TODO"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from sslib.distances import (
    _ROUNDED,
    _centred,
    _distances,
    _features,
    _on_host,
    _pairs,
    _wide,
    _working,
)

FORMULAS = ("released", "printed")


class DegenerateDistances(UserWarning):
    """All pair distances are equal, so Eq. 4 reads 0/0 and SS_rate is NaN."""


@dataclass(frozen=True)
class BoxCurve:
    """The curve behind one SS_rate: T thresholds and what is counted at each (Fig. 1, Eq. 2-5).

    Attributes:
        theta: (T,) thresholds, in units of C, from TZ to TV, uniform in log(1 + theta).
        density: (T,) p(theta), share of pairs closer than theta, 0 to 1.
        boxes: (T,) N_theta, from D down to 1.
        reference: (T,) pf(theta) of Eq. 4, the straight line from log D to 0 that log N_theta is
            held against.
        ss_rate: 0-d, Eq. 3.
        theta_min: 0-d, TZ, the smallest pair distance.
        theta_max: 0-d, TV, the largest pair distance.
    """

    theta: Tensor
    density: Tensor
    boxes: Tensor
    reference: Tensor
    ss_rate: Tensor
    theta_min: Tensor
    theta_max: Tensor


def box_curve(F: Tensor, *, formula: str = "released", thresholds: int = 256) -> BoxCurve:
    """N_theta against theta, the line it is held against, and the SS_rate that lies between them
    (Eq. 2-5, 9).

    Args:
        F: (D, B) feature matrix: D channels, B samples.
        formula: "released" or "printed".
        thresholds: T >= 2.

    Returns:
        A BoxCurve of float64 tensors, on F's device. No gradient.

    Raises:
        ValueError: F or another argument is not as said above.

    >>> curve = box_curve(torch.tensor([[0.0], [1.0], [3.0]]), thresholds=3)
    >>> [round(n, 3) for n in curve.boxes.tolist()], curve.theta_max.item()
    ([3.0, 2.07, 1.458], 3.0)
    """
    F = _features(F)
    _options(formula, thresholds, 1.0, None, F.shape[0])
    with torch.no_grad():
        C = _distances(_centred(F), _working(F.dtype))
        curve, _, valid = _curve(C, formula, thresholds)
    if not valid:
        _warn_degenerate(F.shape[0])
    return curve


def _options(
    formula: str, thresholds: int, smoothing: float, factor: float | None, D: int
) -> float:
    if formula not in FORMULAS:
        raise ValueError(f"formula is {formula!r}; expected one of {FORMULAS}")
    if not isinstance(thresholds, int) or thresholds < 2:
        raise ValueError(f"thresholds is {thresholds!r}; expected an integer of at least 2")
    if not (smoothing > 0 and math.isfinite(smoothing)):
        raise ValueError(f"smoothing is {smoothing!r}; expected a positive number")
    factor = float(D) if factor is None else float(factor)
    if not math.isfinite(factor):
        raise ValueError(f"gradient_factor is {factor!r}; expected a finite number")
    return factor


def _warn_degenerate(D: int) -> None:
    warnings.warn(
        f"all distances between the D = {D} rows of F are equal: SS_rate is 0/0 (Eq. 4) and reads NaN",
        DegenerateDistances,
        stacklevel=3,
    )


@lru_cache(maxsize=2)
def _upper(D: int, device: torch.device) -> Tensor:
    """Flat indices of the pairs i < j in a (D, D) matrix."""
    i, j = torch.triu_indices(D, D, 1, device=device, dtype=torch.int32)
    return i.mul_(D).add_(j)


def _curve(C: Tensor, formula: str, thresholds: int) -> tuple[BoxCurve, Tensor, Tensor]:
    """The curve, dSS/dp at each threshold (T,), and whether Eq. 4 is defined (0-d bool)."""
    D = C.shape[0]
    pairs = C.flatten().index_select(0, _upper(D, C.device))
    # NumPy sorts some twenty times faster than torch on a CPU.
    pairs = torch.from_numpy(np.sort(pairs.numpy())) if _on_host(C.device) else pairs.sort().values
    wide = _wide(C.device, C.dtype)
    TZ, TV = pairs[0].to(wide), pairs[-1].to(wide)
    valid = (TV > TZ) & TV.isfinite()

    s = torch.linspace(0, 1, thresholds, dtype=wide, device=C.device)
    theta = torch.clamp((1 + TZ) * ((1 + TV) / (1 + TZ)) ** s - 1, TZ, TV)
    count = torch.searchsorted(pairs, theta.to(pairs.dtype), right=formula == "printed")
    # Fixed once for both formulas: nothing lies below TZ, and at TV the largest pair is not
    # counted.
    ends = torch.searchsorted(pairs, torch.stack([TZ, TV]).to(pairs.dtype))
    count = torch.cat([ends[:1], count[1:-1], ends[1:]])
    density = count.to(wide) / pairs.numel()

    log_D = math.log(D)
    if formula == "printed":
        x = D - (D - 1) * density
        boxes = 1 + (D - 1) / log_D * x.log()
        weight = torch.full_like(s, 2 / (thresholds - 1))
        weight[0] /= 2  # by number: a list of indices would be copied to the device, and waited for
        weight[-1] /= 2
    else:
        x = 1 + (D - 1) * density
        boxes = D - (D - 1) / log_D * x.log()
        weight = torch.full_like(s, 2 / thresholds)
    # Eq. 4 over log D: theta is uniform in log(1 + theta), so the line falls by equal steps from 1
    # to 0.
    residual = (1 - s) - boxes.log() / log_D
    rate = torch.where(valid, (weight * residual.abs()).sum(), math.nan)
    # dN/dp = -(D - 1)^2 / (x log D) for either formula
    slope = weight * residual.sign() * (D - 1) ** 2 / (x * boxes * log_D**2)
    curve = BoxCurve(theta, density, boxes, (1 - s) * log_D, rate, TZ, TV)
    return curve, torch.where(valid, slope, 0), valid


#: Axes of ``scale_free_rate``.
AXES = ("mean", "log", "linear")


def scale_free_rate(
    F: Tensor, *, axis: str = "mean", formula: str = "released", thresholds: int = 256
) -> float:
    """SS_rate with the axis log(1 + theta) of Eq. 3-5 replaced by one on which the unit of F does
    not matter.

    Thresholds run from TZ to TV in equal steps of g(theta), and the line of Eq. 4 is straight in g:

    - "mean": g = log(1 + theta / m), m the mean distance of pairs i < j. SS_rate of F / m.
    - "log": g = log theta, as in N ~ theta^-d (Eq. 7). What SS_rate of c F tends to as c grows. NaN
      where two channels are equal, as log TZ does not exist.
    - "linear": g = theta. What SS_rate of c F tends to as c goes to 0.

    Args:
        F: (D, B) feature matrix.
        formula: "released" or "printed", for N_theta and the integral, as for ``ss_rate``.
        thresholds: T >= 2.

    Returns:
        A number from 0 to 1; NaN where all distances are equal, as for ``ss_rate``.

    Raises:
        ValueError: an argument is not as said above.

    >>> F = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    >>> [round(scale_free_rate(F, axis=axis), 4) for axis in AXES]
    [0.1536, 0.2461, 0.1753]
    """
    if axis not in AXES:
        raise ValueError(f"axis is {axis!r}; expected one of {AXES}")
    if formula not in FORMULAS:
        raise ValueError(f"formula is {formula!r}; expected one of {FORMULAS}")
    if not isinstance(thresholds, int) or thresholds < 2:
        raise ValueError(f"thresholds is {thresholds!r}; expected an integer of at least 2")
    D, pairs = len(F), np.sort(_pairs(F))
    low, high = pairs[0], pairs[-1]
    if not high - low > _ROUNDED * high or (axis == "log" and low == 0):
        return math.nan
    mean = pairs.mean()
    g, back = {
        "mean": (lambda t: np.log1p(t / mean), lambda y: np.expm1(y) * mean),
        "log": (np.log, np.exp),
        "linear": (lambda t: t, lambda y: y),
    }[axis]
    theta = np.clip(back(np.linspace(g(low), g(high), thresholds)), low, high)
    below = np.searchsorted(pairs, theta, side="right" if formula == "printed" else "left")
    below[0], below[-1] = 0, np.searchsorted(pairs, high, side="left")
    p = below / len(pairs)
    if formula == "printed":
        boxes = 1 + (D - 1) * np.log(D - (D - 1) * p) / math.log(D)
    else:
        boxes = D - (D - 1) * np.log1p((D - 1) * p) / math.log(D)
    return rate_of_boxes(boxes, D, formula=formula)


def rate_of_boxes(boxes: ArrayLike, D: int, *, formula: str = "released") -> float:
    """SS_rate of any box numbers, such as true covering numbers, at thresholds uniform in log(1 +
    theta) (Eq. 3-4).

    boxes: (T,) from D to 1; formula: "released" averages abs(log N - line) over the thresholds,
    "printed" takes the trapezoid rule. Raises ValueError unless 1 <= boxes <= D and T >= 2.

    >>> rate_of_boxes([4, 2, 1], 4), round(rate_of_boxes([4, 4, 1], 4), 4)
    (0.0, 0.3333)
    """
    boxes = np.asarray(boxes, dtype=np.float64)
    if (
        boxes.ndim != 1
        or len(boxes) < 2
        or not ((boxes >= 1 - 1e-9) & (boxes <= D * (1 + 1e-9))).all()
    ):
        raise ValueError(
            f"boxes has shape {boxes.shape}; expected (T,) numbers from 1 to D = {D}, T >= 2"
        )
    residual = np.abs(np.linspace(1, 0, len(boxes)) - np.log(boxes) / math.log(D))
    return float(
        2 * np.trapezoid(residual) / (len(boxes) - 1)
        if formula == "printed"
        else 2 * residual.mean()
    )
