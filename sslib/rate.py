"""SS_rate of a feature matrix, with the surrogate gradient of Alg. 2 (Eq. 3)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from sslib import checks
from sslib.boxes import area_slope, check_curve, curve_of, warn_degenerate
from sslib.distances import CHUNK, distance_matrix, on_host

_CACHED = 2**17  # pairs whose gradient is worked out at once on a CPU, to stay in its cache

# Nodes of the gradient's table where its length must not depend on values: on accelerators.
_FIXED_NODES = 16384


def ss_rate(
    F: Tensor,
    *,
    formula: str = "released",
    thresholds: int = 256,
    smoothing: float = 1.0,
    gradient_factor: float | None = None,
    check: bool = True,
) -> Tensor:
    """SS_rate of the feature network of F (Eq. 3): 0 is a perfect power law, 1 the furthest off.

    The value counts pairs exactly. The counts are steps, so the gradient is Alg. 2's
    surrogate: each step 1[C < theta] is differentiated as gradient_factor * sigmoid(smoothing *
    (theta - C)); TZ and TV are constants. SS_rate changes with the scale of F, because Eq. 5 takes
    log(1 + theta).

    On an accelerator, distances below 3e-7 of the two rows' norms count as 0, and the float32
    gradient is read from a table of fixed length whose relative error is (smoothing * (TV - TZ) /
    65536)^2. Not for use under ``torch.func``.

    >>> F = torch.tensor([[0.0], [1.0], [3.0]], requires_grad=True)
    >>> rate = ss_rate(F)
    >>> rate.backward()
    >>> f"{rate.item():.4f}", tuple(F.grad.shape)
    ('0.2973', (3, 1))

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
    """
    F = checks.matrix("F", F, values=check)
    D = len(F)
    check_curve(formula, thresholds)
    checks.number("smoothing", smoothing, above=0)
    factor = checks.number("gradient_factor", D if gradient_factor is None else gradient_factor)
    rate: Tensor = _SSRate.apply(F, formula, thresholds, smoothing, factor)
    if check and rate.isnan():
        warn_degenerate(D)
    return rate


class _SSRate(torch.autograd.Function):
    """SS_rate with Alg. 2's gradient in closed form: dSS/dC_ij depends on C_ij and the curve."""

    @staticmethod
    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def forward(
        ctx: Any, F: Tensor, formula: str, thresholds: int, smoothing: float, factor: float
    ) -> Tensor:
        with torch.autocast(F.device.type, enabled=False):
            C, rows = distance_matrix(F)  # (D, D) and (D, B)
            curve = curve_of(C, formula, thresholds)
            slope = area_slope(curve.density, curve.boxes, curve.reference, len(C), formula)  # (T,)
        valid = ~curve.ss_rate.isnan()
        # d p / d C = -factor * k * sigmoid' / (number of pairs)
        pull = torch.where(valid, slope, 0) * (-factor * smoothing / math.comb(len(C), 2))  # (T,)
        ctx.save_for_backward(rows, C, torch.where(valid, curve.theta, 0), pull, valid)
        ctx.smoothing, ctx.dtype = smoothing, F.dtype
        return curve.ss_rate.to(C.dtype)

    @staticmethod
    @once_differentiable
    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None, None]:  # type: ignore[override]
        rows, C, theta, pull, valid = ctx.saved_tensors
        with torch.autocast(C.device.type, enabled=False):
            weight = _pull(C, theta.to(C.dtype), pull.to(C.dtype), ctx.smoothing)  # (D, D)
            weight = weight.to(rows.dtype)
            # sum_j w_ij (F_i - F_j) / B: minus the graph Laplacian of w, applied to the rows
            weight.diagonal().sub_(weight.sum(1))
            pulled = (weight @ rows).mul_(-grad / rows.shape[1]).masked_fill_(~valid, 0)  # (D, B)
        return pulled.to(ctx.dtype), None, None, None, None


def _pull(C: Tensor, theta: Tensor, pull: Tensor, k: float) -> Tensor:
    """dSS/dC_ij over C_ij, and 0 where C_ij = 0: (D, D).

    dSS/dC = sum_s pull_s * sigmoid'(k (theta_s - C)) is a smooth function of one number: in float32
    it is tabulated once and read by linear interpolation (relative error (k * step)^2 / 16: 1e-6 on
    a CPU; on an accelerator, where the step must not depend on values, (k (TV - TZ) / 65536)^2,
    which is 1e-6 up to k (TV - TZ) = 64), in float64 evaluated at every pair.
    """
    low, high = theta[0], theta[-1]
    nodes = _FIXED_NODES
    if on_host(C.device):
        nodes = int(min(max(256 * k * float(high - low), 1024), C.numel()))
    direct = C.dtype == torch.float64 or nodes >= C.numel()
    if not direct:
        density = (nodes - 1) / (high - low)
        offset = -low * density
        at = torch.lerp(low, high, torch.linspace(0, 1, nodes, device=C.device))  # (nodes,)
        table = _bell_sum(at, theta, pull, k)  # (nodes,)
        rise = table.diff()  # (nodes - 1,)
    weight = torch.empty_like(C)
    height = _CACHED // len(C) + 1 if on_host(C.device) else len(C)
    for c, w in zip(torch.split(C, height), torch.split(weight, height), strict=True):  # (h, D)
        if direct:
            w.copy_(_bell_sum(c.flatten(), theta, pull, k).view_as(c))
        else:
            position = torch.addcmul(offset, c, density)  # (h, D), in steps of the table
            # clamped: C_ii = 0 lies below the table, and everything does where SS_rate is undefined
            cell = position.to(torch.int32).clamp_(0, nodes - 2)
            share = position.sub_(cell)
            cell = cell.flatten()  # (h D,)
            value, slope = table.index_select(0, cell), rise.index_select(0, cell)
            torch.addcmul(value.view_as(c), slope.view_as(c), share, out=w)
        w.div_(c).nan_to_num_(0, 0, 0)
    return weight


def _bell_sum(c: Tensor, theta: Tensor, pull: Tensor, k: float) -> Tensor:
    """sum_s pull_s * sigmoid'(k (theta_s - c)) for (n,) values c: (n,)."""
    parts = []
    for part in torch.split(c, max(1, CHUNK // len(theta))):
        z = torch.sigmoid(k * (theta - part[:, None]))  # (n of a part, T)
        parts.append(torch.addcmul(z, z, z, value=-1) @ pull)
    return torch.cat(parts)
