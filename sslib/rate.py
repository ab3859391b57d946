"""Pair distances C, density p(theta), box number N_theta and SS_rate, with the surrogate gradient
(Alg. 2, Eq. 2-5, 9).

The paper prints one box number and its authors' code runs another. Both are here: with x the
argument of the logarithm and p the share of pairs closer than theta::

    "printed"   N = 1 + (D - 1) log_D x,   x = D - (D - 1) p,   integral by the trapezoid rule over log(1 + theta)
    "released"  N = D - (D - 1) log_D x,   x = 1 + (D - 1) p,   integral by a plain mean over the
    thresholds

The printed formula needs two corrections before it can be computed, made here and nowhere else: p
counts pairs i != j only (with i = j the printed sum exceeds 1 and N is undefined), and Eq. 3 is
divided by log D (the printed factor D does not give the stated range 0 to 1).
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

FORMULAS = ("released", "printed")

# A squared distance below this share of the two rows' squared norms has lost too many digits in the
# Gram product.
_CLOSE = {torch.float32: 1e-3, torch.float64: 1e-6}
# On an accelerator the product is taken in float64 and no pair is looked at again: below this
# share, distances of less than 3e-7 of the rows' norms, two rows count as equal. It hides the
# rounding that is left of equal rows.
_EQUAL = 1e-13
# Pairs whose differences are taken at once: 2**22 numbers, 16 MB in float32.
_CHUNK = 2**22
# Pairs whose gradient is worked out at once on a CPU, so that intermediate results stay in its
# cache.
_CACHED = 2**17
# Nodes of the gradient's table where its length must not depend on values (accelerators, which
# would have to wait).
_FIXED_NODES = 16384


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


def pair_distances(F: Tensor) -> Tensor:
    """Distance matrix C of Alg. 2 and Eq. 8: C_ij = ||F_i - F_j||_2 / sqrt(B).

    Args:
        F: (D, B) feature matrix: D channels, B samples; any float dtype (half precision is computed
            in float32).

    Returns:
        (D, D) symmetric, zero on the diagonal, in the unit of F. Equal rows have distance exactly
        0. No gradient.

    Raises:
        ValueError: F is not a finite floating-point matrix with D >= 2 and B >= 1.

    >>> pair_distances(torch.tensor([[0.0, 0.0], [3.0, 4.0]]))
    tensor([[0.0000, 3.5355],
            [3.5355, 0.0000]])
    """
    F = _features(F)
    with torch.no_grad():
        C = _distances(_centred(F), _working(F.dtype))
        upper = C.triu(1)
        return upper + upper.T


def ss_rate(
    F: Tensor,
    *,
    formula: str = "released",
    thresholds: int = 256,
    smoothing: float = 1.0,
    gradient_factor: float | None = None,
    check: bool = True,
) -> Tensor:
    """SS_rate of the feature network of F (Eq. 3): 0 is a perfect power law, 1 the furthest from
    one.

    The forward value counts pairs exactly. The counts are steps, so the gradient is Alg. 2's
    surrogate: each step 1[C < theta] is differentiated as gradient_factor * sigmoid(smoothing *
    (theta - C)); TZ and TV are constants. SS_rate changes with the scale of F, because Eq. 5 takes
    log(1 + theta).

    On an accelerator, distances below 3e-7 of the two rows' norms count as 0, and the float32
    gradient is read from a table of fixed length whose relative error is (smoothing * (TV - TZ) /
    65536)^2. Not for use under ``torch.func``.

    Args:
        F: (D, B) feature matrix: D channels, B samples. Half precision is computed in float32.
        formula: "released" (the authors' code, behind Table 2) or "printed" (Eq. 3 and 9).
        thresholds: T >= 2, the number of theta between TZ and TV.
        smoothing: k > 0 of Alg. 2, in 1 / unit of F.
        gradient_factor: "fac" of Alg. 2; None takes D, as released.
        check: read F's values first: NaN and Inf are errors, equal distances a warning. False looks
            at shape and dtype only and never waits for a GPU: non-finite input then gives NaN and a
            zero gradient.

    Returns:
        0-d tensor in [0, 1], differentiable once with respect to F. NaN, with zero gradient, where
        all pair distances are equal (all rows equal, or D = 2).

    Raises:
        ValueError: F or another argument is not as said above.

    >>> F = torch.tensor([[0.0], [1.0], [3.0]], requires_grad=True)
    >>> rate = ss_rate(F)
    >>> rate.backward()
    >>> f"{rate.item():.4f}", tuple(F.grad.shape)
    ('0.2973', (3, 1))
    """
    F = _features(F, values=check)
    D = F.shape[0]
    factor = _options(formula, thresholds, smoothing, gradient_factor, D)
    rate = _SSRate.apply(F, formula, thresholds, smoothing, factor)
    if check and rate.isnan():
        _warn_degenerate(D)
    return rate


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


class _SSRate(torch.autograd.Function):
    """SS_rate with the closed form of Alg. 2's gradient: dSS/dC is a function of C alone, summed
    over theta.
    """

    @staticmethod
    @torch.compiler.disable
    def forward(
        ctx: Any, F: Tensor, formula: str, thresholds: int, smoothing: float, factor: float
    ) -> Tensor:
        with torch.autocast(F.device.type, enabled=False):
            rows = _centred(F)
            C = _distances(rows, _working(F.dtype))
            curve, slope, valid = _curve(C, formula, thresholds)
        D = F.shape[0]
        # d p / d C = -factor * k * sigmoid' / (number of pairs)
        pull = slope * (-factor * smoothing / math.comb(D, 2))
        ctx.save_for_backward(rows, C, torch.where(valid, curve.theta, 0), pull, valid)
        ctx.smoothing, ctx.dtype = smoothing, F.dtype
        return curve.ss_rate.to(C.dtype)

    @staticmethod
    @once_differentiable
    @torch.compiler.disable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None, None]:  # type: ignore[override]
        rows, C, theta, pull, valid = ctx.saved_tensors
        with torch.autocast(C.device.type, enabled=False):
            weight = _pull(C, theta.to(C.dtype), pull.to(C.dtype), ctx.smoothing).to(rows.dtype)
            # sum_j w_ij (F_i - F_j) / B: minus the graph Laplacian of w, applied to the rows
            weight.diagonal().sub_(weight.sum(1))
            pulled = (weight @ rows).mul_(-grad / rows.shape[1]).masked_fill_(~valid, 0)
        return pulled.to(ctx.dtype), None, None, None, None


def _features(F: Tensor, *, values: bool = True) -> Tensor:
    F = torch.as_tensor(F)
    shape = tuple(F.shape)
    if F.ndim != 2 or shape[0] < 2 or shape[1] < 1:
        raise ValueError(
            f"F has shape {shape}; expected (D, B) with D >= 2 channels and B >= 1 samples"
        )
    if not F.is_floating_point():
        raise ValueError(f"F of shape {shape} has dtype {F.dtype}; expected a floating-point dtype")
    if values and not torch.isfinite(F).all():
        raise ValueError(f"F of shape {shape} holds NaN or Inf; expected finite numbers")
    return F


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


def _on_host(device: torch.device) -> bool:
    """Whether values can be read without waiting: elsewhere, no operation below depends on one."""
    return device.type == "cpu"


def _working(dtype: torch.dtype) -> torch.dtype:
    return torch.promote_types(dtype, torch.float32)


def _wide(device: torch.device, dtype: torch.dtype) -> torch.dtype:
    """float64 where it costs little: always for a curve of T numbers, on CUDA for the products as
    well.
    """
    return torch.float32 if device.type == "mps" else torch.promote_types(dtype, torch.float64)


def _centred(F: Tensor) -> Tensor:
    """Rows minus their common mean, in the dtype of the products: distances stay, products lose
    fewer digits.

    On an accelerator the products run in float64: exact enough that no pair has to be looked at
    again, which would make the host wait, and safe from TF32.
    """
    F = F.detach().to(_working(F.dtype))
    F = F if _on_host(F.device) else F.to(_wide(F.device, F.dtype))
    return F - F.mean(0)


def _distances(rows: Tensor, dtype: torch.dtype) -> Tensor:
    """(D, D) distances of centred rows from one Gram product; pairs too close for it are taken from
    differences.
    """
    D, B = rows.shape
    host = _on_host(rows.device)
    # On a CPU only blocks on and above the diagonal are multiplied, the rest is their mirror image.
    height = -(-D // 4) if host and D > 512 else D
    C = rows.new_empty(D, D, dtype=dtype)
    norm = torch.linalg.vector_norm(rows, dim=1).square_()
    for top in range(0, D, height):
        block = rows[top : top + height]
        below = top + len(block)
        scale = norm[top:below, None] + norm[top:]
        square = torch.addmm(scale, block, rows[top:].T, alpha=-2)
        if host:
            square.fill_diagonal_(math.inf)
            i, j = (square < scale.mul_(_CLOSE[rows.dtype])).nonzero(as_tuple=True)
            for a, b in zip(i.split(_CHUNK // B + 1), j.split(_CHUNK // B + 1)):
                square[a, b] = (block[a] - rows[top + b]).square_().sum(1)
            square.fill_diagonal_(0)
        else:
            square.masked_fill_(square <= scale.mul_(_EQUAL), 0)
        C[top:below, top:] = square.div_(B).sqrt_()
        C[below:, top:below] = C[top:below, below:].T
    return C


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


def _pull(C: Tensor, theta: Tensor, pull: Tensor, k: float) -> Tensor:
    """dSS/dC_ij over C_ij, and 0 where C_ij = 0, with dSS/dC = sum_s pull_s * sigmoid'(k (theta_s -
    C)).

    The sum is a smooth function of one number: in float32 it is tabulated once and read by linear
    interpolation (relative error (k * step)^2 / 16: 1e-6 on a CPU; on an accelerator, where the
    step must not depend on values, (k (TV - TZ) / 65536)^2, which is 1e-6 up to k (TV - TZ) = 64),
    in float64 evaluated at every pair.
    """
    low, high = theta[0], theta[-1]
    nodes = _FIXED_NODES
    if _on_host(C.device):
        nodes = int(min(max(256 * k * float(high - low), 1024), C.numel()))
    direct = C.dtype == torch.float64 or nodes >= C.numel()
    if not direct:
        density = (nodes - 1) / (high - low)
        offset = -low * density
        table = _bell_sum(
            torch.lerp(low, high, torch.linspace(0, 1, nodes, device=C.device)), theta, pull, k
        )
        rise = table.diff()
    weight = torch.empty_like(C)
    height = _CACHED // len(C) + 1 if _on_host(C.device) else len(C)
    for c, w in zip(C.split(height), weight.split(height)):
        if direct:
            w.copy_(_bell_sum(c.flatten(), theta, pull, k).view_as(c))
        else:
            position = torch.addcmul(offset, c, density)
            # clamped: C_ii = 0 lies below the table, and everything does where SS_rate is undefined
            cell = position.to(torch.int32).clamp_(0, nodes - 2)
            share = position.sub_(cell)
            cell = cell.flatten()
            value, slope = table.index_select(0, cell), rise.index_select(0, cell)
            torch.addcmul(value.view_as(c), slope.view_as(c), share, out=w)
        w.div_(c).nan_to_num_(0, 0, 0)
    return weight


def _bell_sum(c: Tensor, theta: Tensor, pull: Tensor, k: float) -> Tensor:
    parts = []
    for part in c.split(max(1, _CHUNK // len(theta))):
        z = torch.sigmoid(k * (theta - part[:, None]))
        parts.append(torch.addcmul(z, z, z, value=-1) @ pull)
    return torch.cat(parts)
