"""Pair distances C of a feature matrix, and the adjacency matrix of G_M (Eq. 1, Eq. 8)."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from sslib import checks
from sslib.checks import Array

# A squared distance below this share of the two rows' squared norms has lost too many digits in the
# Gram product.
_CLOSE = {torch.float32: 1e-3, torch.float64: 1e-6}

# On an accelerator the product is taken in float64 and no pair is looked at again: below this
# share, distances of less than 3e-7 of the rows' norms, rows count as equal, rounding or not.
_EQUAL = 1e-13

#: Numbers held at once where all of them would be too many: 16 MB in float32.
CHUNK = 2**22

#: Distances that differ by a smaller share of the largest are equal but for rounding.
ROUNDING = 1e-6


def pair_distances(F: Tensor) -> Tensor:
    """Distance matrix C of Alg. 2 (Eq. 8): C_ij = ||F_i - F_j||_2 / sqrt(B).

    >>> pair_distances(torch.tensor([[0.0, 0.0], [3.0, 4.0]]))
    tensor([[0.0000, 3.5355],
            [3.5355, 0.0000]])

    Args:
        F: (D, B) feature matrix: D channels, B samples; any float dtype (half precision is computed
            in float32).

    Returns:
        (D, D) symmetric, zero on the diagonal, in the unit of F. Equal rows have distance exactly
        0. No gradient.

    Raises:
        ValueError: F is not a finite floating-point matrix with D >= 2 and B >= 1.
    """
    F = checks.matrix("F", F)
    with torch.no_grad():
        upper = distance_matrix(F)[0].triu(1)  # (D, D)
        return upper + upper.T


def adjacency(F: Tensor, epsilon: float) -> Tensor:
    """Adjacency matrix A of G_M (Eq. 1): channels i, j are joined where ||F_i - F_j||_2 < epsilon.

    Alg. 2 measures the norm over sqrt(B): an epsilon of theta * sqrt(B) joins the pairs that
    ``pair_distances`` puts below theta.

    >>> adjacency(torch.tensor([[0.0], [1.0], [3.0]]), 1.5).int()
    tensor([[0, 1, 0],
            [1, 0, 0],
            [0, 0, 0]], dtype=torch.int32)

    Args:
        F: (D, B) feature matrix: D channels, B samples.
        epsilon: threshold >= 0, in the unit of F times sqrt(B).

    Returns:
        (D, D) bool, symmetric, False on the diagonal.

    Raises:
        ValueError: F is not a finite floating-point matrix with D >= 2, or epsilon is negative or
            not a number.
    """
    if not epsilon >= 0:
        raise checks.error("epsilon", "a number of at least 0", repr(epsilon))
    joined = pair_distances(F) * math.sqrt(torch.as_tensor(F).shape[1]) < epsilon
    return joined.fill_diagonal_(False)


def distinct_pairs(F: Tensor) -> Array:
    """Distances of the pairs i < j: (D(D-1)/2,) float64."""
    C: Array = pair_distances(F).cpu().double().numpy()
    return C[np.triu_indices(len(C), 1)]


def on_host(device: torch.device) -> bool:
    """Whether values can be read without waiting: elsewhere, no operation below depends on one."""
    return device.type == "cpu"


def wide(device: torch.device, dtype: torch.dtype) -> torch.dtype:
    """float64 where it costs little: for a curve of T numbers, on CUDA for the products as well."""
    return torch.float32 if device.type == "mps" else torch.promote_types(dtype, torch.float64)


def distance_matrix(F: Tensor) -> tuple[Tensor, Tensor]:
    """(D, D) distances from one Gram product, in float32 at least, and the (D, B) rows behind them.

    The rows are centred on their common mean, so that the product loses fewer digits; pairs too
    close for it are taken from their differences. On an accelerator it runs in float64: exact
    enough that no pair has to be looked at again, which would make the host wait, and safe from
    TF32.
    """
    D, B = F.shape
    host = on_host(F.device)
    dtype = torch.promote_types(F.dtype, torch.float32)
    rows = F.detach().to(dtype if host else wide(F.device, dtype))  # (D, B)
    rows = rows - rows.mean(0)
    # On a CPU only blocks on and above the diagonal are multiplied, the rest is their mirror image.
    height = -(-D // 4) if host and D > 512 else D
    C = rows.new_empty(D, D, dtype=dtype)
    norm = torch.linalg.vector_norm(rows, dim=1).square_()  # (D,)
    for top in range(0, D, height):
        block = rows[top : top + height]  # (h, B)
        below = top + len(block)
        scale = norm[top:below, None] + norm[top:]  # (h, D - top)
        square = torch.addmm(scale, block, rows[top:].T, alpha=-2)  # (h, D - top)
        if host:
            square.fill_diagonal_(math.inf)
            i, j = (square < scale.mul_(_CLOSE[rows.dtype])).nonzero(
                as_tuple=True
            )  # (close pairs,)
            for a, b in zip(i.split(CHUNK // B + 1), j.split(CHUNK // B + 1), strict=True):
                square[a, b] = (block[a] - rows[top + b]).square_().sum(1)
            square.fill_diagonal_(0)
        else:
            square.masked_fill_(square <= scale.mul_(_EQUAL), 0)
        C[top:below, top:] = square.div_(B).sqrt_()
        C[below:, top:below] = C[top:below, below:].T
    return C, rows
