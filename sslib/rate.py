"""SS_rate of a feature matrix, with the surrogate gradient of Alg. 2 (Eq. 3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from sslib import checks
from sslib.boxes import area_slope, check_curve, curve_of, warn_degenerate
from sslib.distances import CACHED, CHUNK, Distances

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
        all pair distances are equal, but for rounding (all rows equal, or D = 2).

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
            C = Distances(F)
            curve = curve_of(C, formula, thresholds)
            slope = area_slope(curve.density, curve.boxes, curve.reference, len(F), formula)  # (T,)
        valid = ~curve.ss_rate.isnan()
        # d p / d C = -factor * k * sigmoid' / (number of pairs)
        pull = torch.where(valid, slope, 0) * (-factor * smoothing / C.numel())  # (T,)
        ctx.save_for_backward(torch.where(valid, curve.theta, 0), pull, valid, *C.kept)
        ctx.distances, ctx.smoothing, ctx.dtype = C, smoothing, F.dtype
        C.kept = ()  # autograd drops what it saved, once it is used
        return curve.ss_rate.to(C.dtype)

    @staticmethod
    @once_differentiable
    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None, None]:  # type: ignore[override]
        theta, pull, valid, *kept = ctx.saved_tensors
        C, rows = ctx.distances, ctx.distances.rows
        with torch.autocast(rows.device.type, enabled=False):
            read = _pull(theta.to(C.dtype), pull.to(C.dtype), ctx.smoothing, C)
            degree, sums = torch.zeros_like(rows[:, 0]), torch.zeros_like(rows)  # (D,) and (D, B)
            for top, block in zip(C.tops, kept or C, strict=True):
                weight = torch.empty_like(block)  # (h, D - top)
                step = CACHED // block.shape[1] + 1 if C.host else len(block)
                for c, w in zip(torch.split(block, step), torch.split(weight, step), strict=True):
                    read(c, w)
                end = top + len(block)
                weight, here = weight.to(rows.dtype), slice(top, end)
                square, beside = weight[:, : len(block)], weight[:, len(block) :]
                square += square.T.contiguous()  # of i > j it holds zeros
                degree[end:] += beside.sum(0)
                # sum_j w_ij (F_i - F_j): the graph Laplacian of w, applied to the rows; the blocks
                # above have brought the rest of the degrees of these rows
                square.diagonal().sub_(degree[here] + weight.sum(1))
                sums[here].addmm_(weight, rows[top:])
                sums[end:].addmm_(beside.T, rows[here])
            sums.mul_(-grad / rows.shape[1]).masked_fill_(~valid, 0)
        return sums.to(ctx.dtype), None, None, None, None


def _pull(theta: Tensor, pull: Tensor, k: float, C: Distances) -> Callable[[Tensor, Tensor], None]:
    """What writes dSS/dC_ij over C_ij for distances (h, n); 0 where C_ij = 0, or there is no pair.

    dSS/dC = sum_s pull_s * sigmoid'(k (theta_s - C)) is a smooth function of one number: in float32
    it is tabulated once and read by linear interpolation (relative error (k * step)^2 / 16: 1e-6 on
    a CPU; on an accelerator, where the step must not depend on values, (k (TV - TZ) / 65536)^2,
    which is 1e-6 up to k (TV - TZ) = 64), in float64 evaluated at every pair.
    """
    low, high = theta[0], theta[-1]
    most = len(C.rows) ** 2
    nodes = int(min(max(256 * k * float(high - low), 256), most)) if C.host else _FIXED_NODES
    direct = C.dtype == torch.float64 or nodes >= most
    if not direct:
        density = (nodes - 1) / (high - low)
        offset = -low * density
        at = torch.lerp(low, high, torch.linspace(0, 1, nodes, device=theta.device))  # (nodes,)
        table = _bell_sum(at, theta, pull, k)  # (nodes,)
        rise = table.diff()  # (nodes - 1,)

    def read(c: Tensor, out: Tensor) -> None:
        if direct:
            out.copy_(_bell_sum(c.flatten(), theta, pull, k).view_as(c))
        else:
            position = torch.addcmul(offset, c, density)  # (h, n), in steps of the table
            # clamped: where there is no pair or no SS_rate, positions lie outside the table
            cell = position.to(torch.int32).clamp_(0, nodes - 2)
            share = position.sub_(cell)
            cell = cell.flatten()  # (h n,)
            value, slope = table.index_select(0, cell), rise.index_select(0, cell)
            torch.addcmul(value.view_as(c), slope.view_as(c), share, out=out)
        out.div_(c if C.unit == 1 else c / C.unit).nan_to_num_(0, 0, 0)  # as rows are in it

    return read


def _bell_sum(c: Tensor, theta: Tensor, pull: Tensor, k: float) -> Tensor:
    """sum_s pull_s * sigmoid'(k (theta_s - c)) for (n,) values c: (n,)."""
    parts = []
    for part in torch.split(c, max(1, CHUNK // len(theta))):
        z = torch.sigmoid(k * (theta - part[:, None]))  # (n of a part, T)
        parts.append(torch.addcmul(z, z, z, value=-1) @ pull)
    return torch.cat(parts)
